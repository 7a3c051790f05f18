package book

import (
	"errors"
	"fmt"
	"math"

	"smsplane/ledger"
	"smsplane/pdu"
)

// ErrBooks says that a committed record contradicts the books: the log is damaged or the fold is wrong.
// Nothing may go on from there.
var ErrBooks = errors.New("a committed record contradicts the books")

// Log is where blocks are read from: resident, or from disk.
type Log interface {
	Block(index uint64) ([]byte, error)
}

// Straggler reads what left the log: a message that outlived its block, or a run of queued ones.
type Straggler interface {
	// Stragglers visits them by sequence, from one on; v is valid during the call, journal.ErrStop ends it well.
	Stragglers(lane uint16, from uint64, f func(v []byte) error) error
	Run(lane uint16, run, piece uint32) ([]byte, error) // see RunKey
}

// Counts are the lane's totals since it was formed. Live are counted by state; the rest only grow.
type Counts struct {
	Accepted  uint64
	Ends      [ledger.Ends]uint64
	Resent    uint64 // dispatches that may repeat one
	Returned  uint64 // receipts that clients took
	Doubts    uint64 // times a message came in doubt
	MO        uint64
	MOTaken   uint64
	Orphans   uint64
	Submitted uint64 // submit_sm dispatched
	Repeated  uint64 // receipts behind the one that decided
}

// Book is the fold of one lane; see the package comment.
type Book struct {
	Lane   uint16
	Counts Counts
	Live   [States]int // messages of clients, by state
	Parked int         // ended, and the client has not taken the receipt
	System *System     // of lane 0, nil elsewhere

	// Leads says that the owner decides for this lane: what follows from an answer or a doubt (target, due) is set by it.
	Leads bool

	// On is called after each record that Apply folded; m is nil for records about no message. A message that
	// ended and owes no receipt (m.Return is false) is released when On returns. Not called in a replay.
	On func(r *ledger.Record, m *Msg) error

	t       table
	acc     accounts
	byName  names
	splits  splits
	live    liveBlocks
	log     Log
	strag   Straggler
	pack    pack
	moves   map[uint64]bool // stragglers changed (true) or gone (false) since the last flush
	moving  map[ledger.MsgID]moving
	bodies  bodies
	gone    []uint64 // scratch
	changed []uint64 // scratch
	flushes uint64
	runs    runs
	applied uint64
	flushed uint64
	maxSeq  uint64
	maxMO   uint64
	replay  bool
	view    pdu.Message
	deed    ledger.Operator

	touch func(ledger.MsgID) // Touch, bound once
	warm  uint64             // what Touch read, so that it does read

	chain      Chain
	chainFrom  uint64          // blocks up to this index were applied by a build that kept no chain
	lastAt     int64           // when the newest applied block was cut
	sealedAt   int64           // the same of the newest seal
	at         ledger.MsgID    // of the record being folded
	atIndex    uint64          // of its block
	skips      map[uint64]skip // by sequence: whose records are not folded, and where
	skipsEnded []uint64        // of them, whose end is not stored yet
	open       bool            // what carriers' open messages cost is still to be added up
}

// moSequence marks ids of messages from carriers: they are numbered by the executor, not by a loop.
const moSequence = 1 << 47

// New makes the empty book of a lane that has applied nothing.
func New(lane uint16, log Log, s Straggler) *Book {
	b := &Book{Lane: lane, t: newTable(), acc: newAccounts(), log: log, strag: s, moves: map[uint64]bool{}, runs: newRuns(),
		moving: map[ledger.MsgID]moving{}, bodies: bodies{of: map[uint64][]byte{}}}
	b.touch = b.Touch
	if lane == 0 {
		b.System = newSystem()
	}
	return b
}

// Applied is the index of the last block in the book.
func (b *Book) Applied() uint64 { return b.applied }

// NextSeq is above every sequence that any accepted message of the lane ever had.
func (b *Book) NextSeq() uint64 { return b.maxSeq + 1 }

// NextMO is the id for the next message from a carrier.
func (b *Book) NextMO() ledger.MsgID { return ledger.MakeMsgID(b.Lane, moSequence|(b.maxMO+1)) }

