package dataplane

import (
	"time"

	"smsplane/dataplane/transport"
	"smsplane/egress"
	"smsplane/ledger"
	"smsplane/pdu"
	"smsplane/pdu/session"
	"smsplane/router"
)

// linkPort is a session with a carrier on its loop: it patches and writes what was dispatched, and sends
// answers and receipts up.
type linkPort struct {
	port
	id       uint32
	config   session.Config
	noTLVs   bool
	profiled bool                    // the executor made its messages as its profile wants them
	wait     [ledger.Classes]backlog // dispatched and committed, waiting for window or rate; at most one window in all
	waiting  int                     // in all of them
	allowed  []*egress.Allowance     // of the link and of the carrier, whose sessions are all on this loop; none: no bounds
	sharing  bool                    // among loop.sharing
	turns    egress.Turns
	reserve  egress.Reserve
	closed   func(err error)
	opened   func()
	closing  bool
}

// Opened implements transport.ConnHandler.
func (k *linkPort) Opened(conn *transport.Conn, now int64) { k.begin(conn, now) }

func (k *linkPort) begin(conn wire, now int64) {
	k.conn = conn
	k.sess = session.New(k.config, k, now)
	k.fence = k.loop.fence
	k.loop.links[k.id] = k
	k.loop.up.push(event{kind: evLinkUp, session: k.id, status: uint32(k.config.Version)})
	k.opened()
	k.touch()
}

// Data implements transport.ConnHandler.
func (k *linkPort) Data(_ *transport.Conn, now int64, b []byte) {
	k.sess.Looked(k.loop.turned)
	k.loop.look() // an answer may let the next message leave, and the turn before may be long ago
	k.feed(now, b)
	k.pump(now)
}

// Closed implements transport.ConnHandler.
func (k *linkPort) Closed(_ *transport.Conn, now int64, err error) {
	delete(k.loop.links, k.id)
	k.sess.End(now)
	for c := range k.wait {
		for _, e := range k.wait[c].left() {
			k.loop.up.push(event{kind: evUnsent, session: k.id, id: e.id})
		}
		k.wait[c] = backlog{}
	}
	k.waiting = 0
	k.loop.up.push(event{kind: evLinkDown, session: k.id})
	k.closed(err)
}

// unbind ends the session in order.
func (k *linkPort) unbind(now int64) {
	k.closing = true
	k.sess.Unbind(now)
	k.touch()
}

// send writes a message, or lets it wait for the window.
func (k *linkPort) send(e *event, now int64) {
	class := ledger.Class(e.seq)
	k.reserve.Saw(class, now)
	if len(k.allowed) == 0 && k.waiting == 0 && k.open(class, now) && k.write(e, now) {
		return
	}
	k.wait[class].push(e)
	k.waiting++
	k.pump(now) // it may be its turn, or that of one below it
}

// pump writes what waited for the window. What waits for an allowance leaves at the end of the loop's turn, by turns
// with the other sessions that have it.
func (k *linkPort) pump(now int64) {
	if len(k.allowed) == 0 {
		for k.step(now) {
		}
	} else if k.waiting > 0 && !k.sharing {
		k.sharing = true
		k.loop.sharing = append(k.loop.sharing, k)
	}
}

// step writes one message of those that wait, classes in turn by their weights.
func (k *linkPort) step(now int64) bool {
	if k.waiting == 0 {
		return false
	}
	var waits [ledger.Classes]bool
	for c := range k.wait {
		waits[c] = !k.wait[c].empty() && k.open(ledger.Class(c), now)
	}
	c, ok := k.turns.Next(waits)
	if !ok || !k.write(k.wait[c].front(), now) {
		return false
	}
	k.wait[c].pop()
	k.waiting--
	return true
}

// open says whether the rate allows one more and the window has room for a class: less what is kept for higher ones,
// unless one waits as well.
func (k *linkPort) open(class ledger.Class, now int64) bool {
	room := k.sess.Room()
	if room <= k.keep(class, k.config.Window, now) || k.conn.Congested() {
		return false
	}
	for _, a := range k.allowed { // commits come in bunches; what the carrier counts leaves from here
		if !a.Open(k.keep(class, a.Depth(), now), now) {
			k.loop.paced = true
			return false
		}
		if !a.Room(k.keep(class, a.Window(), now)) {
			return false
		}
	}
	return true
}

// keep is how many of n places a class leaves free for higher ones that may come.
func (k *linkPort) keep(class ledger.Class, n int, now int64) int {
	for h := int(class) + 1; h < ledger.Classes; h++ {
		if !k.wait[h].empty() {
			return 0
		}
	}
	return k.reserve.Keep(class, n, now)
}

// write sends one message.
func (k *linkPort) write(e *event, now int64) bool {
	l := k.loop
	if l.fence != nil && l.boot >= l.fence.of(e.lane, e.id.Lane()).Load() {
		l.up.push(event{kind: evUnsent, session: k.id, id: e.id})
		return true
	}
	if pdu.ParseHeader(e.data).Command == pdu.BroadcastSM {
		return k.sess.Send(now, e.data, uint64(e.id)) && k.passed(now)
	}
	if st := l.view.Parse(e.data); st != pdu.ROK {
		panic("dataplane: an accepted message no longer parses: " + st.String())
	}
	l.scratch = pdu.AppendTimeRelative(l.scratch[:0], time.Duration(max(e.at-now, int64(time.Second))))
	hop := pdu.Hop{Priority: uint8(e.seq), Validity: l.scratch, Registered: uint8(e.status), NoTLVs: k.noTLVs, VendorTLVs: k.profiled}
	if k.config.Role == session.Server {
		if hop.Deliver = true; k.config.Version < pdu.Version50 {
			hop.Validity = nil // 3.4 §4.6.1; 5.0 §4.3.1 has room for it
		}
	}
	if !k.profiled && !l.view.International() { // carriers route by E.164; the client wrote its number otherwise
		l.digits = e.number.Append(l.digits[:0])
		hop.Dst = l.digits
	}
	return k.sess.SendForward(now, &l.view, &hop, uint64(e.id)) && k.passed(now)
}

