package journal

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// walk reads a lane's entries from disk in order and checks that they follow one another.
type walk struct {
	r    pebble.Reader
	lane uint16
	next uint64 // index that must come
	term uint64 // of the entry before it; terms never fall
}

// run hands every entry from next on to f; the entry's data is valid during the call. A gap or a damaged
// header goes to problem, which returns nil to go on behind it.
func (w *walk) run(f, problem func(*Entry, error) error) error {
	_, hi := LaneRange(EntryKind, w.lane)
	it, err := iter(w.r, Key(EntryKind, w.lane, w.next), hi)
	if err != nil {
		return err
	}
	for ok := it.First(); ok && err == nil; ok = err == nil && it.Next() {
		var e Entry
		if e, err = w.step(it); err != nil {
			err = problem(&e, err)
		} else {
			err = f(&e, nil)
		}
	}
	if cerr := it.Close(); err == nil && cerr != nil {
		err = damaged(w.lane, w.next, "read: "+cerr.Error())
	}
	if errors.Is(err, ErrStop) {
		return nil
	}
	return err
}

// step parses what it stands on and holds it against what must come.
func (w *walk) step(it *pebble.Iterator) (Entry, error) {
	v, err := it.ValueAndErr()
	if err != nil {
		return Entry{}, damaged(w.lane, w.next, "read: "+err.Error())
	}
	_, e, err := parseEntry(it.Key(), v)
	want, term := w.next, w.term
	if e.Index != 0 {
		w.next = e.Index + 1
	}
	if err != nil {
		return e, err
	}
	w.term = max(w.term, e.Term)
	switch {
	case e.Index != want:
		return e, damaged(w.lane, want, fmt.Sprintf("missing, the next entry is %d", e.Index))
	case e.Term < term:
		return e, damaged(w.lane, e.Index, fmt.Sprintf("term %d after term %d", e.Term, term))
	}
	return e, nil
}

// checkCommit finds a lost tail: a commit index is never durable before the entries it speaks of.
func checkCommit(lane uint16, v Vote, last uint64) error {
	if v.Commit > last {
		return damaged(lane, last+1, fmt.Sprintf("missing, though index %d was committed", v.Commit))
	}
	return nil
}

// maxProblems bounds what Check tells of one lane: damage tends to come in swaths.
const maxProblems = 20

// Check reads every entry of every lane and returns all problems joined: gaps, damaged headers and blocks,
// terms that fall, a commit index behind which entries are missing. It looks at each lane at one moment: lanes at work are
// written and trimmed meanwhile.
func (d *DB) Check() error {
	lanes, err := d.Lanes()
	if err != nil {
		return err
	}
	var all []error
	for _, lane := range lanes {
		all = append(all, d.checkLane(lane)...)
	}
	return errors.Join(all...)
}

func (d *DB) checkLane(lane uint16) (problems []error) {
	now := d.p.NewSnapshot()
	defer func() {
		if err := now.Close(); err != nil {
			problems = append(problems, err)
		}
	}()
	vote, win, err := readMeta(now, lane)
	if err != nil {
		return []error{err}
	}
	note := func(_ *Entry, err error) error {
		if problems = append(problems, err); len(problems) >= maxProblems {
			return ErrStop
		}
		return nil
	}
	w := walk{r: now, lane: lane, next: win.first, term: win.prevTerm}
	err = w.run(func(e *Entry, _ error) error {
		if err := checkData(lane, e); err != nil {
			return note(e, err)
		}
		return nil
	}, note)
	if err == nil && len(problems) == 0 {
		err = checkCommit(lane, vote, w.next-1)
	}
	if err != nil {
		problems = append(problems, err)
	}
	return problems
}
