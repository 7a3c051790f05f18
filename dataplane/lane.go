package dataplane

import (
	"container/heap"
	"fmt"
	"sync/atomic"
	"time"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/journal"
	"smsplane/ledger/replica"
	"smsplane/pdu"
)

// lane is the agent of one lane: it proposes blocks, applies what is committed, and decides what happens to
// each message next. Its decisions are records in the lane's state block; their effects on the outside
// (bytes to a carrier, an answer, a receipt to a client) wait until the record is committed.
type lane struct {
	n    uint16
	x    *executor
	loop int // loop that serves its clients
	book *book.Book
	log  *journal.Log
	rep  *replica.Replica

	routing   queue
	verifying book.List
	kept      book.List                         // held by an operator
	stripped  int                               // texts taken in this sweep
	rework    map[uint32]*rework                // runs whose LOAD is on its way for an operator
	reading   map[uint32]bool                   // runs that are being read
	aside     map[uint32]error                  // runs that are damaged, and how
	deeds     int                               // of operators that are being done: nothing is spilled meanwhile
	rewritten rewrites                          // runs, since then
	queues    map[uint16]*[ledger.Classes]queue // by carrier
	returns   map[uint32]*returns               // by account
	tired     []*returns                        // with binds that rest
	hunts     hunts
	lines     lineTable
	groups    map[uint64]*group // of clients' parts
	groupAge  []uint64          // their keys, as they began; some are gone
	groupAt   int               // of them, where the next sweep looks
	resting   restHeap

	chunk    []byte
	open     []byte // state block under construction
	records  int
	opened   int64 // when its first record came
	urgent   bool  // somebody waits for one of them
	acks     []ack
	proposed []proposal
	head     int
	backlog  []proposal // not proposed yet: raft has its fill
	split    []*queue   // those that have a part behind their front
	untidy   bool       // tidy has not seen the end of its work
	spilling bool       // there may be more to write to runs
	run      uint32     // last run id given out
	runIDs   []byte

	sweepAt  uint32
	awaited  tally // what the sweep finds with carriers
	flushAt  int64
	lowWater uint64 // first block that the flush before needs; 0: there was none yet
	leading  bool
	rising   bool // it begins to lead, and brings its messages back to work
	loading  bool // deposed: the book is to be read anew
	readable bool // the store shows what was flushed before
	anew     reloading
	owed     int            // loops that may still send something of before
	fenced   bool           // nothing of it may be sent to carriers now
	cramped  bool           // its clients are refused: it would need a disk that is full
	yields   bool           // it is handed over as soon as carriers have answered: nothing more is sent
	away     bool           // its store is being replaced by another host's
	spoilt   error          // its store is damaged, and how: it is asked for anew
	askAt    int64          // when that may be asked for again
	folded   uint64         // index of the stored state that is damaged
	config   replica.Config // of rep
	handAt   int64          // when the lane may be given to another host again
	term     uint64         // in which it was led to work
	led      atomic.Bool    // leading, for other goroutines
	ledBy    atomic.Uint64  // who is known to lead, by id in raft groups; 0 nobody. For other goroutines
	view     pdu.Message
	scratch  []byte
	stateOut int // state blocks on their way
	evictAt  uint64
	mo       ledger.MsgID // last id given to a message from a carrier
	idText   []byte
	tlvs     []byte
	reply    pdu.Submit
	paper    []byte // deliver_sm for clients are written here, one behind the other
}

// ack is a deliver_sm_resp that a carrier gets once the block is committed, or who else waits for that.
type ack struct {
	session uint32
	seq     uint32
	command pdu.Command
	client  bool   // it is the answer to a client's cancel_sm or replace_sm
	stay    uint64 // seq is the number of what the owner of the links handed over during it
	done    func() // it is an operator's; on the executor, and never when the lane is deposed before
}

// proposal is a block of ours on its way.
type proposal struct {
	block []byte // its first octet's place tells it from blocks that other processes proposed
	entry bool
	acks  []ack
}

// Bounds of a lane's work in one turn, so that no lane keeps the others waiting.
const (
	turnEvents   = 512 // of each loop
	turnBudget   = 2048
	stateBytes   = 96 << 10
	statePiped   = 3
	flushEvery   = 20 * time.Millisecond
	flushEntries = 2048
	chunkBytes   = 1 << 20
)

// propose hands a block to raft, or lets it wait while the lane has as much on its way as raft takes. How
// many can wait is bounded by whoever makes blocks: entry stops at `stalled` in flight, state blocks follow
// credit and windows.
func (l *lane) propose(b []byte, p proposal) {
	p.block = b
	if len(l.backlog) > 0 || !l.try(p) {
		l.backlog = append(l.backlog, p)
	}
}