// passed counts a message that was written; it is true.
func (k *linkPort) passed(now int64) bool {
	for _, a := range k.allowed {
		a.Passed(now)
	}
	k.touch()
	return true
}

// recall gives back what waits for the window and was decided under a lease that a guest, or this host (0), has no more.
func (k *linkPort) recall(guest, lane uint16) {
	for c := range k.wait {
		b := &k.wait[c]
		keep := b.events[:b.head]
		for _, e := range b.left() {
			if e.lane == guest && e.id.Lane() == lane {
				k.loop.up.push(event{kind: evUnsent, session: k.id, id: e.id})
				k.waiting--
			} else {
				keep = append(keep, e)
			}
		}
		clear(b.events[len(keep):])
		b.events = keep
	}
}

// Request implements session.Handler: what carriers send is journaled before it is answered.
func (k *linkPort) Request(s *session.Session, _ int64, h pdu.Header, p []byte) {
	switch h.Command {
	case pdu.DeliverSM, pdu.DataSM:
		k.loop.up.push(event{kind: evFromCarrier, session: k.id, seq: h.Sequence, status: uint32(h.Command), data: k.loop.arena.copy(p)})
	case pdu.SubmitSM: // of a carrier that bound to us: the same fields in the same places as a deliver_sm
		b := k.loop.arena.copy(p)
		pdu.SetCommand(b, pdu.DeliverSM)
		k.loop.up.push(event{kind: evFromCarrier, session: k.id, seq: h.Sequence, status: uint32(h.Command), data: b})
	case pdu.AlertNotification:
		k.loop.alerted(k.id, p)
	default:
		s.Reply(h.Command, pdu.RInvCmdID, h.Sequence, nil)
	}
}

// Response implements session.Handler.
func (k *linkPort) Response(_ *session.Session, now int64, tag uint64, h pdu.Header, p []byte) {
	if tag&errandTag != 0 {
		k.loop.up.push(event{kind: evErrandDone, session: k.id, id: ledger.MsgID(tag), status: uint32(h.Status), data: k.loop.arena.copy(p)})
		k.pump(now)
		return
	}
	k.settled()
	k.answer(evAnswer, tag, h, p)
	k.pump(now)
}

// settled gives the place of a message back.
func (k *linkPort) settled() {
	for _, a := range k.allowed {
		a.Settled()
	}
}

// Late implements session.LateHandler.
func (k *linkPort) Late(_ *session.Session, _ int64, tag uint64, h pdu.Header, p []byte) {
	if tag&errandTag == 0 {
		k.answer(evLate, tag, h, p)
	}
}

func (k *linkPort) answer(kind eventKind, tag uint64, h pdu.Header, p []byte) {
	e := event{kind: kind, session: k.id, id: ledger.MsgID(tag), status: uint32(h.Status), at: k.sess.RoundTrip(), number: router.Number(k.sess.Away())}
	switch {
	case h.Command == pdu.BroadcastSMResp:
		e.data = k.loop.arena.copy(p)
	case h.Status == pdu.ROK:
		if id, ok := pdu.MessageID(p); ok {
			e.data = k.loop.arena.copy(id)
		}
	}
	if k.config.Version >= pdu.Version50 {
		if v, ok := pdu.FindTLV(pdu.ResponseTLVs(p), pdu.TagCongestionState); ok && len(v) == 1 {
			e.seq = uint32(v[0]) + 1
		}
	}
	k.loop.up.push(e)
}

// Lost implements session.Handler.
func (k *linkPort) Lost(_ *session.Session, _ int64, tag uint64, why session.Lost) {
	if tag&errandTag != 0 {
		k.errandLost(tag)
		return
	}
	k.settled()
	e := event{kind: evLost, session: k.id, id: ledger.MsgID(tag)}
	switch {
	case k.fenced:
		e.status = lostFenced
	case why == session.LostEnded:
		e.status = lostEnded
	}
	k.loop.up.push(e)
}

// tick looks at the session's timers, and whether a peer that was behind has caught up.
func (k *linkPort) tick(now int64) {
	if k.fence != nil && k.fence.shut(0) { // the next owner binds soon
		k.fenced = true
		k.conn.Abort()
		return
	}
	k.pump(now)
	k.port.tick(now)
}

// backlog is a queue of events in one slice.
type backlog struct {
	events []event
	head   int
}

func (b *backlog) empty() bool   { return b.head == len(b.events) }
func (b *backlog) front() *event { return &b.events[b.head] }
func (b *backlog) left() []event { return b.events[b.head:] }

func (b *backlog) push(e *event) {
	switch {
	case b.empty():
		b.events, b.head = b.events[:0], 0
	case b.head >= 64 && b.head >= len(b.events)/2: // under load it is never empty
		b.events, b.head = b.events[:copy(b.events, b.events[b.head:])], 0
	}
	b.events = append(b.events, *e)
}

func (b *backlog) pop() {
	b.events[b.head] = event{}
	b.head++
}
