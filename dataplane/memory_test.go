package dataplane

import (
	"testing"
	"time"

	"smsplane/dataplane/admin"
	"smsplane/dataplane/config"
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
)

// Receipts of a client that never binds a receiver stay within what memory has room for: the oldest are given up by record, and
// lose nothing in the books or EDRs. An operator can have them given again. The bound holds over a restart.
func TestReceiptsThatNobodyTakesAreBounded(t *testing.T) {
	file := testNodeFile(t)
	n, stop := startTestNode(t, file)
	lane := n.x.accounts[1].Lane
	const bound, ended = 20, 50
	n.x.call(func() { n.x.maxLive = parkedShare * bound })
	ids := n.queued(t, lane, ended)
	if r, err := n.source().Deed(t.Context(), admin.Deed{Action: "purge", Client: "acme", Yes: true, Author: "t", Reason: "t"}); err != nil || r.Done != ended {
		t.Fatalf("purge: %+v, %v", r, err)
	}
	settled := func() bool {
		b := n.x.lanes[lane].book
		return b.Counts.Ends[ledger.EndFailed] == ended && b.Parked <= bound && b.Parked == n.x.lanes[lane].returnsOf(1).waiting()
	}
	if !n.await(settled) {
		t.Fatalf("%d receipts are parked, %+v", n.x.lanes[lane].book.Parked, n.x.lanes[lane].book.Counts)
	}
	left := 0
	n.x.call(func() {
		l := n.x.lanes[lane]
		left = l.book.Parked
		if int(n.x.counts.givenUp) != ended-left || left < bound/4 {
			t.Errorf("%d were given up of %d, %d are left", n.x.counts.givenUp, ended, left)
		}
		for i, id := range ids { // they ended in this order
			if there := l.book.Get(id) != nil; there != (i >= ended-left) {
				t.Errorf("receipt %d of %d waits: %v", i, ended, there)
			}
		}
	})
	check(t, n)
	if err := n.source().flushed(t.Context()); err != nil {
		t.Fatal(err)
	}
	edrs := 0
	if err := book.Walk(n.db, lane, book.Past{EDR: func(*book.EDR) error { edrs++; return nil }}); err != nil || edrs != ended {
		t.Errorf("%d EDRs, %v", edrs, err)
	}
	q := admin.Replay{Client: "acme", Since: time.Unix(0, n.clock()).Add(-time.Hour), Author: "t", Reason: "t"}
	if r, err := n.source().Replay(t.Context(), q); err != nil || r.Matched != ended-left {
		t.Errorf("%d could be given again of %d: %v", r.Matched, ended-left, err)
	}
	if lines, err := n.source().Trace(t.Context(), ids[0].String()); err != nil || lines[len(lines)-1].Detail != "too many receipts wait for acme" {
		t.Errorf("the trace is %+v, %v", lines, err)
	}
	stop()
	n, stop = startTestNode(t, file)
	defer stop()
	n.x.call(func() {
		if got := n.x.lanes[lane].book.Parked; got != left {
			t.Errorf("%d are parked after a restart, %d were", got, left)
		}
	})
	check(t, n)
}

