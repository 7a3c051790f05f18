package ring

import (
	"sync/atomic"
	"time"
)

// Bell wakes one waiting goroutine. Any number of goroutines ring, one waits.
//
// The waiter says that it is parked, then looks once more for work, then sleeps. A ringer makes its work visible, then looks
// whether the waiter is parked. Both use sequentially consistent atomics, so one of the two sees the other: no wake-up is
// lost. Whoever turns parked from 1 to 0 settles the sleep: a ringer by sending exactly one token, the waiter by sending
// none. Hence the channel of one slot never blocks a ringer, and it is empty whenever nobody waits.
//
//	waiter                          ringer (after its work is visible)
//	parked = 1                      if parked == 1 and CAS(parked, 1, 0):
//	if ready(): settle, return          send token
//	sleep until token or time
//	on time: settle
//
//	settle: CAS(parked, 1, 0), else receive the token that is on its way
type Bell struct {
	_      [line]byte
	parked atomic.Uint32
	_      [line]byte
	token  chan time.Time // when it was rung
	timer  *time.Timer
	late   time.Duration
}

// NewBell makes a bell that nobody waits on.
func NewBell() *Bell {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &Bell{token: make(chan time.Time, 1), timer: t}
}

// Ring wakes the waiter if there is one. Call it after the work is visible (after Commit). It costs one load when nobody is
// parked and never blocks; who ends a sleep looks at the clock, too.
func (b *Bell) Ring() {
	if b.parked.Load() == 1 && b.parked.CompareAndSwap(1, 0) {
		b.token <- time.Now()
	}
}

// Forever makes Wait sleep without a limit.
const Forever time.Duration = -1

// Wait sleeps until Ring, at most for limit (Forever: no limit, 0: not at all). ready is asked once, after the parked flag is
// up: it must look at everything that Ring may be called for and must not call Wait. Wait returns true when it was rung or
// ready said so, false when the time passed. It may be called from one goroutine at a time and allocates nothing, if ready
// is not a new closure each time.
func (b *Bell) Wait(limit time.Duration, ready func() bool) bool {
	b.parked.Store(1)
	b.late = 0
	if ready() {
		b.settle()
		return true
	}
	switch {
	case limit == 0:
		return !b.settle()
	case limit < 0:
		b.late = time.Since(<-b.token)
		return true
	}
	began := time.Now()
	b.timer.Reset(limit)
	select {
	case rung := <-b.token:
		b.late = time.Since(rung)
		b.timer.Stop()
		return true
	case <-b.timer.C:
		b.late = max(0, time.Since(began)-limit)
		return !b.settle()
	}
}

// Late is how long after the ringing, or after its limit, the last Wait returned: what the waiter waited for a processor. Only the
// waiter may ask.
func (b *Bell) Late() time.Duration { return b.late }

// settle ends a sleep from the waiter's side; true when no ringer had claimed it.
func (b *Bell) settle() bool {
	if b.parked.CompareAndSwap(1, 0) {
		return true
	}
	<-b.token // the ringer that turned the flag sends without waiting for anything
	return false
}