// try proposes one block; false when there is no room for it now, or the lane is not led here any more: stand
// sees to that. A single host cannot lose the lead; should it, the process ends and recovers.
func (l *lane) try(p proposal) bool {
	if !l.rep.Propose(p.block) {
		if l.x.fellows == nil && !l.rep.Leader() {
			l.x.fail(fmt.Errorf("lane %d: a proposal was dropped: the lane is not led here any more", l.n))
		}
		return false
	}
	l.proposed = append(l.proposed, p)
	return true
}

// retry proposes what waited for room.
func (l *lane) retry() {
	n := 0
	for n < len(l.backlog) && l.try(l.backlog[n]) {
		n++
	}
	if n > 0 {
		rest := copy(l.backlog, l.backlog[n:])
		clear(l.backlog[rest:])
		l.backlog = l.backlog[:rest]
	}
}

// work is one turn of the agent.
func (l *lane) work(now int64) (n int) {
	if l.away {
		return 0
	}
	n, err := l.rep.DoWork(now, l.apply)
	if err != nil {
		l.x.fail(fmt.Errorf("lane %d: %w", l.n, err))
		return 0
	}
	n += l.stand(now)
	if !l.leading {
		return n
	}
	l.heedRoom()
	if len(l.backlog) > 0 {
		l.retry()
	}
	n += l.chase(now)
	n += l.wake(now)
	l.refill(now)
	if l.spilling {
		l.spill(now)
	}
	n += l.route(now)
	n += l.verify(l.x.now)
	return n
}

// apply folds a committed block and does what waited for it.
func (l *lane) apply(index uint64, block []byte) error {
	if l.leading && l.x.fellows != nil && !l.holds() {
		l.demote() // before another's decisions meet our own
	}
	if l.loading {
		return nil // reload reads it from the log
	}
	l.x.doing, l.x.folding = step{layer: inFold}, l.book
	if err := l.book.Apply(index, block); err != nil {
		return l.spoil(err)
	}
	l.x.doing = step{}
	if block == nil || l.head == len(l.proposed) || &l.proposed[l.head].block[0] != &block[0] {
		return nil
	}
	p := &l.proposed[l.head]
	if p.entry {
		l.x.ports[l.loop].push(event{kind: evCommitted, lane: l.n})
	} else {
		l.stateOut--
	}
	for _, a := range p.acks {
		switch {
		case a.done != nil:
			a.done()
		case a.client:
			l.x.ports[l.loop].push(event{kind: evReply, session: a.session, seq: a.seq, id: ledger.MsgID(a.command)})
		default:
			l.x.acknowledge(&a, pdu.ROK)
		}
	}
	*p = proposal{}
	if l.head++; l.head == len(l.proposed) {
		l.proposed, l.head = l.proposed[:0], 0
	} else if l.head > 4096 {
		l.proposed = l.proposed[:copy(l.proposed, l.proposed[l.head:])]
		l.head = 0
	}
	return nil
}

// on hears of every record that the book folded.
func (l *lane) on(r *ledger.Record, m *book.Msg) error {
	if l.leading {
		l.x.doing = step{inFollow, r.ID}
	}
	err := l.follow(r, m)
	l.x.doing = step{layer: inFold} // what comes next of the block
	return err
}

// follow does what a record that is committed now sets off.
func (l *lane) follow(r *ledger.Record, m *book.Msg) error {
	if l.x.fellows != nil && !l.leading {
		l.watch(r, m)
	}
	switch r.Kind {
	case ledger.KindAccept:
		if l.x.fellows != nil && !l.leading {
			return nil
		}
		m.Committed = l.x.now
		m.Note |= noteWaiting
		if l.leading { // what is replayed at a start was done by the process before
			l.x.external.messages++
			l.x.external.latency.Add(l.x.now - m.Accepted)
			l.toRouting(m)
			if r.Replaces() {
				l.supersede(m)
			}
		}
	case ledger.KindReplace:
		switch {
		case !l.leading:
		case m.Held:
			l.keep(m)
		default:
			l.toRouting(m)
		}
	case ledger.KindDispatch:
		if l.leading {
			l.dispatched(m)
		}
	case ledger.KindFinal:
		if l.x.fellows != nil && !l.leading {
			return nil
		}
		return l.ended(r, m)
	case ledger.KindOperator:
		l.operated(r)
	case ledger.KindMO:
		if l.leading {
			l.toReturning(m, false)
		}
	case ledger.KindLoad:
		if l.leading {
			l.loaded(r, m)
		}
	case ledger.KindCatalog:
		if l.leading || l.x.fellows != nil && !l.loading {
			l.x.installBeside()
		}
	case ledger.KindOrder:
		if l.leading && r.ID == 0 {
			l.x.ordered(r)
		}
	}
	return nil
}

