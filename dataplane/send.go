package dataplane

import (
	"fmt"
	"time"

	"smsplane/egress"
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/catalog"
	"smsplane/router"
)

// carrier is what the executor knows of one carrier: who waits for it and which sessions serve it.
type carrier struct {
	n        uint16
	waiting  [ledger.Classes]int // over all lanes
	turns    egress.Turns
	lane     int // that was served last
	sessions []*linkSession
	next     int
}

// linkSession is the executor's side of a bound session with a carrier.
type linkSession struct {
	id      uint32
	carrier *carrier
	link    *link
	loop    int
	up      bool
	window  int
	out     int   // dispatched or about to be, and not answered
	restTil int64 // the carrier said that we are too fast

	sent, answered, refused uint64
}

// link is one link of the catalog; its sessions share its rate.
type link struct {
	carrier string
	index   int
	decl    catalog.Link
	bucket  egress.Bucket
	rate    meter
	sent    uint64
}

// linkDepth is how deep a link's bucket is: no sliding second passes the carrier's tps by more.
const linkDepth = 50 * time.Millisecond

// credit is how many more messages the session may be given: two windows, one on the link and one ahead.
func (s *linkSession) credit() int {
	if !s.up {
		return 0
	}
	return 2*s.window - s.out
}

// pull is layer 7: each carrier's queues are served as far as its sessions have credit and rate.
func (x *executor) pull(now int64) (n int) {
	for _, c := range x.serving {
		n += x.serve(c, now)
	}
	return n
}

func (x *executor) serve(c *carrier, now int64) (n int) {
	for n < turnBudget {
		s := c.session(now)
		if s == nil {
			return n
		}
		m, l := x.pick(c)
		if m == nil {
			return n
		}
		w, ok := x.senders.take(now)
		if !ok {
			l.putBack(c, m)
			return n
		}
		l.dispatch(m, s, w, now)
		n++
	}
	return n
}

// session finds the next session with credit and rate, in turn.
func (c *carrier) session(now int64) *linkSession {
	for range c.sessions {
		if c.next++; c.next >= len(c.sessions) {
			c.next = 0
		}
		s := c.sessions[c.next]
		if s.credit() > 0 && now >= s.restTil && s.link.bucket.Next(now) <= now {
			return s
		}
	}
	return nil
}

// pick takes the next message for a carrier: the class by weight, the lane in turn.
func (x *executor) pick(c *carrier) (*book.Msg, *lane) {
	var waits [ledger.Classes]bool
	for i, n := range c.waiting {
		waits[i] = n > 0
	}
	class, ok := c.turns.Next(waits)
	if !ok {
		return nil, nil
	}
	for range x.lanes {
		if c.lane++; c.lane >= len(x.lanes) {
			c.lane = 0
		}
		l := x.lanes[c.lane]
		if q := l.queues[c.n]; q != nil && q[class].front.Len() > 0 {
			c.waiting[class]--
			return l.book.Pop(&q[class].front), l
		}
	}
	panic(fmt.Sprintf("dataplane: carrier %d counts %d waiting in class %v, and no lane has one", c.n, c.waiting[class], class))
}

func (l *lane) putBack(c *carrier, m *book.Msg) {
	l.book.PushFront(&l.queues[c.n][m.Class].front, m)
	c.waiting[m.Class]++
}

// dispatch proposes that a message goes out over a session. The bytes follow when the record is committed.
func (l *lane) dispatch(m *book.Msg, s *linkSession, worker uint8, now int64) {
	x := l.x
	if now >= m.ValidUntil {
		l.expire(m, now)
		return
	}
	buy, ok := x.table.Buy(s.carrier.n, router.Number(m.Number), now)
	if !ok { // its price ended since the plan was made
		l.elsewhere(m, ledger.Next, 0, now)
		return
	}
	if !l.carries(m, s) { // its text would suffer
		l.elsewhere(m, ledger.Next, 0, now)
		return
	}
	s.link.bucket.Take(now)
	s.out++
	var flags uint8
	if m.Policy != 0 {
		flags = ledger.FlagResend // it was in doubt once: this may be the second copy
	}
	m.Phase, m.Link = phaseDispatching, s.id
	l.begin()
	l.open = ledger.AppendDispatch(l.open, worker, flags, m.ID, now, &ledger.Dispatch{Carrier: s.carrier.n, Target: m.Target,
		Attempt: uint8(min(int(m.Attempts)+1, 255)), Session: s.id, Buy: buy})
	l.recorded(now)
}

// dispatched sends the bytes of a message whose DISPATCH is committed.
func (l *lane) dispatched(m *book.Msg) {
	x := l.x
	if m.Phase != phaseDispatching {
		panic(fmt.Sprintf("dataplane: DISPATCH of %v committed in phase %d", m.ID, m.Phase))
	}
	s := x.links[m.Link]
	if s == nil || !s.up {
		if s != nil {
			s.out--
		}
		l.unsent(m, x.now)
		return
	}
	p, err := l.book.PDU(m)
	if err != nil {
		x.fail(fmt.Errorf("reading message %v: %w", m.ID, err))
		return
	}
	m.Phase = phaseSent
	s.sent++
	s.link.sent++
	x.senders.latency.Add(x.now - m.Verified)
	x.ports[s.loop].push(event{kind: evSend, session: s.id, id: m.ID, number: router.Number(m.Number), data: l.adapted(m, s, p), at: l.validity(m, s), seq: uint32(m.Class),
		status: uint32(l.registered(m, s))})
}

// validity is when the carrier shall stop trying: our own end of validity, or what it takes at most.
func (l *lane) validity(m *book.Msg, s *linkSession) int64 {
	until := m.ValidUntil
	if c := l.x.table.CarrierOf(s.carrier.n); c != nil && c.ValidityMax > 0 {
		until = min(until, l.x.now+int64(c.ValidityMax))
	}
	return until
}

// registered is the registered_delivery that the carrier sees (3.4 §5.2.17): receipts are asked for always,
// or as the client asked; acknowledgements of the phone and intermediate notifications as the client asked.
func (l *lane) registered(m *book.Msg, s *linkSession) uint8 {
	c := l.x.table.CarrierOf(s.carrier.n)
	if c == nil || c.Receipts == catalog.ReceiptsAlways {
		return 1 | m.Registered&^3
	}
	return m.Registered
}
