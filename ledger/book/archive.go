package book

import (
	"errors"
	"fmt"

	"smsplane/ledger"
	"smsplane/ledger/journal"
)

// Ended is a set of messages that the archive says have ended: a bit for each, by sequence.
type Ended struct {
	pages map[uint64]*[endedPage / 64]uint64
	n     int
}

const endedPage = 1 << 15

// Has says whether the message is in the set.
func (e *Ended) Has(id ledger.MsgID) bool {
	p := e.pages[id.Seq()/endedPage]
	at := id.Seq() % endedPage
	return p != nil && p[at/64]&(1<<(at%64)) != 0
}

// Len is how many there are.
func (e *Ended) Len() int { return e.n }

func (e *Ended) add(id ledger.MsgID) {
	p := e.pages[id.Seq()/endedPage]
	if p == nil {
		p = new([endedPage / 64]uint64)
		e.pages[id.Seq()/endedPage] = p
	}
	at := id.Seq() % endedPage
	p[at/64] |= 1 << (at % 64)
	e.n++
}

// maxArchiveErrors bounds what CheckArchive tells of one lane: damage tends to come in swaths.
const maxArchiveErrors = 20

// CheckArchive reads all packs of a lane. Each can be read; no message ended twice; each pack has an index that finds
// everything in it, and no index is without its pack. Of a lane at work it is given a view: what is flushed or dropped between
// two reads would count as a fault.
func CheckArchive(s Archive, lane uint16) (ended *Ended, errs []error) {
	ended = &Ended{pages: map[uint64]*[endedPage / 64]uint64{}}
	fail := func(format string, a ...any) error {
		errs = append(errs, fmt.Errorf("%w: lane %d: "+format, append([]any{ErrBooks, lane}, a...)...))
		if len(errs) >= maxArchiveErrors {
			return journal.ErrStop
		}
		return nil
	}
	if err := checkTexts(s, lane); err != nil {
		errs = append(errs, err)
	}
	packs := 0 // more than indexes
	lo, hi := journal.LaneRange(journal.EDRIndex, lane)
	if err := s.Scan(lo, hi, func(_, _ []byte) error {
		packs--
		return nil
	}); err != nil {
		return ended, append(errs, fmt.Errorf("lane %d: archive: %w", lane, err))
	}
	lo, hi = journal.LaneRange(journal.EDR, lane)
	err := s.Scan(lo, hi, func(k, v []byte) error {
		at := be.Uint64(k[len(k)-8:])
		packs++
		idx, err := s.Get(journal.Key(journal.EDRIndex, lane, at))
		if err != nil {
			return err
		}
		has := make(map[uint32]bool, len(idx)/4)
		for ; len(idx) >= 4; idx = idx[4:] {
			has[le.Uint32(idx)] = true
		}
		if err := checkPack(v, has, ended); err != nil {
			return fail("pack %d: %v", at, err)
		}
		return nil
	})
	if err != nil {
		errs = append(errs, fmt.Errorf("lane %d: archive: %w", lane, err))
	} else if packs != 0 && len(errs) < maxArchiveErrors {
		errs = append(errs, fmt.Errorf("%w: lane %d: the archive has %d more packs than indexes", ErrBooks, lane, packs))
	}
	return ended, errs
}

// checkTexts reads the texts of messages from carriers; the index of their pack, which may be gone before them, finds each.
func checkTexts(s Archive, lane uint16) error {
	lo, hi := journal.LaneRange(journal.Taken, lane)
	err := s.Scan(lo, hi, func(k, v []byte) error {
		at := be.Uint64(k[len(k)-8:])
		idx, err := s.Get(journal.Key(journal.EDRIndex, lane, at))
		if err == nil {
			err = readTexts(v, func(id ledger.MsgID, _ []byte) error {
				if h := hashID(id); idx != nil && !indexed(idx, func(v uint32) bool { return v == h }) {
					return fmt.Errorf("%w: the archive does not know that %v was taken", ErrBooks, id)
				}
				return nil
			})
		}
		if err != nil {
			return fmt.Errorf("texts %d: %w", at, err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("lane %d: archive: %w", lane, err)
	}
	return nil
}

// checkPack reads one pack and looks everything up that one can search by.
func checkPack(body []byte, has map[uint32]bool, ended *Ended) error {
	var all error
	found := func(what string, id ledger.MsgID, hashes ...uint32) error {
		for _, h := range hashes {
			if !has[h] {
				all = errors.Join(all, fmt.Errorf("the index does not find the %s of %v", what, id))
				break
			}
		}
		return nil
	}
	p := Past{
		EDR: func(e *EDR) error {
			if ended.Has(e.ID) {
				all = errors.Join(all, fmt.Errorf("message %v ended twice", e.ID))
			}
			ended.add(e.ID)
			hashes := []uint32{hashID(e.ID), hashNumber(e.Number), hash32(e.Src)}
			if len(e.CarrierID) > 0 {
				hashes = append(hashes, hash32(e.CarrierID))
			}
			if e.Resends > 0 {
				hashes = append(hashes, hashResent)
			}
			return found("EDR", e.ID, hashes...)
		},
		Attempt:  func(a *Attempt) error { return found("attempt", a.ID, hashID(a.ID)) },
		Returned: func(r *Returned) error { return found("receipt", r.ID, hashID(r.ID)) },
		Ordered:  func(o *Ordered) error { return found("order", o.ID, hashID(o.ID)) },
		Repeated: func(r *Repeated) error { return found("repeated receipt", r.ID, hashID(r.ID)) },
		Part:     func(v *PartNote) error { return found("part", v.ID, hashID(v.ID)) },
		Deed: func(d *Deed) error {
			for _, id := range d.IDs {
				if err := found("deed", id, hashID(id)); err != nil {
					return err
				}
			}
			return nil
		},
	}
	if err := p.walk(body); err != nil {
		return err
	}
	return all
}
