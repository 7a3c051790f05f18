package dataplane

import (
	"fmt"
	"time"

	"smsplane/egress"
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/catalog"
	"smsplane/pdu"
	"smsplane/pdu/profile"
	"smsplane/router"
)

// carrier is what the executor knows of one carrier: who waits for it and which sessions serve it.
type carrier struct {
	n        uint16
	waiting  [ledger.Classes]int             // over all lanes led here
	abroad   [][ledger.Classes]egress.Demand // of guests, by lane; nil: there was none
	asked    [ledger.Classes]int             // what is open of that
	turns    egress.Turns
	reserve  egress.Reserve
	tps      int // over all links, 0: unlimited
	window   int // the same for what is unanswered
	bucket   egress.Bucket
	allowed  *egress.Allowance // of all its sessions, touched by their loop; nil: no bounds
	out      int               // dispatched or about to be, and not answered, over all sessions
	down     int64             // since when nothing can be sent to it, unix ns; 0: it is up
	look     bool              // its queues must go round once it has been down for long enough; see upness.go
	strand   []stranded
	lane     int // that was served last
	sessions []*linkSession
	inbound  *link // by which it binds to us; nil before it did
	next     int
}

// linkSession is the executor's side of a bound session with a carrier.
type linkSession struct {
	id      uint32
	carrier *carrier
	link    *link
	loop    int
	up      bool
	version uint8 // of SMPP, as negotiated
	window  int
	out     int   // dispatched or about to be, and not answered
	trip    int64 // round trip of the last answers, smoothed, ns
	theirs  int64 // the part of it that was not ours, likewise
	whole   int64 // the same from the DISPATCH on
	short   bool  // it has fewer messages at a time
	end     func(unfit pdu.Status)

	lent map[lentTo]int            // places that guests have and did not use yet
	away map[ledger.MsgID]away     // messages of guests without an answer
	far  uint32                    // its number at the host that keeps it; 0: it is ours
	on   map[ledger.MsgID]struct{} // with far: messages that it has

	sent, answered, refused uint64
}

// link is one link of the catalog; its sessions share its rate.
type link struct {
	carrier string
	index   int
	decl    catalog.Link
	bucket  egress.Bucket
	allowed []*egress.Allowance // of its sessions, touched by their loop
	adapt   egress.Adapt
	held    ledger.Verb // pause or drain, when an operator said so
	restTil int64       // the carrier said that we are too fast
	slowed  uint64      // how often it did
	rate    meter
	sent    uint64
	accepts meter
	taken   uint64
	ids     *profile.Learner // the executor's
	epoch   uint64           // of ids, when strays were last tried
}

// slower cuts the link's rate: the carrier said that it goes too fast.
func (k *link) slower(now int64) {
	k.slowed++
	if k.adapt.Slower(now, k.rate.last(k.sent), k.accepts.last(k.taken)) {
		k.restTil = now + int64(egress.SlowDelay)
		k.adapted(now)
	}
}

// adapted puts the rate in force that the carrier bears now.
func (k *link) adapted(now int64) {
	rate := k.adapt.Limit()
	if rate == 0 {
		rate = float64(k.decl.TPS)
	}
	k.bucket.SetRate(rate, linkDepth, now)
}

// linkDepth is how deep a link's bucket is. What leaves is counted once more where it leaves (egress.Pace).
const linkDepth = 50 * time.Millisecond

// allowances are what the sessions of a link must share: the link's rate, and what its carrier may be sent in all.
func allowances(tps int, c *egress.Allowance) (all []*egress.Allowance) {
	if a := egress.NewAllowance(tps, 0, linkDepth); a != nil {
		all = append(all, a)
	}
	if c != nil {
		all = append(all, c)
	}
	return all
}

// enter and leave count a message that the session has been given.
func (s *linkSession) enter() {
	s.out++
	s.carrier.out++
}

func (s *linkSession) leave() {
	s.out--
	s.carrier.out--
}

// credit is how many more messages the session may be given. Over one of another host they go for places that are lent.
func (s *linkSession) credit() int {
	if !s.up || s.far != 0 {
		return 0
	}
	return s.most() - s.out
}

// most is how many messages the session may have at a time: two windows, one on the link and one ahead. When it is
// the executor that is slow, half a window: the rest would only stand in its way, and before the carrier's receipts.
func (s *linkSession) most() int {
	if s.short {
		return s.window / 2
	}
	return 2 * s.window
}

// shortFrom is the window that can be cut in half and still be filled with one write.
const shortFrom = 256

// quick says that the carrier would take more if we sent more. With two windows given out, of which one can be on the link, a
// carrier that is the limit has its messages for half of the time between DISPATCH and answer; three eighths leave room for
// doubt. With half a window all can be on the link and still be too few: then it is quick until nearly all the time passes there.
func (s *linkSession) quick() bool {
	if s.short {
		return 5*s.theirs < 4*s.whole
	}
	return 8*s.theirs < 3*s.whole
}

