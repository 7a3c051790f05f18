package book

import (
	"fmt"
	"slices"

	"smsplane/ledger"
	"smsplane/ledger/journal"
)

// bodies are the PDUs of stragglers that were asked for last. A queue asks for them in the order of their keys, and for each of them
// again when it ends and when its state is stored: so those that follow are read along as long as that goes on.
type bodies struct {
	of       map[uint64][]byte // by sequence
	readings [16][]uint64      // what each of the last ones brought
	turn     int
	end      uint64 // where the last one ended
	along    int    // how many the next one brings if it begins near there
}

const (
	mostAlong = 256
	near      = 4 * mostAlong // of the last reading, in sequences: other messages stand between those of a queue
)

// body is the PDU of a straggler.
func (b *Book) body(m *Msg) ([]byte, error) {
	if v, ok := b.moving[m.ID]; ok {
		return v.pdu, nil
	}
	c, seq := &b.bodies, m.ID.Seq()
	if p, ok := c.of[seq]; ok {
		return p, nil
	}
	if c.end <= seq && seq < c.end+near {
		c.along = min(2*c.along, mostAlong)
	} else {
		c.along = 1
	}
	return b.readBodies(seq)
}

// readBodies reads along stragglers from a sequence on, whose body it returns, in the place of the oldest reading.
func (b *Book) readBodies(seq uint64) (first []byte, err error) {
	c := &b.bodies
	for _, old := range c.readings[c.turn] {
		delete(c.of, old)
	}
	got, left := c.readings[c.turn][:0], c.along
	err = b.strag.Stragglers(b.Lane, seq, func(v []byte) error {
		var m Msg
		_, p, err := readMsg(&m, v)
		if err != nil {
			return err
		}
		at := m.ID.Seq()
		if first == nil && at != seq {
			return journal.ErrStop
		}
		if _, newer := b.moving[m.ID]; !newer {
			p = slices.Clone(p)
			if at == seq {
				first = p
			}
			if c.of[at] == nil {
				c.of[at] = p
				got = append(got, at)
			}
		}
		c.end = at + 1
		if left--; left == 0 {
			return journal.ErrStop
		}
		return nil
	})
	c.readings[c.turn] = got
	c.turn = (c.turn + 1) % len(c.readings)
	if err == nil && first == nil {
		err = fmt.Errorf("straggler %d of lane %d is missing", seq, b.Lane)
	}
	return first, err
}

// moving is a straggler whose body is not stored under its own key yet.
type moving struct {
	pdu   []byte
	flush uint64 // that stores it
}

// setBody gives m a body of its own, which the next flush stores; p is kept.
func (b *Book) setBody(m *Msg, p []byte) {
	b.unpin(m)
	m.moved, m.run, m.Len = true, 0, uint32(len(p))
	b.moving[m.ID] = moving{p, b.flushes + 1}
	delete(b.bodies.of, m.ID.Seq())
	b.moves[m.ID.Seq()] = true
}

// Stored drops the bodies that flush n made readable.
func (b *Book) Stored(n uint64) {
	for id, v := range b.moving {
		if v.flush <= n {
			delete(b.moving, id)
		}
	}
	b.runs.stored(n)
}

// flushStragglers stores what changed of stragglers and deletes those that are gone: neighbours as a range, because many small
// ranges make every reading slow.
func (b *Book) flushStragglers(w *journal.Batch) error {
	gone := b.gone[:0]
	for seq, alive := range b.moves {
		if !alive {
			gone = append(gone, seq)
			continue
		}
		m := b.t.get(ledger.MakeMsgID(b.Lane, seq))
		p, err := b.body(m)
		if err != nil {
			return err
		}
		m.asOf = b.applied
		w.Set(journal.Key(journal.Moved, b.Lane, seq), appendMsg(nil, m, b.splits[seq], b.applied, p))
	}
	clear(b.moves)
	slices.Sort(gone)
	b.gone = gone
	for len(gone) > 0 {
		n := 1
		for n < len(gone) && gone[n] == gone[n-1]+1 {
			n++
		}
		if n < fewGone {
			for _, seq := range gone[:n] {
				w.Delete(journal.Key(journal.Moved, b.Lane, seq))
			}
		} else {
			w.DeleteRange(journal.Key(journal.Moved, b.Lane, gone[0]), journal.Key(journal.Moved, b.Lane, gone[n-1]+1))
		}
		gone = gone[n:]
	}
	return nil
}

// fewGone is how many neighbours are deleted one by one.
const fewGone = 32
