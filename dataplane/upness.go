package dataplane

import (
	"time"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/router"
)

// No message waits for a carrier that nothing can be sent to while another target of its plan is up. A carrier is
// down from the moment its last sending session ends, or is held by an operator; a quick rebind changes nothing,
// but once downFor has passed, what waits for it moves on: at once what stands in its queues (strand), and whatever
// comes later as it comes (enqueue). A carrier that comes up fetches, the same way, what waits for others in vain.
const (
	downFor    = int64(500 * time.Millisecond)
	startGrace = int64(3 * time.Second) // carriers have not bound yet when the process starts
)

// reckon looks whether a carrier can be sent to, after something about its sessions changed.
func (x *executor) reckon(c *carrier, now int64) {
	up := false
	for _, s := range c.sessions {
		up = up || s.up && s.window > 0 && s.link.held == 0
	}
	switch {
	case up && c.down != 0:
		c.down, c.look, c.strand = 0, false, nil
		for _, o := range x.serving {
			o.look = o.down != 0
		}
	case !up && c.down == 0:
		c.down, c.look = now, true
	}
}

// gone says that nothing can be sent to a carrier, and not for a moment only.
func (c *carrier) gone(now int64) bool { return c.down != 0 && now-c.down >= downFor }

// stranded is a queue of a dead carrier, and how far it was looked through.
type stranded struct {
	l     *lane
	class ledger.Class
	past  ledger.MsgID // the last one that was looked at and stays; 0: none yet
}

// strands looks through dead carriers' queues once, as far as they are in memory, moving what has somewhere to go. What stays
// keeps its place, whatever comes or goes between two turns. Runs that are loaded later are looked at then.
func (x *executor) strands(now int64) (n int) {
	for _, c := range x.serving {
		if c.look && c.gone(now) {
			c.look = false
			c.list(x.lanes)
		}
		for n < turnBudget && len(c.strand) > 0 {
			s := &c.strand[0]
			q := &s.l.queues[c.n][s.class]
			m := s.next(q)
			if m == nil {
				c.strand = c.strand[1:]
				continue
			}
			n++
			t, ok := x.nextUp(m, now)
			if !ok {
				s.past = m.ID
				continue
			}
			s.l.served(q, -1)
			s.l.book.Remove(&q.front, m)
			s.l.move(m, t, now)
			s.l.enqueue(m, now)
		}
	}
	return n
}

// next is the message to look at, nil at the end. When the one before it has left the queue since, it begins anew: there are no more
// such leaps than messages that leave.
func (s *stranded) next(q *queue) *book.Msg {
	if at := q.standing(s.l.book, s.past); at != nil {
		return s.l.book.After(at)
	}
	return s.l.book.Front(&q.front)
}

// list notes the queues that must be looked through.
func (c *carrier) list(lanes []*lane) {
	c.strand = nil
	for class := ledger.Classes - 1; class >= 0; class-- {
		for _, l := range lanes {
			if q := l.queues[c.n]; q != nil && q[class].front.Len() > 0 {
				c.strand = append(c.strand, stranded{l: l, class: ledger.Class(class)})
			}
		}
	}
}

// nextUp is the target behind the present one that can be sent to and takes the message's numbers.
func (x *executor) nextUp(m *book.Msg, now int64) (uint8, bool) {
	if x.lanes[m.ID.Lane()].stays(m) {
		return 0, false
	}
	for i := uint8(1); i < m.N; i++ {
		t := (m.Target + i) % m.N
		n := m.Targets[t].Carrier
		if c := x.carriers[n]; c == nil || c.down != 0 || x.recent.Failing(n, router.Number(m.Number), now) {
			continue
		}
		if _, ok := x.table.Buy(n, router.Number(m.Number), now); ok {
			return t, true
		}
	}
	return 0, false
}

// move gives a message that was never sent to its present target to another one. No attempt is counted.
func (l *lane) move(m *book.Msg, target uint8, now int64) {
	l.answer(m, &ledger.Answer{Outcome: ledger.Moved, Target: target, Status: uint32(m.Present().Carrier)}, now)
	m.Target, m.Due = target, 0
	m.Note &^= noteServed
	l.draws(m)
}
