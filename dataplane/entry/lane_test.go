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

// A lane is slow when its oldest block on its way is older than a second, whatever came after it, and when
// too many are on their way; answering them ends it.
func TestSlowStore(t *testing.T) {
	l := NewLane(1, 1)
	block := func(now int64) {
		l.add(0, &ledger.Accept{PDU: []byte("pdu")}, ticket{at: now})
		if b, _ := l.cut(now, true); b == nil {
			t.Fatal("no block")
		}
	}
	const second = int64(slowCommit)
	if l.slow(100 * second) {
		t.Error("slow with nothing on its way")
	}
	block(second)
	block(5 * second / 2)
	for now, want := range map[int64]bool{second: false, 2 * second: false, 2*second + 1: true, 9 * second: true} {
		if l.slow(now) != want {
			t.Errorf("at %d: slow %v", now, !want)
		}
	}
	answered := 0
	l.committed(func(*ticket) { answered++ })
	if l.slow(3 * second) {
		t.Error("slow by a block that is answered")
	}
	if !l.slow(4 * second) {
		t.Error("not slow by the second block")
	}
	l.committed(func(*ticket) { answered++ })
	if l.slow(100*second) || answered != 2 {
		t.Errorf("slow with all %d answered", answered)
	}
	for range stalled {
		if l.slow(second) {
			t.Fatal("slow before too many are on their way")
		}
		block(second)
	}
	if !l.slow(second) {
		t.Error("not slow with too many on their way")
	}
}
