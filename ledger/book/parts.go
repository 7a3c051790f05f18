package book

import (
	"fmt"

	"smsplane/ledger"
)

// A message that a link takes in parts is one message: one id, one hold, one end. Its parts go out one after the
// other, each with a DISPATCH and an ANSWER of its own, so that every rule for a dispatch (retry, doubt, resend) is the
// rule for a part; between two of them the message is routed, and belongs to the carrier that has the first. What is
// known of each part stands here, beside the table, as few messages have any.
//
// Parts before Msg.Part are taken; receipts may come for them while others still wait. Nothing here ends a message: the
// FINAL does, when its writer has heard of all parts.

// split is a message in parts.
type split struct {
	shape ledger.Shape
	of    []part
}

// part is what is known of one.
type part struct {
	id    []byte // the carrier's name for it
	final bool
	state uint8 // message_state of its receipt
	err   []byte
}

// splits is by sequence.
type splits map[uint64]*split

// Shape is how m was cut when its first part was sent; Of is 0 when it goes whole or was not sent.
func (b *Book) Shape(m *Msg) ledger.Shape {
	if s := b.splits[m.ID.Seq()]; m.Of > 0 && s != nil {
		return s.shape
	}
	return ledger.Shape{}
}

// shaped follows a DISPATCH: the first part of a message makes all of them anew, unless it repeats one.
func (b *Book) shaped(m *Msg, v *ledger.Shape) {
	m.Of, m.Part = v.Of, v.Part
	if v.Of == 0 {
		b.unsplit(m)
		return
	}
	if s := b.splits[m.ID.Seq()]; s == nil || v.Part == 0 {
		b.unsplit(m)
		if b.splits == nil {
			b.splits = splits{}
		}
		b.splits[m.ID.Seq()] = &split{shape: *v, of: make([]part, v.Of)}
	}
}

// unsplit forgets parts, and by what names their carrier knew them.
func (b *Book) unsplit(m *Msg) {
	s := b.splits[m.ID.Seq()]
	if s == nil {
		return
	}
	for i := range s.of {
		b.unname(m, m.Carrier, s.of[i].id)
	}
	delete(b.splits, m.ID.Seq())
}

// SetPartID notes a carrier's name for a part; as with SetCarrierID the leader does so first. The first part's name is
// the message's own.
func (b *Book) SetPartID(m *Msg, i uint8, id []byte) {
	if i == 0 {
		b.SetCarrierID(m, m.Carrier, id)
	}
	s := b.splits[m.ID.Seq()]
	if s == nil || int(i) >= len(s.of) || string(s.of[i].id) == string(id) {
		return
	}
	b.unname(m, m.Carrier, s.of[i].id)
	s.of[i].id = append([]byte(nil), id[:min(len(id), maxCarrierID)]...)
	if len(id) > 0 {
		b.name(m, m.Carrier, s.of[i].id)
	}
}

// PartByID is the part that m's carrier knows by that id.
func (b *Book) PartByID(m *Msg, id []byte) (uint8, bool) {
	if s := b.splits[m.ID.Seq()]; s != nil && m.Of > 0 {
		for i := range s.of {
			if len(s.of[i].id) > 0 && string(s.of[i].id) == string(id) {
				return uint8(i), true
			}
		}
	}
	return 0, false
}

// EndPart notes the final receipt of a part; the first one counts. It reports whether this was it.
func (b *Book) EndPart(m *Msg, i, state uint8, err []byte) bool {
	s := b.splits[m.ID.Seq()]
	if s == nil || int(i) >= len(s.of) || s.of[i].final {
		return false
	}
	s.of[i].final, s.of[i].state, s.of[i].err = true, state, append([]byte(nil), err[:min(len(err), len(m.err))]...)
	return true
}

// PartEnd is the final receipt of a part, if it came.
func (b *Book) PartEnd(m *Msg, i uint8) (state uint8, err []byte, ok bool) {
	if s := b.splits[m.ID.Seq()]; s != nil && int(i) < len(s.of) {
		return s.of[i].state, s.of[i].err, s.of[i].final
	}
	return 0, nil, false
}

// EachPartID visits the carrier's names of a message's parts.
func (b *Book) EachPartID(m *Msg, f func(id []byte)) {
	if s := b.splits[m.ID.Seq()]; s != nil {
		for i := range s.of {
			if len(s.of[i].id) > 0 {
				f(s.of[i].id)
			}
		}
	}
}

// partTaken folds the ANSWER to a part that is not the last.
func (b *Book) partTaken(r *ledger.Record, m *Msg, a *ledger.Answer) {
	m.Cost += a.Cost
	if !b.replay {
		b.acc.owe(m.Carrier, a.Cost)
		b.pack.attempt(&Attempt{ID: m.ID, Account: m.Account, N: m.Attempts, Target: m.Target, Carrier: m.Carrier, Link: m.Link, Worker: m.EgressWorker,
			Dispatched: m.Dispatched, Answered: r.At, Status: uint32(a.Part), Outcome: ledger.Taken, Resend: m.Resends > 0})
	}
	b.SetPartID(m, a.Part, a.CarrierID)
	if !b.Leads { // a leader has gone on when it decided
		m.Part = a.Part + 1
	}
	m.Policy = 0
	b.set(m, StateRouted)
}

// adoptSplit gives a straggler its parts back.
func (b *Book) adoptSplit(m *Msg, s *split) {
	if b.splits == nil {
		b.splits = splits{}
	}
	b.splits[m.ID.Seq()] = s
	for i := range s.of {
		if id := s.of[i].id; len(id) > 0 {
			b.name(m, m.Carrier, id)
		}
	}
}

// append writes the parts of a straggler behind its state, a length first.
func (s *split) append(b []byte) []byte {
	if s == nil {
		return le.AppendUint32(b, 0)
	}
	at := len(b)
	b = le.AppendUint32(b, 0)
	v := &s.shape
	b = le.AppendUint16(append(b, v.Of, v.Joined, v.Coding, v.Charset), v.Ref)
	for i := range s.of {
		p := &s.of[i]
		b = appendBytes(append(b, flag(p.final, 1), p.state), p.id)
		b = appendBytes(b, p.err)
	}
	le.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

func readSplit(r *reader) (*split, error) {
	n := int(r.u32())
	if n == 0 || r.bad || n > len(r.b) {
		r.bad = r.bad || n > len(r.b)
		return nil, nil
	}
	d := reader{b: r.b[:n]}
	r.b = r.b[n:]
	s := &split{}
	v := &s.shape
	v.Of, v.Joined, v.Coding, v.Charset, v.Ref = d.u8(), d.u8(), d.u8(), d.u8(), d.u16()
	for range v.Of {
		p := part{final: d.u8() != 0, state: d.u8()}
		p.id = append(p.id, d.bytes()...)
		p.err = append(p.err, d.bytes()...)
		s.of = append(s.of, p)
	}
	if d.bad || len(d.b) > 0 {
		return nil, fmt.Errorf("%w: damaged parts of a straggler", ErrBooks)
	}
	return s, nil
}
