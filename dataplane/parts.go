package dataplane

import (
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/catalog"
	"smsplane/pdu"
	"smsplane/router"
)

// A text that a link wants in parts is sent one part after the other: each is a dispatch of the message, with all that
// may befall one, and the next follows when the carrier has taken it. So a carrier that has one part gets the others,
// or the message ends; and what it gets, it gets in order.
//
// Receipts come for each part, for the first or for the last only (part_receipts). The message ends once: when all
// parts that have a receipt are final. It was delivered if they all were, and else what the first was that was not.

// refs gives the parts of a text the number that they have in common. Texts to one phone that are on their way together
// must not share it, and 8 bits are all that most carriers keep: so each number counts for itself.
type refs []uint16

const refCounters = 1 << 16

// nextRef is the reference for the next text to a number.
func (x *executor) nextRef(number uint64) uint16 {
	if x.refs == nil { // phones may still wait for parts from before the start
		x.refs = make(refs, refCounters)
		for i := range x.refs {
			x.refs[i] = uint16(x.rand.Uint32())
		}
	}
	r := &x.refs[number*0x9E3779B97F4A7C15>>48]
	*r++
	return *r
}

// partsSent is how many parts the present dispatch of a message carries.
func partsSent(m *book.Msg) uint8 {
	if m.Of > 0 {
		return 1
	}
	return m.Parts
}

// partTaken notes that a carrier took a part; it reports whether it was the last.
func (l *lane) partTaken(m *book.Msg, a *ledger.Answer, now int64) (last bool) {
	a.Parted, a.Part = true, m.Part
	last = m.Part+1 == m.Of
	a.More = !last
	l.book.SetPartID(m, m.Part, a.CarrierID)
	l.answer(m, a, now)
	if last {
		return true
	}
	m.Part++
	m.Due, m.Fails, m.Losses, m.Policy = 0, 0, 0, 0
	l.goOn(m, now)
	if len(l.x.strays.byID) > 0 {
		l.x.awaited(m.Carrier, a.CarrierID, now)
	}
	return false
}

// goOn lets the next part of a message go before all that waits for its carrier and was not served yet.
func (l *lane) goOn(m *book.Msg, now int64) {
	m.Phase = phaseQueued
	carrier := m.Present().Carrier
	l.queueOf(ledger.RunInternal, carrier, m.Class).rejoin(l.book, m)
	l.x.carrier(carrier).waiting[m.Class]++
	l.x.carrier(carrier).reserve.Saw(m.Class, now)
}

// receivedPart takes a receipt for one part, at whatever stage the others are.
func (l *lane) receivedPart(m *book.Msg, part uint8, r *pdu.Receipt, reply *ack, now int64) {
	x := l.x
	if m.State == book.StateEnded || m.Phase == phaseEnding {
		l.repeated(m.ID, r, reply, now)
		return
	}
	if r.State.Final() && !l.book.EndPart(m, part, uint8(r.State), r.Err) {
		l.repeated(m.ID, r, reply, now)
		return
	}
	v := ledger.Receipt{State: uint8(r.State), Done: r.DoneDate, Err: r.Err, ID: r.ID, Parted: true, Part: part}
	if c := x.table.CarrierOf(m.Carrier); c != nil && c.Cost != catalog.ChargeSent && r.State == pdu.StateDelivered && m.Note&noteOwed == 0 {
		v.Cost = m.Buy
		if c.Parts != catalog.PartsEach {
			v.Cost *= ledger.Micro(m.Of)
		}
	}
	l.journalReceipt(m.ID, &v, reply, now)
	if !r.State.Final() {
		l.notify(m, r, now)
		return
	}
	if m.Phase == phaseAwaiting {
		l.complete(m, now)
	}
}

// complete ends a message whose parts are all taken when nothing more is to come.
func (l *lane) complete(m *book.Msg, now int64) {
	x := l.x
	c := x.table.CarrierOf(m.Carrier)
	first, last, why := uint8(0), m.Of-1, ledger.ReasonReceipt
	if c != nil {
		switch c.Parts {
		case catalog.PartsFirst:
			last, why = 0, ledger.ReasonDerived
		case catalog.PartsLast:
			first, why = last, ledger.ReasonDerived
		}
	}
	end := ledger.EndDelivered
	for i := first; ; i++ {
		st, _, ok := l.book.PartEnd(m, i)
		if !ok {
			return
		}
		if end == ledger.EndDelivered {
			end = endOf(pdu.State(st))
		}
		if i == last {
			break
		}
	}
	n := router.Number(m.Number)
	if end == ledger.EndDelivered {
		x.recent.Delivered(m.Carrier, n, now, now-m.Answered)
	} else {
		x.recent.Failed(m.Carrier, n, now)
	}
	l.final(m, ledger.Final{End: end, Reason: why}, now)
}
