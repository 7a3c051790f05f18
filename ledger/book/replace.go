package book

import (
	"slices"

	"smsplane/ledger"
)

// replace gives a waiting message another text, other times and the hold that goes with them; it is planned
// anew. Its bytes are in another block than its ACCEPT now, and a replay needs both: so it becomes a straggler,
// whose key holds it whole.
func (b *Book) replace(r *ledger.Record, m *Msg) error {
	var v ledger.Replace
	if !r.Replace(&v) {
		return bad(r, m, "cut short")
	}
	if m.State != StateAccepted && m.State != StateRouted {
		return bad(r, m, "not waiting")
	}
	if !b.replay {
		b.acc.hold(m.Account, v.Price-m.Hold)
	}
	m.Parts, m.Registered, m.Hold, m.ValidUntil, m.Due = v.Parts, v.Registered, v.Price, v.ValidUntil, v.Due
	m.N, m.Target = 0, 0
	m.Len = uint32(len(v.PDU))
	b.set(m, StateAccepted)
	if !m.moved {
		m.moved = true
		b.live.drop(m.Block)
	}
	b.moving = slices.DeleteFunc(b.moving, func(o moving) bool { return o.id == m.ID })
	b.moving = append(b.moving, moving{m.ID, slices.Clone(v.PDU), b.flushes + 1})
	return nil
}

// Newest is the live message whose sequence ends in these 32 bits, the latest if there were several: what a
// peer bound as SMPP 3.3 means by an id of eight digits.
func (b *Book) Newest(low uint32) *Msg {
	seq := b.maxSeq&^0xFFFFFFFF | uint64(low)
	if seq > b.maxSeq {
		if seq < 1<<32 {
			return nil
		}
		seq -= 1 << 32
	}
	return b.t.get(ledger.MakeMsgID(b.Lane, seq))
}

// Join moves what stands in from behind what stands in to, and hands each message to f.
func (b *Book) Join(to, from *List, f func(m *Msg)) {
	for m := b.Pop(from); m != nil; m = b.Pop(from) {
		f(m)
		b.Push(to, m)
	}
}
