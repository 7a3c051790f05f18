package gate

import (
	"net/netip"
	"time"
)

// maxPenalties bounds the memory of failures: 65,536 entries are about 5 MB. When it is full, the one of a few entries that
// will be forgiven first gives way: somebody who fails from a million addresses pushes out mostly what weighs least.
const (
	maxPenalties = 1 << 16
	evictSample  = 16
)

// penalty of one source. Its level falls by one for every FailDecay of quiet.
type penalty struct {
	level int
	at    int64 // when level was true
}

type penalties struct {
	first, most, decay time.Duration
	limit              int
	bySource           map[netip.Addr]penalty
}

func newPenalties(o Options) penalties {
	return penalties{first: o.FailDelay, most: o.MaxFailDelay, decay: o.FailDecay, limit: maxPenalties, bySource: make(map[netip.Addr]penalty)}
}

// BindFailed records a failed bind (unknown system_id, wrong password, malformed bind) of a source and gives the time to hold
// the answer back: FailDelay doubled for each failure that is not yet forgiven, at most MaxFailDelay. Others are not slowed,
// and neither is a good bind from the same source: it may stand behind the same NAT.
func (g *Gate) BindFailed(from netip.Addr, now int64) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.penalties.fail(Source(from), now)
}

func (p *penalties) fail(source netip.Addr, now int64) time.Duration {
	e, known := p.bySource[source]
	if !known && len(p.bySource) >= p.limit {
		p.makeRoom(now)
	}
	level := p.level(e, now)
	delay, capped := p.delay(level)
	if !capped {
		level++ // a level beyond the cap would only take longer to forgive
	}
	p.bySource[source] = penalty{level: level, at: now}
	return delay
}

// level is what is left of a penalty after the quiet time since it was set.
func (p *penalties) level(e penalty, now int64) int {
	quiet := max(0, now-e.at)
	return max(0, e.level-int(min(quiet/int64(p.decay), int64(e.level))))
}

func (p *penalties) delay(level int) (d time.Duration, capped bool) {
	d = p.first
	for ; level > 0 && d < p.most; level-- {
		d *= 2
	}
	return min(d, p.most), d >= p.most
}

// makeRoom drops what is forgiven, or else the lightest, of a few entries that the map's random order picks: looking at all of
// them would let an attacker buy milliseconds under the lock with every failure.
func (p *penalties) makeRoom(now int64) {
	lightest, at, looked, dropped := netip.Addr{}, int64(0), 0, false
	for s, e := range p.bySource {
		free := e.at + int64(e.level)*int64(p.decay)
		if free <= now {
			delete(p.bySource, s)
			dropped = true
		} else if !lightest.IsValid() || free < at {
			lightest, at = s, free
		}
		if looked++; looked == evictSample {
			break
		}
	}
	if !dropped {
		delete(p.bySource, lightest)
	}
}
