package book

import (
	"fmt"

	"smsplane/ledger"
)

// State is where a message stands in the books.
//
//	accepted → routed → dispatched → taken → ended
//	               ↑        │ ↘ doubt ↗
//	               └────────┘ retry, next target, resend
type State uint8

const (
	StateNone       State = iota
	StateAccepted         // in the external queue
	StateRouted           // in the internal queue of its present target
	StateDispatched       // a link has it, or is about to
	StateTaken            // the carrier has it, a receipt may come
	StateDoubt            // dispatched, and nobody knows whether it arrived
	StateEnded            // final; kept while the client has not taken its receipt
	States          = int(StateEnded) + 1
)

var stateNames = [States]string{"none", "accepted", "routed", "dispatched", "taken", "in_doubt", "ended"}

func (s State) String() string { return stateNames[s] }

// Msg is one live message. It holds no pointers, so that a large table costs the collector nothing. Nearly all
// time spent on one is cache misses, so fields stand in the order of how often they are looked at, a line of
// 64 octets after the other.
type Msg struct {
	ID      ledger.MsgID
	asOf    uint64 // for stragglers: everything up to this index is in it already
	next    uint32 // leader: the list it stands in
	prev    uint32
	slot    uint32
	Link    uint32 // link session of the present attempt
	With    uint32 // leader: the client's bind that its receipt is with
	Note    uint32 // leader: flags of the executor
	Account uint32
	Carrier uint16 // that it was last dispatched to
	State   State
	Phase   uint8 // leader: which decision is on its way; meaning is the executor's
	Class   ledger.Class
	Parts   uint8
	N       uint8 // targets
	Target  uint8 // the one that is tried now
	Attempts,
	Resends uint8
	Policy   ledger.Policy
	Fails    uint8 // leader: answers with an error so far
	moved    bool  // its own key holds it, not its block
	Return   bool  // the client's receipt has not been taken yet
	MO       bool  // a message from a carrier, not from a client
	WasTaken bool  // some carrier took it
	Of       uint8 // parts that it is sent in; 0: it goes whole
	Part     uint8 // that is sent now or next

	Block    uint64 // raft index of the block that carries its PDU
	Off, Len uint32 // of the PDU in its block, or in its run
	run      uint32 // that holds its PDU instead of its block; 0 is none
	Number   uint64
	Hold     ledger.Micro
	Buy      ledger.Micro // per part, of the present attempt
	Cost     ledger.Micro // owed to carriers so far
	Group    uint64       // leader: of the parts of its text; 0: not known yet
	Accepted int64
	ValidUntil,
	Due int64

	Committed, Routed, Verified, Dispatched, Answered, Receipted, Ended int64
	ReceiptDone                                                         int64

	Charge        ledger.Micro
	Session       uint32 // the client's bind
	Row, Catalog  uint32
	RouteCatalog  uint32
	Status        uint32 // last answer
	FinalStatus   uint32
	End           ledger.End
	Reason        ledger.Reason
	Detail        uint8
	ReceiptState  uint8
	Inferred      bool
	Held          bool // by an operator
	Stripped      bool // its body has gone, all but the addresses
	Coding        uint8
	Registered    uint8 // registered_delivery as the client asked
	Behind        uint8 // messages of its submit_multi before it
	Tries         uint8 // leader: times that the client could not take its receipt just then
	Losses        uint8 // leader: sessions and answers that it was lost with
	Notice        bool  // with MO: an intermediate notification, which is no message
	Once          bool  // it is tried once, without a receipt
	Transact      bool  // its answer waits for its end
	Broadcast     bool  // it keeps a broadcast_sm
	Concat        bool  // it is one part of a text that the client split
	ShortID       bool  // the client knows its id by eight digits
	EntryWorker   uint8
	RouterWorker  uint8
	VerifyWorker  uint8
	EgressWorker  uint8
	BillingWorker uint8
	namedBy       uint16 // carrier that CarrierID is the word of
	cidLen        uint8
	errLen        uint8
	err           [8]byte
	cid           [maxCarrierID]byte
	Targets       [ledger.MaxTargets]ledger.PlanTarget
}

// Name is the id that the client knows the message by: that of its submit_multi's first, if it came in one.
func (m *Msg) Name() ledger.MsgID { return m.ID - ledger.MsgID(m.Behind) }

// Present is the target that is tried now.
func (m *Msg) Present() *ledger.PlanTarget { return &m.Targets[m.Target] }

// CarrierID is the carrier's name for the message; empty until it took it. message_id has at most 64 octets
// (SMPP 3.4 §5.2.23); what is longer is cut.
func (m *Msg) CarrierID() []byte { return m.cid[:m.cidLen] }

// Err is the err: field of the receipt.
func (m *Msg) Err() []byte { return m.err[:m.errLen] }

