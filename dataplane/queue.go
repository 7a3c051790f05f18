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

	rejoined ledger.MsgID // the last one, near which the next one will stand
}

const (
	runMessages = 1024      // messages of one run: what is folded in one go when it comes back
	fetchAhead  = 4         // runs of a queue that are read before they are needed
	keepFront   = 16 << 10  // messages that stay in memory, whatever else is spilled
	loadBelow   = 8 << 10   // messages in front below which the next run is loaded
	spillTurn   = 64 << 10  // messages moved from front to back in one go, at most
	externalCap = 128 << 10 // planned and unverified messages of a lane above which the router leaves the rest where it is
)

// Len is how many messages wait, in memory and on disk.
func (q *queue) Len() int { return q.front.Len() + q.spilled + q.back.Len() }

// push appends a message; served says that it stands in front.
func (q *queue) push(b *book.Book, m *book.Msg) (served bool) {
	if len(q.runs) == 0 && q.back.Len() == 0 || q.beforeRuns(b, m) {
		b.Push(&q.front, m)
		return true
	}
	m.Note |= noteBack
	b.Push(&q.back, m)
	return false
}

// beforeRuns says that a message is older than what stands in runs: it was in front of them, before the process began
// anew or a link gave it back.
func (q *queue) beforeRuns(b *book.Book, m *book.Msg) bool {
	if len(q.runs) == 0 {
		return false
	}
	r := b.RunOf(q.runs[0])
	return r != nil && m.ID.Seq() < r.MinSeq
}

// rejoinSteps bounds the search for the place of a message that comes back.
const rejoinSteps = 64

// rejoin puts a message that was served once back where it stood, before what was accepted after it. What a link gives
// back comes in order, so the place is mostly the one behind the last that came back. A place that is not near, from
// there or from the front, is the end: the message has seen more of the queue pass than an order would tell.
func (q *queue) rejoin(b *book.Book, m *book.Msg) (served bool) {
	head := b.Front(&q.front)
	if len(q.runs) > 0 && !q.beforeRuns(b, m) {
		return q.push(b, m)
	}
	defer func() { q.rejoined = m.ID }()
	if head == nil || m.ID < head.ID {
		b.PushFront(&q.front, m)
		return true
	}
	for _, at := range [...]*book.Msg{q.standing(b, q.rejoined), head} {
		if at == nil || m.ID < at.ID {
			continue
		}
		for range rejoinSteps {
			next := b.After(at)
			if next == nil || m.ID < next.ID {
				b.PushAfter(&q.front, at, m)
				return true
			}
			at = next
		}
	}
	return q.push(b, m)
}

// standing is a message, if it stands in front.
func (q *queue) standing(b *book.Book, id ledger.MsgID) *book.Msg {
	m := b.Get(id)
	if m == nil || m.Phase != phaseQueued || !m.Listed() || m.Note&noteBack != 0 || m.Class != q.class || m.N == 0 || m.Present().Carrier != q.carrier {
		return nil
	}
	return m
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
