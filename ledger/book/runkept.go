package book

import (
	"fmt"
	"math"
)

// inRun is the PDU of a message that a run holds.
func (b *Book) inRun(m *Msg) ([]byte, error) {
	piece, off := m.Off>>pieceShift, m.Off&(1<<pieceShift-1)
	run := b.runs.at[m.run]
	if run.Pieces == 0 {
		piece, off = 0, m.Off-1<<pieceShift
	}
	data, err := b.piece(run, piece)
	if err != nil {
		return nil, run.damaged(b.Lane, err)
	}
	if int(off)+int(m.Len) > len(data) {
		return nil, fmt.Errorf("%w: message %v lies outside run %d", ErrBooks, m.ID, m.run)
	}
	return data[off : off+m.Len : off+m.Len], nil
}

// piece is one piece of a run, which is read if it is not at hand.
func (b *Book) piece(run *Run, piece uint32) ([]byte, error) {
	if p := b.runs.kept[run.ID]; p != nil {
		return p[piece-min(run.Pieces, 1)], nil
	}
	if f, ok := b.runs.fresh[run.ID]; ok {
		return f.data[piece-1], nil
	}
	c := b.runs.cached(run.ID, piece)
	if c.run != run.ID || c.piece != piece {
		data, err := b.strag.Run(b.Lane, run.ID, piece)
		if err != nil {
			return nil, err
		}
		*c = cachedPiece{run.ID, piece, data}
	}
	return c.data, nil
}

// cached is the place of a piece in the cache, where another may be.
func (r *runs) cached(run, piece uint32) *cachedPiece { return &r.cache[(run*31+piece)%pieceCache] }

// keep has the pieces of a run at hand that was just loaded, and gives up the oldest for which there is no room.
func (r *runs) keep(run *Run, p Pieces) {
	r.kept[run.ID] = p
	r.order, r.octets = append(r.order, run), r.octets+int(run.Bytes)
	n := 0
	for old := r.order; n < len(old)-1 && (r.kept[old[n].ID] == nil || r.octets > keptOctets || len(old)-n > keptRuns); n++ {
		r.forget(old[n])
	}
	if n > 0 {
		rest := copy(r.order, r.order[n:])
		clear(r.order[rest:])
		r.order = r.order[:rest]
	}
}

// forget gives up what is kept of a run.
func (r *runs) forget(run *Run) {
	if r.kept[run.ID] != nil {
		delete(r.kept, run.ID)
		r.octets -= int(run.Bytes)
	}
}

// spend notes that the messages of a loaded run have gone.
func (r *runs) spend(run *Run) {
	if len(r.spent) == 0 || run.Loaded < r.since {
		r.since = run.Loaded
	}
	r.spent[run.ID] = run
}

// gone takes out the spent runs whose LOAD a replay from low on does not come to. It looks at none unless there is one. Those that
// have messages may be tens of thousands: they wait for their receipts.
func (r *runs) gone(low uint64) (gone []*Run) {
	if len(r.spent) == 0 || r.since >= low {
		return nil
	}
	r.since = math.MaxUint64
	for id, run := range r.spent {
		switch {
		case run.live > 0:
			delete(r.spent, id)
		case run.Loaded < low:
			delete(r.spent, id)
			gone = append(gone, run)
		default:
			r.since = min(r.since, run.Loaded)
		}
	}
	return gone
}