// takes says whether a message of a class may go over the session now: credit and rate less what is kept for
// higher classes, and no rest.
func (c *carrier) takes(s *linkSession, class ledger.Class, now int64) bool {
	free, k := s.credit(), s.link
	if now < k.restTil || k.held != 0 || free <= c.keep(class, s.most(), now) {
		return false
	}
	return k.bucket.Whole(now) > c.keep(class, k.bucket.Depth(), now) && c.bears(class, now)
}

// bears says whether the carrier may be given one more message of a class, over whichever of its links.
func (c *carrier) bears(class ledger.Class, now int64) bool {
	if c.allowed == nil {
		return true
	}
	return c.most()-c.out > c.keep(class, c.most(), now) && c.bucket.Whole(now) > c.keep(class, c.bucket.Depth(), now)
}

// most is how many messages the carrier may have at a time, as most of a session.
func (c *carrier) most() int {
	if c.window == 0 {
		return 1 << 30
	}
	return 2 * c.window
}

// bound puts in force what the catalog lets a carrier be sent over all its links; nil is a carrier that left it.
func (c *carrier) bound(d *catalog.Carrier) {
	tps, window := 0, 0
	if d != nil {
		tps, window = d.TPS, d.Window
	}
	if tps == c.tps && window == c.window {
		return
	}
	c.tps, c.window = tps, window
	c.bucket, c.allowed = egress.NewBucket(tps, linkDepth), egress.NewAllowance(tps, window, linkDepth)
	for _, s := range c.sessions {
		if s.link == c.inbound { // those that we dial are dialled anew by the keeper of the links
			s.end(0)
		}
	}
	c.inbound = nil
}

