package entry

import (
	"testing"

	"smsplane/ledger"
)

// A lane with blocks always on their way, as under steady load, answers in order and does not grow.
func TestLaneNeverIdle(t *testing.T) {
	l := NewLane(3, 1)
	a := ledger.Accept{PDU: []byte("pdu")}
	next := ledger.MakeMsgID(3, 1)
	cut := func() {
		l.add(0, &a, ticket{})
		if b, n := l.cut(1, true); b == nil || n != 1 {
			t.Fatalf("cut %d messages of 1", n)
		}
	}
	cut()
	for range 200_000 {
		cut()
		l.committed(func(tk *ticket) {
			if tk.id != next {
				t.Fatalf("answered %v, %v is the oldest", tk.id, next)
			}
			next++
		})
	}
	if l.InFlight() != 1 || cap(l.cuts) > 1024 || cap(l.tickets) > 256<<10 {
		t.Errorf("%d blocks on their way; kept %d blocks and %d tickets", l.InFlight(), cap(l.cuts), cap(l.tickets))
	}
}
