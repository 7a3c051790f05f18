package book

import (
	"slices"

	"smsplane/ledger"
)

// Ordered is what an operator ordered about a message in doubt.
type Ordered struct {
	ID     ledger.MsgID
	At     int64
	Verb   ledger.Verb
	Author []byte
}

// Repeated is a receipt that came behind the one that decided.
type Repeated struct {
	ID    ledger.MsgID
	At    int64
	State uint8 // message_state
	Err   []byte
}

func (p *pack) order(v *Ordered) {
	b := le.AppendUint64(p.scratch[:0], uint64(v.ID))
	b = le.AppendUint64(b, uint64(v.At))
	p.scratch = appendBytes(append(b, byte(v.Verb)), v.Author)
	p.add(entryOrder, hashID(v.ID))
}

func readOrdered(body []byte) (v Ordered, ok bool) {
	r := reader{b: body}
	v.ID, v.At, v.Verb = ledger.MsgID(r.u64()), int64(r.u64()), ledger.Verb(r.u8())
	v.Author = slices.Clone(r.bytes())
	return v, !r.bad && len(r.b) == 0
}

func (p *pack) repeated(v *Repeated) {
	b := le.AppendUint64(p.scratch[:0], uint64(v.ID))
	b = le.AppendUint64(b, uint64(v.At))
	p.scratch = appendBytes(append(b, v.State), v.Err)
	p.add(entryRepeated, hashID(v.ID))
}

func readRepeated(body []byte) (v Repeated, ok bool) {
	r := reader{b: body}
	v.ID, v.At, v.State = ledger.MsgID(r.u64()), int64(r.u64()), r.u8()
	v.Err = slices.Clone(r.bytes())
	return v, !r.bad && len(r.b) == 0
}
