package dataplane

import (
	"maps"
	"slices"

	"smsplane/egress"
	"smsplane/ledger"
	"smsplane/pdu"
)

// The links to carriers are kept by one host, the owner: it leads lane 0. A host that leads other lanes is the owner's guest. It
// sends over the owner's sessions as an ESME that the owner lends places to, and the owner alone counts sessions, window and rate.
//
//	guest                                         owner
//	evBeat, evHold ─ what it leads, leases ─▶     guest.terms, fence
//	              ◀─ evStamp, evOpen, evShut ─    its clock, the sessions that can be used
//	evWant ─ messages that wait ─▶                among the queues that pick serves, lanes in turn
//	              ◀─ evLend ─                     session.enter: the place is taken from now on
//	DISPATCH committed, evSend ─▶                 loop: its window, its rate, both leases
//	              ◀─ evAnswer, evLost, evUnsent ─ what the loop says, by message id
//	              ◀─ evGiven ─                    receipts and messages of phones (hand.go)
//	evTook ─ committed ─▶                         deliver_sm_resp
//
// Each turn's events go in one frame. Frames are numbered, and bear the number of the guest's stay, which it draws when it comes:
// a frame that is missing ends the stay at both ends, as silence does. Then the places that were lent are free again, what the
// guest had sent and heard nothing of is in doubt there, and it comes anew. Nothing is repeated, nothing is remembered.
//
// What keeps this exact:
//   - A place is counted at its session from evLend on until the answer, whoever uses it.
//   - The owner's loop looks at two leases before octets leave: its own for the links, and that of the message's lane as the guest
//     told it (egress.LeaseAbroad). A guest that lost a lane without knowing it sends nothing more over them.
//   - The owner has the books of all lanes, as every data host, and has seen each answer itself. So it finds the message of a
//     receipt at once, whoever leads the lane: in the books, or among the answers that it passed on and did not fold yet.

// guest is another host that sends over our links.
type guest struct {
	id      uint64
	stay    uint64
	place   uint16 // in the fence, from 1
	in, out uint64 // frames
	heard   int64  // on the clock of leases
	version uint32 // of its catalog
	gone    bool
	terms   map[uint16]uint64 // of the lanes that it leads
	claims  map[uint16]uint32 // the same, numbered as they came
	claim   uint32
	told    map[uint32]bool // sessions that it knows, and whether it may use them
	handed  map[uint32]*handed
	token   uint32 // last number of what was handed over
	queue   []event
}

// guests are all of them; the executor of the host that owns the links has one.
type guests struct {
	of    map[uint64]*guest
	lanes []*guest // who leads it, by lane
	named map[strayKey]passedOn
	again bool // messages for nobody are to be looked at once more
}

// passedOn is a message by an answer that was passed on and is not folded here yet.
type passedOn struct {
	id ledger.MsgID
	g  *guest
}

// lentTo is for whom places of a session are kept.
type lentTo struct {
	g    *guest
	lane uint16
}

// away is a guest's message without an answer; n is how often it left over the session.
type away struct {
	g     *guest
	n     int
	claim uint32 // to its lane, under which it was sent
	part  bool   // its answer does not name the whole message, or in another way
}

// sentPart says that in evSend, beside registered_delivery.
const sentPart = 1 << 31

const (
	maxGuests = 32
	// silentFor is how long nothing may be heard of the other end of a stay, on the clock of leases.
	silentFor = int64(1e9)
)

func (g *guest) say(e event) {
	if !g.gone {
		g.queue = append(g.queue, e)
	}
}

// fromGuest takes a frame of a guest, or turns it away.
func (x *executor) fromGuest(f *frame, now int64) {
	if x.guests == nil {
		return
	}
	g := x.guests.of[f.from]
	if f.n == 1 && (g == nil || g.stay != f.stay) {
		if g != nil {
			x.expel(g, now)
		}
		g = x.receive(f)
	}
	if g == nil || g.stay != f.stay || f.n != g.in+1 {
		if g != nil && g.stay == f.stay {
			x.expel(g, now)
		}
		x.fellows.link(f.from, appendFrameHead(nil, toGuest, f.stay, 0))
		return
	}
	g.in, g.heard = f.n, x.fellows.clock()
	f.each(func(e *event) {
		if !g.gone {
			x.guestSaid(g, e, now)
		}
	})
}

// receive makes room for a guest; nil when there is none.
func (x *executor) receive(f *frame) *guest {
	taken := map[uint16]bool{}
	for _, o := range x.guests.of {
		taken[o.place] = true
	}
	for place := uint16(1); place < maxGuests; place++ {
		if !taken[place] {
			g := &guest{id: f.from, stay: f.stay, place: place, terms: map[uint16]uint64{}, claims: map[uint16]uint32{}, told: map[uint32]bool{}, handed: map[uint32]*handed{}}
			x.guests.of[f.from] = g
			return g
		}
	}
	return nil
}