// One client's receipts leave as much room as they take, and its messages from phones are refused above that, never given up.
func TestParkedShareOfOneClient(t *testing.T) {
	n := newTestNode(t)
	lane := n.x.accounts[1].Lane
	const bound = 20
	s := pdu.Submit{Command: pdu.DeliverSM, SrcTON: 1, SrcNPI: 1, Src: []byte("4915112345678"), Dst: []byte("12345"), Text: []byte("hello")}
	n.x.call(func() {
		n.x.maxLive = parkedShare * bound
		for range bound / 2 {
			n.x.addMO(1, 3, s.Append(nil, 1), n.x.now).recorded(n.x.now)
		}
	})
	if !n.await(func() bool { return n.x.lanes[lane].returnsOf(1).waiting() == bound/2 }) {
		t.Fatal("they do not wait")
	}
	n.x.call(func() {
		l := n.x.lanes[lane]
		if !l.mayPark(1) || !l.mayPark(2) {
			t.Error("refused at its share")
		}
		n.x.addMO(1, 3, s.Append(nil, 1), n.x.now).recorded(n.x.now)
	})
	if !n.await(func() bool { return n.x.lanes[lane].book.Parked == bound/2+1 }) {
		t.Fatal("a message from a phone was given up")
	}
	n.x.call(func() {
		if l := n.x.lanes[lane]; l.mayPark(1) || !l.mayPark(2) {
			t.Error("not refused above its share, or another client is")
		}
	})
	n.queued(t, lane, 1)
	if r, err := n.source().Deed(t.Context(), admin.Deed{Action: "purge", Client: "acme", Yes: true, Author: "t", Reason: "t"}); err != nil || r.Done != 1 {
		t.Fatalf("purge: %+v, %v", r, err)
	}
	if !n.await(func() bool {
		b := n.x.lanes[lane].book
		return b.Counts.Ends[ledger.EndFailed] == 1 && b.Parked == bound/2+1
	}) {
		t.Errorf("%d wait: the receipt was not given up for the messages before it", n.x.lanes[lane].book.Parked)
	}
	check(t, n)
}

// What carriers have of a client and no receipt has ended is counted where new messages are admitted, and not any more when it has ended.
func TestAwaitedReceiptsAreCounted(t *testing.T) {
	n := newTestNode(t)
	lane := n.x.accounts[1].Lane
	ids := n.queued(t, lane, 5)
	n.x.call(func() {
		for _, id := range ids[:3] {
			m := n.x.lanes[lane].book.Get(id)
			n.x.lanes[lane].unlist(m)
			m.Phase, m.Answered = phaseAwaiting, n.x.now
		}
	})
	a := n.x.accounts[1]
	if !n.await(func() bool { return a.Awaited.Load() == 3 && n.x.live.Load() == 5 }) {
		t.Errorf("%d awaited, %d in memory", a.Awaited.Load(), n.x.live.Load())
	}
	n.x.call(func() {
		for _, id := range ids[:3] {
			n.x.lanes[lane].book.Get(id).Phase = phaseNone
		}
	})
	if !n.await(func() bool { return a.Awaited.Load() == 0 }) {
		t.Errorf("%d are still awaited", a.Awaited.Load())
	}
}

// A queue on disk stays there while memory is full.
func TestQueuesStayOnDiskWhileMemoryIsFull(t *testing.T) {
	n := newTestNode(t)
	l, q, _ := n.inTwoRuns(t)
	n.x.call(func() {
		q.loading = 0
		for _, r := range q.runs {
			l.fetch(r)
		}
		n.x.maxLive = l.book.InMemory()
	})
	if !n.await(func() bool { return l.book.AtHand(q.runs[0]) }) {
		t.Fatal("the run is not read")
	}
	n.x.call(func() {
		l.parts(q)
		if l.refill(n.x.now); q.loading != 0 {
			t.Error("it is loaded though memory is full")
		}
		if n.x.maxLive++; true {
			l.refill(n.x.now)
		}
		if q.loading == 0 {
			t.Error("it is not loaded though memory has room")
		}
	})
}

// Absent, the bound is half of the host's memory, and never so low that queues alone reach it.
func TestMostMemory(t *testing.T) {
	for _, c := range []struct{ max, memory, host, want int64 }{
		{0, 256 << 20, 16 << 30, 8 << 30},
		{0, 256 << 20, 256 << 20, 512 << 20},
		{1 << 30, 256 << 20, 16 << 30, 1 << 30},
	} {
		if got := mostMemory(&config.Node{Memory: c.memory, MemoryMax: c.max}, c.host); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	if got := hostMemory(); got < 64<<20 {
		t.Errorf("the host has %d octets", got)
	}
}
