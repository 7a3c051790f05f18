package peer

import "sync"

// limiter is a carrier's rate over all its binds: a token bucket a tenth of a second deep, kept as the time at which the
// next message would be exactly on the rate.
type limiter struct {
	mu   sync.Mutex
	next float64 // unix ns
}

const limiterDepth = 1e8 // ns

// take says whether a message may pass now at rate per second; every one may at rate 0.
func (l *limiter) take(now int64, rate float64) bool {
	if rate <= 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	t := float64(now)
	l.next = max(l.next, t-limiterDepth)
	if l.next > t {
		return false
	}
	l.next += 1e9 / rate
	return true
}