func (x *executor) guestSaid(g *guest, e *event, now int64) {
	switch e.kind {
	case evBeat:
		g.version = e.seq
		g.say(event{kind: evStamp, at: x.fellows.clock()})
	case evHold:
		x.holds(g, e, now)
	case evWant:
		if class := ledger.Class(e.seq); int(class) < ledger.Classes && e.session != 0 && g.claims[e.lane] == e.session {
			x.carrier(uint16(e.id)).asks(len(x.lanes), e.lane, class, func(d *egress.Demand) { d.Heard(uint64(e.at)) })
		}
	case evBack:
		x.givenBack(g, e)
	case evSend:
		x.sendFor(g, e, now)
	case evErrand:
		x.errandFor(g, e)
	case evUnsent:
		x.unlend(e.session, lentTo{g, e.lane})
	case evTook:
		x.took(g, e, now)
	}
}

// holds notes that a guest leads a lane, in which term and until when; or that it does not.
func (x *executor) holds(g *guest, e *event, now int64) {
	lane, term := e.lane, uint64(e.id)
	if int(lane) >= len(x.lanes) || lane == 0 {
		return
	}
	if old := g.terms[lane]; old != 0 && old != term {
		x.unclaim(g, lane, now)
	}
	if term == 0 || x.lanes[lane].leading {
		return
	}
	if o := x.guests.lanes[lane]; o != nil && o != g {
		if o.terms[lane] > term {
			return
		}
		x.unclaim(o, lane, now)
	}
	if g.terms[lane] == 0 {
		g.claim++
		g.claims[lane] = g.claim
		g.say(event{kind: evClaim, lane: lane, id: ledger.MsgID(g.claim)})
	}
	g.terms[lane], x.guests.lanes[lane] = term, g
	boot := x.fellows.clock()
	if stamp := int64(e.number); stamp <= boot && boot-stamp < silentFor {
		until := x.fellows.fence.of(g.place, lane)
		until.Store(max(until.Load(), egress.LeaseAbroad(stamp, e.at)))
	}
}

// unclaim forgets that a guest leads a lane: what it was lent there is free, what it wanted is not wanted, and what stands before
// a window goes back.
func (x *executor) unclaim(g *guest, lane uint16, now int64) {
	if g.terms[lane] == 0 {
		return
	}
	delete(g.terms, lane)
	delete(g.claims, lane)
	if x.guests.lanes[lane] == g {
		x.guests.lanes[lane] = nil
		for _, c := range x.serving {
			c.forgets(lane)
		}
	}
	x.fellows.fence.of(g.place, lane).Store(0)
	for _, p := range x.ports {
		p.push(event{kind: evRecall, lane: g.place, id: ledger.MsgID(lane)})
	}
	for _, s := range x.links {
		s.release(lentTo{g, lane})
	}
	for k, v := range x.guests.named {
		if v.g == g && v.id.Lane() == lane {
			delete(x.guests.named, k)
		}
	}
	for _, token := range slices.Sorted(maps.Keys(g.handed)) {
		if h := g.handed[token]; h.lane == lane {
			x.took(g, &event{seq: token, status: uint32(pdu.RXTAppn)}, now)
		}
	}
}

// release frees the places that a guest was lent and did not use.
func (s *linkSession) release(k lentTo) {
	for range s.lent[k] {
		s.leave()
	}
	delete(s.lent, k)
}

// expel ends a guest's stay.
func (x *executor) expel(g *guest, now int64) {
	for _, lane := range slices.Sorted(maps.Keys(g.terms)) {
		x.unclaim(g, lane, now)
	}
	g.gone, g.queue = true, nil
	if x.guests.of[g.id] == g {
		delete(x.guests.of, g.id)
	}
}

// asks changes what guests want of a carrier in one lane and class.
func (c *carrier) asks(lanes int, lane uint16, class ledger.Class, change func(d *egress.Demand)) {
	if c.abroad == nil {
		c.abroad = make([][ledger.Classes]egress.Demand, lanes)
	}
	d := &c.abroad[lane][class]
	c.asked[class] -= d.Open()
	change(d)
	c.asked[class] += d.Open()
}

// forgets drops what a guest wanted in a lane.
func (c *carrier) forgets(lane uint16) {
	if c.abroad == nil {
		return
	}
	for class := range c.abroad[lane] {
		c.asked[class] -= c.abroad[lane][class].Open()
		c.abroad[lane][class] = egress.Demand{}
	}
}

// wants is how many messages wait for the carrier, here and at guests.
func (c *carrier) wants(class int) int { return c.waiting[class] + c.asked[class] }

// asking says that a guest has a message for the carrier in a lane that it leads.
func (c *carrier) asking(lane uint16, class ledger.Class) bool {
	return c.abroad != nil && c.abroad[lane][class].Open() > 0
}

// lend gives a place to the guest that leads a lane.
func (x *executor) lend(c *carrier, lane uint16, class ledger.Class, now int64) {
	g := x.guests.lanes[lane]
	s := c.session(class, now)
	s.link.bucket.Take(now)
	c.bucket.Take(now)
	s.enter()
	if s.lent == nil {
		s.lent, s.away = map[lentTo]int{}, map[ledger.MsgID]away{}
	}
	s.lent[lentTo{g, lane}]++
	c.asks(len(x.lanes), lane, class, (*egress.Demand).Lent)
	g.say(event{kind: evLend, lane: lane, id: ledger.MsgID(g.claims[lane]), session: s.id, seq: uint32(class), at: int64(c.n)})
}