// Get is the live message with that id, nil when there is none.
func (b *Book) Get(id ledger.MsgID) *Msg { return b.t.get(id) }

// Sum adds every balance of the lane; zero unless the books are wrong.
func (b *Book) Sum() ledger.Micro { return b.acc.sum() }

// Client is the account of one client, as of the applied index.
func (b *Book) Client(n uint32) Client {
	if c := b.acc.clients[n]; c != nil {
		return *c
	}
	return Client{}
}

// Carriers hands out what the lane owes each carrier.
func (b *Book) Carriers(f func(n uint16, c Carrier)) {
	for n, c := range b.acc.carriers {
		f(n, *c)
	}
}

// Clients hands out the accounts of the lane.
func (b *Book) Clients(f func(n uint32, c Client)) {
	for n, c := range b.acc.clients {
		f(n, *c)
	}
}

// Each visits live messages from a slot on, at most budget slots, and returns where to go on; 0 is the end.
func (b *Book) Each(from uint32, budget int, f func(m *Msg)) uint32 {
	if from == 0 {
		from = 1
	}
	for ; from < b.t.used; from++ {
		if budget--; budget < 0 {
			return from
		}
		if m := b.t.at(from); m.State != StateNone {
			f(m)
		}
	}
	return 0
}

// Slots is the size of the table that Each walks.
func (b *Book) Slots() int { return int(b.t.used) }

// InMemory is the number of messages in the table.
func (b *Book) InMemory() int { return int(b.t.used) - 1 - len(b.t.free) }

// PDU is the message as it came in; it aliases a block and is valid until the next Apply.
func (b *Book) PDU(m *Msg) ([]byte, error) {
	if m.moved {
		return b.body(m)
	}
	if m.run != 0 {
		return b.inRun(m)
	}
	blk, err := b.log.Block(m.Block)
	if err != nil {
		return nil, fmt.Errorf("message %v in block %d of lane %d: %w", m.ID, m.Block, b.Lane, err)
	}
	if int(m.Off)+int(m.Len) > len(blk) {
		return nil, fmt.Errorf("%w: message %v lies outside block %d of lane %d", ErrBooks, m.ID, m.Block, b.Lane)
	}
	return blk[m.Off : m.Off+m.Len : m.Off+m.Len], nil
}

// set moves m to another state and keeps the counts by state.
func (b *Book) set(m *Msg, s State) {
	if !m.MO {
		b.Live[m.State]--
		b.Live[s]++
	}
	m.State = s
}

// Apply folds one committed block. A nil block (an entry of raft itself) only moves the applied index.
func (b *Book) Apply(index uint64, block []byte) error {
	if index <= b.applied {
		return fmt.Errorf("%w: block %d of lane %d applied after %d", ErrBooks, index, b.Lane, b.applied)
	}
	if block != nil {
		if index > b.chainFrom {
			b.chain.link(index, block)
		}
		b.lastAt = ledger.BlockAt(block)
		if err := b.walk(index, block); err != nil {
			return fmt.Errorf("block %d of lane %d: %w", index, b.Lane, err)
		}
	} else {
		b.endSkips(index)
	}
	b.applied = index
	return nil
}

// walk folds the records of a block.
func (b *Book) walk(index uint64, block []byte) error {
	ahead, left := uint32(ledger.BlockHeader), 0
	return ledger.Walk(block, func(r *ledger.Record) error {
		if left == 0 {
			ahead, left = ledger.Ahead(block, ahead, warmAhead, b.touch), warmAhead
		}
		left--
		return b.record(index, r)
	})
}

