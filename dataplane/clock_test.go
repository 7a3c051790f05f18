package dataplane

import (
	"testing"
	"time"

	"smsplane/dataplane/admin"
	"smsplane/ledger"
	"smsplane/ledger/book"
)

// The host's clock is set back by hours, then ahead by two months, then right again, each time while the
// node is down. Ids go on, what waits still ends, receipts are parked, the books prove, a retry does not rest
// for hours, and a leap ahead does not cost the past.
func TestClockSteps(t *testing.T) {
	file := testNodeFile(t)
	seen := map[ledger.MsgID]bool{}
	parked := 0
	for i, off := range []time.Duration{0, -3 * time.Hour, -5 * time.Minute, 60 * 24 * time.Hour, -time.Hour, 0} {
		n, stop := startTestNodeAt(t, file, off)
		n.endUpkeep()
		lane := n.x.accounts[1].Lane
		ids := n.admit(t, lane, 20)
		for _, id := range ids {
			if seen[id] {
				t.Fatalf("start %d: %v was given out twice", i, id)
			}
			seen[id] = true
		}
		if !n.await(func() bool { return n.x.lanes[lane].book.Live[book.StateRouted] == 20 }) {
			t.Fatalf("start %d: the messages are not planned", i)
		}
		if r, err := n.source().Deed(t.Context(), admin.Deed{Action: "purge", Client: "acme", Yes: true, Author: "t", Reason: "t"}); err != nil || r.Done != 20 {
			t.Fatalf("start %d: %+v, %v", i, r, err)
		}
		parked += 20
		if !n.await(func() bool { return n.x.lanes[lane].book.Parked == parked }) {
			t.Fatalf("start %d: the receipts are not parked", i)
		}
		if err := n.retain(t.Context(), n.clock()); err != nil {
			t.Fatal(err)
		}
		found, err := n.source().Find(t.Context(), admin.FindQuery{Client: "acme", Limit: 1000})
		if err != nil || len(found) != parked {
			t.Errorf("start %d: %d messages are found, %v; want %d", i, len(found), err, parked)
		}
		check(t, n)
		stop()
	}
}

// A retry that was due in seconds is not due in hours because the clock was set back.
func TestRetryAfterTheClockWasSetBack(t *testing.T) {
	file := testNodeFile(t)
	n, stop := startTestNode(t, file)
	lane := n.x.accounts[1].Lane
	id := n.admit(t, lane, 1)[0]
	if !n.await(func() bool {
		m := n.x.lanes[lane].book.Get(id)
		return m.State == book.StateRouted && m.Phase == phaseQueued
	}) {
		t.Fatal("the message is not queued")
	}
	n.x.call(func() {
		l := n.x.lanes[lane]
		m := l.book.Get(id)
		l.unlist(m)
		l.begin()
		l.open = ledger.AppendDispatch(l.open, 0, 0, id, n.x.now, &ledger.Dispatch{Carrier: m.Present().Carrier, Attempt: 1})
		l.open = ledger.AppendAnswer(l.open, 0, id, n.x.now, &ledger.Answer{Status: 8, Outcome: ledger.Retry, Due: n.x.now + int64(10*time.Second)})
		l.records++
		l.recorded(n.x.now)
		m.Phase = phaseDispatching
	})
	if !n.await(func() bool { return n.x.lanes[lane].book.Get(id).Attempts == 1 }) {
		t.Fatal("no attempt")
	}
	stop()
	n, stop = startTestNodeAt(t, file, -6*time.Hour)
	defer stop()
	n.x.call(func() {
		if m := n.x.lanes[lane].book.Get(id); m.Due-n.clock() > int64(time.Hour) {
			t.Errorf("due in %v", time.Duration(m.Due-n.clock()))
		}
	})
}
