package dataplane

import (
	"errors"
	"fmt"
	"path/filepath"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/journal"
	"smsplane/pdu"
)

// A run comes back in two steps: it is read and taken apart, on a goroutine that may wait for the disk; then the LOAD is proposed, and when
// that is folded nothing is read any more. No queue has the executor wait for a run; a client's cancel_sm, replace_sm or query_sm
// of a message that is on disk does, to find it.
//
// A run that cannot be read, or is not what was written, has no copy to be read from instead. It is set aside: its queue
// goes on without it, its messages stay in the books as they are, with what is held for them, `queue list` and the metrics
// count them as damaged, the log says where the damage is, and what can still be read of it is kept in the quarantine
// folder. The next start, or the next leader, tries again. A backup or another host's copy brings them back.

// fetch has a run read, unless it is at hand or is being read. One whose MOVE is on its way is at hand once that is folded.
func (l *lane) fetch(id uint32) {
	r := l.book.RunOf(id)
	if r == nil || l.book.AtHand(id) || l.reading[id] {
		return
	}
	l.reading[id] = true
	b, head := l.book, *r
	l.x.beside(func() func() {
		u, err := readRun(l.x.db, l.n, &head)
		return func() { l.fetched(b, id, u, err) }
	})
}

// readRun reads a run and takes it apart. Any goroutine may call it, with a head that nobody changes.
func readRun(db *journal.DB, lane uint16, head *book.Run) (u *book.Unpacked, err error) {
	p, err := book.ReadRun(stragglers{db}, lane, head.ID, head.Pieces)
	if err == nil {
		u, err = p.Unpack(lane, head.Count)
	}
	if err != nil {
		return nil, fmt.Errorf("run %d of lane %d: %w", head.ID, lane, err)
	}
	return u, nil
}

// fetched goes on with a run that was read; the lane may have been led elsewhere meanwhile.
func (l *lane) fetched(b *book.Book, id uint32, u *book.Unpacked, err error) {
	if l.book != b {
		return
	}
	delete(l.reading, id)
	r := b.RunOf(id)
	switch {
	case !l.leading || r == nil || r.Loaded != 0:
	case b.AtHand(id): // a deed read it, too, and has done with it what there is to do
	case err == nil:
		b.Bring(id, u)
		if l.rework[id] != nil { // a queue looks by itself
			l.proposeLoad(id)
		}
	case damaged(err):
		l.quarantine(r, err)
	default:
		l.x.fail(err)
	}
}

// damaged says that an error is about bytes that are not what was written.
func damaged(err error) bool {
	return errors.Is(err, journal.ErrCorrupt) || errors.Is(err, book.ErrBooks)
}

func (l *lane) proposeLoad(id uint32) {
	l.begin()
	l.open = ledger.AppendLoad(l.open, l.x.now, id)
	l.recorded(l.x.now)
}

// quarantine lets a queue go on without a run that is damaged.
func (l *lane) quarantine(r *book.Run, why error) {
	q := l.queueOf(r.Queue, r.Carrier, r.Class)
	q.drop(r.ID, r.Count)
	if q.loading == r.ID {
		q.loading = 0
	}
	l.parts(q)
	if w := l.rework[r.ID]; w != nil {
		delete(l.rework, r.ID)
		for _, o := range w.orders {
			l.tell(o, pdu.RSysErr, nil)
		}
	}
	l.aside[r.ID] = why
	l.x.log.Error("a run of queued messages is damaged and set aside; the queue goes on without it", "lane", l.n, "run", r.ID, "messages", r.Count,
		"carrier", l.x.carrierName(r.Carrier), "class", r.Class, "err", why)
	l.x.beside(func() func() {
		err := keepRun(l.x.quarantine, l.x.db, l.n, r.ID, r.Pieces, why)
		return func() {
			if err != nil {
				l.x.log.Error("what is left of it cannot be kept", "folder", l.x.quarantine, "err", err)
			}
		}
	})
}

// keepRun writes the pieces of a damaged run that can be read to files.
func keepRun(dir string, db *journal.DB, lane uint16, id, pieces uint32, why error) error {
	var all []error
	for n := min(pieces, 1); n <= pieces; n++ {
		if data, err := db.Get(book.RunKey(lane, id, n)); err == nil && data != nil {
			all = append(all, writeRot(filepath.Join(dir, fmt.Sprintf("lane-%d-run-%d-piece-%d", lane, id, n)), data, why))
		} else {
			all = append(all, writeRot(filepath.Join(dir, fmt.Sprintf("lane-%d-run-%d-piece-%d", lane, id, n)), nil, errors.Join(why, err)))
		}
	}
	return errors.Join(all...)
}

// beside runs f on a goroutine that may wait, and what it returns on the executor's.
func (x *executor) beside(f func() (then func())) {
	if x.stepped {
		f()()
		return
	}
	x.searching.Add(1)
	go func() {
		defer x.searching.Done()
		x.post(f())
	}()
}
