package book

import (
	"encoding/binary"
	"slices"

	"github.com/cespare/xxhash/v2"

	"smsplane/ledger"
)

// A pack is what one flush adds to the record of the past: EDRs, attempts that led nowhere, and receipts
// that clients took. Packs are keyed by the applied index, so they stand in time order and are dropped as
// ranges. Beside each pack stands an index of 32-bit hashes of everything one can search by.

type entryKind uint8

const (
	entryEDR entryKind = iota + 1
	entryAttempt
	entryReturn
	entryDeed
	entryOrder
	entryRepeated
	entryPart
)

// EDR is the life of one message that has ended, in integers and in the addresses as the client wrote them.
// All times are unix nanoseconds, 0 where a step was never taken.
type EDR struct {
	ID                                                                            ledger.MsgID
	Account                                                                       uint32
	Class                                                                         ledger.Class
	Parts, Coding                                                                 uint8
	Number                                                                        uint64
	Src, Dst                                                                      []byte
	Accepted, Committed, Routed, Verified, Dispatched, Answered, Receipted, Ended int64
	ReceiptDone                                                                   int64
	EntryWorker, RouterWorker, VerifyWorker, EgressWorker, BillingWorker          uint8
	Session, Link                                                                 uint32
	Row, Catalog, RouteCatalog                                                    uint32
	Targets                                                                       []ledger.PlanTarget
	Target, Attempts, Resends                                                     uint8
	Carrier                                                                       uint16
	CarrierID                                                                     []byte
	Status, FinalStatus                                                           uint32
	ReceiptState                                                                  uint8
	Inferred, Return, ShortID, Broadcast                                          bool
	Registered                                                                    uint8 // which final receipts the client asked for; 0 for parts, of which one says nothing of the whole
	Behind                                                                        uint8 // messages of its submit_multi before it
	Err                                                                           []byte
	End                                                                           ledger.End
	Reason                                                                        ledger.Reason
	Detail                                                                        uint8
	Hold, Charge, Buy, Cost                                                       ledger.Micro
}

// Attempt is a dispatch that did not end in "taken", or, with Outcome Taken, one of a part that is not the last.
type Attempt struct {
	ID                   ledger.MsgID
	Account              uint32 // 0: written before layout version 4
	N, Target            uint8
	Carrier              uint16
	Link                 uint32
	Worker               uint8
	Dispatched, Answered int64
	Status               uint32         // of Taken: which part it was, from 0
	Outcome              ledger.Outcome // 0: in doubt
	Policy               ledger.Policy  // what was done about the doubt
	Resend               bool
}

// Returned says that the client took the receipt, or the message from a carrier.
type Returned struct {
	ID      ledger.MsgID
	At      int64
	Worker  uint8
	Session uint32
	Status  uint32
	Account uint32 // whose message from a carrier it was; 0: it was a receipt
}

// pack collects entries between two flushes.
type pack struct {
	body, index, scratch []byte
	texts                []byte // see taken.go
	n                    int
}

func hash32(b []byte) uint32 { return uint32(xxhash.Sum64(b)) }

// hashResent stands in the index of a pack that holds a message sent a second time.
const hashResent = 1

func hashID(id ledger.MsgID) uint32 {
	var b [8]byte
	le.PutUint64(b[:], uint64(id))
	return hash32(b[:])
}

func (p *pack) add(k entryKind, hashes ...uint32) {
	p.body = append(p.body, byte(k))
	p.body = le.AppendUint16(p.body, uint16(len(p.scratch)))
	p.body = append(p.body, p.scratch...)
	for _, h := range hashes {
		p.index = le.AppendUint32(p.index, h)
	}
	p.n++
}

func (p *pack) reset() { p.body, p.index, p.texts, p.n = p.body[:0], p.index[:0], p.texts[:0], 0 }

func flag(b bool, bit uint8) uint8 {
	if b {
		return bit
	}
	return 0
}

