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

// PartNote is what was known of one part of a message when the message ended.
type PartNote struct {
	ID        ledger.MsgID
	Account   uint32
	Carrier   uint16
	At        int64 // when the message ended
	N, Of     uint8 // from 0
	CarrierID []byte
	State     uint8 // message_state of its final receipt; 0: none came
	Err       []byte
}

// noteParts archives the parts of a message that ends, if it went out in parts.
func (b *Book) noteParts(m *Msg) {
	s := b.splits[m.ID.Seq()]
	if s == nil || m.Of == 0 {
		return
	}
	for i := range s.of {
		v := PartNote{ID: m.ID, Account: m.Account, Carrier: m.Carrier, At: m.Ended, N: uint8(i), Of: m.Of, CarrierID: s.of[i].id}
		if s.of[i].final {
			v.State, v.Err = s.of[i].state, s.of[i].err
		}
		b.pack.part(&v)
	}
}

func (p *pack) part(v *PartNote) {
	b := le.AppendUint64(p.scratch[:0], uint64(v.ID))
	b = le.AppendUint64(b, uint64(v.At))
	b = le.AppendUint32(b, v.Account)
	b = le.AppendUint16(b, v.Carrier)
	b = appendBytes(append(b, v.N, v.Of, v.State), v.CarrierID)
	p.scratch = appendBytes(b, v.Err)
	p.add(entryPart, hashID(v.ID))
}

func readPart(body []byte) (v PartNote, ok bool) {
	r := reader{b: body}
	v.ID, v.At, v.Account, v.Carrier = ledger.MsgID(r.u64()), int64(r.u64()), r.u32(), r.u16()
	v.N, v.Of, v.State = r.u8(), r.u8(), r.u8()
	v.CarrierID, v.Err = slices.Clone(r.bytes()), slices.Clone(r.bytes())
	return v, !r.bad && len(r.b) == 0
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