func (l *lane) toRouting(m *book.Msg) {
	m.Phase = phaseRouting
	if l.rising {
		l.routing.restore(l.book, m)
		return
	}
	l.routing.push(l.book, m)
}

// rest puts a message aside until at; what it was doing is in phase.
func (l *lane) rest(m *book.Msg, phase uint8, at int64) {
	m.Phase = phase
	heap.Push(&l.resting, restEntry{at, m.ID})
}

// wake brings back what is due.
func (l *lane) wake(now int64) (n int) {
	for len(l.resting) > 0 && l.resting[0].at <= now && n < turnBudget {
		e := heap.Pop(&l.resting).(restEntry)
		n++
		m := l.book.Get(e.id)
		if m == nil {
			continue
		}
		switch m.Phase {
		case phaseResting:
			l.enqueue(m, now)
		case phaseHeld:
			m.Phase = phaseVerifying
			l.book.Push(&l.verifying, m)
		case phaseReturnRest:
			l.toReturning(m, true)
		}
	}
	return n
}

// next is the earliest time at which the lane has something to do by itself.
func (l *lane) next(now int64) int64 {
	at := l.due()
	if len(l.resting) > 0 {
		at = min(at, l.resting[0].at)
	}
	if l.book.Dirty() || l.untidy {
		at = min(at, l.flushAt)
	}
	if tick := l.rep.Next(); tick > 0 && !l.away {
		at = min(at, tick)
	}
	if l.plans() {
		at = min(at, l.x.routers.wait(now))
	}
	if l.verifying.Len() > 0 {
		at = min(at, l.x.verifiers.wait(now))
	}
	return at
}

// flush persists the fold when enough has changed or some time has passed. A lane that has nothing to do tidies up all the
// same: it may stay as it is for days, and the next start reads what is left.
func (l *lane) flush(now int64) {
	if l.loading || !l.book.Dirty() && !l.untidy {
		l.flushAt = now + int64(flushEvery)
		return
	}
	if now < l.flushAt && l.book.Pending() < flushEntries {
		return
	}
	l.flushNow(now)
}

func (l *lane) flushNow(now int64) {
	if l.loading {
		return // what is in memory is not what is to be stored
	}
	l.flushAt = now + int64(flushEvery)
	if err := l.tidy(); err != nil {
		l.x.fail(err)
		return
	}
	w := journal.NewBatch()
	if err := l.book.Flush(w); err != nil {
		l.x.fail(fmt.Errorf("lane %d: %w", l.n, err))
		return
	}
	l.lowWater = l.book.LowWater()
	n := l.book.Flushes()
	l.x.db.Write(w, func() { l.x.post(func() { l.book.Stored(n) }) })
	if !l.x.retainAll {
		l.log.DropBelow(min(l.lowWater, l.rep.Needed()))
	}
}

// tidy keeps the log's window small: when it has outgrown its bound, the few messages that live in its
// oldest blocks move to keys of their own; and blocks beyond the memory budget leave memory (evict.go).
func (l *lane) tidy() error {
	low, last := l.book.LowWater(), l.log.Last()
	blocks, limit := 0, 0
	switch {
	case l.x.retainAll || l.deeds > 0: // a deed knows by its run what it has yet to meet
	case l.book.Scattered(last, l.x.scattered, l.log.Size): // the front of a queue, say, with millions in runs behind it
		blocks, limit = 8, ledger.MaxOperatorIDs
	case last-low > l.x.maxWindow:
		blocks, limit = 64, moveBelow
	}
	l.untidy = false
	for range blocks {
		n, err := l.book.Move(limit)
		if err != nil {
			return err
		}
		if l.untidy = n > 0; !l.untidy {
			break
		}
	}
	l.x.evict()
	return nil
}

// moveBelow is how many live messages a block may still have to be moved out of the log.
const moveBelow = 64

// sweep looks at a part of the table for messages whose time is over.
func (l *lane) sweep(now int64) {
	if len(l.tired) > 0 {
		l.rouse()
	}
	l.stripped = 0
	budget := min(max(1024, l.book.Slots()/40), sweepSlots)
	if l.sweepAt = l.book.Each(l.sweepAt, budget, func(m *book.Msg) { l.timeout(m, now) }); l.sweepAt == 0 {
		l.tellAwaited()
	}
	l.x.doing = step{}
	l.spill(now)
	l.sweepGroups(now)
}

// sweepSlots bounds what one sweep looks at: a slot that is in no cache costs a third of a microsecond, and everybody waits
// for the executor meanwhile. A million messages in memory are looked through in half a minute; none is sent behind its
// validity for that, as dispatch looks, too.
const sweepSlots = 4096

