package egress

import "time"

// Adapt finds the rate that a carrier bears on one link: additive increase, multiplicative decrease. A carrier that says
// ESME_RTHROTTLED, ESME_RMSGQFUL or a high congestion_state cuts the rate by 30 %, at most once in cutEvery, since the
// answers to one window all say the same; each second without such a word gives back 5 % of where the trouble began.
// A carrier that took nearly all of the last second is not told to be slower than it is: some refuse a share of
// everything whatever the rate, and would be throttled to nothing.
//
//	free ──slow──▶ limited ──slow──▶ limited at 0.7 of it
//	  ◀── back at the ceiling, or at twice the rate where the trouble began when there is no ceiling ──┘
//
// The zero Adapt is free and has no ceiling.
type Adapt struct {
	ceiling float64 // the catalog's tps; 0 is none
	origin  float64 // rate at the first cut; a raise is 5 % of it
	limit   float64 // 0: free
	cut     int64   // of the last cut, unix ns
	raised  int64   // of the last raise or cut
}

const (
	cutShare   = 0.70
	takenShare = 0.85 // of what was sent; if more was taken the rate is not the trouble
	raiseShare = 0.05
	cutEvery   = int64(500 * time.Millisecond)
	raiseEvery = int64(time.Second)

	// congestion_state (5.0 §4.8.4.18): 0 idle to 99 congested, 90 to 99 "congested", 80 to 89 the best load.
	congestionHigh = 90
	congestionBest = 80
)

// NewAdapt makes a free one below a rate, 0 for none.
func NewAdapt(ceiling int) Adapt { return Adapt{ceiling: float64(ceiling)} }

// Slower is the carrier's word that the link is too fast; rate is what was sent in the last second, taken what the
// carrier took of it. It reports whether the limit changed.
func (a *Adapt) Slower(now int64, rate, taken float64) bool {
	if a.cut != 0 && now-a.cut < cutEvery {
		return false
	}
	if taken > 0 && taken >= rate*takenShare {
		return false
	}
	if a.limit == 0 {
		a.origin = max(rate, 1)
		if a.ceiling > 0 {
			a.origin = min(a.origin, a.ceiling)
		}
		a.limit = a.origin
	}
	a.limit *= cutShare
	if taken > 0 {
		a.limit = min(a.limit, taken) // what it bears is known
	}
	a.limit = max(1, a.limit)
	a.cut, a.raised = now, now
	return true
}

// Congestion reads a congestion_state: above the best load the link slows down, in it the rate stays where it is.
func (a *Adapt) Congestion(now int64, state uint8, rate float64) bool {
	switch {
	case state >= congestionHigh:
		return a.Slower(now, rate, 0)
	case state >= congestionBest:
		a.raised = now
	}
	return false
}

// Tick raises the limit when it is time; it reports whether the limit changed.
func (a *Adapt) Tick(now int64) bool {
	if a.limit == 0 || now-a.raised < raiseEvery {
		return false
	}
	steps := float64((now - a.raised) / raiseEvery)
	a.raised += int64(steps) * raiseEvery
	a.limit += steps * max(1, a.origin*raiseShare)
	if a.ceiling > 0 && a.limit >= a.ceiling || a.ceiling == 0 && a.limit >= 2*a.origin {
		a.limit = 0
	}
	return true
}

// Limit is the messages per second allowed now; 0 when the carrier's words limit nothing.
func (a *Adapt) Limit() float64 { return a.limit }
