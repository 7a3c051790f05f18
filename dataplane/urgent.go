package dataplane

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Under load the executor runs on a thread of its own that goes before all else of the process, as the loops do always: before
// compactions, the collector and cold reads. There is a processor of the runtime more for each of these threads then, since a compaction
// or the collector would hold one for up to 10 ms while the executor waits. That halves p99 while a queue drains. Without load
// it would cost more than it brings: at 2,500 messages a second, where the executor is woken for each, two fifths of the CPU.
type urgency struct {
	set  func() (calm func()) // on the executor's goroutine; nil: it is as it is
	calm func()               // nil while it is not urgent
}

// Messages a second, over ten, from which the executor is urgent, and below which it is not any more.
const (
	urgentFrom = 10_000
	urgentTo   = 5_000
)

// heed is called once a second.
func (u *urgency) heed(rate float64) {
	switch {
	case u.calm == nil && rate >= urgentFrom && u.set != nil:
		u.calm = u.set()
	case u.calm != nil && rate < urgentTo:
		u.calm()
		u.calm = nil
	}
}

// urgent is the nice value of urgent threads (sched(7)).
const urgent = -10

// urge gives the calling goroutine a thread of its own that goes before others, or changes nothing. calm takes that back: the thread is as it
// was, and anybody's. A process that goes before others as a whole keeps that.
func urge() (calm func(), err error) {
	runtime.LockOSThread()
	usual, err := unix.Getpriority(unix.PRIO_PROCESS, 0) // 20 less the nice value (getpriority(2))
	if err == nil {
		err = unix.Setpriority(unix.PRIO_PROCESS, 0, min(urgent, 20-usual))
	}
	if err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	return func() {
		if unix.Setpriority(unix.PRIO_PROCESS, 0, 20-usual) == nil { // else it stays this goroutine's
			runtime.UnlockOSThread()
		}
	}, nil
}
