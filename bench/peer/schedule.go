package peer

import (
	"sync"
	"sync/atomic"
	"time"
)

// schedule says which message is sent next, and when it was due.
//
// A paced run is open: message i is due at start + i/rate whether or not the system keeps up, and latency counts from
// then. A system that stalls for a second is thus charged for everyone who would have come in that second, and not only
// for the one message that happened to be on its way (coordinated omission).
//
// Safe for many goroutines.
type schedule struct {
	start, end int64   // unix ns; end 0 = none
	count      int64   // messages
	gap        float64 // ns between two messages, 0 = unpaced
	firm       bool    // repeats count in the rate, too
	next       atomic.Int64
	again      atomic.Int64 // repeats so far, when firm
	halted     atomic.Bool  // nothing is sent any more

	mu      sync.Mutex
	retries fifo[due]
	waiting atomic.Int64 // len(retries)
}

// due is a message and the time it is due, unix ns.
type due struct {
	index uint32
	at    int64
}

// take appends up to n messages that are due to out: repeats first, then new ones.
func (s *schedule) take(now int64, n int, out []due) []due {
	if s.ended(now) {
		return out
	}
	if s.firm {
		n = min(n, s.allowance(now))
	}
	if n > 0 && s.waiting.Load() > 0 {
		out = s.takeRetries(now, n, out)
		n -= len(out)
	}
	for n > 0 {
		from := s.next.Load()
		upto := min(from+int64(n), s.limit(now))
		if upto <= from {
			return out
		}
		if !s.next.CompareAndSwap(from, upto) {
			continue
		}
		for i := from; i < upto; i++ {
			out = append(out, due{uint32(i), s.dueAt(i, now)})
		}
		return out
	}
	return out
}

func (s *schedule) takeRetries(now int64, n int, out []due) []due {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(out)
	for ; n > 0 && s.retries.len() > 0 && s.retries.first().at <= now; n-- {
		out = append(out, *s.retries.first())
		s.retries.drop()
	}
	k := int64(len(out) - before)
	s.waiting.Add(-k)
	if s.firm {
		s.again.Add(k)
	}
	return out
}

// allowance is how many messages, new or again, may go out by now at a firm rate.
func (s *schedule) allowance(now int64) int {
	if s.gap == 0 {
		return batch
	}
	return int(int64(float64(now-s.start)/s.gap) + 1 - s.next.Load() - s.again.Load())
}

// limit is one past the last new message that may go out by now.
func (s *schedule) limit(now int64) int64 {
	if s.gap == 0 {
		return s.count
	}
	return min(s.count, int64(float64(now-s.start)/s.gap)+1)
}

func (s *schedule) dueAt(i, now int64) int64 {
	if s.gap == 0 {
		return now
	}
	return s.start + int64(float64(i+s.again.Load())*s.gap)
}

// retry sends messages again at the given time.
func (s *schedule) retry(messages []uint32, at int64) {
	if len(messages) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range messages {
		s.retries.push(due{i, at})
	}
	s.waiting.Add(int64(len(messages)))
}

func (s *schedule) ended(now int64) bool { return s.end > 0 && now >= s.end || s.halted.Load() }

// over says whether nothing will be sent any more. Past the end, throttled messages are left as they are.
func (s *schedule) over(now int64) bool {
	return s.ended(now) || s.waiting.Load() == 0 && s.next.Load() >= s.count
}

// idle is how long nothing can fall due, or little enough to wait for more: at a firm rate, which is for offering more than is
// taken, each bind's share of a moment leaves together.
func (s *schedule) idle(now int64) time.Duration {
	const rest, least, moment = 10 * time.Millisecond, 200 * time.Microsecond, 5 * time.Millisecond
	next := s.next.Load()
	switch {
	case s.gap == 0 || next >= s.count:
		return rest
	case s.firm:
		return max(moment, min(rest, time.Duration(s.dueAt(next, now)-now)))
	}
	return max(least, min(rest, time.Duration(s.dueAt(next, now)-now)))
}