func (b *Book) record(index uint64, r *ledger.Record) error {
	if b.at, b.atIndex = r.ID, index; b.skips != nil && b.skipped(index, r) {
		return nil
	}
	switch r.Kind {
	case ledger.KindAccept:
		return b.accept(index, r)
	case ledger.KindMO:
		return b.mo(index, r)
	case ledger.KindAccount, ledger.KindCatalog, ledger.KindOrphan:
		return b.system(index, r)
	case ledger.KindMove:
		return b.move(index, r)
	case ledger.KindLoad:
		return b.load(index, r)
	case ledger.KindOperator:
		return b.operator(index, r)
	case ledger.KindOrder:
		if r.ID == 0 {
			return b.system(index, r)
		}
	case ledger.KindReceipt:
		if r.Flags&ledger.FlagRepeated != 0 {
			return b.repeated(r)
		}
	}
	m := b.t.get(r.ID)
	if m == nil {
		if b.replay {
			return nil // it ended, and was released, before the point the log is replayed to
		}
		return bad(r, nil, "no such message")
	}
	if m.asOf >= index {
		return nil
	}
	gone, err := b.fold(r, m)
	if err != nil {
		return err
	}
	if m.moved {
		b.moves[m.ID.Seq()] = !gone
	}
	if err := b.tell(r, m); err != nil {
		return err
	}
	if gone {
		b.release(m)
	}
	return nil
}

func (b *Book) tell(r *ledger.Record, m *Msg) error {
	if b.On == nil || b.replay {
		return nil
	}
	return b.On(r, m)
}

func bad(r *ledger.Record, m *Msg, why string) error {
	state := "absent"
	if m != nil {
		state = m.State.String()
	}
	return fmt.Errorf("%w: %v of %v (%s): %s", ErrBooks, r.Kind, r.ID, state, why)
}

func (b *Book) accept(index uint64, r *ledger.Record) error {
	if m := b.t.get(r.ID); m != nil {
		if m.asOf >= index {
			return nil
		}
		return bad(r, m, "accepted twice")
	}
	var a ledger.Accept
	if !r.Accept(&a) {
		return bad(r, nil, "cut short")
	}
	m := b.t.add(r.ID)
	m.Block, m.Off, m.Len = index, r.Off+ledger.AcceptPDUOffset, uint32(len(a.PDU))
	m.Accepted, m.EntryWorker = r.At, r.Worker
	m.Account, m.Session, m.Row, m.Catalog = a.Account, a.Session, a.Row, a.Catalog
	m.Once, m.Transact, m.Broadcast = a.Once, a.Transact, a.Broadcast
	m.Registered, m.Behind, m.ShortID, m.Concat = a.Registered, a.Behind, a.ShortID, a.Part
	if !r.Asked() && b.view.Parse(a.PDU) == pdu.ROK {
		m.Registered = b.view.RegisteredDelivery()
	}
	m.Class, m.Parts, m.Hold, m.Number, m.ValidUntil, m.Due = a.Class, a.Parts, a.Price, a.Number, a.ValidUntil, a.Due
	m.State = StateAccepted
	b.Live[StateAccepted]++
	b.live.add(index)
	b.maxSeq = max(b.maxSeq, r.ID.Seq())
	if !b.replay {
		b.Counts.Accepted++
		b.acc.hold(a.Account, a.Price)
	}
	return b.tell(r, m)
}

func (b *Book) mo(index uint64, r *ledger.Record) error {
	if m := b.t.get(r.ID); m != nil {
		if m.asOf >= index {
			return nil
		}
		return bad(r, m, "accepted twice")
	}
	var v ledger.MO
	if !r.MO(&v) {
		return bad(r, nil, "cut short")
	}
	m := b.t.add(r.ID)
	m.Block, m.Off, m.Len = index, r.Off+ledger.MOPDUOffset, uint32(len(v.PDU))
	m.Accepted, m.Account, m.Carrier = r.At, v.Account, v.Carrier
	m.State, m.MO, m.Notice, m.Return = StateEnded, true, v.Notice, true
	b.Parked++
	b.live.add(index)
	b.maxMO = max(b.maxMO, r.ID.Seq()&^moSequence)
	if !b.replay && !v.Notice && v.Carrier != 0 { // carrier 0: a receipt of ours, replayed
		b.Counts.MO++
	}
	return b.tell(r, m)
}

// release forgets a message: its block may go when nothing else lives in it.
func (b *Book) release(m *Msg) {
	if !m.MO {
		b.Live[m.State]--
	}
	if !b.replay {
		b.unname(m, m.namer(), m.CarrierID())
	}
	if m.Of > 0 {
		b.unsplit(m)
	}
	b.unpin(m)
	b.t.drop(m)
}

