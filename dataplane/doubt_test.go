package dataplane

import (
	"bytes"
	"testing"
	"time"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/catalog"
	"smsplane/pdu"
	"smsplane/router"
)

// given is a message on a session of carrier north that no loop serves: what it is given goes nowhere, and the test
// says what was heard.
type given struct {
	t  *testing.T
	n  *Node
	l  *lane
	s  *linkSession
	id ledger.MsgID
}

func giveTo(t *testing.T, n *Node) *given {
	g := &given{t: t, n: n, l: n.x.lanes[n.x.accounts[1].Lane]}
	n.x.call(func() {
		c := n.x.carrier(1)
		k := newKeptLink(&n.x.table.Catalog().Carriers[0], 1, 0, nil).link
		g.s = newLinkSession(k, 1<<30, 0, c)
		g.s.up, g.s.end = true, func(pdu.Status) {}
		n.x.links[g.s.id] = g.s
	})
	g.id = n.admit(t, g.l.n, 1)[0]
	g.is(book.StateRouted, phaseQueued)
	return g
}

func (g *given) is(state book.State, phase uint8) {
	g.t.Helper()
	var s book.State
	var p uint8
	if !g.n.await(func() bool {
		m := g.l.book.Get(g.id)
		s, p = m.State, m.Phase
		return s == state && p == phase
	}) {
		g.t.Fatalf("it is %v in phase %d, not %v in phase %d", s, p, state, phase)
	}
}

// dispatch takes the message from its queue and gives it to the session; what is heard then comes before the loop says
// that it knows no such session.
func (g *given) dispatch(heard *event) {
	g.t.Helper()
	sent := false
	g.n.x.call(func() {
		m := g.l.book.Get(g.id)
		g.l.unlist(m)
		g.l.dispatch(m, g.s, 0, g.n.x.now)
		if heard == nil {
			return
		}
		g.l.cut(g.n.x.now, true)
		for limit := time.Now().Add(time.Minute); m.Phase == phaseDispatching && time.Now().Before(limit); {
			g.l.work(g.n.x.clock())
		}
		if sent = m.Phase == phaseSent; sent {
			g.hear(heard)
		}
	})
	if heard != nil && !sent {
		g.t.Fatal("it was not sent")
	}
}

func (g *given) hear(e *event) {
	e.session, e.id = g.s.id, g.id
	g.n.x.fromLink(e, g.n.x.now)
}

// catalog puts another one in force at once, as long as the test runs.
func (g *given) catalog(file, old, new string) {
	files := testCatalog(5)
	if !bytes.Contains(files[file], []byte(old)) {
		g.t.Fatalf("%s has no %q", file, old)
	}
	files[file] = bytes.Replace(files[file], []byte(old), []byte(new), 1)
	c, err := catalog.Parse(files)
	if err != nil {
		g.t.Fatal(err)
	}
	g.n.x.call(func() { g.n.x.table = router.Compile(c, g.n.x.table.Version(), numbersOf(g.n.x.lanes[0].book.System)) })
}

// A message in doubt that its carrier has no price for any more cannot be sent again, but it may have arrived: it stays in
// doubt, and a late answer ends that.
func TestDoubtOutlivesItsPrice(t *testing.T) {
	n, stop := startTestNode(t, testNodeFile(t))
	defer stop()
	g := giveTo(t, n)
	g.dispatch(&event{kind: evLost})
	g.is(book.StateDoubt, phaseQueued)
	g.catalog("rates.csv", "buy,north,49,,,0.0310,EUR,2020-01-01,", "buy,north,49,,,0.0310,EUR,2020-01-01,2021-01-01")
	g.dispatch(nil)
	g.is(book.StateDoubt, phaseKept)
	n.x.call(func() { g.hear(&event{kind: evLate, data: []byte("late")}) })
	g.is(book.StateTaken, phaseAwaiting)
	check(t, n)
}

