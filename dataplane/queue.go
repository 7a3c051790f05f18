package dataplane

import (
	"slices"

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
	split   bool   // it stands among the lane's
	loading uint32 // run whose LOAD is on its way; 0 is none
	newest  uint64 // sequence in runs when the lane began to lead

	// Those that came back and stand in front, by id, which is the order they stand in. Some have gone since: served, or
	// otherwise. The ones at the head of the queue are the first here, so it is no longer than what came back and was not served yet,
	// with what left amid that.
	came []ledger.MsgID
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
	if at, ok := slices.BinarySearch(q.came, m.ID); ok { // it was in another queue meanwhile
		q.came = slices.Delete(q.came, at, at+1)
	}
	if len(q.runs) == 0 && q.back.Len() == 0 || q.beforeRuns(b, m) {
		b.Push(&q.front, m)
		return true
	}
	m.Note |= noteBack
	b.Push(&q.back, m)
	return false
}

// restore is push as the lane begins to lead, when messages come in the order of their ids. On which side of the runs one stood is
// not in the log. What a run of this queue brought stood in front, and what is no newer than the newest in runs, unless it came late:
// from another carrier, or when it was due.
func (q *queue) restore(b *book.Book, m *book.Msg) (served bool) {
	late := q.kind == ledger.RunInternal && (m.Target > 0 || m.Due > 0)
	r := b.RunOf(m.Run())
	if r != nil && r.Queue == q.kind && r.Carrier == q.carrier && r.Class == q.class || m.ID.Seq() < q.newest && !late {
		b.Push(&q.front, m)
		return true
	}
	return q.push(b, m)
}

// beforeRuns says that a message is older than what stands in runs.
func (q *queue) beforeRuns(b *book.Book, m *book.Msg) bool {
	if len(q.runs) == 0 {
		return false
	}
	r := b.RunOf(q.runs[0])
	return r != nil && m.ID.Seq() < r.MinSeq
}

// rejoin puts a message that was served here back where it stood. All that was before it was served, too: so it stands before what
// was not, behind what came back already and is older. It may come back in any order, in parts, at any time.
func (q *queue) rejoin(b *book.Book, m *book.Msg) (served bool) {
	at, n := q.older(b, m.ID)
	q.insert(b, at, n, m)
	return true
}

// mergeSteps bounds the search for a place among what was never served.
const mergeSteps = 64

// merge puts a message that another carrier had before what was accepted after it, where that is near: from the front, or from
// behind what came back and is older. Else its place is the end.
func (q *queue) merge(b *book.Book, m *book.Msg) (served bool) {
	at, n := q.older(b, m.ID)
	next := b.Front(&q.front)
	if at != nil {
		next = b.After(at)
	}
	for range mergeSteps {
		if next == nil {
			break
		}
		if m.ID < next.ID {
			q.insert(b, at, n, m)
			return true
		}
		at, next = next, b.After(next)
	}
	return q.push(b, m)
}

// insert puts a message behind another in front, nil is the head, and notes it as the nth of those that came back.
func (q *queue) insert(b *book.Book, at *book.Msg, n int, m *book.Msg) {
	q.came = slices.Insert(q.came, n, m.ID)
	if at == nil {
		b.PushFront(&q.front, m)
		return
	}
	b.PushAfter(&q.front, at, m)
}

// older is the last message that came back and is older than id, nil for none, and how many such there are. It forgets some of those
// that have gone.
func (q *queue) older(b *book.Book, id ledger.MsgID) (at *book.Msg, n int) {
	gone := 0
	for gone < len(q.came) && q.standing(b, q.came[gone]) == nil {
		gone++
	}
	q.came = slices.Delete(q.came, 0, gone)
	n, _ = slices.BinarySearch(q.came, id)
	to := n
	for ; n > 0; n-- {
		if at = q.standing(b, q.came[n-1]); at != nil {
			break
		}
	}
	if to < len(q.came) && q.came[to] == id { // it came back once before
		to++
	}
	q.came = slices.Delete(q.came, n, to)
	return at, n
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

// drop takes a run of so many messages out. Mostly it is the first, and those behind it stay where they are: they may be a hundred
// thousand.
func (q *queue) drop(run, messages uint32) {
	switch at := slices.Index(q.runs, run); at {
	case -1:
		return
	case 0:
		q.runs = q.runs[1:]
	default:
		q.runs = slices.Delete(q.runs, at, at+1)
	}
	q.spilled -= int(messages)
}

// oldest is when the first message was accepted, 0 for an empty queue. Of a run whose MOVE is on its way it is not known yet: then the
// next place tells, which is younger by a moment.
func (q *queue) oldest(b *book.Book) int64 {
	if m := b.Front(&q.front); m != nil {
		return m.Accepted
	}
	if len(q.runs) > 0 {
		if r := b.RunOf(q.runs[0]); r != nil {
			return r.Oldest
		}
	}
	if m := b.Front(&q.back); m != nil {
		return m.Accepted
	}
	return 0
}
