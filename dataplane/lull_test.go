package dataplane

import (
	"testing"
	"time"

	"smsplane/ledger"
	"smsplane/ledger/book"
)

// A record that nobody waits for stays in its open block until something goes to the journal, of whichever lane, and goes with that;
// when nothing does it goes by itself.
func TestAnswersGoAlong(t *testing.T) {
	n := newTestNode(t)
	lane := n.x.accounts[1].Lane
	l, other := n.x.lanes[lane], (lane+1)%uint16(len(n.x.lanes))
	id := n.admit(t, lane, 1)[0]
	idle := func() bool { return l.records == 0 && l.stateOut == 0 }
	if !n.await(func() bool {
		m := l.book.Get(id)
		return m.State == book.StateRouted && m.Phase == phaseQueued && idle()
	}) {
		t.Fatal("the message is not queued")
	}
	answer := func() {
		m := l.book.Get(id)
		l.answer(m, &ledger.Answer{Outcome: ledger.Moved, Target: m.Target, Status: uint32(m.Present().Carrier)}, n.x.now)
	}
	waits := func() (k int) {
		n.x.call(func() { k = l.records })
		return k
	}
	n.x.call(func() { n.x.lull = int64(time.Hour); answer() })
	if k := waits(); k != 1 {
		t.Fatalf("%d records wait, of one that nobody waits for", k)
	}
	n.admit(t, other, 1)
	if k := waits(); k != 0 {
		t.Errorf("%d records wait, and a block of another lane has gone", k)
	}
	if !n.await(idle) {
		t.Fatal("it is not committed")
	}
	n.x.call(answer)
	if k := waits(); k != 1 {
		t.Fatalf("%d records wait, of one that nobody waits for", k)
	}
	n.x.call(func() { n.x.lull = 0 })
	if !n.await(idle) {
		t.Error("it does not go by itself")
	}
}
