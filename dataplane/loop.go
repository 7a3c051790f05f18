package dataplane

import (
	"slices"
	"sync/atomic"
	"time"

	"smsplane/dataplane/admin"
	"smsplane/dataplane/entry"
	"smsplane/dataplane/transport"
	"smsplane/ledger"
	"smsplane/ledger/catalog"
	"smsplane/pdu"
	"smsplane/pdu/session"
	"smsplane/ring"
)

// loop is what a gnet loop owns: the desk with the open blocks of its lanes, client sessions, link sessions.
// All of it is touched by that loop alone; the executor is reached over two rings.
type loop struct {
	index   int
	desk    *entry.Desk
	clients map[uint32]*clientPort
	links   map[uint32]*linkPort
	dirty   []*port
	sharing []*linkPort // whose messages wait for what a link or carrier may be sent in all
	next    int         // of them
	paced   bool        // one of them waits for a rate
	arena   arena
	warm    uint64 // what ahead read
	view    pdu.Message
	scratch []byte
	digits  []byte

	up    outbox
	down  *ring.Ring[event]
	bell  *ring.Bell
	ticks int
	timed int64  // when the timers of sessions were looked at last
	hurry func() // Tick soon again

	accepted meter
	sampled  int64                // when it was last
	worked   func() time.Duration // of the loop's thread, since the start; nil: nobody measures
	did      time.Duration        // the same, when it was sampled
	duty     float64              // share of the time between the last two samples; -1: not measured
	alerts   admin.Alerts

	boot   int64  // the fence's clock at the last look
	turned int64  // when the last turn began
	fence  *fence // nil on a single host

	inflight atomic.Int64 // blocks of this loop that are not committed; read by the drain
}

// tickEvery is how many ticks of a busy engine (10 ms) pass between two looks at the timers of sessions and at the lease of links. A
// quiet one ticks every half second; then they are looked at with each tick, as they are after lookAfter.
const (
	tickEvery = 10
	lookAfter = int64(200 * time.Millisecond)
)

// Turn implements transport.LoopHandler.
func (l *loop) Turn(now int64) {
	l.turned = now
	l.look()
	drain(l.down, ringSize, l.ahead, func(e *event) { l.handle(e, now) })
	if l.down.RoomWanted() {
		l.bell.Ring()
	}
	l.desk.Cut(now)
	l.pump(now)
	if l.desk.Pacing() || l.paced {
		l.hurry()
	}
	l.inflight.Store(int64(l.desk.InFlight()))
	for i := 0; i < len(l.dirty); i++ { // a flush may close, and closing may dirty others
		l.dirty[i].flush()
	}
	clear(l.dirty)
	l.dirty = l.dirty[:0]
	n, all := l.up.flush()
	for !all && !l.up.stuck() {
		_, all = l.up.flush()
	}
	if n > 0 || !all {
		l.bell.Ring()
	}
}

// look looks at the fence's clock: by it messages are written until the next look.
func (l *loop) look() {
	if l.fence != nil {
		l.boot = l.fence.clock()
	}
}

// Tick implements transport.LoopHandler.
func (l *loop) Tick(now int64) {
	if l.desk.Pacing() {
		l.desk.Pace(now)
	}
	if l.ticks++; l.ticks%tickEvery != 0 && now-l.timed < lookAfter {
		return
	}
	l.timed = now
	if d := now - l.sampled; d < 0 || d >= int64(time.Second) { // below 0 the clock was set back
		l.accepted.sample(l.desk.Counts.Accepted)
		if l.worked != nil {
			did := l.worked()
			l.duty = min(max(float64(did-l.did)/float64(d), 0), 1)
			l.did = did
		}
		l.sampled = now
	}
	for _, c := range l.clients {
		c.tick(now)
	}
	l.look()
	for _, k := range l.links {
		k.tick(now)
	}
}

