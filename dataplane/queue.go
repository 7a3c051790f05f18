package dataplane

import (
	"smsplane/ledger"
	"smsplane/ledger/book"
)

// queue is one FIFO of the lane: what is served next in memory, then what left memory for runs, then what
// came since. While there are no runs everything stands in front.
//
//	served ◄── front (list) ◄── runs (disk, in order) ◄── back (list) ◄── new
type queue struct {
	kind    ledger.RunQueue
	carrier uint16
	class   ledger.Class
	front   book.List
	back    book.List
	runs    []uint32
	spilled int    // messages in runs
	loading uint32 // run whose LOAD is on its way; 0 is none
}

const (
	runMessages = 4096      // messages of one run
	keepFront   = 32 << 10  // messages that stay in memory, whatever else is spilled
	loadBelow   = 8 << 10   // messages in front below which the next run is loaded
	spillTurn   = 64 << 10  // messages moved from front to back in one go, at most
	externalCap = 128 << 10 // planned and unverified messages above which the router leaves the rest where it is
)

// Len is how many messages wait, in memory and on disk.
func (q *queue) Len() int { return q.front.Len() + q.spilled + q.back.Len() }

// push appends a message; served says that it stands in front.
func (q *queue) push(b *book.Book, m *book.Msg) (served bool) {
	if len(q.runs) == 0 && q.back.Len() == 0 {
		b.Push(&q.front, m)
		return true
	}
	m.Note |= noteBack
	b.Push(&q.back, m)
	return false
}

// remove takes a message out, wherever it stands; served says that it stood in front.
func (q *queue) remove(b *book.Book, m *book.Msg) (served bool) {
	if m.Note&noteBack != 0 {
		m.Note &^= noteBack
		b.Remove(&q.back, m)
		return false
	}
	b.Remove(&q.front, m)
	return true
}

// advance brings the back to the front when nothing stands between; n messages more are served.
func (q *queue) advance(b *book.Book) (n int) {
	if len(q.runs) > 0 {
		return 0
	}
	for q.back.Len() > 0 && n < spillTurn {
		m := b.Pop(&q.back)
		m.Note &^= noteBack
		b.Push(&q.front, m)
		n++
	}
	return n
}

// oldest is when the first message was accepted, 0 for an empty queue.
func (q *queue) oldest(b *book.Book) int64 {
	if m := b.Front(&q.front); m != nil {
		return m.Accepted
	}
	if len(q.runs) > 0 {
		return b.RunOf(q.runs[0]).Oldest
	}
	if m := b.Front(&q.back); m != nil {
		return m.Accepted
	}
	return 0
}
