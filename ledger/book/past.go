package book

import (
	"bytes"
	"errors"
	"fmt"

	"smsplane/ledger"
	"smsplane/ledger/journal"
)

// Archive is the part of the journal that the past is read from. Any goroutine may read it.
type Archive interface {
	Get(key []byte) ([]byte, error)
	Scan(lo, hi []byte, f func(k, v []byte) error) error
	ScanReverse(lo, hi []byte, f func(k, v []byte) error) error
}

// Past hands out what packs of a lane hold, newest pack first, entries in the order they were written.
type Past struct {
	EDR      func(e *EDR) error
	Attempt  func(a *Attempt) error
	Returned func(v *Returned) error
	Deed     func(d *Deed) error
	Ordered  func(v *Ordered) error
	Repeated func(v *Repeated) error
	Part     func(v *PartNote) error

	// Before is asked before each pack of a search; journal.ErrStop ends it well.
	Before func() error

	// Damaged hears of a pack that cannot be read, and returns nil to go on behind it; without it that ends the search.
	Damaged func(pack uint64, err error) error
}

// Hashes to search by; 0 searches everything.
func HashID(id ledger.MsgID) uint32 { return hashID(id) }
func HashNumber(n uint64) uint32    { return hashNumber(n) }
func HashText(b []byte) uint32      { return hash32(b) }

// HashResent finds the messages that were sent a second time out of doubt.
func HashResent() uint32 { return hashResent }

// Unflushed hands out what has not been flushed yet.
func (b *Book) Unflushed(p Past) error { return p.walk(b.pack.body) }

// Search walks the packs whose index holds hash. A hash can lie: the callbacks compare the real value.
func Search(s Archive, lane uint16, hash uint32, p Past) error {
	if hash == 0 {
		return search(s, lane, nil, p)
	}
	return search(s, lane, func(h uint32) bool { return h == hash }, p)
}

// SearchAny walks the packs whose index holds one of the hashes.
func SearchAny(s Archive, lane uint16, hashes map[uint32]bool, p Past) error {
	return search(s, lane, func(h uint32) bool { return hashes[h] }, p)
}

func search(s Archive, lane uint16, wanted func(hash uint32) bool, p Past) error {
	lo, hi := journal.LaneRange(journal.EDRIndex, lane)
	return s.ScanReverse(lo, hi, func(k, v []byte) error {
		if wanted != nil && !indexed(v, wanted) {
			return nil
		}
		if p.Before != nil {
			if err := p.Before(); err != nil {
				return err
			}
		}
		key := append([]byte(nil), k...)
		key[0] = byte(journal.EDR)
		body, err := s.Get(key)
		if err != nil {
			return err
		}
		return p.walk(body)
	})
}

// Walk hands out all packs of a lane, oldest first.
func Walk(s Archive, lane uint16, p Past) error {
	lo, hi := journal.LaneRange(journal.EDR, lane)
	return s.Scan(lo, hi, func(_, v []byte) error { return p.walk(bytes.Clone(v)) })
}

// WalkFrom hands out the packs of a lane from an applied index on, oldest first. Before each pack more is asked with the
// index to come back with, and says whether to go on.
func WalkFrom(s Archive, lane uint16, from uint64, p Past, more func(index uint64) bool) error {
	_, hi := journal.LaneRange(journal.EDRIndex, lane)
	return s.Scan(journal.Key(journal.EDRIndex, lane, from), hi, func(k, _ []byte) error { // which can be read where a pack cannot
		at := be.Uint64(k[len(k)-8:])
		if !more(at) {
			return journal.ErrStop
		}
		body, err := s.Get(journal.Key(journal.EDR, lane, at))
		if err == nil && body == nil {
			err = fmt.Errorf("%w: pack %d of lane %d is missing", ErrBooks, at, lane)
		}
		if err == nil {
			err = p.walk(body)
		}
		if p.Damaged != nil && (errors.Is(err, journal.ErrCorrupt) || errors.Is(err, ErrBooks)) {
			err = p.Damaged(at, err)
		}
		return err
	})
}

func indexed(v []byte, wanted func(hash uint32) bool) bool {
	for ; len(v) >= 4; v = v[4:] {
		if wanted(le.Uint32(v)) {
			return true
		}
	}
	return false
}

func (p *Past) walk(body []byte) error {
	for r := (reader{b: body}); len(r.b) > 0; {
		k, n := entryKind(r.u8()), int(r.u16())
		if n > len(r.b) {
			return fmt.Errorf("%w: damaged pack", ErrBooks)
		}
		if err := p.entry(k, r.take(n)); err != nil {
			return err
		}
	}
	return nil
}

func (p *Past) entry(k entryKind, v []byte) error {
	ok, err := true, error(nil)
	switch k {
	case entryEDR:
		var e EDR
		if e, ok = readEDR(v); ok && p.EDR != nil {
			err = p.EDR(&e)
		}
	case entryAttempt:
		var a Attempt
		if a, ok = readAttempt(v); ok && p.Attempt != nil {
			err = p.Attempt(&a)
		}
	case entryReturn:
		var t Returned
		if t, ok = readReturned(v); ok && p.Returned != nil {
			err = p.Returned(&t)
		}
	case entryDeed:
		var d Deed
		if d, ok = readDeed(v); ok && p.Deed != nil {
			err = p.Deed(&d)
		}
	case entryOrder:
		var t Ordered
		if t, ok = readOrdered(v); ok && p.Ordered != nil {
			err = p.Ordered(&t)
		}
	case entryRepeated:
		var t Repeated
		if t, ok = readRepeated(v); ok && p.Repeated != nil {
			err = p.Repeated(&t)
		}
	case entryPart:
		var t PartNote
		if t, ok = readPart(v); ok && p.Part != nil {
			err = p.Part(&t)
		}
	default:
		ok = false
	}
	if !ok {
		return fmt.Errorf("%w: damaged entry in a pack", ErrBooks)
	}
	return err
}
