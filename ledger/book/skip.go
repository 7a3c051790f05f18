package book

import (
	"smsplane/ledger"
	"smsplane/ledger/journal"
)

// skip is a stretch of the log, behind after up to upTo, in which the records of one message are not folded.
type skip struct{ after, upTo uint64 }

// Skip stores that records of a message behind one index up to another are not folded: folding them ended the
// process. The message stays as it was before, or was never there; why is kept with it.
func Skip(w *journal.Batch, id ledger.MsgID, after, upTo uint64, why string) {
	v := le.AppendUint64(nil, upTo)
	v = le.AppendUint64(append(v, skipAfter), after)
	w.Set(journal.Key(journal.Skip, id.Lane(), id.Seq()), append(v, why...))
}

// skipAfter stands before the index that a stretch begins behind. Older builds wrote none, and began at 0; why never
// begins with it.
const skipAfter = 0

func (b *Book) loadSkips(s interface {
	Scan(lo, hi []byte, f func(k, v []byte) error) error
}) error {
	lo, hi := journal.LaneRange(journal.Skip, b.Lane)
	return s.Scan(lo, hi, func(k, v []byte) error {
		if b.skips == nil {
			b.skips = map[uint64]skip{}
		}
		r := reader{b: v}
		p := skip{upTo: r.u64()}
		if len(r.b) > 8 && r.b[0] == skipAfter {
			r.u8()
			p.after = r.u64()
		}
		b.skips[be.Uint64(k[len(k)-8:])] = p
		return nil
	})
}

// spared says that a record at an index does not touch a message that it names, one or among others.
func (b *Book) spared(id ledger.MsgID, index uint64) bool {
	if b.skips == nil || id == 0 {
		return false
	}
	p, ok := b.skips[id.Seq()]
	return ok && index > p.after && index <= p.upTo
}

// skipped says that a record is not folded. The sequence counts all the same: no id is given out twice.
func (b *Book) skipped(index uint64, r *ledger.Record) bool {
	if !b.spared(r.ID, index) {
		return false
	}
	switch r.Kind {
	case ledger.KindAccept:
		b.maxSeq = max(b.maxSeq, r.ID.Seq())
	case ledger.KindMO:
		b.maxMO = max(b.maxMO, r.ID.Seq()&^moSequence)
	}
	return true
}

// Folding is the message whose record is being folded, or was last, and the index of the record's block.
func (b *Book) Folding() (id ledger.MsgID, index uint64) { return b.at, b.atIndex }
