package transport

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	tickEvery = 10 * time.Millisecond
	idleEvery = 500 * time.Millisecond
	window    = 100 // fast ticks between two looks at how busy the loops are
	lively    = 100 // turns of one loop in a window that keep the pace, 100 a second
	wakeUp    = 50  // turns of one loop in one slow tick that set the fast pace, 100 a second
)

// ticker wakes all loops for Tick, fast or slowly.
//
// A loop that sleeps in epoll_wait costs a millisecond of CPU each time it is woken from idleness, because Go's monitor thread
// polls for a while whether to take its processor away: a hundred ticks a second were measured as 1.9 % of a core with nothing
// to do, and ten as 1.1 %. So the pace follows the work: fast with a hundred turns a second, after an Enroll, and while
// somebody waits for a tick to go on (unsent bytes, Close); slow otherwise.
type ticker struct {
	timer   *time.Ticker
	slow    atomic.Bool
	hurried atomic.Bool // hurry was called in this window
	stop    func()      // waits for the goroutine; more than once is harmless
}

func (t *ticker) start(loops []*loop) {
	stop, done := make(chan struct{}), make(chan struct{})
	t.stop = sync.OnceFunc(func() {
		close(stop)
		<-done
	})
	go func() {
		defer close(done)
		defer t.timer.Stop()
		for n := 0; ; {
			select {
			case <-stop:
				return
			case <-t.timer.C:
				n = t.tick(loops, n)
			}
		}
	}()
}

// tick wakes the loops and sets the pace; n counts the fast ticks of the window.
func (t *ticker) tick(loops []*loop, n int) int {
	for _, l := range loops {
		l.ticking.Store(true)
		l.wake()
	}
	if t.slow.Load() {
		for _, l := range loops {
			l.turns.Store(0)
		}
		return 0
	}
	if n++; n < window {
		return n
	}
	busy := t.hurried.Swap(false)
	for _, l := range loops {
		busy = l.turns.Swap(0) >= lively || busy
	}
	if !busy {
		t.slow.Store(true)
		t.timer.Reset(idleEvery)
		if t.hurried.Load() { // between the look at it and the store to slow
			t.hurry()
		}
	}
	return 0
}

// hurry sets the fast pace for a second at least, from any goroutine.
func (t *ticker) hurry() {
	if !t.hurried.Load() {
		t.hurried.Store(true)
	}
	if t.slow.Load() && t.slow.CompareAndSwap(true, false) {
		t.timer.Reset(tickEvery)
	}
}

// turned counts a turn that was not the ticker's.
func (t *ticker) turned(l *loop) {
	if n := l.turns.Add(1); n == wakeUp && t.slow.Load() {
		t.hurry()
	}
}
