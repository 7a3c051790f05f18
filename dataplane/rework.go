package dataplane

import (
	"slices"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
)

// rework is a deed on a run that is on disk: the run is loaded for it alone, the deed is done to the messages
// it selects, and the others become a run again, in the old one's place. The deed is an operator's, or what clients
// want done to messages that they name.
type rework struct {
	q      *queue
	sel    *selector       // of an operator; nil for clients
	d      ledger.Operator // without ids
	orders []*order
	ids    []ledger.MsgID // of the run, as they stand in it
}

// startRework brings a run back for a deed; false when the run is not on disk any more.
func (l *lane) startRework(r *book.Run, w rework) bool {
	w.q = l.queueOf(r.Queue, r.Carrier, r.Class)
	if now := l.book.RunOf(r.ID); now == nil || now.Loaded != 0 || w.q.loading == r.ID || l.rework[r.ID] != nil || !slices.Contains(w.q.runs, r.ID) {
		return false
	}
	l.rework[r.ID] = &w
	if w.q.loading == 0 {
		w.q.loading = r.ID // nobody else loads it
	}
	if l.book.AtHand(r.ID) {
		l.proposeLoad(r.ID)
	} else {
		l.fetch(r.ID)
	}
	return true
}

// Bounds of what clients may set off: to change one message a run of thousands is read and written once more.
const (
	maxClientReworks = 1   // runs of a lane at a time
	maxReworkOrders  = 256 // orders that wait for one
)

// reworkFor lets an order of a client wait until the run that holds its message is loaded; false: not now.
func (l *lane) reworkFor(o *order, r *book.Run) bool {
	if w := l.rework[r.ID]; w != nil {
		if w.sel != nil || len(w.orders) >= maxReworkOrders {
			return false
		}
		w.orders = append(w.orders, o)
		return true
	}
	busy := 0
	for _, w := range l.rework {
		if w.sel == nil {
			busy++
		}
	}
	return busy < maxClientReworks && l.startRework(r, rework{orders: []*order{o}})
}

// reworked hears what loaded hears, of a run that was loaded for a deed.
func (l *lane) reworked(w *rework, head *book.Run, m *book.Msg) {
	if m != nil {
		m.Note |= noteWaiting
		if a := l.x.accounts[m.Account]; a != nil && !head.Counted {
			a.Waiting.Add(1)
		}
		m.Phase = phaseSpilling
		w.ids = append(w.ids, m.ID)
		return
	}
	q, now := w.q, l.x.now
	delete(l.rework, head.ID)
	if q.loading == head.ID {
		q.loading = 0
	}
	q.spilled -= int(head.Count)
	if w.sel == nil {
		l.heed(w, now)
	}
	var selected []ledger.MsgID
	var others []byte // as in a MOVE
	n := 0
	for _, id := range w.ids {
		switch m := l.book.Get(id); {
		case w.sel != nil && w.sel.fits(m):
			selected = append(selected, id)
		case m.Phase == phaseSpilling:
			others = ledger.AppendID(others, id)
			n++
		}
	}
	at := slices.Index(q.runs, head.ID)
	if n > 0 {
		l.run = l.book.NextRun(l.run)
		l.begin()
		l.open = ledger.AppendMove(l.open, now, &ledger.Move{Run: l.run, Order: head.Order, Queue: q.kind, Carrier: q.carrier, Class: q.class, IDs: others})
		l.recorded(now)
		q.runs[at] = l.run
		q.spilled += n
		if l.deeds > 0 {
			l.rewritten.note(head.ID, l.run)
		}
	} else {
		q.runs = slices.Delete(q.runs, at, at+1)
	}
	for ids := range slices.Chunk(selected, ledger.MaxOperatorIDs) {
		d := w.d
		d.IDs = ids
		l.deed(&d, now)
	}
}

// heed does what clients want to messages of a run that is in memory now. They wait like any in front meanwhile; what
// was not changed goes back with the others.
func (l *lane) heed(w *rework, now int64) {
	phase := uint8(phaseQueued)
	if w.q.kind == ledger.RunExternal {
		phase = phaseRouting
	}
	for _, id := range w.ids {
		m := l.book.Get(id)
		m.Phase = phase
		l.book.Push(&w.q.front, m)
		l.served(w.q, 1)
	}
	for _, o := range w.orders {
		if o.p.Command == pdu.CancelSM {
			l.cancel(o, now)
		} else {
			l.replace(o, now)
		}
	}
	for _, id := range w.ids {
		if m := l.book.Get(id); m.Phase == phase {
			l.unlist(m)
			m.Phase = phaseSpilling
		}
	}
}
