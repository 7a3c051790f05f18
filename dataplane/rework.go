package dataplane

import (
	"slices"

	"smsplane/ledger"
	"smsplane/ledger/book"
)

// rework is a deed on a run that is on disk: the run is loaded for it alone, the deed is done to the messages
// it selects, and the others become a run again, in the old one's place.
type rework struct {
	q        *queue
	sel      *selector
	d        ledger.Operator // without ids
	selected []ledger.MsgID
	others   []byte // as in a MOVE
	n        int    // of others
}

// matches counts the messages of a run that a deed selects.
func (l *lane) matches(sel *selector, r *book.Run) (n int, err error) {
	if sel.action == ledger.ActionRelease || sel.carrier != 0 && (r.Queue != ledger.RunInternal || r.Carrier != sel.carrier) || sel.classes && r.Class != sel.class {
		return 0, nil
	}
	err = l.book.EachInRun(r, func(m *book.Msg) error {
		if sel.fits(m) {
			n++
		}
		return nil
	})
	return n, err
}

// startRework proposes to load a run for a deed; false when the run is not on disk any more.
func (l *lane) startRework(r *book.Run, sel *selector, d *ledger.Operator, now int64) bool {
	q := l.queueOf(r.Queue, r.Carrier, r.Class)
	if r.Loaded != 0 || q.loading == r.ID || l.rework[r.ID] != nil || !slices.Contains(q.runs, r.ID) {
		return false
	}
	l.rework[r.ID] = &rework{q: q, sel: sel, d: *d}
	if q.loading == 0 {
		q.loading = r.ID // nobody else loads it
	}
	l.begin()
	l.open = ledger.AppendLoad(l.open, now, r.ID)
	l.recorded(now)
	return true
}

// reworked hears what loaded hears, of a run that was loaded for a deed.
func (l *lane) reworked(w *rework, head *book.Run, m *book.Msg) {
	if m != nil {
		m.Note |= noteWaiting
		if a := l.x.accounts[m.Account]; a != nil && !head.Counted {
			a.Waiting.Add(1)
		}
		m.Phase = phaseSpilling
		if w.sel.fits(m) {
			w.selected = append(w.selected, m.ID)
		} else {
			w.others = ledger.AppendID(w.others, m.ID)
			w.n++
		}
		return
	}
	q, now := w.q, l.x.now
	delete(l.rework, head.ID)
	if q.loading == head.ID {
		q.loading = 0
	}
	q.spilled -= int(head.Count)
	at := slices.Index(q.runs, head.ID)
	if w.n > 0 {
		l.run = l.book.NextRun(l.run)
		l.begin()
		l.open = ledger.AppendMove(l.open, now, &ledger.Move{Run: l.run, Order: head.Order, Queue: q.kind, Carrier: q.carrier, Class: q.class, IDs: w.others})
		l.recorded(now)
		q.runs[at] = l.run
		q.spilled += w.n
	} else {
		q.runs = slices.Delete(q.runs, at, at+1)
	}
	for ids := range slices.Chunk(w.selected, ledger.MaxOperatorIDs) {
		d := w.d
		d.IDs = ids
		l.deed(&d, now)
	}
}