// edr writes the EDR of a message that just ended. Times are microseconds behind Accepted.
func (p *pack) edr(m *Msg, src, dst []byte) {
	b := p.scratch[:0]
	b = le.AppendUint64(b, uint64(m.ID))
	b = le.AppendUint64(b, uint64(m.Accepted))
	for _, t := range [...]int64{m.Committed, m.Routed, m.Verified, m.Dispatched, m.Answered, m.Receipted, m.Ended, m.ReceiptDone} {
		b = appendSince(b, m.Accepted, t)
	}
	b = append(b, byte(m.Class), m.Parts, m.Coding, m.EntryWorker, m.RouterWorker, m.VerifyWorker, m.EgressWorker, m.BillingWorker,
		m.Target, m.Attempts, m.Resends, m.ReceiptState, byte(m.End), byte(m.Reason), m.Detail, flag(m.Inferred, 1)|flag(m.Return, 2)|flag(m.ShortID, 4)|m.wanted()<<3|flag(m.Broadcast, 32), m.N)
	for _, v := range [...]uint64{uint64(m.Account), m.Number, uint64(m.Session), uint64(m.Link), uint64(m.Row), uint64(m.Catalog),
		uint64(m.RouteCatalog), uint64(m.Carrier), uint64(m.Status), uint64(m.FinalStatus)} {
		b = binary.AppendUvarint(b, v)
	}
	for _, v := range [...]ledger.Micro{m.Hold, m.Charge, m.Buy, m.Cost} {
		b = binary.AppendVarint(b, int64(v))
	}
	for _, t := range m.Targets[:m.N] {
		b = append(b, t.Tier)
		b = binary.AppendUvarint(b, uint64(t.Carrier))
		b = binary.AppendUvarint(b, uint64(t.Weight))
		b = binary.AppendVarint(b, int64(t.Buy))
		b = binary.AppendUvarint(b, uint64(t.Row))
	}
	b = appendBytes(b, src)
	b = appendBytes(b, dst)
	b = appendBytes(b, m.CarrierID())
	b = appendBytes(b, m.Err())
	if m.Behind > 0 {
		b = append(b, m.Behind)
	}
	p.scratch = b
	cid := uint32(0)
	if m.cidLen > 0 {
		cid = hash32(m.CarrierID())
	}
	hashes := [...]uint32{hashID(m.ID), hashNumber(m.Number), hash32(src), cid, hashResent}
	n := len(hashes) - 1
	if m.Resends > 0 {
		n++
	}
	p.add(entryEDR, hashes[:n]...)
}

func hashNumber(n uint64) uint32 {
	var b [8]byte
	le.PutUint64(b[:], n)
	return hash32(b[:])
}

// wanted is which final receipts of one carrier's the client wants to hear of.
func (m *Msg) wanted() uint8 {
	if m.Of > 0 {
		return 0
	}
	return m.Registered & 3
}

// appendSince writes a time as whole microseconds behind base, plus one; zero is "never".
func appendSince(b []byte, base, t int64) []byte {
	if t == 0 {
		return binary.AppendVarint(b, 0)
	}
	d := (t - base) / 1000
	if d >= 0 {
		d++ // keeps 0 free
	}
	return binary.AppendVarint(b, d)
}

func (r *reader) since(base int64) int64 {
	d := r.varint()
	switch {
	case d == 0:
		return 0
	case d > 0:
		d--
	}
	return base + d*1000
}

func readEDR(body []byte) (e EDR, ok bool) {
	r := reader{b: body}
	e.ID, e.Accepted = ledger.MsgID(r.u64()), int64(r.u64())
	for _, t := range [...]*int64{&e.Committed, &e.Routed, &e.Verified, &e.Dispatched, &e.Answered, &e.Receipted, &e.Ended, &e.ReceiptDone} {
		*t = r.since(e.Accepted)
	}
	e.Class = ledger.Class(r.u8())
	for _, v := range [...]*uint8{&e.Parts, &e.Coding, &e.EntryWorker, &e.RouterWorker, &e.VerifyWorker, &e.EgressWorker, &e.BillingWorker,
		&e.Target, &e.Attempts, &e.Resends, &e.ReceiptState} {
		*v = r.u8()
	}
	e.End, e.Reason, e.Detail = ledger.End(r.u8()), ledger.Reason(r.u8()), r.u8()
	f := r.u8()
	e.Inferred, e.Return, e.ShortID, e.Registered, e.Broadcast = f&1 != 0, f&2 != 0, f&4 != 0, f>>3&3, f&32 != 0
	n := int(r.u8())
	e.Account, e.Number, e.Session, e.Link = uint32(r.uvarint()), r.uvarint(), uint32(r.uvarint()), uint32(r.uvarint())
	e.Row, e.Catalog, e.RouteCatalog = uint32(r.uvarint()), uint32(r.uvarint()), uint32(r.uvarint())
	e.Carrier, e.Status, e.FinalStatus = uint16(r.uvarint()), uint32(r.uvarint()), uint32(r.uvarint())
	for _, v := range [...]*ledger.Micro{&e.Hold, &e.Charge, &e.Buy, &e.Cost} {
		*v = ledger.Micro(r.varint())
	}
	for ; n > 0 && !r.bad; n-- {
		e.Targets = append(e.Targets, ledger.PlanTarget{Tier: r.u8(), Carrier: uint16(r.uvarint()), Weight: uint16(r.uvarint()),
			Buy: ledger.Micro(r.varint()), Row: uint32(r.uvarint())})
	}
	e.Src, e.Dst, e.CarrierID, e.Err = r.bytes(), r.bytes(), r.bytes(), r.bytes()
	if len(r.b) == 1 {
		e.Behind = r.u8()
	}
	return e, !r.bad && len(r.b) == 0
}

