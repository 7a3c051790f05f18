package dataplane

import (
	"maps"
	"time"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/journal"
	"smsplane/ledger/replica"
	"smsplane/pdu"
)

// A lane's rank at this host. On a single host every lane leads from the start on.
//
//	         loaded                       elected, and nothing of the time before is on its way
//	loading ────────▶ following ──────────────────────────────────────────────────▶ leading
//	   ▲                                                                               │
//	   └───────────────────────────────── deposed ◀────────────────────────────────────┘
//
// A follower folds what is committed and decides nothing: its lists are empty, its messages have no phase. A
// leader decides ahead of the log. When it is deposed, some of that will never be committed, and what it noted
// in its messages cannot be told from what is in the books. So it forgets all of the book, as a process that is
// killed does, and loads it anew: from what was flushed, and the log behind it.
//
// What a deposed leader has given to others comes back late: blocks and answers in the rings from the loops.
// Each loop acknowledges the end (evForgotten) behind them, and until all have, the lane does not lead again.

// fellows is what the executor knows of the other hosts; nil on a single host.
type fellows struct {
	me        uint64
	group     replica.Group                // for lanes that this store knows nothing of
	hold      int64                        // octets of log kept for a member that is away
	ship      func(lane uint16, to uint64) // begins to send a lane to a member; nil: cannot
	want      func(lane uint16, of uint64) // asks a member to begin that; nil: cannot
	name      func(id uint64) string
	send      func(to uint64, lane uint16, msg []byte) bool
	inbox     inbox
	fence     fence
	clock     func() int64    // that goes on in suspend, for leases
	unreached map[uint64]bool // to be reported to the replicas

	quorumAt int64 // when a leader of lane 0 was last known
	owing    bool  // lane 0 is led here, and the links may be kept a moment later
	without  bool  // none has been for a while
	ceding   bool  // the node stops and gives up what it leads
	stallAt  int64 // when the disk is looked at again
	quorum   func(there bool)
	leader   func(lane uint16, id uint64) // another host is known to lead a lane, or none is: 0

	rooms  func() *map[uint64]replica.Room // whose disk has no room; another pointer with each change, nil: everybody's has
	heeded *map[uint64]replica.Room        // what the replicas know of that

	spread spread                             // lanes are led by several hosts
	link   func(to uint64, frame []byte) bool // tells another host about the links, or by them; false: lost

	ranked func()        // a lane began or ceased to be led here
	own    func()        // lane 0 is led here now: links to carriers are ours
	lose   func()        // it is not any more
	rose   func(l *lane) // a lane begins to lead: what the node does then
}

// newBook is an empty book of the lane, which reads its blocks from read.
func (l *lane) newBook(read *blocks) *book.Book {
	b := book.New(l.n, read, stragglers{l.x.db})
	b.On = l.on
	return b
}

// progressStep is how many entries of a log pass between two words about progress.
const progressStep = 256

// load reads the lane's book from the store, and its log, too, if nobody did since it was opened or installed. It touches
// nothing but the lane.
func (l *lane) load() error {
	read := &blocks{log: l.log}
	l.book, l.untidy = l.newBook(read), true
	return l.book.Load(l.x.db, func(upTo uint64, f func(uint64, []byte) error) error {
		log, err := l.x.db.ReadLog(l.n, upTo, func(e *journal.Entry) error {
			if e.Index%progressStep == 0 {
				l.x.progress.at(folding, l.n, e.Index, upTo)
			}
			return f(e.Index, e.Block())
		})
		if err == nil {
			l.log, read.log = log, log
		}
		return err
	})
}

// loadHere is load on the executor's thread: a panic is told to be the fold's.
func (l *lane) loadHere() error {
	x := l.x
	x.doing = step{layer: inFold}
	defer func() { x.folding = l.book }()
	err := l.load()
	x.doing = step{}
	return err
}

// stand looks whether the lane's rank is still what its replica says. It says how many entries it folded for that.
func (l *lane) stand(now int64) (n int) {
	if l.x.fellows == nil {
		return 0
	}
	if id := l.rep.LeaderID(); id != l.ledBy.Load() {
		l.ledBy.Store(id)
		l.x.fellows.leader(l.n, id)
	}
	switch {
	case l.leading:
		if l.holds() {
			l.cede(now)
		} else {
			l.demote()
		}
	case l.spoilt != nil:
		l.renew(now)
	case l.loading:
		l.leave(now)
		if l.readable && l.owed == 0 {
			n = l.reload()
		}
	case l.mayLead():
		l.promote(now)
	default:
		l.cede(now)
	}
	return n
}

// heirs says that a lane is led here which another host could lead.
func (x *executor) heirs() (there bool) {
	for _, l := range x.lanes {
		if l.leading {
			l.rep.Progress(func(m replica.Member) {
				there = there || m.Active && !m.Learner && !replica.IsWitness(m.ID)
			})
		}
	}
	return there
}

