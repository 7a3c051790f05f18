package book

import (
	"fmt"
	"math"
	"slices"

	"smsplane/ledger"
	"smsplane/pdu"
)

// stragglerVersion 4 added broadcasts; 3 parts; 2 what the client asked for besides, and what operators and retention
// did; all and 1 are read.
const stragglerVersion = 4

// appendMsg writes a message that outlived its block: its state as of index, then its PDU.
func appendMsg(b []byte, m *Msg, parts *split, index uint64, p []byte) []byte {
	b = append(b, stragglerVersion)
	for _, v := range m.numbers() {
		b = le.AppendUint64(b, *v)
	}
	for _, v := range m.times() {
		b = le.AppendUint64(b, uint64(*v))
	}
	for _, v := range m.amounts() {
		b = le.AppendUint64(b, uint64(*v))
	}
	for _, v := range m.words() {
		b = le.AppendUint32(b, *v)
	}
	for _, v := range m.octets(stragglerVersion) {
		b = append(b, *v)
	}
	for _, v := range m.flags(stragglerVersion) {
		b = append(b, flag(*v, 1))
	}
	b = append(b, byte(m.State), byte(m.Class), byte(m.Policy), byte(m.End), byte(m.Reason))
	b = le.AppendUint16(b, m.Carrier)
	b = le.AppendUint64(b, uint64(m.ID))
	b = le.AppendUint64(b, index)
	for i := range m.Targets {
		t := &m.Targets[i]
		b = le.AppendUint16(b, t.Carrier)
		b = append(b, t.Tier)
		b = le.AppendUint16(b, t.Weight)
		b = le.AppendUint64(b, uint64(t.Buy))
		b = le.AppendUint32(b, t.Row)
	}
	b = appendBytes(b, m.CarrierID())
	b = appendBytes(b, m.Err())
	b = parts.append(b)
	return append(b, p...)
}

func (m *Msg) numbers() []*uint64 { return []*uint64{&m.Block, &m.Number} }
func (m *Msg) times() []*int64 {
	return []*int64{&m.Accepted, &m.Committed, &m.Routed, &m.Verified, &m.Dispatched, &m.Answered, &m.Receipted, &m.Ended,
		&m.ReceiptDone, &m.ValidUntil, &m.Due}
}
func (m *Msg) amounts() []*ledger.Micro {
	return []*ledger.Micro{&m.Hold, &m.Charge, &m.Buy, &m.Cost}
}
func (m *Msg) words() []*uint32 {
	return []*uint32{&m.Off, &m.Len, &m.Account, &m.Session, &m.Row, &m.Catalog, &m.RouteCatalog, &m.Link, &m.Status, &m.FinalStatus}
}
func (m *Msg) octets(version uint8) []*uint8 {
	o := []*uint8{&m.Parts, &m.N, &m.Target, &m.Attempts, &m.Resends, &m.Detail, &m.ReceiptState, &m.Coding, &m.EntryWorker,
		&m.RouterWorker, &m.VerifyWorker, &m.EgressWorker, &m.BillingWorker, &m.Registered, &m.Behind, &m.Of, &m.Part}
	switch version {
	case 1:
		return o[:13]
	case 2:
		return o[:15]
	}
	return o
}
func (m *Msg) flags(version uint8) []*bool {
	f := []*bool{&m.Inferred, &m.Return, &m.MO, &m.WasTaken, &m.Notice, &m.ShortID, &m.Held, &m.Stripped, &m.Concat, &m.Once, &m.Transact, &m.Broadcast}
	switch version {
	case 1:
		return f[:4]
	case 2:
		return f[:8]
	case 3:
		return f[:11]
	}
	return f
}

// readMsg is the inverse of appendMsg; the PDU aliases v.
func readMsg(m *Msg, v []byte) (parts *split, p []byte, err error) {
	r := reader{b: v}
	version := r.u8()
	if version < 1 || version > stragglerVersion {
		return nil, nil, fmt.Errorf("%w: straggler of an unknown version", ErrBooks)
	}
	for _, f := range m.numbers() {
		*f = r.u64()
	}
	for _, f := range m.times() {
		*f = int64(r.u64())
	}
	for _, f := range m.amounts() {
		*f = ledger.Micro(r.u64())
	}
	for _, f := range m.words() {
		*f = r.u32()
	}
	for _, f := range m.octets(version) {
		*f = r.u8()
	}
	for _, f := range m.flags(version) {
		*f = r.u8() != 0
	}
	m.State, m.Class, m.Policy = State(r.u8()), ledger.Class(r.u8()), ledger.Policy(r.u8())
	m.End, m.Reason = ledger.End(r.u8()), ledger.Reason(r.u8())
	m.Carrier, m.ID, m.asOf = r.u16(), ledger.MsgID(r.u64()), r.u64()
	for i := range m.Targets {
		t := &m.Targets[i]
		t.Carrier, t.Tier, t.Weight, t.Buy, t.Row = r.u16(), r.u8(), r.u16(), ledger.Micro(r.u64()), r.u32()
	}
	m.cidLen = uint8(copy(m.cid[:], r.bytes()))
	m.errLen = uint8(copy(m.err[:], r.bytes()))
	if version >= 3 {
		if parts, err = readSplit(&r); err != nil {
			return nil, nil, err
		}
	}
	if r.bad || int(m.State) >= States || m.N > ledger.MaxTargets || len(r.b) > math.MaxInt32 {
		return nil, nil, fmt.Errorf("%w: damaged straggler", ErrBooks)
	}
	m.moved = true
	if version == 1 && !m.MO {
		var v pdu.Message
		if v.Parse(r.b) == pdu.ROK {
			m.Registered = v.RegisteredDelivery()
		}
	}
	return parts, r.b, nil
}

// Scattered says that a few old messages hold a long stretch of the log, up to last, in which nothing lives: it costs
// disk, and time at the next start. least is how many entries are long; size is the octets of one. To write those messages
// once more must cost less than what is gained.
func (b *Book) Scattered(last uint64, least int, size func(index uint64) int) bool {
	return b.live.gaps(least, last, func(before int, from, to uint64) bool {
		cost := before * stragglerOctets
		for i := from; cost > 0 && i <= to; i++ {
			cost -= size(i)
		}
		return cost <= 0
	})
}

// stragglerOctets is about what a message takes under a key of its own.
const stragglerOctets = 450

// Move writes the live messages of the oldest block under keys of their own, so that the log can be dropped
// behind them; at most limit messages. It returns how many it moved.
func (b *Book) Move(limit int) (int, error) {
	index, ok := b.live.lowest()
	if !ok || int(b.live.count(index)) > limit {
		return 0, nil
	}
	blk, err := b.log.Block(index)
	if err != nil {
		return 0, err
	}
	n := 0
	one := func(m *Msg) error {
		if m == nil || m.moved || m.Block != index {
			return nil
		}
		p, err := b.PDU(m)
		if err != nil {
			return err
		}
		b.setBody(m, slices.Clone(p))
		n++
		return nil
	}
	err = ledger.Walk(blk, func(r *ledger.Record) error {
		switch r.Kind {
		case ledger.KindAccept, ledger.KindMO:
			return one(b.t.get(r.ID))
		case ledger.KindLoad:
			return b.eachLoaded(r, one)
		}
		return nil
	})
	return n, err
}
