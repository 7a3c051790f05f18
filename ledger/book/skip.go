package book

import (
	"smsplane/ledger"
	"smsplane/ledger/journal"
)

// Skip stores that records of a message up to an index are not folded: folding them ended the process. The
// message stays as it was before, or was never there; why is kept with it.
func Skip(w *journal.Batch, id ledger.MsgID, upTo uint64, why string) {
	v := le.AppendUint64(nil, upTo)
	w.Set(journal.Key(journal.Skip, id.Lane(), id.Seq()), append(v, why...))
}

func (b *Book) loadSkips(s interface {
	Scan(lo, hi []byte, f func(k, v []byte) error) error
}) error {
	lo, hi := journal.LaneRange(journal.Skip, b.Lane)
	return s.Scan(lo, hi, func(k, v []byte) error {
		if b.skips == nil {
			b.skips = map[uint64]uint64{}
		}
		r := reader{b: v}
		b.skips[be.Uint64(k[len(k)-8:])] = r.u64()
		return nil
	})
}

// skipped says that a record is not folded. The sequence counts all the same: no id is given out twice.
func (b *Book) skipped(index uint64, r *ledger.Record) bool {
	upTo, ok := b.skips[r.ID.Seq()]
	if !ok || r.ID == 0 || index > upTo {
		return false
	}
	if r.Kind == ledger.KindAccept {
		b.maxSeq = max(b.maxSeq, r.ID.Seq())
	}
	return true
}

// Folding is the message whose record is being folded, or was last.
func (b *Book) Folding() ledger.MsgID { return b.at }