// transferAll asks other hosts to lead what is led here, and reports whether nothing is any more.
func (x *executor) transferAll() (gone bool) {
	gone = true
	for _, l := range x.lanes {
		if l.rep.Leader() {
			gone = false
			if x.now >= l.handAt {
				l.handAt = x.now + int64(handEvery)
				_ = l.cedeTo(0) // it is asked for again
			}
		}
	}
	return gone
}

// cede gives a lane whose replica leads here to the host that leads lane 0. A lane that is led to work here may be left behind,
// too, when lane 0 is won by another host and this one is not.
func (l *lane) cede(now int64) {
	to := l.x.lanes[0].rep.LeaderID()
	if l.x.fellows.spread.on || l.n == 0 || now < l.handAt || to == 0 || to == l.x.fellows.me || !l.rep.Leader() {
		return
	}
	l.handAt = now + int64(handEvery)
	_ = l.cedeTo(to) // it is asked for again
}

// cedeTo asks a member to lead the lane, 0 the one that has most of it. What is recorded goes before, also what nobody waits for, so
// that the next leader has it.
func (l *lane) cedeTo(to uint64) error {
	l.cut(l.x.now, true)
	return l.rep.Transfer(to)
}

// handEvery is how long a transfer may take before it is asked for again.
const handEvery = 500 * time.Millisecond

// holds says that the replica leads in the term in which the lane was led to work.
func (l *lane) holds() bool { return l.rep.Leader() && l.rep.Term() == l.term }

// mayLead says that the lane can be led to work: no loop still owes what it began under an earlier lead, also where the store was
// replaced meanwhile. Messages cannot be routed without a catalog, nor by one before that by which they were accepted; and unless
// leaders are spread, all lanes are led where the links to carriers are kept.
func (l *lane) mayLead() bool {
	system, f := l.x.lanes[0], l.x.fellows
	if !l.rep.Leader() || l.owed > 0 || f.ceding || l.x.table.Version() != system.book.System.Version {
		return false
	}
	return l.n == 0 || (system.leading || f.spread.on && !system.loading) && system.book.System.Version > 0
}

// demote forgets what was decided here and not committed, and begins to load the books anew.
func (l *lane) demote() {
	x := l.x
	x.log.Warn("a lane is led here no more", "lane", l.n, "term", l.term, "led_by", x.fellows.name(l.rep.LeaderID()))
	l.leading = false
	l.led.Store(false)
	x.forget(l)
	l.apologise()
	l.clear()
	l.unload()
	for _, p := range x.ports {
		p.push(event{kind: evDemoted, lane: l.n})
		l.owed++
	}
	if l.n == 0 {
		x.disown()
	}
	x.fellows.ranked()
	x.db.Write(journal.NewBatch(), func() { x.post(func() { l.readable = true }) }) // behind the flushes
}

// apologise asks carriers for what they sent once more: whether it will be committed, nobody here hears any more, and their
// windows must not stay full. Where lane 0 goes, too, the sessions end and ask by that.
func (l *lane) apologise() {
	later := func(acks []ack) {
		for _, a := range acks {
			if !a.client && a.done == nil {
				l.x.acknowledge(&a, pdu.RXTAppn)
			}
		}
	}
	for _, p := range l.proposed[l.head:] {
		later(p.acks)
	}
	for _, p := range l.backlog {
		later(p.acks)
	}
	later(l.acks)
}

// forget takes a lane's messages out of what is counted over all lanes.
func (x *executor) forget(l *lane) {
	x.intake.forget(l)
	for n, classes := range l.queues {
		c := x.carrier(n)
		for class := range classes {
			c.waiting[class] -= classes[class].front.Len()
		}
	}
	for _, c := range x.serving {
		keep := c.strand[:0]
		for _, s := range c.strand {
			if s.l != l {
				keep = append(keep, s)
			}
		}
		c.strand = keep
	}
	l.book.Each(0, l.book.Slots()+1, func(m *book.Msg) {
		x.undoubt(m)
		if m.Phase == phaseDispatching || m.Phase == phaseSent {
			if s := x.links[m.Link]; s != nil {
				s.leave()
				delete(s.on, m.ID)
			}
		}
	})
	for i := range x.ended.slots { // some of them may not have ended
		if s := &x.ended.slots[i]; s.hash != 0 && s.id.Lane() == l.n {
			*s = endedSlot{}
		}
	}
	for id, s := range x.clients {
		if s.lane == l {
			delete(x.clients, id)
		}
	}
	maps.DeleteFunc(x.areas, func(id ledger.MsgID, _ []byte) bool { return id.Lane() == l.n })
}

// clear empties every list: a lane that decides nothing.
func (l *lane) clear() {
	l.routing, l.verifying, l.kept = queue{kind: ledger.RunExternal}, book.List{}, book.List{}
	l.rewritten = rewrites{lost: l.deeds > 0}
	l.rework, l.reading, l.aside = map[uint32]*rework{}, map[uint32]bool{}, map[uint32]error{}
	l.queues, l.returns = map[uint16]*[ledger.Classes]queue{}, map[uint32]*returns{}
	l.tired, l.hunts, l.resting, l.split, l.run, l.mo = nil, hunts{}, nil, nil, 0, 0
	l.spilling = false
	l.groups, l.groupAge = nil, nil // parts that others had meanwhile meet as after a start
	l.open, l.records, l.acks = nil, 0, nil
	l.proposed, l.head, l.backlog, l.stateOut = nil, 0, nil, 0
}

