package dataplane

import (
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"smsplane/dataplane/admin"
	"smsplane/dataplane/entry"
	"smsplane/egress"
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/catalog"
	"smsplane/ledger/journal"
	"smsplane/pdu"
	"smsplane/ring"
	"smsplane/router"
	"smsplane/router/verifier"
)

// executor polls the lane agents and the workers of layers 3 to 8, run to completion, and parks until there
// is work or the earliest time that something is due. All it holds is touched by its goroutine alone; others
// reach it over the loops' rings, or with call.
type executor struct {
	log     *slog.Logger
	db      *journal.DB
	clock   func() int64
	rand    *rand.Rand
	bell    *ring.Bell
	ports   []*loopPort
	lanes   []*lane
	fenced  bool           // some lane led here must not send to carriers now
	fellows *fellows       // the other hosts of the cluster; nil on a single host
	wakeUp  func(loop int) // tells a loop that its ring has events

	// The catalog in force, compiled. Loops read shared; the rest is the executor's.
	shared *atomic.Pointer[router.Table]
	table  *router.Table
	facts  *verifier.Facts
	recent *router.Recent

	proposed uint32 // the newest version of the catalog that was proposed
	coming   parsedCatalog

	accounts map[uint32]*entry.Account
	carriers map[uint16]*carrier
	serving  []*carrier // the same, in the order they are served
	links    map[uint32]*linkSession
	guests   *guests // that send over our links; nil: another host keeps them
	far      far     // our stay with that host
	ids      *atomic.Uint32
	doubted  map[party][]ledger.MsgID // the same as doubts, of lanes that are led elsewhere; some are not in doubt any more
	clients  map[uint32]*clientSession

	external, routers, verifiers, senders, billers *layer
	answers                                        entry.Histogram // submit_sm to its answer

	scattered   int        // entries of a lane's log in a row that may be without a live message
	maxWindow   uint64     // entries of a lane's log above which stragglers are moved out of it
	reloadTurn  int        // octets of a lane's log that are folded anew in a turn
	maxHot      int        // messages of all lanes kept in memory; more are spilled
	lull        int64      // ns for which records that nobody waits for may stay in an open state block; see lane.noted
	maxPlanned  int        // planned and unverified messages of a lane above which the router leaves the rest where it is
	maxLive     int        // messages of all lanes in memory with those that cannot be spilled, see memory.go
	doing       step       // for the note about a crash
	folding     *book.Book // the book that doing is about, while folding
	progress    *progress  // of recovery; may be nil
	crashFile   string
	quarantine  string      // folder
	poison      []crashNote // messages that are to be quarantined
	quarantined atomic.Bool // what had to be quarantined is, by committed records
	die         func(panicked any)

	retainAll   bool  // the log is never dropped
	spareUntil  int64 // the clock may have leapt: until then nothing is given up for its age
	aged        int64 // ns after which no block may be needed any more
	maxResident int64 // bytes of all lanes' blocks kept in memory

	now     int64
	plan    ledger.Route
	view    pdu.Message
	receipt pdu.Receipt
	unheard []event // from carriers, until every lane is led
	early   early
	belated belated
	intake  intake
	warm    uint64 // what ahead read
	adapt   adapter
	doubts  doubts
	ended   *endedTable
	seek    seeker
	refs    refs
	texts   *[mobileTexts]mobileText
	idText  []byte
	strays  strays
	counts  execCounts
	alerts  admin.Alerts
	second  int64
	grace   int64 // until then a carrier that never bound is not taken for dead
	sweeper int64
	swept   int          // lanes that the sweep under way has passed, one each turn; 0: none is
	lined   atomic.Int64 // messages of in_order clients that wait
	live    atomic.Int64 // messages of all lanes in memory

	errands map[ledger.MsgID]errand // what carriers are asked for clients, by tag
	errand  uint64                  // the last one
	areas   map[ledger.MsgID][]byte // what carriers said of single areas of broadcasts, until those are answered

	searches  int // of the archive, for queries of clients
	searching sync.WaitGroup

	sharedAccounts *atomic.Pointer[map[uint32]*entry.Account]                               // accounts, for goroutines other than the executor's
	onCatalog      func(n router.Numbers, c *catalog.Catalog)                               // the catalog in force changed
	onWanted       func(account uint32, client string, c *catalog.Call)                     // a client should be called
	calling        bool                                                                     // some client may be
	onOrder        func(name book.LinkName, v ledger.Verb, author string, held ledger.Verb) // an order about a link is committed

	began    func() // on the executor's thread, before its first turn; may be nil
	urgency  urgency
	idle     int64 // ns slept since the start, less what it then waited for a core
	idleThen int64 // the same, at the last whole second
	busy     float64

	woken   atomic.Bool
	stepped bool // nobody runs it but its caller: call need not wait
	mu      sync.Mutex
	calls   []func()
	queued  atomic.Int32
	failed  chan error
	halt    bool
	done    chan struct{}
}

