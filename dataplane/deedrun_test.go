package dataplane

import (
	"slices"
	"sync"
	"testing"

	"smsplane/dataplane/admin"
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/journal"
	"smsplane/pdu"
)

// toRun proposes the MOVE of some messages of the lane's only queue, behind what it has on disk. It runs on the executor.
func (l *lane) toRun(ids []ledger.MsgID) (q *queue) {
	first := l.book.Get(ids[0])
	q = l.queueOf(ledger.RunInternal, first.Present().Carrier, first.Class)
	l.run = l.book.NextRun(l.run)
	mv := ledger.Move{Run: l.run, Order: l.run, Queue: q.kind, Carrier: q.carrier, Class: q.class}
	for _, id := range ids {
		m := l.book.Get(id)
		l.unlist(m)
		m.Phase = phaseSpilling
		mv.IDs = ledger.AppendID(mv.IDs, id)
	}
	l.begin()
	l.open = ledger.AppendMove(l.open, l.x.now, &mv)
	l.recorded(l.x.now)
	q.runs, q.spilled = append(q.runs, l.run), q.spilled+len(ids) // the lane does not know: nothing loads it but who asks for it
	return q
}

// queued admits messages to a lane that has none, and waits until they wait for their carrier.
func (n *Node) queued(t *testing.T, lane uint16, k int) []ledger.MsgID {
	t.Helper()
	ids := n.admit(t, lane, k)
	if !n.await(func() bool { return n.x.lanes[lane].book.Live[book.StateRouted] == k }) {
		t.Fatal("the messages are not queued")
	}
	return ids
}

// Messages that were held are released, and those planned anew are queued, in the order in which they stood: wherever in the table they
// are, and with what is on disk amid them.
func TestDeedsKeepTheOrder(t *testing.T) {
	n := newTestNode(t)
	lane := n.x.accounts[1].Lane
	l := n.x.lanes[lane]
	first := n.queued(t, lane, 200)
	n.x.call(func() {
		for _, id := range first[:100] { // their slots are given out again, the last one first
			m := l.book.Get(id)
			m.Registered = 0
			l.unlist(m)
			l.expire(m, n.x.now)
		}
	})
	if !n.await(func() bool { return l.book.Live[book.StateRouted] == 100 }) {
		t.Fatal("they do not end")
	}
	ids := append(first[100:], n.admit(t, lane, 100)...)
	queued := func() (all []uint64) {
		l.eachQueue(func(q *queue) { all = append(all, seqs(l.book, &q.front)...) })
		return all
	}
	deed := func(action string) {
		t.Helper()
		if r, err := n.source().Deed(t.Context(), admin.Deed{Action: action, Yes: true, Author: "test", Reason: "order"}); err != nil || r.Done != len(ids) {
			t.Fatalf("%s: %+v, %v", action, r, err)
		}
	}
	inOrder := func(after string) {
		t.Helper()
		var all []uint64
		if !n.await(func() bool { all = queued(); return l.book.Live[book.StateRouted] == len(ids) && len(all) == len(ids) }) {
			t.Fatalf("%d messages are queued after %s", len(all), after)
		}
		if !slices.IsSorted(all) {
			t.Errorf("after %s the queue is %v", after, all)
		}
	}
	inOrder("their plan")
	deed("hold")
	deed("release")
	inOrder("their release")
	n.x.call(func() {
		l.toRun(ids[50:100])
		q := l.toRun(ids[100:150])
		for _, id := range ids[150:] {
			m := l.book.Get(id)
			l.unlist(m)
			m.Note |= noteBack
			l.book.Push(&q.back, m)
		}
	})
	if !n.await(func() bool { return l.book.Spilled() == 100 }) {
		t.Fatal("they do not leave memory")
	}
	deed("reroute")
	n.x.call(func() { l.eachQueue(l.parts) }) // as the lane would have known
	inOrder("another plan")
}

