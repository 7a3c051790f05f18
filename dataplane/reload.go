package dataplane

import (
	"fmt"

	"smsplane/ledger/book"
	"smsplane/ledger/journal"
)

// A lane that was deposed has its book loaded anew: what was flushed last, and the log from the low-water mark of that flush on, not from
// where it begins, which may be far back on behalf of a member that is away. It can still be hundreds of thousands of messages, so it
// goes by turns of the executor, a part of the log in each. Other lanes are led and followed here meanwhile: were they not heard for as
// long as one lane takes, each of them would be deposed, too, and have to be loaded anew next.
//
// Until it is through the lane is not taken from whoever would hand it over, who leads it to work; and where it is won by election it is
// left to a host that has its book.

// reloading is how far that is.
type reloading struct {
	since   int64      // the lane was deposed
	book    *book.Book // the new one, the lane's once the log is replayed up to stored; nil: that has not begun
	stored  uint64     // index of what was flushed
	next    uint64     // index in the log
	entries uint64     // of the log, folded so far
}

const (
	// reloadTurn is how many octets of a lane's log are folded anew in one turn: a millisecond or two.
	reloadTurn = 256 << 10
	// reloadEntry is what an entry counts beside its octets.
	reloadEntry = 64
)

// unload gives the lane's book up; it is loaded anew once the store shows what was flushed of it.
func (l *lane) unload() {
	l.loading, l.readable, l.anew = true, false, reloading{since: l.x.now}
	l.book = l.newBook(&blocks{log: l.log})
	l.rep.SetUnfit(true)
}

// reload brings the book nearer to where the replica is, and says how many entries it folded.
func (l *lane) reload() (n int) {
	x := l.x
	x.doing = step{layer: inFold}
	n, through, err := l.refold()
	x.doing = step{}
	switch {
	case err == nil && !through:
		return n
	case err != nil:
		if err = l.spoil(err); err == nil {
			return n
		}
	}
	l.loading, l.untidy = false, true
	l.rep.SetUnfit(false)
	if err == nil && l.n == 0 && l.book.System.Version > 0 {
		err = x.install()
	}
	if err != nil {
		x.fail(fmt.Errorf("lane %d: loading the books anew: %w", l.n, err))
		return n
	}
	if x.guests != nil {
		l.booksAreBack()
	}
	x.log.Info("a lane's books were loaded anew", "lane", l.n, "entries", l.anew.entries)
	return n
}

// booksAreBack brings what the owner of the links knows of the lane in line with its books. While they were not here nothing was found in
// them: what was in doubt when the lane was led here is known no more, and receipts that came, or whose answer was folded, found no
// message.
func (l *lane) booksAreBack() {
	x := l.x
	l.eachDoubt(x.watchDoubt)
	x.strays.stirred = true
	if len(x.early.byID) > 0 {
		l.eachDoubt(x.revealAbroad)
	}
}

// refold folds what one turn takes of the log; through says that the book is where the replica is.
func (l *lane) refold() (n int, through bool, err error) {
	r, left := &l.anew, l.x.reloadTurn
	if r.book == nil {
		r.book = l.newBook(&blocks{log: l.log})
		l.x.folding = r.book
		if err := r.book.LoadStored(l.x.db); err != nil {
			return 0, false, err
		}
		r.stored, r.next = r.book.Applied(), max(l.log.First(), l.lowWater)
	}
	l.x.folding = r.book
	scan := func(to uint64, fold func(index uint64, block []byte) error) error {
		return l.log.Scan(r.next, to, func(e journal.Entry) error {
			if left <= 0 {
				return journal.ErrStop
			}
			left -= len(e.Data) + reloadEntry
			n++
			r.next, r.entries = e.Index+1, r.entries+1
			return fold(e.Index, e.Block())
		})
	}
	if l.book != r.book {
		if err = scan(r.stored, r.book.Replay); err != nil || r.next <= r.stored {
			return n, false, err
		}
		r.book.Loaded()
		l.book = r.book
	}
	err = scan(l.rep.Applied(), l.book.Apply)
	return n, err == nil && r.next > l.rep.Applied(), err
}

// leave hands a lane that was won before its book is here to a host that has it.
func (l *lane) leave(now int64) {
	if now >= max(l.handAt, l.anew.since+int64(handEvery)) && l.rep.Leader() {
		l.handAt = now + int64(handEvery)
		_ = l.cedeTo(0) // nobody to take it: it is asked for again
	}
}