// promote leads the lane to work.
func (l *lane) promote(now int64) {
	x := l.x
	l.term = l.rep.Term()
	l.clear()
	l.cramped = false
	if x.guests != nil && x.guests.lanes[l.n] != nil {
		x.unclaim(x.guests.lanes[l.n], l.n, now)
	}
	for _, a := range x.accounts {
		if a.Lane == l.n {
			a.Credit.Store(int64(a.Limit + l.book.Client(a.Number).Balance))
			a.Waiting.Store(0)
		}
	}
	if l.n == 0 {
		x.own(now)
	}
	doubts := l.lead(now)
	l.led.Store(true)
	x.ports[l.loop].push(event{kind: evLed, lane: l.n, id: ledger.MsgID(l.book.NextSeq())})
	x.fellows.rose(l)
	x.fellows.ranked()
	x.log.Info("a lane is led here", "lane", l.n, "term", l.term, "in_doubt", doubts)
}

// own takes over what belongs to the host that leads lane 0: receipts that fit no message, and the links to
// carriers, none of which is bound yet.
func (x *executor) own(now int64) {
	x.proposed = x.lanes[0].book.System.Version
	x.early, x.strays = newEarly(), strays{}
	x.recallOrphans()
	x.depart(now)
	x.guests = &guests{of: map[uint64]*guest{}, lanes: make([]*guest, len(x.lanes)), named: map[strayKey]passedOn{}}
	x.recallDoubts()
	x.grace = now + startGrace - downFor
	for _, c := range x.serving {
		if len(c.sessions) == 0 {
			c.down, c.look = x.grace, true
		}
	}
	x.fellows.owing = true
}

// owe begins to keep the links as soon as nobody else does: whoever led lane 0 before has ended its own by then.
func (x *executor) owe() {
	if f := x.fellows; f.owing && !x.lanes[0].fenced {
		f.owing = false
		f.own()
	}
}

// ownsLinks says that the links to carriers are kept here.
func (x *executor) ownsLinks() bool {
	return x.fellows == nil || x.lanes[0].leading && !x.fellows.owing
}

// listen takes what carriers sent. The links are here as soon as lane 0 is led; what comes over them may be about a
// lane that nobody leads yet who could journal it, so it waits for all. Carriers' windows bound how much that is.
func (x *executor) listen(now int64) {
	if len(x.unheard) == 0 {
		return
	}
	if !x.reachesAll() {
		return
	}
	for i := range x.unheard {
		e := &x.unheard[i]
		if s := x.links[e.session]; s != nil {
			x.fromCarrier(s, e, now)
		}
	}
	clear(x.unheard)
	x.unheard = x.unheard[:0]
}

// disown is the inverse of own.
func (x *executor) disown() {
	clear(x.unheard)
	x.unheard = x.unheard[:0]
	x.early, x.strays = newEarly(), strays{}
	for _, g := range x.guests.of {
		g.gone = true
		for lane := range g.terms {
			x.fellows.fence.of(g.place, lane).Store(0)
		}
	}
	x.guests, x.fellows.owing = nil, false
	for _, c := range x.serving {
		c.abroad, c.asked = nil, [ledger.Classes]int{}
	}
	for _, s := range x.links {
		x.retire(s, x.now)
	}
	x.fellows.lose()
}

// recallOrphans remembers the receipts that wait for their message.
func (x *executor) recallOrphans() {
	for _, o := range x.lanes[0].book.System.Orphans {
		if x.view.Parse(o.PDU) == pdu.ROK && pdu.ParseReceipt(&x.view, &x.receipt) {
			x.early.add(o.Carrier, &x.view, &x.receipt, o.PDU, o.At)
		}
	}
}

// quorumFor is how long no leader may be known before clients are sent away: elections take less.
const quorumFor = time.Second

// watchQuorum looks whether the cluster can decide, and whether this host should go on leading.
func (x *executor) watchQuorum(now int64) {
	f := x.fellows
	if f == nil {
		return
	}
	if x.lanes[0].rep.LeaderID() != 0 {
		f.quorumAt = now
	} else if f.quorumAt == 0 {
		f.quorumAt = now // it has just begun
	}
	if without := now-f.quorumAt > int64(quorumFor); without != f.without {
		f.without = without
		f.quorum(!without)
	}
	if now >= f.stallAt {
		f.stallAt = now + int64(handEvery)
		for _, l := range x.lanes {
			if l.leading && l.rep.Stalled() {
				x.log.Error("the disk does not keep up; the lane is handed over", "lane", l.n)
				_ = l.cedeTo(0) // nobody to take it: it is asked for again
			}
		}
	}
}
