package dataplane

import (
	"context"
	"errors"
	"fmt"
	"time"

	"smsplane/dataplane/admin"
	"smsplane/ledger/book"
	"smsplane/ledger/journal"
)

// entries reads a lane's log from disk, whoever owns the lane; damage ends it.
func (s *source) entries(lane uint16) func(from uint64, f func(e journal.Entry) error) error {
	return func(from uint64, f func(e journal.Entry) error) error {
		return s.n.db.Entries(lane, from, f, func(_ uint64, err error) error { return err })
	}
}

// proofAge is how far back, by the blocks' time, an audit begins.
const proofAge = time.Hour

// prove lets the past explain the books of every lane, from a seal on.
func (s *source) prove(ctx context.Context, r *admin.Report) error {
	if err := s.flushed(ctx); err != nil {
		return err
	}
	for _, l := range s.n.x.lanes {
		p, err := book.Prove(s.n.db, l.n, s.n.clock()-int64(proofAge), s.entries(l.n))
		if err != nil && !errors.Is(err, journal.ErrCorrupt) && !errors.Is(err, book.ErrBooks) {
			return err
		}
		if err != nil {
			p.Problems = append(p.Problems, err)
		}
		for _, e := range p.Problems {
			r.OK = false
			r.Lines = append(r.Lines, e.Error())
		}
		if len(p.Problems) > 0 || p.To == 0 {
			continue
		}
		from := "the beginning"
		if p.At > 0 {
			from = "the seal of " + instant(p.At).Format(time.RFC3339)
		}
		line := fmt.Sprintf("lane %d: from %s (index %d) to index %d, %d EDRs with %v charged explain ends, revenue and cost", l.n, from, p.From, p.To, p.Ended, p.Charged)
		if p.ChainWhole {
			line += fmt.Sprintf("; %d blocks behind index %d hash to the books' head", p.Chained, p.ChainFrom)
		}
		r.Lines = append(r.Lines, line)
	}
	return nil
}

// Refold implements admin.Operations.
func (s *source) Refold(ctx context.Context) (r admin.Report, err error) {
	if err := s.flushed(ctx); err != nil {
		return r, err
	}
	r.OK = true
	for _, l := range s.n.x.lanes {
		blocks, err := book.Refold(s.n.db, l.n, &diskLog{db: s.n.db, lane: l.n}, stragglers{s.n.db}, s.entries(l.n))
		switch {
		case err == nil:
			r.Lines = append(r.Lines, fmt.Sprintf("lane %d: %d blocks folded from empty lead to what is stored, octet by octet", l.n, blocks))
		case errors.Is(err, book.ErrProof) || errors.Is(err, book.ErrBooks) || errors.Is(err, journal.ErrCorrupt):
			r.OK = false
			r.Lines = append(r.Lines, err.Error())
		default:
			return r, err
		}
	}
	return r, nil
}

// diskLog reads blocks for a fold that runs beside the lane's owner.
type diskLog struct {
	db   *journal.DB
	lane uint16
	cold [coldBlocks]journal.Entry
}

// Block implements book.Log.
func (d *diskLog) Block(i uint64) ([]byte, error) {
	c := &d.cold[i%coldBlocks]
	if c.Index == i {
		return c.Data, nil
	}
	found := false
	err := d.db.Entries(d.lane, i, func(e journal.Entry) error {
		if found = e.Index == i; found {
			*c = e
			c.Data = append([]byte(nil), e.Data...)
		}
		return journal.ErrStop
	}, func(_ uint64, err error) error { return err })
	if err == nil && !found {
		err = fmt.Errorf("lane %d index %d is not in the log", d.lane, i)
	}
	return c.Data, err
}