// unpin lets go of the block, and the run, that m's PDU was in.
func (b *Book) unpin(m *Msg) {
	if !m.moved {
		b.live.drop(m.Block)
		if m.run != 0 {
			run := b.runs.at[m.run]
			if run.live--; run.live == 0 {
				b.runs.forget(run)
				b.runs.spend(run)
			}
		}
	}
}

// fold adds one record about a live message; gone means that the books need it no more.
func (b *Book) fold(r *ledger.Record, m *Msg) (gone bool, err error) {
	switch r.Kind {
	case ledger.KindRoute:
		return false, b.route(r, m)
	case ledger.KindDispatch:
		return false, b.dispatch(r, m)
	case ledger.KindAnswer:
		return false, b.answer(r, m)
	case ledger.KindDoubt:
		return false, b.doubt(r, m)
	case ledger.KindReceipt:
		return false, b.receipt(r, m)
	case ledger.KindOrder:
		return false, b.order(r, m)
	case ledger.KindFinal:
		return b.final(r, m)
	case ledger.KindReturn:
		return true, b.returned(r, m)
	case ledger.KindReplace:
		return false, b.replace(r, m)
	}
	return false, bad(r, m, "kind has no fold")
}

func (b *Book) route(r *ledger.Record, m *Msg) error {
	var p ledger.Route
	if !r.Route(&p) {
		return bad(r, m, "cut short")
	}
	if m.State != StateAccepted && m.State != StateRouted {
		return bad(r, m, "not waiting for a plan")
	}
	m.Committed, m.Routed, m.Verified, m.RouterWorker, m.VerifyWorker = p.CommittedAt, p.RoutedAt, r.At, p.Router, r.Worker
	m.RouteCatalog, m.N, m.Targets = p.Catalog, p.N, p.Targets
	if !b.Leads { // a leader may have gone on to another target since
		m.Target = 0
	}
	b.set(m, StateRouted)
	return nil
}

func (b *Book) dispatch(r *ledger.Record, m *Msg) error {
	var d ledger.Dispatch
	if !r.Dispatch(&d) || d.Target >= m.N {
		return bad(r, m, "cut short")
	}
	if m.State != StateRouted && m.State != StateDoubt {
		return bad(r, m, "not waiting for a link")
	}
	if d.Shape.Of > 0 || m.Of > 0 {
		b.shaped(m, &d.Shape)
	}
	m.Target, m.Carrier, m.Link, m.Buy, m.Attempts = d.Target, d.Carrier, d.Session, d.Buy, d.Attempt
	m.Dispatched, m.EgressWorker = r.At, r.Worker
	if r.Flags&ledger.FlagResend != 0 {
		m.Resends = min(m.Resends, math.MaxUint8-1) + 1
		if !b.replay {
			b.Counts.Resent++
		}
	}
	if !b.replay {
		b.Counts.Submitted++
	}
	b.set(m, StateDispatched)
	return nil
}

func (b *Book) answer(r *ledger.Record, m *Msg) error {
	var a ledger.Answer
	if !r.Answer(&a) {
		return bad(r, m, "cut short")
	}
	if m.State != StateDispatched && m.State != StateDoubt && m.State != StateRouted {
		return bad(r, m, "not waiting for an answer")
	}
	if a.Outcome == ledger.Moved {
		return b.moved(r, m, &a)
	}
	m.Answered, m.Status = r.At, a.Status
	if a.More {
		b.partTaken(r, m, &a)
		return nil
	}
	if a.Outcome == ledger.Taken {
		if a.Parted {
			b.SetPartID(m, a.Part, a.CarrierID)
		} else {
			b.SetCarrierID(m, m.Carrier, a.CarrierID)
		}
		m.WasTaken = true
		m.Cost += a.Cost
		if !b.replay {
			b.acc.owe(m.Carrier, a.Cost)
		}
		b.set(m, StateTaken)
		return nil
	}
	if !b.replay {
		b.pack.attempt(&Attempt{ID: m.ID, Account: m.Account, N: m.Attempts, Target: m.Target, Carrier: m.Carrier, Link: m.Link, Worker: m.EgressWorker,
			Dispatched: m.Dispatched, Answered: r.At, Status: a.Status, Outcome: a.Outcome, Resend: m.Resends > 0})
	}
	b.aim(m, a.Target, a.Due)
	b.set(m, StateRouted)
	return nil
}

