package dataplane

import (
	"testing"

	"smsplane/dataplane/admin"
	"smsplane/ledger"
	"smsplane/ledger/book"
)

// A queue looks for its next run while the MOVE that makes it, or one behind it, is on its way: it is read once it is there.
func TestRunsOnTheirWayAreNotRead(t *testing.T) {
	n := newTestNode(t)
	lane := n.x.accounts[1].Lane
	l := n.x.lanes[lane]
	n.admit(t, lane, 512)
	inFront := func() (front *queue, messages int) {
		l.eachQueue(func(q *queue) {
			if q.kind == ledger.RunInternal && q.front.Len() > 0 {
				front = q
			}
			messages += q.front.Len()
		})
		return front, messages
	}
	wait := func() bool {
		q, messages := inFront()
		return messages == 512 && q != nil && q.front.Len() == messages
	}
	if !n.await(wait) {
		t.Fatal("they do not wait for a carrier")
	}
	n.x.call(func() {
		defer func() {
			if r := recover(); r != nil {
				t.Errorf("looking for a run that is on its way: %v", r)
			}
		}()
		q, _ := inFront()
		for range 2 {
			var ids []byte
			for range 100 {
				m := l.book.Back(&q.front)
				l.unlist(m)
				m.Phase = phaseSpilling
				ids = ledger.AppendID(ids, m.ID)
			}
			l.run = l.book.NextRun(l.run)
			l.begin()
			l.open = ledger.AppendMove(l.open, n.x.now, &ledger.Move{Run: l.run, Order: l.run, Queue: q.kind, Carrier: q.carrier, Class: q.class, IDs: ids})
			l.recorded(n.x.now)
			q.runs, q.spilled = append(q.runs, l.run), q.spilled+100
		}
		l.parts(q)
		l.refill(n.x.now)
	})
	if !n.await(wait) {
		t.Error("the runs do not come back")
	}
	n.x.call(func() {
		l.book.Each(0, l.book.Slots()+1, func(m *book.Msg) {
			if m.Phase != phaseQueued {
				t.Errorf("%v is in phase %d", m.ID, m.Phase)
			}
		})
	})
	check(t, n)
}

// A deed can bring a run that is being read ahead for its queue meanwhile: it is loaded once.
func TestRunReadTwiceIsLoadedOnce(t *testing.T) {
	n := newTestNode(t)
	lane := n.x.accounts[1].Lane
	l := n.x.lanes[lane]
	const messages = keepFront + 2*runMessages
	n.x.call(func() { n.x.maxHot = 1000 })
	for range messages / 512 {
		n.admit(t, lane, 512)
	}
	if !n.await(func() bool { return l.book.Spilled() >= runMessages }) {
		t.Fatalf("%d are on disk", l.book.Spilled())
	}
	var id uint32
	var held uint64
	n.x.call(func() {
		n.x.maxHot = 1 << 20
		sel, err := n.x.selector(&admin.Deed{Action: "purge", Client: "acme"})
		l.eachQueue(func(q *queue) {
			if len(q.runs) > 0 {
				id = q.runs[0]
			}
		})
		run := l.book.RunOf(id)
		if err != nil || run == nil {
			t.Errorf("run %d: %v, %v", id, run, err)
			return
		}
		held = uint64(run.Count)
		var u *book.Unpacked
		if p := l.book.Packed(id); p != nil {
			u, err = p.Unpack(lane, run.Count)
		} else {
			u, err = readRun(n.db, lane, run)
		}
		if err != nil {
			t.Error(err)
			return
		}
		l.reading[id] = true
		l.book.Bring(id, u)
		if !l.startRework(run, rework{sel: &sel, d: ledger.Operator{Action: ledger.ActionPurge, Author: []byte("ann"), Reason: []byte("why")}}) {
			t.Error("the deed found the run being loaded")
		}
		l.fetched(l.book, id, u, nil)
	})
	if !n.await(func() bool { return l.rework[id] == nil && l.book.Counts.Ends[ledger.EndFailed] == held }) {
		t.Error("the deed does not end")
	}
	select {
	case err := <-n.x.failed:
		t.Errorf("the node stopped: %v", err)
	default:
	}
}
