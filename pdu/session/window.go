package session

import "smsplane/pdu"

const (
	maxSequence = 0x7FFFFFFF // SMPP 3.4 §3.2: 1 to 0x7FFFFFFF
	maxWindow   = 1 << 20
	minSlots    = 16 // of a window table, before it grows
	none        = -1
)

// A slot is one unanswered request of ours. sequence 0 marks it free, no request has it.
type slot struct {
	tag        uint64
	sentAt     int64
	sequence   uint32
	command    pdu.Command
	prev, next int32 // neighbours in the order of sending
}

// A window is the table of unanswered requests: a request lives in slots[sequence & mask], so a response
// finds it in one step, and the slots are chained in the order of sending, so the oldest is at hand.
//
// At least half of the slots are free. New sequence numbers skip a taken slot (see free), and one walk
// around the table meets each taken slot once, so skipping costs at most one step per request on average
// even when the peer leaves half of a window unanswered for ever. There are no pointers in it, so the
// garbage collector does not scan it.
type window struct {
	slots       []slot
	first, last int32
	used        int
}

func newWindow() window { return window{first: none, last: none} }

func (w *window) at(sequence uint32) int32 { return int32(sequence & uint32(len(w.slots)-1)) }

// free says whether a new request may have this sequence number.
func (w *window) free(sequence uint32) bool {
	return len(w.slots) == 0 || w.slots[w.at(sequence)].sequence == 0
}

// find returns the slot of an unanswered request.
func (w *window) find(sequence uint32) (int32, bool) {
	if len(w.slots) == 0 || sequence == 0 {
		return none, false
	}
	i := w.at(sequence)
	return i, w.slots[i].sequence == sequence
}

// add makes a request the newest. reserve came before it, and free said yes.
func (w *window) add(r slot) {
	i := w.at(r.sequence)
	r.prev, r.next = w.last, none
	if w.last == none {
		w.first = i
	} else {
		w.slots[w.last].next = i
	}
	w.last = i
	w.slots[i] = r
	w.used++
}

// take removes and returns a request.
func (w *window) take(i int32) slot {
	r := w.slots[i]
	if r.prev == none {
		w.first = r.next
	} else {
		w.slots[r.prev].next = r.next
	}
	if r.next == none {
		w.last = r.prev
	} else {
		w.slots[r.next].prev = r.prev
	}
	w.slots[i].sequence = 0
	w.used--
	return r
}

// reserve makes room for one more request, keeping half of the slots free.
func (w *window) reserve() {
	if 2*(w.used+1) <= len(w.slots) {
		return
	}
	old := *w
	*w = newWindow()
	w.slots = make([]slot, max(minSlots, 2*len(old.slots)))
	// Numbers that differ in the low bits still differ with one bit more: nothing can collide here.
	for i := old.first; i != none; i = old.slots[i].next {
		w.add(old.slots[i])
	}
}
