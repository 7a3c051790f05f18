package dataplane

import (
	"slices"
	"time"

	"smsplane/ledger"
)

// intake decides how soon the blocks that loops sealed are proposed: at once, unless the executor is busy while many
// messages wait for it alone. Then what is newly accepted would only lengthen their queue and, grown out of the
// caches and out of memory, make each message dearer. So until that has passed one message is let in for each that
// goes out to a carrier, and three for four as long as the queue is longer than that pace leaves it: after a moment without
// pace, which a slow disk brings about. Clients feel it as answers that come later, and above that as the limit on blocks in flight
// (ESME_RTHROTTLED).
//
// What waits for carriers that are down, slow or at their rate, or behind a layer that is paused or rated, does not
// count: a slow carrier must not hold up the traffic of others.
type intake struct {
	held   []held // blocks not proposed yet, in the order they came
	paced  bool
	tokens int // quarters of messages that may still be let in while paced
	each   int // quarters that one which goes out lets in
	busy   bool
	calm   int     // looks in a row at which it was not
	idle   float64 // share of its time that the executor was idle, smoothed
	looked int64   // when that was looked at last, and what it had slept by then
	slept  int64
}

type held struct {
	l     *lane
	block []byte
}

const (
	paceEvery  = int64(20 * time.Millisecond)
	paceSmooth = 0.1     // weight of one look
	paceAbove  = 8 << 10 // messages in wait
	paceUntil  = 4 << 10
	paceLong   = 16 << 10
	paceCalm   = 50  // looks: the executor rests while the disk does
	busyUnder  = 0.5 // idle share under which the executor counts as busy
	busyUntil  = 0.7 // and until which
)

// look sets the pace.
func (in *intake) look(x *executor, now int64) {
	if now-in.looked < paceEvery {
		return
	}
	idle := float64(x.idle-in.slept) / float64(now-in.looked)
	in.looked, in.slept = now, x.idle
	in.pace(idle, x.waiting(now))
	for _, c := range x.serving {
		for _, s := range c.sessions {
			s.short = in.busy && s.window >= shortFrom && s.quick() && !s.atRate(now)
		}
	}
}

// pace takes the share of its time that the executor was idle since the last look, and how many messages wait for it.
func (in *intake) pace(idle float64, waiting int) {
	in.idle += (idle - in.idle) * paceSmooth
	in.busy = in.idle < busyUnder || in.busy && in.idle < busyUntil
	if in.calm++; in.busy {
		in.calm = 0
	}
	if in.each = 4; waiting > paceLong {
		in.each = 3
	}
	switch {
	case in.paced:
		in.paced = in.calm < paceCalm && waiting > paceUntil
	case in.busy && waiting > paceAbove:
		in.paced, in.tokens = true, 0
	}
}

// left counts a message that goes out to a carrier.
func (in *intake) left() { in.tokens += in.each }

// admit proposes what may come in now.
func (in *intake) admit() (n int) {
	for n < len(in.held) && (!in.paced || in.tokens > 0) {
		h := &in.held[n]
		in.tokens -= 4 * ledger.BlockRecords(h.block)
		h.l.propose(h.block, proposal{entry: true})
		n++
	}
	if n > 0 {
		rest := copy(in.held, in.held[n:])
		clear(in.held[rest:])
		in.held = in.held[:rest]
	}
	return n
}

// forget drops the blocks of a lane that is led here no more: the loops close the sessions that wait for them.
func (in *intake) forget(l *lane) {
	in.held = slices.DeleteFunc(in.held, func(h held) bool { return h.l == l })
}

// waiting is how many messages nothing but the executor keeps from going on.
func (x *executor) waiting(now int64) (n int) {
	if x.routers.free() && x.verifiers.free() {
		for _, l := range x.lanes {
			n += l.routing.front.Len() + l.verifying.Len()
		}
	}
	if !x.senders.free() {
		return n
	}
	for _, c := range x.serving {
		if c.quick(now) {
			for _, k := range c.waiting {
				n += k
			}
		}
	}
	return n
}

// free says that neither a pause nor a rating holds the layer's work back.
func (l *layer) free() bool { return !l.paused && l.tps == 0 }

// quick says that a carrier would take more if we sent more, over a link that is neither held nor at rest nor at its rate.
func (c *carrier) quick(now int64) bool {
	for _, s := range c.sessions {
		if k := s.link; s.up && s.far == 0 && s.quick() && k.held == 0 && now >= k.restTil && !s.atRate(now) {
			return true
		}
	}
	return false
}

// rateHolds is for how long a bucket that ran dry tells that it is the rate that holds messages back. Between two messages it may
// have a token all the same, as it has when the last ones are still on their way to the journal.
const rateHolds = time.Second

// atRate says that the rate of the session's link or carrier is the limit.
func (s *linkSession) atRate(now int64) bool {
	return s.link.bucket.RanDry(now, rateHolds) || s.carrier.bucket.RanDry(now, rateHolds)
}
