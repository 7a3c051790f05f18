package egress

import "time"

// Second lets at most n pass in any second, wherever that begins: what a carrier counts. A Bucket of the same rate lets
// its depth pass on top. The zero Second lets everything through.
type Second struct {
	n    int
	at   []int64 // when the last n passed, from next on around
	next int
}

// NewSecond makes one; 0 is unlimited.
func NewSecond(n int) Second { return Second{n: n} }

// Open says whether one more may pass now and leave places for keep others, fewer than n.
func (s *Second) Open(keep int, now int64) bool {
	if s.n == 0 || len(s.at)+keep < s.n {
		return true
	}
	i := s.next + keep - (s.n - len(s.at)) // the oldest are free first
	return now-s.at[i%s.n] >= int64(time.Second)
}

// Passed notes that one did.
func (s *Second) Passed(now int64) {
	switch {
	case s.n == 0:
	case len(s.at) < s.n:
		s.at = append(s.at, now)
	default:
		s.at[s.next] = now
		if s.next++; s.next == s.n {
			s.next = 0
		}
	}
}

// Pace is what a link's messages leave by: the rate of a Bucket, so that they leave evenly, and never more in a Second.
// After a pause a Second alone would let all of it go at once, and again at the same time of each second to come.
type Pace struct {
	bucket Bucket
	second Second
}

// NewPace makes one of a rate per second, 0 for none.
func NewPace(tps int, depth time.Duration) Pace {
	return Pace{bucket: NewBucket(tps, depth), second: NewSecond(tps)}
}

// Depth is how many may leave at once.
func (p *Pace) Depth() int { return p.bucket.Depth() }

// Open says whether one more may leave now and leave places for keep others, fewer than Depth.
func (p *Pace) Open(keep int, now int64) bool {
	return p.bucket.Whole(now) > keep && p.second.Open(keep, now)
}

// Passed notes that one left.
func (p *Pace) Passed(now int64) {
	p.bucket.Take(now)
	p.second.Passed(now)
}