// inTwoRuns queues forty messages, of which ten and then twenty leave memory for a run each. A deed waits for the first run, which
// counts as being loaded, and does not come to the second.
func (n *Node) inTwoRuns(t *testing.T) (l *lane, q *queue, ids []ledger.MsgID) {
	t.Helper()
	at := n.x.accounts[1].Lane
	l, ids = n.x.lanes[at], n.queued(t, at, 40)
	n.x.call(func() {
		l.toRun(ids[:10])
		q = l.toRun(ids[10:30])
		q.loading = q.runs[0]
	})
	if !n.await(func() bool { return l.book.Spilled() == 30 }) {
		t.Fatal("nothing is on disk")
	}
	return l, q, ids
}

// deposed is what becomes of a lane that is led elsewhere for a moment.
func (l *lane) deposed() {
	flushed := make(chan struct{})
	l.x.db.Write(journal.NewBatch(), func() { close(flushed) })
	<-flushed
	l.leading = false
	l.x.forget(l)
	l.clear()
	l.unload()
	for l.loading {
		l.reload()
	}
	l.lead(l.x.now)
}

// purge is a deed on all that waits.
func (n *Node) purge(t *testing.T, want int) {
	t.Helper()
	r, err := n.source().Deed(t.Context(), admin.Deed{Action: "purge", Client: "acme", Yes: true, Author: "ann", Reason: "why"})
	if err != nil || r.Matched != want || r.Done != want {
		t.Errorf("%+v, %v; want %d", r, err, want)
	}
}

// Between a deed's look at the runs and its turn with one of them others write that run anew: a client cancels one message of it and
// replaces another, then another deed takes some. Every message is met once all the same, those in the new runs, too.
func TestDeedWhileRunsAreWrittenAnew(t *testing.T) {
	n := newTestNode(t)
	l, q, ids := n.inTwoRuns(t)
	second := q.runs[1]
	var wg sync.WaitGroup
	wg.Go(func() { n.purge(t, 39) })
	if !n.await(func() bool { return l.deeds == 1 && l.book.Counts.Ends[ledger.EndFailed] == 10 }) {
		t.Fatal("the deed does not begin")
	}
	n.x.call(func() {
		ask := func(c pdu.Command, id ledger.MsgID, text string) {
			p := pdu.New(c, pdu.ROK, 1)
			p.Set("message_id", []byte(id.String())).Set("source_addr", []byte("shop"))
			if c == pdu.CancelSM {
				l.cancel(&order{account: 1, p: p}, n.x.now)
				return
			}
			p.Set("short_message", []byte(text))
			l.replace(&order{account: 1, p: p}, n.x.now)
		}
		ask(pdu.CancelSM, ids[12], "")
		ask(pdu.ReplaceSM, ids[15], "another text")
	})
	if !n.await(func() bool { return l.book.Spilled() == 10+18 && l.book.Get(ids[15]).Phase == phaseQueued }) {
		t.Fatal("the clients' orders are not done")
	}
	n.x.call(func() {
		sel, err := n.x.selector(&admin.Deed{Action: "hold", Prefix: "49151000002"})
		if err != nil || !l.startRework(l.book.RunOf(l.rewritten.last(second)), rework{sel: &sel, d: sel.record(&admin.Deed{})}) {
			t.Errorf("another deed: %v", err)
		}
	})
	if !n.await(func() bool { return l.book.Spilled() == 10+8 && len(l.rework) == 0 }) { // of 18 ten have such a number
		t.Fatal("the other deed is not done")
	}
	n.x.call(func() { q.loading = 0 })
	wg.Wait()
	if !n.await(func() bool { return l.book.Counts.Ends[ledger.EndFailed] == 40 && l.book.Spilled() == 0 }) {
		t.Errorf("%+v, %d on disk", l.book.Counts, l.book.Spilled())
	}
	n.x.call(func() {
		if l.deeds != 0 || l.rewritten.by != nil {
			t.Errorf("%d deeds, %+v", l.deeds, l.rewritten)
		}
	})
	check(t, n)
}