func (p *pack) attempt(a *Attempt) {
	b := le.AppendUint64(p.scratch[:0], uint64(a.ID))
	b = le.AppendUint64(b, uint64(a.Dispatched))
	b = le.AppendUint64(b, uint64(a.Answered))
	b = le.AppendUint32(b, a.Status)
	b = le.AppendUint32(b, a.Link)
	b = le.AppendUint16(b, a.Carrier)
	b = append(b, a.N, a.Target, a.Worker, byte(a.Outcome), byte(a.Policy), flag(a.Resend, 1))
	p.scratch = le.AppendUint32(b, a.Account)
	p.add(entryAttempt, hashID(a.ID))
}

func readAttempt(body []byte) (a Attempt, ok bool) {
	r := reader{b: body}
	a.ID, a.Dispatched, a.Answered = ledger.MsgID(r.u64()), int64(r.u64()), int64(r.u64())
	a.Status, a.Link, a.Carrier = r.u32(), r.u32(), r.u16()
	a.N, a.Target, a.Worker, a.Outcome, a.Policy = r.u8(), r.u8(), r.u8(), ledger.Outcome(r.u8()), ledger.Policy(r.u8())
	a.Resend = r.u8() != 0
	if len(r.b) > 0 {
		a.Account = r.u32()
	}
	return a, !r.bad && len(r.b) == 0
}

func (p *pack) returned(v *Returned) {
	b := le.AppendUint64(p.scratch[:0], uint64(v.ID))
	b = le.AppendUint64(b, uint64(v.At))
	b = le.AppendUint32(b, v.Session)
	b = le.AppendUint32(b, v.Status)
	if b = append(b, v.Worker); v.Account != 0 {
		b = le.AppendUint32(b, v.Account)
	}
	p.scratch = b
	p.add(entryReturn, hashID(v.ID))
}

func readReturned(body []byte) (v Returned, ok bool) {
	r := reader{b: body}
	v.ID, v.At, v.Session, v.Status, v.Worker = ledger.MsgID(r.u64()), int64(r.u64()), r.u32(), r.u32(), r.u8()
	if len(r.b) > 0 {
		v.Account = r.u32()
	}
	return v, !r.bad && len(r.b) == 0
}

// Summary is what the EDR of m would say now; the slices are copies.
func (m *Msg) Summary(src, dst []byte) EDR {
	return EDR{ID: m.ID, Account: m.Account, Class: m.Class, Parts: m.Parts, Coding: m.Coding, Number: m.Number,
		Src: slices.Clone(src), Dst: slices.Clone(dst), Accepted: m.Accepted, Committed: m.Committed, Routed: m.Routed, Verified: m.Verified,
		Dispatched: m.Dispatched, Answered: m.Answered, Receipted: m.Receipted, Ended: m.Ended, ReceiptDone: m.ReceiptDone,
		EntryWorker: m.EntryWorker, RouterWorker: m.RouterWorker, VerifyWorker: m.VerifyWorker, EgressWorker: m.EgressWorker,
		BillingWorker: m.BillingWorker, Session: m.Session, Link: m.Link, Row: m.Row, Catalog: m.Catalog, RouteCatalog: m.RouteCatalog,
		Targets: slices.Clone(m.Targets[:m.N]), Target: m.Target, Attempts: m.Attempts, Resends: m.Resends, Carrier: m.Carrier,
		CarrierID: slices.Clone(m.CarrierID()), Status: m.Status, FinalStatus: m.FinalStatus, ReceiptState: m.ReceiptState,
		Inferred: m.Inferred, Return: m.Return, ShortID: m.ShortID, Broadcast: m.Broadcast, Registered: m.wanted(), Behind: m.Behind, Err: slices.Clone(m.Err()), End: m.End, Reason: m.Reason, Detail: m.Detail,
		Hold: m.Hold, Charge: m.Charge, Buy: m.Buy, Cost: m.Cost}
}
