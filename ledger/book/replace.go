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
	m.N, m.Target, m.Routed, m.Verified = 0, 0, 0, 0
	b.set(m, StateAccepted)
	b.setBody(m, slices.Clone(v.PDU))
	return nil
}

// Newest is the latest id of the lane whose sequence ends in these 32 bits: what a peer bound as SMPP 3.3 means
// by an id of eight digits. ok is false when the lane has given out none.
func (b *Book) Newest(low uint32) (id ledger.MsgID, ok bool) {
	seq := b.maxSeq&^0xFFFFFFFF | uint64(low)
	if seq > b.maxSeq {
		if seq < 1<<32 {
			return 0, false
		}
		seq -= 1 << 32
	}
	return ledger.MakeMsgID(b.Lane, seq), true
}

// Join moves what stands in from behind what stands in to, and hands each message to f.
func (b *Book) Join(to, from *List, f func(m *Msg)) {
	for m := b.Pop(from); m != nil; m = b.Pop(from) {
		f(m)
		b.Push(to, m)
	}
}