type execCounts struct {
	strayAnswers, malformed, lateAnswers, inferred, quarantined, unrouted, refusedByCarriers, unreplaced, forGuests, givenUp, mobileRefused uint64
}

// loopPort is the executor's end of the rings to one loop.
type loopPort struct {
	outbox
	up    *ring.Ring[event]
	index int
}

// sweepEvery is how often a part of each lane's table is looked through for timeouts, sweepIdle how often when no message is
// in memory: each time that an idle process wakes costs it as much as a hundred messages.
const (
	sweepEvery = int64(100 * time.Millisecond)
	sweepIdle  = int64(time.Second)
)

func (x *executor) run() {
	defer close(x.done)
	defer x.crashed()
	if x.began != nil {
		x.began()
	}
	ready := x.ready
	for !x.halt {
		x.now = x.clock()
		if x.turn(x.now) == 0 {
			if d := x.next(x.now) - x.now; d > 0 {
				x.bell.Wait(time.Duration(min(d, int64(idleFor))), ready)
				x.idle += x.clock() - x.now - int64(x.bell.Late())
			}
		}
	}
}

// idleFor bounds how long the executor sleeps without looking at its clocks.
const idleFor = time.Second

// ready is asked by the bell before it sleeps: is there anything that somebody rang for?
func (x *executor) ready() bool {
	return x.woken.Load() || x.queued.Load() > 0 || !x.heard() || x.unstuck()
}

// unstuck says that some loop made room for events that had found its ring full.
func (x *executor) unstuck() bool {
	for _, p := range x.ports {
		if len(p.waiting) > 0 && !p.stuck() {
			return true
		}
	}
	return false
}

// turn does all there is to do now, in the order in which a message passes.
func (x *executor) turn(now int64) (n int) {
	n += x.runCalls()
	n += x.hear()
	for _, p := range x.ports {
		n += drain(p.up, turnEvents, x.ahead, func(e *event) { x.handle(p, e, now) })
		if p.up.RoomWanted() {
			x.wakeUp(p.index)
		}
	}
	x.woken.Store(false)
	x.doing = step{}
	x.heedRooms()
	for _, l := range x.lanes {
		n += l.work(x.now)
	}
	now = x.now
	x.doing = step{}
	x.listen(now)
	n += x.strands(now)
	x.fence()
	n += x.pull(now)
	n += x.useLent(now)
	x.doing = step{}
	x.intake.look(x, now)
	admitted := x.intake.admit()
	n += admitted + x.cut(now, admitted > 0)
	for _, l := range x.lanes {
		l.flush(now)
	}
	x.timers(now)
	x.visit(now)
	x.host(now)
	x.report()
	for _, p := range x.ports {
		if k, all := p.flush(); k > 0 || !all {
			x.wakeUp(p.index)
		}
	}
	return n
}

// ahead looks at what an event is about, see book.Touch; its bytes come from another core.
func (x *executor) ahead(e *event) {
	switch e.kind {
	case evAnswer, evReturned:
		x.lanes[e.id.Lane()].book.Touch(e.id)
	case evFromCarrier:
		for i := 0; i < len(e.data); i += 64 {
			x.warm += uint64(e.data[i])
		}
	}
}

