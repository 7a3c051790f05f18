package dataplane

import (
	"errors"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

func TestUrgentUnderLoad(t *testing.T) {
	set, calmed := 0, 0
	u := urgency{set: func() func() {
		set++
		return func() { calmed++ }
	}}
	for i, c := range []struct {
		rate float64
		on   bool
	}{{0, false}, {urgentFrom - 1, false}, {urgentFrom, true}, {urgentTo, true}, {urgentFrom, true}, {urgentTo - 1, false}, {urgentTo, false}, {urgentFrom, true}} {
		if u.heed(c.rate); (set > calmed) != c.on {
			t.Errorf("%d: at %.0f a second: set %d times, calmed %d", i, c.rate, set, calmed)
		}
	}
	if set != 2 || calmed != 1 {
		t.Errorf("set %d times, calmed %d", set, calmed)
	}
}

// A goroutine that is urged has a thread of its own with another nice value, and gives that back. The thread of who has
// no right to it is as it was, and one that goes before those already stays so.
func TestUrge(t *testing.T) {
	type state struct{ before, urged, after, above int }
	var s state
	var refused error
	done := make(chan struct{})
	nice := func() int {
		v, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
		if err != nil {
			t.Error(err)
		}
		return 20 - v
	}
	go func() {
		defer close(done)
		s.before = nice()
		calm, err := urge()
		s.urged, refused = nice(), err
		if err == nil {
			calm()
			s.after = nice()
			runtime.LockOSThread() // it ends with the goroutine
			if err := unix.Setpriority(unix.PRIO_PROCESS, 0, urgent-5); err != nil {
				t.Error(err)
			}
			if _, err = urge(); err != nil {
				t.Error(err)
			}
			s.above = nice()
		}
	}()
	<-done
	switch {
	case errors.Is(refused, unix.EACCES) || errors.Is(refused, unix.EPERM):
		if s.urged != s.before {
			t.Errorf("refused, and from %d to %d", s.before, s.urged)
		}
	case refused != nil:
		t.Error(refused)
	case s.urged != min(urgent, s.before) || s.after != s.before || s.above != urgent-5:
		t.Errorf("%+v", s)
	}
}