// timeout ends what waited too long: validity in our queues, receipt_wait at the carrier.
func (l *lane) timeout(m *book.Msg, now int64) {
	l.x.doing = step{inSweep, m.ID}
	switch m.Phase {
	case phaseRouting, phaseVerifying, phaseQueued, phaseResting, phaseHeld, phaseKept, phaseOperator, phaseBehind:
		if m.State == book.StateEnded { // quarantined; only its receipt waits
			l.giveUp(m, now)
		} else if now >= m.ValidUntil {
			l.unlist(m)
			l.expire(m, now)
		}
	case phaseReturning, phaseBacklog, phaseReturnRest, phaseAside:
		l.strip(m, now)
		l.giveUp(m, now)
	case phaseAwaiting:
		l.awaited.count(m.Account)
		wait := receiptWaitGone
		if c := l.x.table.CarrierOf(m.Carrier); c != nil {
			wait = c.ReceiptWait
		}
		if now >= m.Answered+int64(wait) || m.Once && now >= m.ValidUntil {
			f := ledger.Final{End: ledger.EndUnknown, Reason: ledger.ReasonReceiptWait}
			if m.Of > 0 && endOf(pdu.State(m.ReceiptState)) != ledger.EndDelivered && pdu.State(m.ReceiptState).Final() {
				f.End = endOf(pdu.State(m.ReceiptState)) // of some part it is known that it did not arrive
			}
			l.final(m, f, now)
		}
	}
}

// receiptWaitGone is how long a receipt may take from a carrier that left the catalog: as long as from one that
// says nothing about it. Without it, what that carrier took would stay in flight for ever.
const receiptWaitGone = 72 * time.Hour

// unlist takes a message out of whatever list its phase says.
func (l *lane) unlist(m *book.Msg) {
	switch m.Phase {
	case phaseRouting:
		l.routing.remove(l.book, m)
	case phaseVerifying:
		l.book.Remove(&l.verifying, m)
	case phaseBehind:
		l.book.Remove(&l.lines[lineKey{m.Account, m.Number}].behind, m)
	case phaseQueued:
		l.dequeue(m)
	case phaseReturning:
		l.book.Remove(&l.returnsOf(m.Account).fresh, m)
	case phaseBacklog:
		l.book.Remove(&l.returnsOf(m.Account).backlog, m)
	case phaseAside:
		l.book.Remove(&l.returnsOf(m.Account).aside, m)
	case phaseOperator:
		l.book.Remove(&l.kept, m)
	}
}

func (l *lane) expire(m *book.Msg, now int64) {
	f := ledger.Final{End: ledger.EndExpired, Reason: ledger.ReasonValidity}
	if m.State == book.StateDoubt { // it may have arrived: nobody can say that it expired
		f = ledger.Final{End: ledger.EndUnknown, Reason: ledger.ReasonUnresolved}
	}
	l.final(m, f, now)
}

// final proposes the end of a message. The client pays as its contract says; a receipt is due if it asked.
func (l *lane) final(m *book.Msg, f ledger.Final, now int64) {
	f.Hold = m.Hold
	if charges(l.x.table.ClientOf(m.Account), m, f.End) {
		f.Charge = m.Hold
	}
	f.Return = wantsReceipt(m.Registered, f.End)
	l.leaveQueue(m)
	l.x.undoubt(m)
	if m.WasTaken || m.Note&noteTaken != 0 {
		l.x.ended.add(m.Carrier, m.CarrierID(), m.ID, f.End == ledger.EndUnknown && m.Of == 0)
	}
	if f.End == ledger.EndUnknown {
		m.Note |= noteUnknown
	}
	if m.Of > 0 {
		l.book.EachPartID(m, func(id []byte) { l.x.ended.add(m.Carrier, id, m.ID, false) })
	}
	m.Phase = phaseEnding
	l.begin()
	l.open = ledger.AppendFinal(l.open, l.x.billers.worker(), m.ID, now, &f)
	l.recorded(now)
}

// leaveQueue counts a message out of what its client has waiting, and lets who stood behind it go; once.
func (l *lane) leaveQueue(m *book.Msg) {
	l.giveWay(m)
	if m.Note&noteWaiting != 0 {
		m.Note &^= noteWaiting
		if a := l.x.accounts[m.Account]; a != nil {
			a.Waiting.Add(-1)
		}
	}
}

// restHeap orders what rests by time, and what rests until the same by age.
type restHeap []restEntry

type restEntry struct {
	at int64
	id ledger.MsgID
}

func (h restHeap) Len() int { return len(h) }
func (h restHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].id < h[j].id
}
func (h restHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *restHeap) Push(v any)   { *h = append(*h, v.(restEntry)) }
func (h *restHeap) Pop() any {
	old := *h
	v := old[len(old)-1]
	*h = old[:len(old)-1]
	return v
}