// A lane that was led elsewhere while a deed was done has forgotten which run took whose place, and what of the deed was on its way: the
// deed ends, and says so, instead of passing by what it does not find.
func TestDeedEndsWithTheLead(t *testing.T) {
	n := newTestNode(t)
	l, _, ids := n.inTwoRuns(t)
	var wg sync.WaitGroup
	var r admin.DeedResult
	var err error
	wg.Go(func() {
		r, err = n.source().Deed(t.Context(), admin.Deed{Action: "purge", Client: "acme", Yes: true, Author: "ann", Reason: "why"})
	})
	if !n.await(func() bool { return l.deeds == 1 && l.book.Counts.Ends[ledger.EndFailed] == 10 }) {
		t.Fatal("the deed does not begin")
	}
	n.x.call(func() {
		p := pdu.New(pdu.CancelSM, pdu.ROK, 1)
		p.Set("message_id", []byte(ids[12].String())).Set("source_addr", []byte("shop"))
		l.cancel(&order{account: 1, p: p}, n.x.now)
	})
	if !n.await(func() bool { return l.book.Spilled() == 29 && !l.book.Dirty() && l.rep.InFlight() == 0 }) {
		t.Fatal("the client's order is not done")
	}
	n.x.call(l.deposed)
	wg.Wait()
	if err == nil {
		t.Errorf("the deed says that it was done: %+v", r)
	}
	n.x.call(func() {
		if l.deeds != 0 || l.rewritten.lost {
			t.Errorf("%d deeds, %+v", l.deeds, l.rewritten)
		}
	})
	check(t, n)
}

// What was decided and not committed when the lane was deposed is not done, so the deed does not say that it is.
func TestDeedIsDoneWhenItIsCommitted(t *testing.T) {
	n := newTestNode(t)
	lane := n.x.accounts[1].Lane
	l := n.x.lanes[lane]
	n.queued(t, lane, 20)
	if !n.await(func() bool { return !l.book.Dirty() && l.rep.InFlight() == 0 }) {
		t.Fatal("something is on its way")
	}
	d, r := admin.Deed{Action: "purge", Client: "acme", Yes: true, Author: "ann", Reason: "why"}, admin.DeedResult{}
	var sel selector
	n.x.call(func() { sel, _ = n.x.selector(&d) })
	s := &source{n: n, do: func(f func()) bool {
		return n.x.call(func() {
			if f(); l.records > 0 {
				l.deposed()
			}
		})
	}}
	if err := s.deedInLane(t.Context(), int(lane), &d, &sel, &r); err == nil {
		t.Errorf("the deed says that it was done: %+v", r)
	}
	failed := func() (k uint64) {
		n.x.call(func() { k = l.book.Counts.Ends[ledger.EndFailed] })
		return k
	}
	if k := failed(); k != 0 {
		t.Errorf("%d messages failed", k)
	}
	if n.purge(t, 20); failed() != 20 {
		t.Errorf("%d messages failed when the deed was done, want 20", failed())
	}
	check(t, n)
}

// What leaves memory just as a deed begins is met in its run.
func TestDeedMeetsWhatIsOnItsWayToDisk(t *testing.T) {
	n := newTestNode(t)
	lane := n.x.accounts[1].Lane
	l := n.x.lanes[lane]
	ids := n.queued(t, lane, 20)
	d, r := admin.Deed{Action: "purge", Client: "acme", Yes: true, Author: "ann", Reason: "why"}, admin.DeedResult{}
	var sel selector
	n.x.call(func() { sel, _ = n.x.selector(&d) })
	began := false
	s := &source{n: n, do: func(f func()) bool {
		return n.x.call(func() {
			if !began {
				began = true
				l.toRun(ids[:10])
			}
			f()
		})
	}}
	if err := s.deedInLane(t.Context(), int(lane), &d, &sel, &r); err != nil || r.Done != 20 {
		t.Errorf("%+v, %v", r, err)
	}
	if !n.await(func() bool { return l.book.Counts.Ends[ledger.EndFailed] == 20 && l.book.Spilled() == 0 }) {
		t.Errorf("%+v, %d on disk", l.book.Counts, l.book.Spilled())
	}
	check(t, n)
}
