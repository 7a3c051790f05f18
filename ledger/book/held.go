package book

import (
	"cmp"
	"maps"
	"slices"

	"smsplane/ledger"
)

// LinkName is one link of one carrier: the carrier's number, and the link's place in the catalog from 0.
type LinkName struct{ Carrier, Link uint16 }

// Hold is an operator's order that still stands, whatever process runs.
type Hold struct {
	Verb   ledger.Verb // pause or drain
	At     int64
	Author string
}

func (s *System) order(at int64, o *ledger.Order) {
	n := LinkName{o.Carrier, o.Link}
	switch o.Verb {
	case ledger.OrderPause, ledger.OrderDrain:
		s.Held[n] = Hold{o.Verb, at, string(o.Author)}
	case ledger.OrderResume:
		delete(s.Held, n)
	}
}

func (s *System) appendHeld(b []byte) []byte {
	names := slices.SortedFunc(maps.Keys(s.Held), func(a, b LinkName) int {
		return cmp.Or(cmp.Compare(a.Carrier, b.Carrier), cmp.Compare(a.Link, b.Link))
	})
	b = le.AppendUint32(b, uint32(len(names)))
	for _, n := range names {
		h := s.Held[n]
		b = le.AppendUint16(b, n.Carrier)
		b = le.AppendUint16(b, n.Link)
		b = append(b, byte(h.Verb))
		b = le.AppendUint64(b, uint64(h.At))
		b = appendBytes(b, []byte(h.Author))
	}
	return b
}

func (s *System) readHeld(r *reader) {
	for n := r.u32(); n > 0 && !r.bad; n-- {
		name := LinkName{Carrier: r.u16(), Link: r.u16()}
		s.Held[name] = Hold{Verb: ledger.Verb(r.u8()), At: int64(r.u64()), Author: string(r.bytes())}
	}
}
