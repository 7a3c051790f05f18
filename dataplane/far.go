package dataplane

import (
	"maps"
	"reflect"
	"slices"

	"smsplane/egress"
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/catalog"
	"smsplane/pdu"
	"smsplane/router"
)

// far is a guest's side of its stay with the owner of the links; see guest.go. The owner's sessions stand among the executor's
// links like its own, but that a message goes out over them only for a place that was lent.
type far struct {
	owner   uint64 // 0: nobody is needed, or known
	stay    uint64
	in, out uint64
	live    bool // the owner has answered
	broken  bool
	tried   int64
	heard   int64
	beat    int64
	stamp   int64 // the owner's clock, heard at
	stampAt int64
	local   map[uint32]uint32 // our number of a session, by the owner's
	held    map[uint16]uint64 // terms that the owner was told, by lane
	claims  map[uint16]uint32 // by which it knows what we lead
	used    map[want]uint64   // places used
	told    map[want]uint64
	lent    []event
	queue   []event
	links   map[linkPlace]*link
}

// want is a queue of a lane as the owner knows it.
type want struct {
	lane    uint16
	carrier uint16
	class   ledger.Class
}

// linkPlace is a link of a carrier; -1 is that by which it binds to us.
type linkPlace struct {
	carrier uint16
	index   int
}

const (
	beatEvery  = int64(25e6)  // between two words to the owner
	comeEvery  = int64(100e6) // between two tries to come
	stampValid = silentFor / 2
)

func (x *executor) tellOwner(e event) { x.far.queue = append(x.far.queue, e) }

// visit is what a guest does at the end of a turn.
func (x *executor) visit(now int64) {
	f := x.fellows
	if f == nil || !f.spread.on {
		return
	}
	v, boot := &x.far, f.clock()
	owner := x.lanes[0].rep.LeaderID()
	if owner == f.me || !x.leadsAny() {
		owner = 0
	}
	if owner != v.owner || v.broken || v.live && boot-v.heard > silentFor {
		x.depart(now)
		v.owner = owner
	}
	if owner == 0 {
		return
	}
	if !v.live && (v.stay == 0 || boot-v.tried >= comeEvery) {
		x.depart(now)
		v.owner, v.tried, v.stay = owner, boot, x.rand.Uint64()|1
		v.claims = map[uint16]uint32{}
		v.local, v.held, v.used, v.told = map[uint32]uint32{}, map[uint16]uint64{}, map[want]uint64{}, map[want]uint64{}
		x.tellOwner(event{kind: evBeat, seq: x.table.Version()})
	}
	if v.live {
		x.tellWhatLeads(boot)
		x.tellWants()
		if boot-v.beat >= beatEvery {
			v.beat = boot
			x.tellOwner(event{kind: evBeat, seq: x.table.Version()})
		}
	}
	if len(v.queue) > 0 {
		v.out++
		v.broken = !f.link(owner, appendEvents(appendFrameHead(nil, toOwner, v.stay, v.out), v.queue))
		clear(v.queue)
		v.queue = v.queue[:0]
	}
}

// leadsAny says that some lane is led here.
func (x *executor) leadsAny() bool {
	return slices.ContainsFunc(x.lanes, func(l *lane) bool { return l.leading })
}

// depart ends the stay: whatever the owner had of ours is in doubt.
func (x *executor) depart(now int64) {
	v := &x.far
	for _, far := range slices.Sorted(maps.Keys(v.local)) {
		x.farOver(v.local[far], now)
	}
	for tag, r := range x.errands {
		if r.far {
			x.errandDone(&event{id: tag})
		}
	}
	*v = far{links: v.links, tried: v.tried}
}

// farOver forgets a session of the owner's.
func (x *executor) farOver(id uint32, now int64) {
	s := x.links[id]
	if s == nil {
		return
	}
	x.retire(s, now)
	for _, m := range slices.Sorted(maps.Keys(s.on)) {
		x.fromLink(&event{kind: evLost, session: id, id: m, status: lostFenced}, now)
	}
	x.linkDown(id, now)
}

// tellWhatLeads tells the owner what is led here: at once when that changed, and the leases with each beat.
func (x *executor) tellWhatLeads(boot int64) {
	v := &x.far
	due := boot-v.beat >= beatEvery && boot-v.stampAt < stampValid
	for _, l := range x.lanes {
		term := uint64(0)
		if l.leading {
			term = l.term
		}
		if term == v.held[l.n] && !(due && term != 0) {
			continue
		}
		e := event{kind: evHold, lane: l.n, id: ledger.MsgID(term)}
		if term != 0 && !l.fenced {
			e.at, e.number = min(l.rep.Lease()-v.stampAt, silentFor), router.Number(v.stamp)
		}
		if term != v.held[l.n] {
			v.claims[l.n] = 0
		}
		v.held[l.n] = term
		x.tellOwner(e)
	}
}

// tellWants tells the owner what waits.
func (x *executor) tellWants() {
	v := &x.far
	for _, l := range x.lanes {
		if !l.leading || v.claims[l.n] == 0 {
			continue
		}
		for n, classes := range l.queues {
			for c := range classes {
				w := want{l.n, n, ledger.Class(c)}
				count := v.used[w]
				if !l.fenced && !l.yields && !x.senders.paused {
					count += uint64(classes[c].front.Len())
				}
				if count != v.told[w] {
					v.told[w] = count
					x.tellOwner(event{kind: evWant, lane: l.n, session: v.claims[l.n], id: ledger.MsgID(n), seq: uint32(c), at: int64(count)})
				}
			}
		}
	}
}