// pump lets sessions go on that share what their link or carrier may be sent, one message each in turn.
func (l *loop) pump(now int64) {
	l.paced = false
	for idle := 0; idle < len(l.sharing); l.next++ {
		if idle++; l.sharing[l.next%len(l.sharing)].step(now) {
			idle = 0
		}
	}
	l.sharing = slices.DeleteFunc(l.sharing, func(k *linkPort) bool {
		k.sharing = k.waiting > 0
		return !k.sharing
	})
}

// ahead looks at the bytes of an event, which were written on another core, before they are needed.
func (l *loop) ahead(e *event) {
	for i := 0; i < len(e.data); i += 64 {
		l.warm += uint64(e.data[i])
	}
}

func (l *loop) handle(e *event, now int64) {
	switch e.kind {
	case evCommitted:
		l.desk.Committed(e.lane, now)
	case evSend:
		if k := l.links[e.session]; k != nil {
			k.send(e, now)
		} else {
			l.up.push(event{kind: evUnsent, session: e.session, id: e.id})
		}
	case evReply:
		if c := l.clients[e.session]; c != nil {
			c.bind.Answer(pdu.Command(e.id), pdu.Status(e.status), e.seq, e.data)
		} else if k := l.links[e.session]; k != nil {
			k.sess.Reply(pdu.Command(e.id), pdu.Status(e.status), e.seq, nil)
			k.touch()
		}
	case evDemoted:
		l.forget(e.lane, now)
	case evRecall:
		for _, k := range l.links {
			k.recall(e.lane, uint16(e.id))
		}
	case evLed:
		l.desk.Lead(e.lane, uint64(e.id))
	case evCramped:
		l.desk.Cramp(e.lane, e.status != 0)
	case evEnded:
		l.desk.Ended(e.id, pdu.Status(e.status), uint8(e.seq), e.data)
	case evErrand:
		if k := l.links[e.session]; k != nil {
			k.run(e, now)
		} else {
			l.up.push(event{kind: evErrandDone, session: e.session, id: e.id})
		}
	case evAlert:
		l.alert(e)
	case evDeliver:
		c := l.clients[e.session]
		if c == nil || !c.bind.Deliver(now, e.data, e.id) {
			l.up.push(event{kind: evUnreturned, session: e.session, id: e.id})
		}
	}
}

// forget ends the sessions of a lane that is led elsewhere now: what they wait for, nobody here can say. What waits for a
// window was decided under a lease that is over, and must not leave under the next one that this host may get. With lane 0 go the binds of carriers.
func (l *loop) forget(lane uint16, now int64) {
	if l.desk.Has(lane) {
		l.desk.Close(lane)
	}
	for _, c := range l.clients {
		if c.open.account.Lane == lane {
			c.sess.Unbind(now)
			c.leaving = true
			c.touch()
		}
	}
	for _, k := range l.links {
		k.recall(0, lane)
		if lane == 0 && k.config.Role == session.Server {
			k.unbind(now)
			k.leaving = true
		}
	}
	l.up.push(event{kind: evForgotten, lane: lane})
}

// dismissRelayed unbinds what a host relays.
func (l *loop) dismissRelayed(host string, now int64) {
	for _, c := range l.clients {
		if c.via == host {
			c.sess.Unbind(now)
			c.touch()
		}
	}
	for _, k := range l.links {
		if k.via == host {
			k.unbind(now)
		}
	}
}

// dismissAll unbinds every client.
func (l *loop) dismissAll(now int64) {
	for _, c := range l.clients {
		c.sess.Unbind(now)
		c.leaving = true
		c.touch()
	}
}

// Block implements entry.Up.
func (l *loop) Block(lane uint16, block []byte) {
	l.up.push(event{kind: evBlock, lane: lane, data: block})
}

// Asked implements entry.Up.
func (l *loop) Asked(session uint32, lane uint16, account, seq uint32, p []byte) {
	l.up.push(event{kind: evAsked, session: session, lane: lane, seq: seq, id: ledger.MsgID(account), data: l.arena.copy(p)})
}