func (x *executor) timers(now int64) {
	every := sweepIdle
	if x.hot() > 0 {
		every = sweepEvery
	}
	x.sweeper = min(x.sweeper, now+every)
	if x.swept > 0 || now >= x.sweeper { // a lane's share of its table is a millisecond: the others' turns come in between
		if l := x.lanes[x.swept]; l.leading {
			l.sweep(now)
		}
		x.swept = (x.swept + 1) % len(x.lanes)
	}
	if now >= x.sweeper {
		x.sweeper = now + every
		x.countOrdered()
		x.countLive()
		if x.lanes[0].leading {
			x.sweepOrphans(now)
		}
		if x.guests != nil && x.reachesAll() || x.fellows == nil { // a receipt's message may be of any lane, and only who leads that can journal it
			x.tryStrays(now)
			x.lookBack(now)
		}
	}
	x.watchQuorum(now)
	x.level(now)
	if now >= x.second {
		if x.second != 0 {
			x.busy = 1 - float64(x.idle-x.idleThen)/float64(now-x.second+int64(time.Second))
		}
		x.idleThen = x.idle
		x.second = now + int64(time.Second)
		x.callClients()
		if x.guests != nil && x.guests.again {
			x.guests.again = false
			x.reroute(now)
		}
		for _, l := range [...]*layer{x.external, x.routers, x.verifiers, x.senders, x.billers} {
			l.rate.sample(l.messages)
		}
		x.urgency.heed(max(x.external.rate.perSecond(), x.senders.rate.perSecond()))
		seen := map[*link]bool{}
		for _, s := range x.links {
			if !seen[s.link] {
				seen[s.link] = true
				s.link.rate.sample(s.link.sent)
				s.link.accepts.sample(s.link.taken)
				if s.link.adapt.Tick(now) {
					s.link.adapted(now)
				}
			}
		}
	}
}

// duty is the share of the last second that the executor worked.
func (x *executor) duty() float64 { return min(max(x.busy, 0), 1) }

func (x *executor) handle(p *loopPort, e *event, now int64) {
	switch e.kind {
	case evBlock:
		if l := x.lanes[e.lane]; l.leading {
			x.intake.held = append(x.intake.held, held{l, e.data})
		}
	case evForgotten:
		x.lanes[e.lane].owed--
	case evAnswer, evLate, evLost, evUnsent:
		x.fromLink(e, now)
	case evFromCarrier:
		x.unheard = append(x.unheard, *e)
		x.listen(now)
	case evAlert:
		if s := x.links[e.session]; s != nil {
			x.fromMobileAlert(s, e)
		}
	case evReturned, evUnreturned:
		s := x.clients[e.session]
		l := x.lanes[e.id.Lane()]
		if e.kind == evReturned {
			l.returned(s, e, now)
		} else {
			l.unreturned(s, e, now)
		}
	case evAsked:
		x.lanes[e.lane].asked(e, now)
	case evErrandDone:
		x.errandDone(e)
	case evClientUp:
		x.clientUp(p, e)
	case evClientDown:
		x.clientDown(e.session)
	case evLinkUp:
		if s := x.links[e.session]; s != nil {
			s.version = uint8(e.status)
			x.raise(s, now)
		}
	case evLinkDown:
		x.linkDown(e.session, now)
	}
}

func (x *executor) fromLink(e *event, now int64) {
	s := x.links[e.session] // nil for what was on its way to a session when that ended
	if x.forGuest(s, e, now) {
		return
	}
	l := x.lanes[e.id.Lane()]
	m := l.book.Get(e.id)
	x.doing = step{inAnswer, e.id}
	if e.kind == evLate {
		l.late(m, e, now)
		return
	}
	if m == nil || m.Phase != phaseSent || m.Link != e.session {
		x.counts.strayAnswers++
		return
	}
	if s != nil {
		s.leave()
	}
	borne := l.borne(m, sent)
	l.together(len(borne), now)
	for _, o := range borne { // before the bearer, whose receipt may be here already
		if e.kind == evAnswer {
			l.decide(o, nil, pdu.Status(e.status), nil, now)
		} else {
			l.unanswered(o, e, now)
		}
	}
	if e.kind == evAnswer {
		l.answered(m, s, e, now)
	} else {
		l.unanswered(m, e, now)
	}
}

// unanswered goes on with a message that no answer will come for.
func (l *lane) unanswered(m *book.Msg, e *event, now int64) {
	switch {
	case e.kind == evUnsent:
		l.unsent(m, now)
	case e.status == lostFenced: // we ended the session, and it is no fault of the message
		l.died(m, now)
	default:
		l.lost(m, e.status == lostEnded, now)
	}
}

func (x *executor) clientUp(p *loopPort, e *event) {
	if e.status&receives == 0 {
		return
	}
	l := x.lanes[e.lane]
	s := &clientSession{id: e.session, account: uint32(e.id), lane: l, loop: p.index, credit: int(e.seq), noTLVs: e.status&without != 0}
	x.clients[s.id] = s
	l.joined(l.returnsOf(s.account), s)
}

func (x *executor) clientDown(id uint32) {
	s := x.clients[id]
	if s == nil {
		return
	}
	delete(x.clients, id)
	s.lane.left(s.lane.returnsOf(s.account), s)
}