// fromOwner takes a frame of the owner.
func (x *executor) fromOwner(f *frame, now int64) {
	v := &x.far
	if f.from != v.owner || f.stay != v.stay || v.stay == 0 || v.broken {
		return
	}
	if f.n != v.in+1 {
		v.broken = true
		return
	}
	v.in, v.heard, v.live = f.n, x.fellows.clock(), true
	f.each(func(e *event) { x.ownerSaid(e, now) })
}

func (x *executor) ownerSaid(e *event, now int64) {
	v := &x.far
	id := v.local[e.session]
	switch e.kind {
	case evStamp:
		v.stamp, v.stampAt = e.at, v.heard
	case evOpen:
		x.farOpen(e, now)
	case evShut:
		if s := x.links[id]; s != nil {
			x.retire(s, now)
		}
	case evOver:
		delete(v.local, e.session)
		x.farOver(id, now)
	case evClaim:
		v.claims[e.lane] = uint32(e.id)
		maps.DeleteFunc(v.used, func(w want, _ uint64) bool { return w.lane == e.lane })
		maps.DeleteFunc(v.told, func(w want, _ uint64) bool { return w.lane == e.lane })
	case evLend:
		v.lent = append(v.lent, *e)
	case evAnswer, evLate, evLost, evUnsent:
		if s := x.links[id]; s != nil {
			delete(s.on, e.id)
		}
		e.session = id
		x.fromLink(e, now)
	case evGiven:
		x.given(e, now)
	case evErrandDone:
		x.errandDone(e)
	case evAlert:
		x.alert(uint32(e.id), e.data)
	}
}

// farOpen makes one of the owner's sessions usable.
func (x *executor) farOpen(e *event, now int64) {
	v, n := &x.far, uint16(e.id)
	if s := x.links[v.local[e.session]]; s != nil {
		if !s.up {
			x.raise(s, now)
		}
		return
	}
	k := x.farLink(linkPlace{n, int(e.seq) - 1})
	if k == nil {
		v.broken = true // it knows another catalog than it believed of us
		return
	}
	id := x.ids.Add(1)
	s := &linkSession{id: id, carrier: x.carrier(n), link: k, window: int(e.status), version: uint8(e.lane), far: e.session, on: map[ledger.MsgID]struct{}{}, end: func(pdu.Status) {}}
	v.local[e.session], x.links[id] = id, s
	x.raise(s, now)
}

// declared is what the catalog in force says of a link, nil for one that it does not have.
func (x *executor) declared(at linkPlace) (*catalog.Carrier, *catalog.Link) {
	c := x.table.CarrierOf(at.carrier)
	switch {
	case c == nil || at.index < -1 || at.index >= len(c.Links) || at.index < 0 && c.Inbound == nil:
		return nil, nil
	case at.index < 0:
		return c, &catalog.Link{SystemID: c.Inbound.SystemID, Version: pdu.Version34, TPS: c.Inbound.TPS, Profile: c.Inbound.Profile}
	}
	return c, &c.Links[at.index]
}

// farLink is a link as the catalog in force has it, nil for none.
func (x *executor) farLink(at linkPlace) *link {
	c, d := x.declared(at)
	if d == nil {
		return nil
	}
	v := &x.far
	if v.links == nil {
		v.links = map[linkPlace]*link{}
	}
	if k := v.links[at]; k != nil && reflect.DeepEqual(k.decl, *d) {
		return k
	}
	k := &link{carrier: c.ID, index: at.index, decl: *d, adapt: egress.NewAdapt(0), ids: newLearner(d)}
	v.links[at] = k
	return k
}

// useLent sends messages over the places that were lent, and gives back those for which there is none.
func (x *executor) useLent(now int64) (n int) {
	v := &x.far
	for len(v.lent) > 0 {
		e := &v.lent[0]
		l, s := x.lanes[e.lane], x.links[v.local[e.session]]
		if !l.leading || v.claims[l.n] != uint32(e.id) { // whoever lent it has heard so, or will
			v.lent = v.lent[1:]
			continue
		}
		used, rated := l.useLent(s, ledger.Class(e.seq), now)
		if rated {
			return n
		}
		if n++; !used {
			x.tellOwner(event{kind: evBack, lane: l.n, session: e.session, id: e.id, seq: e.seq, status: uint32(e.at)})
		}
		v.lent = v.lent[1:]
	}
	v.lent = nil
	return n
}

// useLent dispatches the next message of a class for a session; rated says that the workers have done what they may.
func (l *lane) useLent(s *linkSession, class ledger.Class, now int64) (used, rated bool) {
	if s == nil || !s.up || l.fenced || l.yields {
		return false, false
	}
	c, x := s.carrier, l.x
	for {
		var m *book.Msg
		if q := l.queues[c.n]; q != nil && q[class].front.Len() > 0 {
			m = l.book.Front(&q[class].front)
		}
		if m == nil {
			return false, false
		}
		w, ok := x.senders.take(now)
		if !ok {
			return false, !x.senders.paused
		}
		l.book.Pop(&l.queues[c.n][class].front)
		c.waiting[class]--
		if l.dispatch(m, s, w, now); m.Phase == phaseDispatching && m.Link == s.id {
			x.far.used[want{l.n, c.n, class}]++
			return true, false
		}
	}
}

// sendFar gives a message to the owner of the links.
func (x *executor) sendFar(s *linkSession, e event) {
	s.on[e.id] = struct{}{}
	e.session, e.at = s.far, max(e.at-x.now, 0)
	x.tellOwner(e)
}

// unspent gives back a place for which a message was dispatched that is not sent after all.
func (x *executor) unspent(s *linkSession, m *book.Msg) {
	if s.far != 0 && x.far.local[s.far] == s.id {
		x.tellOwner(event{kind: evUnsent, lane: m.ID.Lane(), session: s.far})
	}
}
