package dataplane

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"smsplane/dataplane/admin"
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
)

// waiting is one message of a crowd, by all that a deed can select it by.
type waiting struct {
	id      ledger.MsgID
	client  string
	carrier string
	prefix  string
	class   ledger.Class
	old     bool
	onDisk  bool
}

// crowdCatalog has two clients and two carriers: 4915 goes over north, 4917 over south, or the other way round.
func crowdCatalog(north, south string) map[string][]byte {
	files := testCatalog(1000)
	var clients, carriers, rates, routes string
	for _, c := range []string{"acme", "shop"} {
		clients += fmt.Sprintf("  - {id: %s, system_id: %s, password: secret, plan: standard, class: transactional, tps: unlimited, billing: {mode: postpaid, currency: EUR, credit_limit: 1000, charge: delivered}}\n", c, c)
		rates += fmt.Sprintf("sell,%s,49,,,0.0450,EUR,2020-01-01,\n", c)
	}
	for _, c := range []string{"north", "south"} {
		carriers += fmt.Sprintf("  - {id: %s, currency: EUR, cost: sent, links: [{address: \"127.0.0.1:1\", system_id: smsplane, password: secret, window: 10, tps: unlimited}]}\n", c)
		rates += fmt.Sprintf("buy,%s,49,,,0.0310,EUR,2020-01-01,\n", c)
	}
	for carrier, prefix := range map[string]string{"north": north, "south": south} {
		routes += fmt.Sprintf("standard,%s,,,,1,1,%s\n", prefix, carrier)
	}
	files["clients.yaml"], files["carriers.yaml"] = []byte("clients:\n"+clients), []byte("carriers:\n"+carriers)
	files["rates.csv"] = []byte("kind,party,prefix,mcc,mnc,price,currency,effective_from,effective_to\n" + rates)
	files["routes.csv"] = []byte("plan,prefix,mcc,mnc,class,tier,weight,carrier\n" + routes)
	return files
}

