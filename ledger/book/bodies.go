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
	along    int    // how many it was to bring
}

// Of a lane at most 16 readings are at hand, each of so many octets and one body more: 4 MiB and some.
const (
	mostAlong   = 256
	alongOctets = 256 << 10
	near        = 4 * mostAlong // of the last reading, in sequences: other messages stand between those of a queue
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
	if c.along > 0 && c.end <= seq && seq < c.end+near {
		c.along = min(2*c.along, mostAlong)
	} else {
		c.along = 1
	}
	return b.readBodies(seq)
}

// readBodies reads along stragglers from a sequence on, whose body it returns, in the place of the oldest reading. What is
// damaged behind the first is for those to tell who ask for it.
func (b *Book) readBodies(seq uint64) (first []byte, err error) {
	c := &b.bodies
	for _, old := range c.readings[c.turn] {
		delete(c.of, old)
	}
	got, left, octets := c.readings[c.turn][:0], c.along, 0
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
		octets += len(p)
		if left--; left == 0 || octets >= alongOctets {
			return journal.ErrStop
		}
		return nil
	})
	c.readings[c.turn] = got
	c.turn = (c.turn + 1) % len(c.readings)
	switch {
	case first != nil:
		return first, nil
	case err == nil:
		err = fmt.Errorf("straggler %d of lane %d is missing", seq, b.Lane)
	}
	return nil, err
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

// flushStragglers stores what changed of stragglers, in their order, so that bodies are read along, and deletes those that are
// gone: neighbours as a range, because many small ranges make every reading slow.
func (b *Book) flushStragglers(w *journal.Batch) error {
	gone, changed := b.gone[:0], b.changed[:0]
	for seq, alive := range b.moves {
		if alive {
			changed = append(changed, seq)
		} else {
			gone = append(gone, seq)
		}
	}
	slices.Sort(changed)
	b.changed = changed
	for _, seq := range changed {
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