// A late answer names the message and not its part: once some part was sent again it may be about that one, and another part
// stays in doubt.
func TestLateAnswerOfAnotherPart(t *testing.T) {
	n, stop := startTestNode(t, testNodeFile(t))
	defer stop()
	g := giveTo(t, n)
	g.dispatch(&event{kind: evLost})
	g.is(book.StateDoubt, phaseQueued)
	n.x.call(func() {
		m := g.l.book.Get(g.id)
		for part, want := range []uint8{phaseKept, phaseAwaiting} { // so that nothing is sent meanwhile
			g.l.unlist(m)
			m.Phase = phaseKept
			m.Of, m.Part, m.Resends = 2, 1, 1-uint8(part)
			g.hear(&event{kind: evLate, data: []byte("late")})
			if m.Phase != want || n.x.counts.lateAnswers != uint64(part) {
				t.Errorf("after %d resends it is in phase %d, not %d", 1-part, m.Phase, want)
			}
		}
		m.Of, m.Part = 0, 0
	})
}

// A carrier is owed once for a message, whatever its contract says when the message is sent and when it is delivered.
func TestOwedOnceOverAChangeOfContract(t *testing.T) {
	for _, way := range [][2]string{{"cost: sent", "cost: delivered"}, {"cost: delivered", "cost: sent"}, {"cost: delivered", "cost: delivered"}} {
		n, stop := startTestNode(t, testNodeFile(t))
		g := giveTo(t, n)
		g.catalog("carriers.yaml", "cost: sent", way[0])
		g.dispatch(&event{kind: evAnswer, data: []byte("c-1")})
		g.catalog("carriers.yaml", "cost: sent", way[1])
		n.x.call(func() {
			g.l.received(g.l.book.Get(g.id), 0, &pdu.Receipt{ID: []byte("c-1"), State: pdu.StateDelivered}, nil, n.x.now)
		})
		g.is(book.StateEnded, phaseBacklog)
		n.x.call(func() {
			g.l.book.Carriers(func(_ uint16, c book.Carrier) {
				if c.Cost != 31_000 || c.Open != 0 {
					t.Errorf("%v: the carrier is owed %v, of it %v open", way, c.Cost, c.Open)
				}
			})
		})
		check(t, n)
		stop()
	}
}

// What a lost session says of a message it says of the parts whose bytes that bore: when we ended the session for want of a
// lease, it is no fault of any of them.
func TestPartsAreLostAsTheirBearer(t *testing.T) {
	for ended, losses := range map[uint32]uint8{lostEnded: 1, lostFenced: 0} {
		n, stop := startTestNode(t, testNodeFile(t))
		g := giveTo(t, n)
		o := *g
		o.id = n.admit(t, g.l.n, 1)[0]
		o.is(book.StateRouted, phaseQueued)
		n.x.call(func() {
			bearer, part := g.l.book.Get(g.id), g.l.book.Get(o.id)
			for _, m := range []*book.Msg{bearer, part} {
				g.l.unlist(m)
				g.l.dispatch(m, g.s, 0, n.x.now)
			}
			g.l.cut(n.x.now, true)
			for limit := time.Now().Add(10 * time.Second); bearer.Phase != phaseSent || part.Phase != phaseSent; {
				if g.l.work(n.x.clock()); time.Now().After(limit) {
					t.Error("they were not sent")
					return
				}
			}
			bearer.Concat, bearer.Group, part.Note = true, 1, part.Note|noteBorne
			g.l.groups = map[uint64]*group{1: {bearer: g.id, borne: []ledger.MsgID{o.id}}}
			g.hear(&event{kind: evLost, status: ended})
			bearer.Concat = false // it is no part of a text that the books know of
			if bearer.Losses != losses || part.Losses != losses {
				t.Errorf("status %d: %d losses of the bearer, %d of the part, want %d of both", ended, bearer.Losses, part.Losses, losses)
			}
		})
		stop()
	}
}
