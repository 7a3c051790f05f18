package book

import (
	"smsplane/ledger"
)

// operator folds what an operator did. It names many messages, so it is told once, with no message.
func (b *Book) operator(index uint64, r *ledger.Record) error {
	p := &b.deed
	if !r.Operator(p) {
		return bad(r, nil, "cut short")
	}
	for _, id := range p.IDs {
		if b.spared(id, index) {
			continue
		}
		m := b.t.get(id)
		if m == nil {
			if b.replay || p.Action == ledger.ActionReplay {
				continue // it ended before the point the log is replayed to, or had ended long ago
			}
			return bad(r, nil, "no message "+id.String())
		}
		if m.asOf >= index {
			continue
		}
		if err := b.deedOn(r, p.Action, m); err != nil {
			return err
		}
		if m.moved {
			b.moves[id.Seq()] = true
		}
	}
	if !b.replay {
		b.pack.deed(&Deed{At: r.At, Action: p.Action, Author: p.Author, Reason: p.Reason, IDs: p.IDs})
	}
	return b.tell(r, nil)
}

func (b *Book) deedOn(r *ledger.Record, a ledger.Action, m *Msg) error {
	switch a {
	case ledger.ActionHold, ledger.ActionQuarantine:
		m.Held = true
	case ledger.ActionRelease, ledger.ActionPurge:
		m.Held = false
	case ledger.ActionReroute:
		if m.State != StateAccepted && m.State != StateRouted && m.State != StateDoubt {
			return bad(r, m, "not waiting in a queue")
		}
		m.Held, m.N, m.Target, m.Due, m.Routed, m.Verified = false, 0, 0, 0, 0, 0
		b.set(m, StateAccepted)
	}
	return nil
}

// Deed is an operator's entry in the past of the messages it names.
type Deed struct {
	At             int64
	Action         ledger.Action
	Author, Reason []byte
	IDs            []ledger.MsgID
}

func (p *pack) deed(d *Deed) {
	b := le.AppendUint64(p.scratch[:0], uint64(d.At))
	b = append(b, byte(d.Action))
	b = appendBytes(b, d.Author)
	b = appendBytes(b, d.Reason)
	hashes := make([]uint32, 0, len(d.IDs))
	for _, id := range d.IDs {
		b = le.AppendUint64(b, uint64(id))
		hashes = append(hashes, hashID(id))
	}
	p.scratch = b
	p.add(entryDeed, hashes...)
}

func readDeed(body []byte) (d Deed, ok bool) {
	r := reader{b: body}
	d.At, d.Action = int64(r.u64()), ledger.Action(r.u8())
	d.Author, d.Reason = r.bytes(), r.bytes()
	for len(r.b) >= 8 && !r.bad {
		d.IDs = append(d.IDs, ledger.MsgID(r.u64()))
	}
	return d, !r.bad && len(r.b) == 0
}
