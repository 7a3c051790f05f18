package entry

import (
	"time"

	"smsplane/ledger"
	"smsplane/pdu"
)

// Limits of a block: it is cut at either, and earlier when few are on their way.
const (
	BlockMessages = 512
	BlockBytes    = 128 << 10

	chunkBytes = 1 << 20 // blocks are ranges of chunks, left to the collector
	pipelined  = 4       // blocks on their way above which a small one waits for company
	stalled    = 64      // blocks on their way at which new messages are refused: the store does not keep up

	slowCommit = time.Second // a block on its way for longer refuses new messages
)

// ticket is a response that is owed once the block is committed.
type ticket struct {
	s       *Session
	command pdu.Command
	seq     uint32
	id      ledger.MsgID
	at      int64
	wait    bool // the answer waits for the end of the message
}

// Lane is the loop's side of one lane: the open block and who waits for the ones on their way.
type Lane struct {
	Number uint16

	next    uint64 // sequence for the next message
	chunk   []byte // the open block grows at its end
	open    []byte
	n       int
	tickets []ticket
	head    int     // tickets before it are answered
	cuts    []int   // messages of each block on its way, oldest first
	cutAt   []int64 // when they were cut
	cutHead int
	closed  bool // the lane is not led here
	cramped bool // what enters it would need a disk of another host that is full
}

// NewLane starts behind every sequence the lane ever used.
func NewLane(number uint16, next uint64) *Lane { return &Lane{Number: number, next: next} }

// close forgets the open block and who waits: the lane is not led here any more. What was on its way may be
// committed by another leader or not; nobody is told.
func (l *Lane) close() {
	clear(l.tickets)
	l.open, l.n = nil, 0
	l.tickets, l.head = l.tickets[:0], 0
	l.cuts, l.cutAt, l.cutHead = l.cuts[:0], l.cutAt[:0], 0
	l.closed = true
}

// lead begins anew behind every sequence that the lane ever used.
func (l *Lane) lead(next uint64) { l.next, l.closed, l.cramped = next, false, false }

// InFlight is the number of blocks cut and not committed.
func (l *Lane) InFlight() int { return len(l.cuts) - l.cutHead }

// slow says that the oldest block on its way has waited for the store longer than a client should wait behind it.
func (l *Lane) slow(now int64) bool {
	return l.InFlight() >= stalled || l.cutHead < len(l.cutAt) && now-l.cutAt[l.cutHead] > int64(slowCommit)
}

// add puts an accepted message into the open block.
func (l *Lane) add(worker uint8, a *ledger.Accept, t ticket) ledger.MsgID {
	if l.n == 0 {
		if cap(l.chunk)-len(l.chunk) < BlockBytes+ledger.BlockHeader+len(a.PDU)+ledger.AcceptPDUOffset+64 {
			l.chunk = make([]byte, 0, max(chunkBytes, 2*len(a.PDU)+BlockBytes))
		}
		l.open = ledger.OpenBlock(l.chunk[len(l.chunk):])
	}
	t.id = ledger.MakeMsgID(l.Number, l.next)
	l.next++
	l.open = ledger.AppendAccept(l.open, worker, t.id, t.at, a)
	l.n++
	l.tickets = append(l.tickets, t)
	return t.id
}

// full says that the open block must be cut before anything is added.
func (l *Lane) full() bool { return l.n >= BlockMessages || len(l.open) >= BlockBytes }

// cut seals the open block; nil when there is nothing, or when it had better wait for company.
func (l *Lane) cut(now int64, force bool) (block []byte, messages int) {
	if l.n == 0 || !force && !l.full() && l.InFlight() >= pipelined {
		return nil, 0
	}
	block, messages = ledger.SealBlock(l.open, l.Number, l.n, now), l.n
	if end := len(l.chunk) + len(block); end <= cap(l.chunk) {
		l.chunk = l.chunk[:end]
	}
	l.cuts, l.cutAt = append(l.cuts, l.n), append(l.cutAt, now)
	l.open, l.n = nil, 0
	return block[:len(block):len(block)], messages
}

// committed answers the oldest block on its way.
func (l *Lane) committed(answer func(t *ticket)) {
	n := l.cuts[l.cutHead]
	l.cutHead++
	for i := range l.tickets[l.head : l.head+n] {
		t := &l.tickets[l.head+i]
		answer(t)
		t.s = nil
	}
	l.head += n
	if l.head == len(l.tickets) {
		l.tickets, l.head = l.tickets[:0], 0
	} else if l.head > 64<<10 {
		rest := copy(l.tickets, l.tickets[l.head:])
		clear(l.tickets[rest:])
		l.tickets, l.head = l.tickets[:rest], 0
	}
	if l.cutHead == len(l.cuts) {
		l.cuts, l.cutAt, l.cutHead = l.cuts[:0], l.cutAt[:0], 0
	} else if l.cutHead > 2*stalled { // under load some block is always on its way
		l.cutAt = l.cutAt[:copy(l.cutAt, l.cutAt[l.cutHead:])]
		l.cuts, l.cutHead = l.cuts[:copy(l.cuts, l.cuts[l.cutHead:])], 0
	}
}