// keep is how many of n places a class leaves free for higher ones that may come. Of those that wait already it takes
// its turns by weight instead: a higher class that never ends must not shut out a lower one.
func (c *carrier) keep(class ledger.Class, n int, now int64) int {
	for higher := int(class) + 1; higher < ledger.Classes; higher++ {
		if c.wants(higher) > 0 {
			return 0
		}
	}
	return c.reserve.Keep(class, n, now)
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
		m, l, lent := x.pick(c, now)
		if lent {
			n++
			continue
		}
		if m == nil {
			return n
		}
		s := c.session(m.Class, now)
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

// session finds the next session that takes a class, in turn; pick has found that there is one.
func (c *carrier) session(class ledger.Class, now int64) *linkSession {
	for range c.sessions {
		if c.next++; c.next >= len(c.sessions) {
			c.next = 0
		}
		if s := c.sessions[c.next]; c.takes(s, class, now) {
			return s
		}
	}
	panic(fmt.Sprintf("dataplane: no session of carrier %d takes class %v, and one did a moment ago", c.n, class))
}

func (c *carrier) open(class ledger.Class, now int64) bool {
	for _, s := range c.sessions {
		if c.takes(s, class, now) {
			return true
		}
	}
	return false
}

// pick takes the next message for a carrier: the class by weight, the lane in turn. Where a guest leads that lane, a place is
// lent for the message.
func (x *executor) pick(c *carrier, now int64) (m *book.Msg, l *lane, lent bool) {
	var waits [ledger.Classes]bool
	for i := range c.waiting {
		waits[i] = c.wants(i) > 0 && c.open(ledger.Class(i), now)
	}
	class, ok := c.turns.Next(waits)
	if !ok {
		return nil, nil, false
	}
	for range x.lanes {
		if c.lane++; c.lane >= len(x.lanes) {
			c.lane = 0
		}
		l := x.lanes[c.lane]
		switch {
		case c.asking(l.n, class) && !x.lanes[0].fenced && !x.fellows.ceding:
			x.lend(c, l.n, class, now)
			return nil, nil, true
		case l.fenced || l.yields:
			continue
		}
		if q := l.queues[c.n]; q != nil && q[class].front.Len() > 0 {
			c.waiting[class]--
			return l.book.Pop(&q[class].front), l, false
		}
	}
	if x.fenced || x.fellows != nil && (x.fellows.spread.lane != nil || x.fellows.ceding) {
		return nil, nil, false
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
	x.doing = step{inEgress, m.ID}
	m.Note &^= noteServed
	if now >= m.ValidUntil {
		l.expire(m, now)
		return
	}
	if t, ok := l.astray(m, s.carrier.n, now); ok {
		l.move(m, t, now)
		l.enqueue(m, now)
		return
	}
	if m.Broadcast {
		if s = l.broadcaster(m, s, now); s == nil {
			return
		}
	}
	if m.N > 1 && !l.stays(m) && m.Routed < x.recent.Opened(s.carrier.n, router.Number(m.Number), now) {
		if t, ok := x.nextUp(m, now); ok { // planned before it was known that this carrier fails for the number
			l.move(m, t, now)
			l.enqueue(m, now)
			return
		}
	}
	buy, ok := x.table.Buy(s.carrier.n, router.Number(m.Number), now)
	if !ok { // its price ended since the plan was made
		l.unsuited(m, now)
		return
	}
	shape, ok := l.carries(m, s)
	if !ok { // its text would suffer
		l.unsuited(m, now)
		return
	}
	m, with, wait := l.assemble(m, s, now)
	if wait {
		return
	}
	s.link.bucket.Take(now)
	s.carrier.bucket.Take(now)
	s.enter()
	x.intake.left()
	l.together(len(with), now)
	for _, o := range with {
		l.propound(o, s, worker, buy, ledger.Shape{}, now)
		o.Note |= noteBorne
	}
	l.propound(m, s, worker, buy, shape, now)
}

// propound appends the DISPATCH of a message.
func (l *lane) propound(m *book.Msg, s *linkSession, worker uint8, buy ledger.Micro, shape ledger.Shape, now int64) {
	var flags uint8
	if m.Policy != 0 {
		flags = ledger.FlagResend // it was in doubt once: this may be the second copy
	}
	l.x.undoubt(m)
	m.Note &^= noteBorne
	m.Phase, m.Link = phaseDispatching, s.id
	l.begin()
	l.open = ledger.AppendDispatch(l.open, worker, flags, m.ID, now, &ledger.Dispatch{Carrier: s.carrier.n, Target: m.Target,
		Attempt: uint8(min(int(m.Attempts)+1, 255)), Session: s.id, Buy: buy, Shape: shape})
	l.recorded(now)
}

// unsuited goes on with a message that a carrier which had it in its queue cannot be given. One in doubt stays so, wherever
// it goes: it may have arrived, and a late answer or a receipt must find it. When it can go nowhere it is kept.
func (l *lane) unsuited(m *book.Msg, now int64) {
	if m.Note&noteDoubt == 0 {
		l.elsewhere(m, ledger.Next, 0, now)
		return
	}
	m.Fails++
	if t, ok := l.x.nextUp(m, now); ok && m.Fails < egress.MaxAttempts {
		l.move(m, t, now)
		l.enqueue(m, now)
		return
	}
	m.Phase = phaseKept
}

// dispatched sends the bytes of a message whose DISPATCH is committed.
func (l *lane) dispatched(m *book.Msg) {
	x := l.x
	x.doing = step{inEgress, m.ID}
	if m.Phase != phaseDispatching {
		panic(fmt.Sprintf("dataplane: DISPATCH of %v committed in phase %d", m.ID, m.Phase))
	}
	s := x.links[m.Link]
	if m.Note&noteBorne != 0 { // the bearer's follows in the same block
		m.Phase = phaseSent
		return
	}
	borne := l.borne(m, sent)
	l.together(len(borne), x.now)
	if s == nil || !s.up || s.link.held != 0 {
		if s != nil {
			s.leave()
			x.unspent(s, m)
		}
		for _, o := range borne {
			l.unsent(o, x.now)
		}
		l.unsent(m, x.now)
		return
	}
	p, err := l.book.PDU(m)
	if err != nil {
		x.fail(fmt.Errorf("reading message %v: %w", m.ID, err))
		return
	}
	registered, ok := l.registered(m, s), true
	if len(borne) > 0 {
		p, ok = l.whole(m, borne)
		for _, o := range borne {
			if r := l.registered(o, s); r != registered {
				registered = 1 | (r|registered)&^3 // they do not agree when to be told: always, and each is told as it asked
			}
		}
	}
	if ok {
		p, ok = l.adapted(m, s, p)
	}
	if ok {
		l.handOver(m, s, p, registered)
		return
	}
	s.leave()
	x.unspent(s, m)
	for _, o := range borne {
		l.refused(o, pdu.RSubmitFail, x.now)
	}
	l.refused(m, pdu.RSubmitFail, x.now)
}

// handOver gives a message, as the link wants it, to the session's loop.
func (l *lane) handOver(m *book.Msg, s *linkSession, p []byte, registered uint8) {
	x := l.x
	m.Phase = phaseSent
	s.sent++
	s.link.sent++
	x.senders.latency.Add(x.now - m.Verified)
	e := event{kind: evSend, session: s.id, id: m.ID, number: router.Number(m.Number), data: p, at: l.validity(m, s), seq: uint32(m.Class), status: uint32(registered)}
	if s.far != 0 {
		if m.Of > 0 || m.Broadcast {
			e.status |= sentPart
		}
		x.sendFar(s, e)
		return
	}
	x.ports[s.loop].push(e)
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
	if c == nil || c.Receipts == catalog.ReceiptsAlways || m.Transact {
		return 1 | m.Registered&^3
	}
	return m.Registered
}
