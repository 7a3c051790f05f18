package book

import (
	"math"

	"smsplane/ledger"
	"smsplane/ledger/journal"
)

// skip is a stretch of the log, behind after up to upTo, in which the records of one message are not folded.
//
// Where it ends is read from the log alone, so that all hosts whom the same record ended skip the same, wherever their logs
// ended when they said so: at the first entry of raft itself behind it. Up to there may stand what was decided by a leader that had not
// folded the record; what comes behind was decided by one that had passed it, as each begins with such an entry.
type skip struct {
	after, upTo uint64
	why         string
}

// skipOpen is upTo until that entry is folded.
const skipOpen = math.MaxUint64

// Skip stores that records of a message behind an index are not folded, until a leader decides that skips them, too: folding
// them ended the process. The message stays as it was before, or was never there; why is kept with it. Said again, as at a start
// that finds the same notes, it changes nothing.
func Skip(s interface {
	Get(key []byte) ([]byte, error)
}, w *journal.Batch, id ledger.MsgID, after uint64, why string) error {
	v, err := s.Get(journal.Key(journal.Skip, id.Lane(), id.Seq()))
	if err != nil || v != nil && readSkip(v).after == after {
		return err
	}
	skip{after, skipOpen, why}.store(w, id.Lane(), id.Seq())
	return nil
}

func readSkip(v []byte) skip {
	r := reader{b: v}
	p := skip{upTo: r.u64()}
	if len(r.b) > 8 && r.b[0] == skipAfter {
		r.u8()
		p.after = r.u64()
	}
	p.why = string(r.b)
	return p
}

func (p skip) store(w *journal.Batch, lane uint16, seq uint64) {
	v := le.AppendUint64(nil, p.upTo)
	v = le.AppendUint64(append(v, skipAfter), p.after)
	w.Set(journal.Key(journal.Skip, lane, seq), append(v, p.why...))
}

// endSkips hears of an entry of raft itself.
func (b *Book) endSkips(index uint64) {
	for seq, p := range b.skips {
		if p.upTo == skipOpen && index > p.after {
			p.upTo = index
			b.skips[seq] = p
			b.skipsEnded = append(b.skipsEnded, seq)
		}
	}
}

// flushSkips stores where skips ended: the entry that said so may leave the log.
func (b *Book) flushSkips(w *journal.Batch) {
	for _, seq := range b.skipsEnded {
		b.skips[seq].store(w, b.Lane, seq)
	}
	b.skipsEnded = nil
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
		b.skips[be.Uint64(k[len(k)-8:])] = readSkip(v)
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