// resident is the bytes of blocks in memory.
func (x *executor) resident() (n int64) {
	for _, l := range x.lanes {
		n += l.log.Resident()
	}
	return n
}

// linkDown forgets a session; every message it had was answered, lost or unsent before, save those whose
// DISPATCH is still on its way: they find it gone.
func (x *executor) linkDown(id uint32, now int64) {
	s := x.links[id]
	if s == nil {
		return
	}
	x.retire(s, now)
	s.carrier.out -= s.out
	delete(x.links, id)
}

// raise lets a session be given messages.
func (x *executor) raise(s *linkSession, now int64) {
	s.up = true
	s.carrier.sessions = append(s.carrier.sessions, s)
	x.reckon(s.carrier, now)
}

// retire gives a session nothing more; what it has may still be answered.
func (x *executor) retire(s *linkSession, now int64) {
	s.up = false
	c := s.carrier
	for i, o := range c.sessions {
		if o == s {
			c.sessions = append(c.sessions[:i], c.sessions[i+1:]...)
			break
		}
	}
	x.reckon(c, now)
}

// reply answers a carrier's request over the session it came by, if that still exists.
func (x *executor) reply(session uint32, c pdu.Command, seq uint32, st pdu.Status) {
	if s := x.links[session]; s != nil {
		x.ports[s.loop].push(event{kind: evReply, session: session, seq: seq, status: uint32(st), id: ledger.MsgID(c)})
	}
}

func (x *executor) carrier(n uint16) *carrier {
	c := x.carriers[n]
	if c == nil {
		c = &carrier{n: n, down: max(x.now, x.grace), look: true}
		c.bound(x.table.CarrierOf(n))
		x.carriers[n] = c
		x.serving = append(x.serving, c)
	}
	return c
}

// fail ends the node: the books can no longer be trusted to follow the log. It is told once.
func (x *executor) fail(err error) {
	select {
	case x.failed <- err:
	default:
	}
}

// lead brings a lane's live messages back to work after its log was applied to the end: what was with a
// carrier when the process died is in doubt now.
func (l *lane) lead(now int64) (doubts int) {
	l.leading, l.book.Leads = true, true
	l.holdPoison(now)
	l.leadRuns()
	l.lines, l.rising = nil, true
	for _, id := range l.inOrder() {
		if l.takeUp(l.book.Get(id), now) {
			doubts++
		}
	}
	l.rising = false
	return doubts
}

// inOrder lists the messages in memory in the order in which they were accepted. Those that only wait for their receipt are
// not among them: they may be nearly all, and wait for it from here on.
func (l *lane) inOrder() []ledger.MsgID {
	var ids []ledger.MsgID
	l.book.Each(0, l.book.Slots()+1, func(m *book.Msg) {
		if m.State == book.StateTaken && !m.Concat {
			m.Note, m.Phase = 0, phaseAwaiting
			return
		}
		ids = append(ids, m.ID)
	})
	slices.Sort(ids)
	return ids
}

// takeUp brings one message back to work; it says whether its fate is in doubt.
func (l *lane) takeUp(m *book.Msg, now int64) (doubt bool) {
	m.Note = 0
	l.inLine(m, now)
	if m.State < book.StateTaken || m.State == book.StateDoubt {
		m.Note |= noteWaiting
		if a := l.x.accounts[m.Account]; a != nil {
			a.Waiting.Add(1)
		}
	}
	if m.Held && m.State != book.StateDispatched && m.State != book.StateTaken {
		if m.State == book.StateDoubt {
			l.x.inDoubt(m)
		}
		l.keep(m)
		return false
	}
	switch m.State {
	case book.StateAccepted:
		if m.Committed == 0 {
			m.Committed = now
		}
		l.toRouting(m)
	case book.StateRouted:
		if m.Attempts > 0 { // a clock that was set back must not stretch the rest before a retry
			m.Due = min(m.Due, now+int64(egress.Delay(egress.MaxAttempts)))
		}
		l.enqueue(m, now)
	case book.StateDispatched:
		l.died(m, now)
		return true
	case book.StateDoubt:
		l.x.inDoubt(m)
		l.doubt(m, now)
	case book.StateTaken:
		m.Phase = phaseAwaiting
		l.settles(m, now)
		l.joins(m, now)
	case book.StateEnded:
		l.toReturning(m, false)
	}
	return false
}