// Answered implements entry.Up.
func (l *loop) Answered(session uint32, id ledger.MsgID, st pdu.Status) {
	l.up.push(event{kind: evReturned, session: session, id: id, status: uint32(st)})
}

// Unanswered implements entry.Up.
func (l *loop) Unanswered(session uint32, id ledger.MsgID, silent bool) {
	e := event{kind: evUnreturned, session: session, id: id}
	if silent {
		e.status = 1
	}
	l.up.push(e)
}

// wire is a connection as a session uses it: transport.Conn, or that of a simulation.
type wire interface {
	Write(b []byte) error
	Congested() bool
	Close()
	Abort()
}

// port joins a connection and its protocol session.
type port struct {
	loop    *loop
	conn    wire
	sess    *session.Session
	dirty   bool
	leaving bool
	first   []byte // written before anything else: a bind_resp
	fence   *fence // of a link in a cluster
	fenced  bool   // it ended the session
	via     string // the host that relays it; empty: none does
}

// touch notes that the session has output.
func (p *port) touch() {
	if !p.dirty {
		p.dirty = true
		p.loop.dirty = append(p.loop.dirty, p)
	}
}

// flush writes what the session has to say with one write, and closes the connection when it is done.
func (p *port) flush() {
	p.dirty = false
	if p.fence != nil && p.fence.shut(0) {
		p.fenced = true
		p.conn.Abort()
		return
	}
	out := p.sess.Out()
	if len(p.first) > 0 {
		out = append(p.first, out...)
		p.first = nil
	}
	if len(out) > 0 {
		_ = p.conn.Write(out) // an error ends the connection; Closed says so
		p.sess.ResetOut()
	}
	if p.leaving || p.sess.Done() {
		p.conn.Close()
	}
}

func (p *port) feed(now int64, b []byte) {
	if err := p.sess.Feed(now, b); err != nil {
		p.leaving = true
	}
	p.touch()
}

func (p *port) tick(now int64) {
	if err := p.sess.Tick(now); err != nil {
		p.leaving = true
	}
	if p.leaving || p.sess.Done() || len(p.sess.Out()) > 0 {
		p.touch()
	}
}

// clientPort is a client's bind on its loop.
type clientPort struct {
	port
	bind   *entry.Session
	open   clientOpen
	closed func()
}

// clientOpen is what admission decided about a bind.
type clientOpen struct {
	id            uint32
	account       *entry.Account
	client        string
	login         *catalog.Client // that let it in
	config        session.Config
	deliverWindow int
	resp          []byte
}

// Opened implements transport.ConnHandler.
func (c *clientPort) Opened(conn *transport.Conn, now int64) { c.begin(conn, now) }

func (c *clientPort) begin(conn wire, now int64) {
	c.conn = conn
	c.bind = c.loop.desk.Open(c.open.id, c.open.account, c.open.client, c.open.config, c.touch, now)
	c.sess = c.bind.Protocol()
	c.first = c.open.resp
	c.loop.clients[c.open.id] = c
	can := uint32(0)
	if c.bind.Receives() {
		can |= receives
	}
	if c.open.config.Version < pdu.Version34 {
		can |= without
	}
	c.loop.up.push(event{kind: evClientUp, session: c.open.id, lane: c.open.account.Lane, id: ledger.MsgID(c.open.account.Number),
		seq: uint32(c.open.deliverWindow), status: can})
	c.admitted(now)                              // the catalog may have changed since
	if c.loop.desk.Closed(c.open.account.Lane) { // and so may the lane's leader
		c.leaving = true
	}
	c.touch()
}

// Data implements transport.ConnHandler.
func (c *clientPort) Data(_ *transport.Conn, now int64, b []byte) { c.feed(now, b) }

// Closed implements transport.ConnHandler.
func (c *clientPort) Closed(_ *transport.Conn, now int64, _ error) {
	delete(c.loop.clients, c.open.id)
	c.bind.Close(now)
	c.loop.up.push(event{kind: evClientDown, session: c.open.id})
	c.closed()
}
