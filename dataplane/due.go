package dataplane

import "smsplane/ledger"

// next is when something is due by itself.
func (x *executor) next(now int64) int64 {
	at := min(x.sweeper, x.second)
	if x.swept > 0 {
		at = now
	}
	if len(x.intake.held) > 0 {
		at = min(at, x.intake.looked+paceEvery)
	}
	for _, l := range x.lanes {
		at = min(at, l.next(now))
	}
	if len(x.far.lent) > 0 {
		at = min(at, max(now+int64(fencedRest), x.senders.wait(now)))
	}
	first := now
	if x.fenced || x.fellows != nil && x.fellows.spread.lane != nil {
		first += int64(fencedRest)
	}
	for _, c := range x.carriers {
		at = min(at, max(first, c.due(x, now)))
	}
	return at
}

// due is when a carrier with messages waiting can take one: its rate, its rest after throttling, a worker.
func (c *carrier) due(x *executor, now int64) int64 {
	at := int64(never)
	if c.look {
		at = c.down + downFor
	}
	for class := range c.waiting {
		if c.wants(class) > 0 {
			at = min(at, max(c.dueFor(ledger.Class(class), now), x.senders.wait(now)))
		}
	}
	return at
}

func (c *carrier) dueFor(class ledger.Class, now int64) int64 {
	at := int64(never)
	for _, s := range c.sessions {
		k := s.link
		if k.held != 0 || s.credit() <= c.keep(class, s.most(), now) {
			continue
		}
		at = min(at, max(k.restTil, k.bucket.NextAbove(c.keep(class, k.bucket.Depth(), now), now)))
	}
	switch {
	case c.allowed == nil:
	case c.most()-c.out <= c.keep(class, c.most(), now):
		return never
	default:
		return max(at, c.bucket.NextAbove(c.keep(class, c.bucket.Depth(), now), now))
	}
	return at
}