// maxCarrierID is message_id without its NUL (SMPP 3.4 §5.2.23).
const maxCarrierID = 64

const (
	chunkBits = 10
	chunkSize = 1 << chunkBits
)

// table keeps live messages in chunks that never move. Slot 0 is nobody.
type table struct {
	chunks [][]Msg
	free   []uint32
	bySeq  seqIndex
	used   uint32
}

func newTable() table { return table{bySeq: newSeqIndex(), used: 1} }

func (t *table) at(slot uint32) *Msg { return &t.chunks[slot>>chunkBits][slot&(chunkSize-1)] }

func (t *table) get(id ledger.MsgID) *Msg {
	if s, ok := t.bySeq.get(id.Seq()); ok {
		return t.at(s)
	}
	return nil
}

func (t *table) add(id ledger.MsgID) *Msg {
	var s uint32
	if n := len(t.free); n > 0 {
		s, t.free = t.free[n-1], t.free[:n-1]
	} else {
		s = t.used
		t.used++
		if int(s>>chunkBits) == len(t.chunks) {
			t.chunks = append(t.chunks, make([]Msg, chunkSize))
		}
	}
	m := t.at(s) // empty: it was never used, or drop left it so
	m.ID, m.slot = id, s
	t.bySeq.put(id.Seq(), s)
	return m
}

func (t *table) drop(m *Msg) {
	if m.next != 0 || m.prev != 0 {
		panic(fmt.Sprintf("book: message %v released while it stands in a list", m.ID))
	}
	t.bySeq.drop(m.ID.Seq())
	s := m.slot
	*m = Msg{}
	t.free = append(t.free, s)
}

// List is a FIFO of live messages of one book, linked through their slots. A message stands in at most one
// list. The zero List is empty.
type List struct {
	head, tail uint32
	n          int
}

// Len is the number of messages in the list.
func (l *List) Len() int { return l.n }

// listed marks both ends, so that a lone message still shows that it stands in a list.
const listed = ^uint32(0)

// Push appends m.
func (b *Book) Push(l *List, m *Msg) {
	if m.next != 0 || m.prev != 0 {
		panic(fmt.Sprintf("book: message %v pushed while it stands in a list", m.ID))
	}
	m.next, m.prev = listed, listed
	if l.n == 0 {
		l.head = m.slot
	} else {
		b.t.at(l.tail).next = m.slot
		m.prev = l.tail
	}
	l.tail = m.slot
	l.n++
}

// PushFront puts m before all others: it was taken off and could not be used.
func (b *Book) PushFront(l *List, m *Msg) {
	if l.n == 0 {
		b.Push(l, m)
		return
	}
	if m.next != 0 || m.prev != 0 {
		panic(fmt.Sprintf("book: message %v pushed while it stands in a list", m.ID))
	}
	m.next, m.prev = l.head, listed
	b.t.at(l.head).prev = m.slot
	l.head = m.slot
	l.n++
}

// PushAfter puts m behind one that stands in l.
func (b *Book) PushAfter(l *List, at, m *Msg) {
	if at.next == listed {
		b.Push(l, m)
		return
	}
	if m.next != 0 || m.prev != 0 {
		panic(fmt.Sprintf("book: message %v pushed while it stands in a list", m.ID))
	}
	m.next, m.prev = at.next, at.slot
	b.t.at(at.next).prev = m.slot
	at.next = m.slot
	l.n++
}

// After is the message behind one that stands in a list, nil at its end.
func (b *Book) After(m *Msg) *Msg {
	if m.next == listed {
		return nil
	}
	return b.t.at(m.next)
}

// Front is the oldest message of the list, nil when empty.
func (b *Book) Front(l *List) *Msg {
	if l.n == 0 {
		return nil
	}
	return b.t.at(l.head)
}

// Back is the newest message of the list, nil when empty.
func (b *Book) Back(l *List) *Msg {
	if l.n == 0 {
		return nil
	}
	return b.t.at(l.tail)
}

// Pop takes the oldest message off.
func (b *Book) Pop(l *List) *Msg {
	m := b.Front(l)
	if m != nil {
		b.Remove(l, m)
	}
	return m
}

// Remove takes m out of the list it stands in, which must be l.
func (b *Book) Remove(l *List, m *Msg) {
	if m.next == 0 || m.prev == 0 {
		panic(fmt.Sprintf("book: message %v removed from a list it does not stand in", m.ID))
	}
	if m.prev == listed {
		l.head = m.next
	} else {
		b.t.at(m.prev).next = m.next
	}
	if m.next == listed {
		l.tail = m.prev
	} else {
		b.t.at(m.next).prev = m.prev
	}
	m.next, m.prev = 0, 0
	l.n--
	if l.n == 0 {
		*l = List{}
	}
}

// Listed says that m stands in some list.
func (m *Msg) Listed() bool { return m.next != 0 }
