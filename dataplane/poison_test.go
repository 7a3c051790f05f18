package dataplane

import (
	"slices"
	"testing"

	"smsplane/dataplane/admin"
	"smsplane/ledger"
)

// A host that comes to lead a lane later than its start, as in a cluster, holds what ended it twice, by a record, too.
func TestPoisonIsHeldWhereverItsLaneIsLed(t *testing.T) {
	n := newTestNode(t)
	lane := n.x.accounts[1].Lane
	ids := n.queued(t, lane, 3)
	if err := n.source().flushed(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.x.call(func() {
		l := n.x.lanes[lane]
		n.x.poison = []crashNote{{Layer: inEgress, ID: ids[1]}, {Layer: inEgress, ID: ids[1] + 100}}
		n.x.quarantined.Store(false)
		n.x.forget(l)
		l.leading = false
		l.clear()
		l.reload()
		l.lead(n.x.now)
		for i, id := range ids {
			if m := l.book.Get(id); m == nil || m.Held != (i == 1) || (m.Phase == phaseOperator) != (i == 1) {
				t.Errorf("message %d: %+v", i, m)
			}
		}
	})
	if !n.await(func() bool { return len(n.x.poison) == 0 && n.x.quarantined.Load() }) {
		t.Fatal("it is not held by a record")
	}
	lines, err := n.source().Dump(t.Context(), admin.DumpQuery{ID: ids[1].String(), Limit: 100})
	if err != nil || !slices.ContainsFunc(lines, func(l admin.DumpLine) bool {
		return l.Kind == "OPERATOR" && l.Detail == "quarantine of 1 message(s) by smsplane: crashed twice in layer egress"
	}) {
		t.Errorf("%+v, %v", lines, err)
	}
	check(t, n)
}

// A record that does not hold a message, because its records are skipped up to there, leaves it to be held when its lane is led.
func TestSkippedQuarantineHoldsNothing(t *testing.T) {
	n := newTestNode(t)
	lane := n.x.accounts[1].Lane
	id := n.queued(t, lane, 1)[0]
	n.x.call(func() {
		l := n.x.lanes[lane]
		n.x.poison = []crashNote{{Layer: inFold, ID: id}}
		o := ledger.Operator{Action: ledger.ActionQuarantine, IDs: []ledger.MsgID{id}}
		block := ledger.SealBlock(ledger.AppendOperator(ledger.OpenBlock(nil), n.x.now, &o), lane, 1, n.x.now)
		heard := func() int {
			if err := ledger.Walk(block, func(r *ledger.Record) error { l.operated(r); return nil }); err != nil {
				t.Error(err)
			}
			return len(n.x.poison)
		}
		if heard() != 1 {
			t.Error("it counts as held, and is not")
		}
		if l.book.Get(id).Held = true; heard() != 0 {
			t.Error("it is held, and does not count as that")
		}
	})
}
