package dataplane

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"smsplane/dataplane/admin"
	"smsplane/ledger/book"
	"smsplane/pdu"
)

// Receipts that are given to a client again wait in memory. Where that has no room for more nothing is added, and the operator is
// told from when on to go on later.
func TestReplayStopsWhereMemoryIsFull(t *testing.T) {
	n := newTestNode(t)
	n.endUpkeep()
	lane := n.x.accounts[1].Lane
	ids := n.queued(t, lane, 10)
	if r, err := n.source().Deed(t.Context(), admin.Deed{Action: "purge", Client: "acme", Yes: true, Author: "t", Reason: "t"}); err != nil || r.Done != 10 {
		t.Fatalf("purge: %+v, %v", r, err)
	}
	if !n.await(func() bool { return n.x.lanes[lane].book.Parked == 10 }) {
		t.Fatal("no receipts are parked")
	}
	n.x.call(func() {
		l := n.x.lanes[lane]
		for _, id := range ids {
			m := l.book.Get(id)
			l.unlist(m)
			l.release(m, 1, pdu.ROK, n.x.now)
		}
	})
	if !n.await(func() bool { return n.x.lanes[lane].book.Known() == 0 }) {
		t.Fatal("the client did not take them")
	}
	q := admin.Replay{Client: "acme", Since: time.Unix(0, n.clock()).Add(-time.Hour), Yes: true, Author: "t", Reason: "t"}
	n.x.call(func() { n.x.maxHot = -1 })
	r, err := n.source().Replay(t.Context(), q)
	if err == nil || !strings.Contains(err.Error(), "--since 2") || r.Done != 0 {
		t.Errorf("without room: %+v, %v", r, err)
	}
	n.x.call(func() { n.x.maxHot = 100 })
	if r, err = n.source().Replay(t.Context(), q); err != nil || r.Done != 10 {
		t.Errorf("with room: %+v, %v", r, err)
	}
	if !n.await(func() bool {
		return n.x.lanes[lane].book.Parked == 10 && n.x.lanes[lane].book.Live == [book.States]int{}
	}) {
		t.Error("they do not wait for the client again")
	}
}

// takesAll has the client take everything that waits for it.
func (n *Node) takesAll(t *testing.T, lane uint16) {
	t.Helper()
	n.x.call(func() {
		l := n.x.lanes[lane]
		l.book.Each(0, l.book.Slots()+1, func(m *book.Msg) {
			l.unlist(m)
			l.release(m, 1, pdu.ROK, n.x.now)
		})
	})
	if !n.await(func() bool { return n.x.lanes[lane].book.Known() == 0 }) {
		t.Fatal("the client did not take them")
	}
}

// Messages from carriers that a client took wait for it again, as they came, also after a restart; never twice for one that was
// given again. When their texts have left the store they are counted, and nothing of them is sent.
func TestMessagesFromCarriersAreReplayed(t *testing.T) {
	file := testNodeFile(t)
	n, stop := startTestNode(t, file)
	lane := n.x.accounts[1].Lane
	var came []string
	n.x.call(func() {
		for i := range 10 {
			s := pdu.Submit{Command: pdu.DeliverSM, Src: fmt.Appendf(nil, "49151%07d", i), Dst: []byte("777"), Text: []byte(secret)}
			p := s.Append(nil, uint32(i))
			came = append(came, string(p))
			n.x.addMO(1, 1, p, n.x.now).recorded(n.x.now)
		}
		notice := pdu.Submit{Command: pdu.DeliverSM, Src: []byte("777"), Dst: []byte("shop")}
		n.x.addMO(1, 0, notice.Append(nil, 1), n.x.now).recorded(n.x.now) // as a receipt that was replayed
	})
	if !n.await(func() bool { return n.x.lanes[lane].book.Parked == 11 }) {
		t.Fatal("they are not parked")
	}
	since := time.Unix(0, n.clock()).Add(-time.Hour)
	q := admin.Replay{MO: true, Client: "acme", Since: since, Author: "t", Reason: "t"}
	replay := func(when string, want admin.DeedResult) {
		t.Helper()
		r, err := n.source().Replay(t.Context(), q)
		if err != nil || r.Matched != want.Matched || r.Done != want.Done || r.Gone != want.Gone {
			t.Fatalf("%s: %+v, %v; want %+v", when, r, err, want)
		}
	}
	replay("before the client took any", admin.DeedResult{})
	n.takesAll(t, lane)
	var counts book.Counts
	n.x.call(func() { counts = n.x.lanes[lane].book.Counts })
	stop()
	n, stop = startTestNode(t, file)
	defer func() { stop() }()
	n.endUpkeep()
	replay("a count", admin.DeedResult{Matched: 10})
	q.Yes = true
	q.Until = since
	replay("another time", admin.DeedResult{})
	q.Until = time.Time{}
	n.x.call(func() { n.x.maxHot = -1 })
	if r, err := n.source().Replay(t.Context(), q); err == nil || !strings.Contains(err.Error(), "0 messages from carriers") || r.Done != 0 {
		t.Errorf("without room: %+v, %v", r, err)
	}
	n.x.call(func() { n.x.maxHot = 1 << 20 })
	replay("the deed", admin.DeedResult{Matched: 10, Done: 10})
	var again []string
	if !n.await(func() bool {
		again = nil
		b := n.x.lanes[lane].book
		b.Each(0, b.Slots()+1, func(m *book.Msg) {
			p, err := b.PDU(m)
			if err != nil || !m.MO || m.Account != 1 {
				t.Errorf("%+v, %v", m, err)
			}
			again = append(again, string(p))
		})
		return len(again) == 10
	}) {
		t.Fatalf("%d wait again", len(again))
	}
	if slices.Sort(again); !slices.Equal(again, came) {
		t.Errorf("they wait as %x,\nand came as %x", again, came)
	}
	n.takesAll(t, lane)
	q.Yes = false
	replay("a count behind it", admin.DeedResult{Matched: 10})
	n.x.call(func() {
		if c := n.x.lanes[lane].book.Counts; c.MO != counts.MO || c.MOTaken != counts.MOTaken {
			t.Errorf("counts %+v, and before the replay %+v", c, counts)
		}
	})
	check(t, n)
	if len(n.holds(t, secret)) == 0 {
		t.Fatal("the store never had the text: nothing is tested")
	}
	if err := n.retain(t.Context(), n.clock()+int64(n.cfg.Retention.Bodies)*2/3); err != nil {
		t.Fatal(err)
	}
	q.Yes = true
	replay("after their time", admin.DeedResult{Gone: 10})
	var in []string
	if !n.await(func() bool { // files of tables that were written anew go moments later
		in = slices.DeleteFunc(n.holds(t, secret), func(f string) bool { return strings.HasSuffix(f, ".log") })
		return len(in) == 0
	}) {
		t.Errorf("tables %v still hold the text", in)
	}
	check(t, n)
}
