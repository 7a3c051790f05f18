package egress

import (
	"time"

	"smsplane/pdu"
)

// Backoff says when a link that lost its session dials again: from a quarter of a second, doubled up to half
// a minute, with jitter so that the links of a host never come back in step. A carrier that refuses the bind
// is asked rarely from the start, and after a wrong password once a minute at most: hammering after ESME_RBINDFAIL or
// ESME_RINVPASWD gets accounts locked.
type Backoff struct {
	fails   int
	refused int
}

const (
	backoffMin    = 250 * time.Millisecond
	backoffMax    = 30 * time.Second
	refusedMin    = 5 * time.Second
	refusedMax    = 2 * time.Minute
	wrongMin      = time.Minute // a wrong password does not mend itself
	wrongMax      = 10 * time.Minute
	jitterPercent = 25
)

// Bound notes that the link is up.
func (b *Backoff) Bound() { *b = Backoff{} }

// Failed notes a dial or session that ended, and returns how long to wait. pick is a random number.
func (b *Backoff) Failed(pick uint64) time.Duration {
	d := grow(backoffMin, backoffMax, b.fails)
	b.fails++
	return jitter(d, pick)
}

// Ours is how long to wait after a session or a dial that we ended for a reason of our own. The carrier did nothing: the wait is
// the shortest one, however often that happens, and those for its failures do not grow by it.
func (b *Backoff) Ours(pick uint64) time.Duration { return jitter(backoffMin, pick) }

// Refused notes a bind_resp with an error status. Statuses that mean "not now" wait like a failed dial.
func (b *Backoff) Refused(st pdu.Status, pick uint64) time.Duration {
	if st == pdu.RSysErr || st == pdu.RThrottled {
		return b.Failed(pick)
	}
	least, most := refusedMin, refusedMax
	if st == pdu.RInvPaswd || st == pdu.RInvSysID {
		least, most = wrongMin, wrongMax
	}
	d := grow(least, most, b.refused)
	b.refused++
	return jitter(d, pick)
}

func grow(from, to time.Duration, n int) time.Duration {
	for ; n > 0 && from < to; n-- {
		from *= 2
	}
	return min(from, to)
}

func jitter(d time.Duration, pick uint64) time.Duration {
	span := uint64(d) * jitterPercent / 100
	return d - time.Duration(span/2) + time.Duration(pick%(span+1))
}