func (b *Book) receipt(r *ledger.Record, m *Msg) error {
	var v ledger.Receipt
	if !r.Receipt(&v) {
		return bad(r, m, "cut short")
	}
	if before := pdu.State(m.ReceiptState); !v.Parted || m.Receipted == 0 || before == pdu.StateDelivered || !before.Final() {
		m.ReceiptState, m.Receipted, m.ReceiptDone = v.State, r.At, v.Done
		m.errLen = uint8(copy(m.err[:], v.Err))
	} // of several parts the first that was not delivered speaks for all
	if v.Parted && pdu.State(v.State).Final() {
		b.EndPart(m, v.Part, v.State, v.Err)
	}
	m.Cost += v.Cost
	if v.Inferred {
		if m.State != StateDoubt {
			return bad(r, m, "inferred, and not in doubt")
		}
		b.SetCarrierID(m, m.Carrier, v.ID)
		m.WasTaken, m.Inferred, m.Answered = true, true, r.At
		b.set(m, StateTaken)
	} else if m.cidLen == 0 && !v.Parted {
		m.cidLen = uint8(copy(m.cid[:], v.ID))
	}
	if !b.replay {
		b.acc.owe(m.Carrier, v.Cost)
		if m.State == StateEnded {
			b.acc.close(m.Carrier, v.Cost)
		}
	}
	return nil
}

func (b *Book) final(r *ledger.Record, m *Msg) (gone bool, err error) {
	var f ledger.Final
	if !r.Final(&f) {
		return false, bad(r, m, "cut short")
	}
	if m.State == StateEnded {
		return false, bad(r, m, "ended twice")
	}
	if f.Hold != m.Hold || f.Charge > f.Hold || f.Charge < 0 {
		return false, bad(r, m, fmt.Sprintf("hold %v and charge %v against a hold of %v", f.Hold, f.Charge, m.Hold))
	}
	m.End, m.Reason, m.Detail, m.FinalStatus, m.Charge = f.End, f.Reason, f.Detail, f.Status, f.Charge
	m.Ended, m.BillingWorker, m.Return = r.At, r.Worker, f.Return
	b.set(m, StateEnded)
	if f.Return {
		b.Parked++
	}
	if !b.replay {
		b.Counts.Ends[f.End]++
		b.acc.settle(m.Account, f.Hold, f.Charge)
		b.acc.close(m.Carrier, m.Cost)
		if err := b.writeEDR(m); err != nil {
			return false, err
		}
	}
	return !f.Return, nil
}

func (b *Book) writeEDR(m *Msg) error {
	p, err := b.PDU(m)
	if err != nil {
		return err
	}
	if st := b.view.Parse(p); st != pdu.ROK {
		return fmt.Errorf("%w: message %v no longer parses: %v", ErrBooks, m.ID, st)
	}
	m.Coding = b.view.DataCoding()
	b.pack.edr(m, b.view.SrcAddr(), b.view.DstAddr())
	b.noteParts(m)
	return nil
}

func (b *Book) returned(r *ledger.Record, m *Msg) error {
	var v ledger.Return
	if !r.Return(&v) {
		return bad(r, m, "cut short")
	}
	if m.State != StateEnded || !m.Return {
		return bad(r, m, "no receipt is due")
	}
	m.Return = false
	b.Parked--
	if b.replay {
		return nil
	}
	if m.MO {
		if !m.Notice && v.Session != 0 && m.Carrier != 0 {
			b.Counts.MOTaken++
			return b.took(r, m, &v)
		}
		return nil
	}
	if v.Session != 0 {
		b.Counts.Returned++
	}
	b.pack.returned(&Returned{ID: m.ID, At: r.At, Worker: r.Worker, Session: v.Session, Status: v.Status})
	return nil
}