// newCrowd starts a node where of each kind of message three wait: one in memory, two in a run. Unless planned they wait for
// the router, else for a carrier.
func newCrowd(t *testing.T, planned bool) (n *Node, crowd []waiting) {
	t.Helper()
	file := testNodeFile(t)
	for name, text := range crowdCatalog("4915", "4917") {
		if err := os.WriteFile(filepath.Join(filepath.Dir(file), "catalog", name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n, stop := startTestNode(t, file)
	t.Cleanup(stop)
	n.x.call(func() { n.x.routers.paused = !planned })
	number := uint64(0)
	for i, client := range []string{"acme", "shop"} {
		account := uint32(i + 1)
		lane := n.x.accounts[account].Lane
		n.x.call(func() {
			l := n.x.lanes[lane]
			next := l.book.NextSeq()
			l.begin()
			for prefix, carrier := range map[string]string{"4915": "north", "4917": "south"} {
				for _, class := range []ledger.Class{ledger.ClassBulk, ledger.ClassTransactional} {
					for _, age := range []time.Duration{0, 2 * time.Hour} {
						for k := range 3 {
							w := waiting{id: ledger.MakeMsgID(lane, next), client: client, carrier: carrier, prefix: prefix, class: class, old: age > 0, onDisk: k > 0}
							next++
							number++
							dst := fmt.Sprintf("%s%08d", prefix, number)
							s := pdu.Submit{SrcTON: 5, Src: []byte("shop"), DstTON: 1, DstNPI: 1, Dst: []byte(dst), Registered: 1, Text: []byte(dst)}
							var full uint64
							if _, err := fmt.Sscan(dst, &full); err != nil {
								t.Error(err)
							}
							l.open = ledger.AppendAccept(l.open, 0, w.id, n.x.now-int64(age), &ledger.Accept{Account: account, Class: class, Parts: 1, Price: 45_000,
								Number: full, Registered: 1, ValidUntil: n.x.now + int64(48*time.Hour), PDU: s.Append(nil, 1)})
							l.recorded(n.x.now)
							crowd = append(crowd, w)
						}
					}
				}
			}
		})
	}
	phase := uint8(phaseRouting)
	if planned {
		phase = phaseQueued
	}
	if !n.await(func() bool {
		return !slices.ContainsFunc(crowd, func(w waiting) bool {
			m := n.x.lanes[w.id.Lane()].book.Get(w.id)
			return m == nil || m.Phase != phase
		})
	}) {
		t.Fatal("they do not wait")
	}
	n.toDisk(t, crowd)
	return n, crowd
}

// toDisk lets those of a crowd leave memory that are to be on disk, a run for each queue. The lanes are not told that their
// queues are split: nothing is loaded but for who asks.
func (n *Node) toDisk(t *testing.T, crowd []waiting) {
	t.Helper()
	spilled := func() (k int) {
		for _, l := range n.x.lanes {
			k += l.book.Spilled()
		}
		return k
	}
	want := 0
	n.x.call(func() {
		want = spilled()
		moves := map[*queue][]byte{}
		for _, w := range crowd {
			if !w.onDisk {
				continue
			}
			want++
			l := n.x.lanes[w.id.Lane()]
			m := l.book.Get(w.id)
			q := &l.routing
			if m.Phase == phaseQueued {
				q = l.queueOf(ledger.RunInternal, m.Present().Carrier, m.Class)
			}
			l.unlist(m)
			m.Phase = phaseSpilling
			moves[q] = ledger.AppendID(moves[q], w.id)
		}
		for _, l := range n.x.lanes {
			l.eachQueue(func(q *queue) {
				if ids := moves[q]; len(ids) > 0 {
					l.run = l.book.NextRun(l.run)
					l.begin()
					l.open = ledger.AppendMove(l.open, n.x.now, &ledger.Move{Run: l.run, Order: l.run, Queue: q.kind, Carrier: q.carrier, Class: q.class, IDs: ids})
					l.recorded(n.x.now)
					q.runs, q.spilled = append(q.runs, l.run), q.spilled+len(ids)/8
				}
			})
		}
	})
	if !n.await(func() bool { return spilled() == want }) {
		t.Fatal("they do not leave memory")
	}
}

// selections are what operators select by, and whom that selects.
var selections = []struct {
	name string
	deed admin.Deed
	fits func(w waiting) bool
}{
	{"carrier", admin.Deed{Carrier: "south"}, func(w waiting) bool { return w.carrier == "south" }},
	{"client", admin.Deed{Client: "shop"}, func(w waiting) bool { return w.client == "shop" }},
	{"prefix", admin.Deed{Prefix: "+4915"}, func(w waiting) bool { return w.prefix == "4915" }},
	{"class", admin.Deed{Class: "transactional"}, func(w waiting) bool { return w.class == ledger.ClassTransactional }},
	{"older than", admin.Deed{OlderThan: time.Hour}, func(w waiting) bool { return w.old }},
	{"all five", admin.Deed{Carrier: "north", Client: "acme", Prefix: "49150", Class: "bulk", OlderThan: time.Hour}, func(w waiting) bool {
		return w.carrier == "north" && w.client == "acme" && w.class == ledger.ClassBulk && w.old
	}},
}

// do counts first, then does a deed; both must come to the same.
func (n *Node) do(t *testing.T, d admin.Deed, action string, want int) {
	t.Helper()
	d.Action, d.Author, d.Reason = action, "ann", "why "+action
	dry, err := n.source().Deed(t.Context(), d)
	if err != nil || dry.Matched != want || dry.Done != 0 || !dry.Dry || dry.Damaged != 0 {
		t.Errorf("%s, dry: %+v, %v; want %d", action, dry, err, want)
	}
	d.Yes = true
	r, err := n.source().Deed(t.Context(), d)
	if err != nil || r.Matched != want || r.Done != want || r.Dry || r.Damaged != 0 {
		t.Errorf("%s: %+v, %v; want %d", action, r, err, want)
	}
}

// told says whether the trace of a message has a deed with its author and reason.
func (n *Node) told(t *testing.T, id ledger.MsgID, a ledger.Action) bool {
	t.Helper()
	v, err := n.source().life(t.Context(), id)
	if err != nil || v == nil {
		t.Fatalf("message %v: %+v, %v", id, v, err)
	}
	return slices.ContainsFunc(v.deeds, func(d book.Deed) bool {
		return d.Action == a && string(d.Author) == "ann" && string(d.Reason) == "why "+a.String()
	})
}

// selected is what a selection selects of a crowd.
func selected(crowd []waiting, fits func(waiting) bool) []waiting {
	return slices.DeleteFunc(slices.Clone(crowd), func(w waiting) bool { return !fits(w) })
}

// become waits until all of some messages are as they should be.
func (n *Node) become(t *testing.T, what string, crowd []waiting, are func(m *book.Msg) bool) {
	t.Helper()
	if !n.await(func() bool {
		return !slices.ContainsFunc(crowd, func(w waiting) bool {
			m := n.x.lanes[w.id.Lane()].book.Get(w.id)
			return m == nil || !are(m)
		})
	}) {
		t.Fatalf("not all %d are %s", len(crowd), what)
	}
}

// Every selection counts what it does, and does it to what waits in memory and in runs alike, and to nothing else.
func TestDeedsOnDiskAndInMemory(t *testing.T) {
	for _, s := range selections {
		t.Run(s.name, func(t *testing.T) {
			n, crowd := newCrowd(t, true)
			them := selected(crowd, s.fits)
			n.do(t, s.deed, "hold", len(them))
			n.become(t, "held", them, func(m *book.Msg) bool { return m.Held && m.Phase == phaseOperator })
			n.do(t, s.deed, "release", len(them))
			n.become(t, "queued again", them, func(m *book.Msg) bool { return !m.Held && m.Phase == phaseQueued })
			n.toDisk(t, them)
			if _, err := n.applyCatalog(crowdCatalog("4917", "4915"), false, "test"); err != nil {
				t.Fatal(err)
			}
			n.do(t, s.deed, "reroute", len(them))
			n.become(t, "planned by the new catalog", them, func(m *book.Msg) bool {
				now, _ := n.x.lanes[0].book.System.Number(ledger.PartyCarrier, map[bool]string{true: "south", false: "north"}[m.Number/100_000_000 == 4915])
				return m.State == book.StateRouted && m.Phase == phaseQueued && uint32(m.Present().Carrier) == now.Number
			})
			for _, w := range crowd {
				for a := ledger.ActionHold; a <= ledger.ActionReroute; a++ {
					if n.told(t, w.id, a) != s.fits(w) {
						t.Errorf("%+v: its trace tells of %v: %v", w, a, !s.fits(w))
					}
				}
			}
			check(t, n)
		})
	}
}

// What is purged ends with a receipt, gives back what was held for it, and tells who did it; what is left waits on.
func TestPurgeOnDiskAndInMemory(t *testing.T) {
	for _, s := range selections {
		t.Run(s.name, func(t *testing.T) {
			n, crowd := newCrowd(t, true)
			them := selected(crowd, s.fits)
			n.do(t, s.deed, "purge", len(them))
			n.become(t, "ended by an operator, with a receipt due", them, func(m *book.Msg) bool {
				return m.State == book.StateEnded && m.End == ledger.EndFailed && m.Reason == ledger.ReasonOperator && m.Return
			})
			n.x.call(func() {
				holds, waiting := ledger.Micro(0), 0
				for _, l := range n.x.lanes {
					l.book.Clients(func(_ uint32, c book.Client) { holds += c.Held })
					waiting += l.book.Live[book.StateRouted]
				}
				if left := len(crowd) - len(them); holds != ledger.Micro(left)*45_000 || waiting != left {
					t.Errorf("%d wait, with holds of %v; want %d", waiting, holds, left)
				}
			})
			for _, w := range crowd {
				if n.told(t, w.id, ledger.ActionPurge) != s.fits(w) {
					t.Errorf("%+v: its trace tells of a purge: %v", w, !s.fits(w))
				}
			}
			check(t, n)
		})
	}
}

// What waits for the router, in memory or in runs, is selected as what waits for a carrier is, but for the carrier.
func TestDeedsBeforeTheRouter(t *testing.T) {
	for _, s := range selections {
		if s.deed.Carrier != "" {
			continue
		}
		n, crowd := newCrowd(t, false)
		want := len(selected(crowd, s.fits))
		n.do(t, s.deed, "purge", want)
		if !n.await(func() bool {
			ended := uint64(0)
			for _, l := range n.x.lanes {
				ended += l.book.Counts.Ends[ledger.EndFailed]
			}
			return ended == uint64(want)
		}) {
			t.Errorf("%s: not %d have ended", s.name, want)
		}
		check(t, n)
	}
}

// A deed that comes while runs are loaded and queues are spilled meets each message once.
func TestDeedWhileQueuesMove(t *testing.T) {
	n := newTestNode(t)
	lane := n.x.accounts[1].Lane
	l := n.x.lanes[lane]
	const messages = keepFront + 6*runMessages
	n.x.call(func() { n.x.maxHot = 1000 })
	for range messages / 512 {
		n.admit(t, lane, 512)
	}
	if !n.await(func() bool { return l.book.Spilled() >= 4*runMessages }) {
		t.Fatalf("%d are on disk", l.book.Spilled())
	}
	n.x.call(func() { // what is in front is aside, so that the runs come back one after the other
		n.x.maxHot = 1 << 20
		l.eachQueue(func(q *queue) {
			for q.front.Len() > 0 {
				m := l.book.Back(&q.front)
				l.unlist(m)
				l.keep(m)
			}
		})
	})
	r, err := n.source().Deed(t.Context(), admin.Deed{Action: "purge", Client: "acme", Yes: true, Author: "ann", Reason: "why"})
	if err != nil || r.Matched != messages || r.Done != messages {
		t.Errorf("%+v, %v; want %d", r, err, messages)
	}
	if !n.await(func() bool { return l.book.Counts.Ends[ledger.EndFailed] == messages }) {
		t.Errorf("%+v", l.book.Counts)
	}
	check(t, n)
}
