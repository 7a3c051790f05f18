package book

import (
	"fmt"

	"smsplane/ledger"
	"smsplane/ledger/journal"
)

// A message from a carrier that its client took is in the books no more, and the log goes on without it. So that it can be given
// again, its text is kept as long as bodies may stay: what one flush saw taken under one key, by the same applied index as the pack,
// which says for longer who took what, and when.
//
//	0 at i64: when the newest was taken   then of each: id u64, length u32, deliver_sm as received

// took notes that the client took a message from a carrier, and keeps its text.
func (b *Book) took(r *ledger.Record, m *Msg, v *ledger.Return) error {
	p, err := b.PDU(m)
	if err != nil {
		return err
	}
	t := b.pack.texts
	if len(t) == 0 {
		t = append(t, make([]byte, 8)...)
	}
	le.PutUint64(t, max(le.Uint64(t), uint64(r.At)))
	t = le.AppendUint64(t, uint64(m.ID))
	t = le.AppendUint32(t, uint32(len(p)))
	b.pack.texts = append(t, p...)
	b.pack.returned(&Returned{ID: m.ID, At: r.At, Worker: r.Worker, Session: v.Session, Status: v.Status, Account: m.Account})
	return nil
}

// readTexts reads what took collected.
func readTexts(v []byte, f func(id ledger.MsgID, p []byte) error) error {
	r := reader{b: v}
	for r.u64(); len(r.b) > 0 && !r.bad; {
		id, n := ledger.MsgID(r.u64()), int(r.u32())
		if p := r.take(n); !r.bad {
			if err := f(id, p); err != nil {
				return err
			}
		}
	}
	if r.bad {
		return fmt.Errorf("%w: damaged texts of messages from carriers", ErrBooks)
	}
	return nil
}

// WalkTaken hands out the messages from carriers that clients took, of a lane and as wanted says, in the order in which they did.
// p is the deliver_sm as received, nil when its text is kept no more; it stays as it is.
func WalkTaken(s Archive, lane uint16, wanted func(r *Returned) bool, f func(r *Returned, p []byte) error) error {
	var pack uint64
	var texts map[ledger.MsgID][]byte // of the pack; nil: not read yet
	return WalkFrom(s, lane, 0, Past{Returned: func(r *Returned) (err error) {
		if r.Account == 0 || !wanted(r) {
			return nil
		}
		if texts == nil {
			if texts, err = textsOf(s, lane, pack); err != nil {
				return err
			}
		}
		return f(r, texts[r.ID])
	}}, func(index uint64) bool {
		pack, texts = index, nil
		return true
	})
}

func textsOf(s Archive, lane uint16, pack uint64) (map[ledger.MsgID][]byte, error) {
	texts := map[ledger.MsgID][]byte{}
	v, err := s.Get(journal.Key(journal.Taken, lane, pack))
	if err != nil || v == nil {
		return texts, err
	}
	return texts, readTexts(v, func(id ledger.MsgID, p []byte) error {
		texts[id] = p
		return nil
	})
}

// DropTexts removes the texts of messages from carriers that were all taken by the time at, as a range.
func DropTexts(s Archive, lane uint16, at, now int64, w *journal.Batch) error {
	last, err := lastOf(s, journal.Taken, lane, at, now, func(v []byte) (int64, error) {
		r := reader{b: v}
		return int64(r.u64()), nil
	})
	if err == nil && last > 0 {
		w.DeleteRange(journal.Key(journal.Taken, lane), journal.Key(journal.Taken, lane, last+1))
	}
	return err
}
