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

// Open says whether one more may pass now.
func (s *Second) Open(now int64) bool {
	return len(s.at) < s.n || s.n == 0 || now-s.at[s.next] >= int64(time.Second)
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