// givenBack takes a place back that a guest did not use.
func (x *executor) givenBack(g *guest, e *event) {
	class := ledger.Class(e.seq)
	if e.id == 0 || g.claims[e.lane] != uint32(e.id) || int(class) >= ledger.Classes {
		return
	}
	x.carrier(uint16(e.status)).asks(len(x.lanes), e.lane, class, (*egress.Demand).Returned)
	x.unlend(e.session, lentTo{g, e.lane})
}

// unlend frees a place that was lent, unless the session ended meanwhile, and its places with it.
func (x *executor) unlend(session uint32, k lentTo) {
	if s := x.links[session]; s != nil && s.lent[k] > 0 {
		s.lent[k]--
		s.leave()
	}
}

// sendFor gives a guest's message to its session's loop.
func (x *executor) sendFor(g *guest, e *event, now int64) {
	s, lane := x.links[e.session], e.id.Lane()
	k := lentTo{g, lane}
	if s == nil || s.lent[k] == 0 {
		g.say(event{kind: evUnsent, session: e.session, id: e.id})
		return
	}
	s.lent[k]--
	if !s.up || s.link.held != 0 || x.lanes[0].fenced {
		s.leave()
		g.say(event{kind: evUnsent, session: e.session, id: e.id})
		return
	}
	s.away[e.id] = away{g: g, n: s.away[e.id].n + 1, claim: g.claims[lane], part: e.status&sentPart != 0}
	s.sent++
	s.link.sent++
	x.counts.forGuests++
	out := *e
	out.lane, out.at, out.status = g.place, now+e.at, e.status&^sentPart
	x.ports[s.loop].push(out)
}

// forGuest passes on what a loop says of a message that a guest sent; false when none did.
func (x *executor) forGuest(s *linkSession, e *event, now int64) bool {
	if e.kind == evLate {
		if l := x.lanes[e.id.Lane()]; x.guests != nil && !l.leading && x.guests.lanes[l.n] != nil {
			x.guests.lanes[l.n].say(*e)
			return true
		}
		return false
	}
	if s == nil {
		return false
	}
	a, ok := s.away[e.id]
	if !ok {
		return false
	}
	s.leave()
	if e.kind == evAnswer {
		x.heedFor(s, e, now)
	}
	if a.n--; a.n > 0 {
		s.away[e.id] = a // it was sent again since, out of doubt; this is about the copy before
		x.counts.strayAnswers++
		return true
	}
	delete(s.away, e.id)
	if lane := e.id.Lane(); a.g.gone || x.guests == nil || a.g.claims[lane] != a.claim { // whoever leads it since has it in doubt
		x.counts.strayAnswers++
		return true
	}
	a.g.say(*e)
	if e.kind == evAnswer && e.status == uint32(pdu.ROK) && len(e.data) > 0 && !a.part {
		x.guests.named[strayKey{s.carrier.n, string(e.data)}] = passedOn{e.id, a.g}
		if len(x.strays.byID) > 0 {
			x.awaited(s.carrier.n, e.data, now)
		}
	}
	return true
}

// heedFor does with a link what an answer to a guest's message means for it.
func (x *executor) heedFor(s *linkSession, e *event, now int64) {
	s.heard(x, e, now)
	st := pdu.Status(e.status)
	x.heed(s, egress.Decide(x.ownStatuses(s.carrier.n, st), st), st, now)
}

// host looks after guests at the end of a turn: sessions that came, went or are held, and those who are silent.
func (x *executor) host(now int64) {
	if x.guests == nil || len(x.guests.of) == 0 {
		return
	}
	boot := x.fellows.clock()
	for _, id := range slices.Sorted(maps.Keys(x.guests.of)) {
		g := x.guests.of[id]
		if boot-g.heard > silentFor {
			x.expel(g, now)
			continue
		}
		x.announce(g)
		if len(g.queue) == 0 {
			continue
		}
		g.out++
		sent := x.fellows.link(g.id, appendEvents(appendFrameHead(nil, toGuest, g.stay, g.out), g.queue))
		clear(g.queue)
		if g.queue = g.queue[:0]; !sent {
			x.expel(g, now)
		}
	}
}

// announce tells a guest which sessions it may use.
func (x *executor) announce(g *guest) {
	for id, s := range x.links {
		can := s.up && s.link.held == 0 && s.window > 0
		switch {
		case can && !g.told[id] && g.version == x.table.Version():
			g.told[id] = true
			g.say(event{kind: evOpen, session: id, id: ledger.MsgID(s.carrier.n), seq: uint32(s.link.index + 1), status: uint32(s.window), lane: uint16(s.version)})
		case !can && g.told[id]:
			g.told[id] = false
			g.say(event{kind: evShut, session: id})
		}
	}
	for id := range g.told {
		if x.links[id] == nil {
			delete(g.told, id)
			g.say(event{kind: evOver, session: id})
		}
	}
}
