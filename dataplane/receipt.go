package dataplane

import (
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/catalog"
	"smsplane/pdu"
	"smsplane/router"
)

// fromCarrier takes a deliver_sm or data_sm of a carrier: a receipt, or a message for one of our clients. It
// is answered when the record about it is committed.
func (x *executor) fromCarrier(s *linkSession, e *event, now int64) {
	command := pdu.Command(e.status)
	reply := ack{session: s.id, seq: e.seq, command: command}
	if st := x.view.Parse(e.data); st != pdu.ROK {
		x.counts.malformed++
		x.reply(s.id, command, e.seq, st)
		return
	}
	dialect := s.link.decl.Profile
	if !dialect.IsReceipt(&x.view) {
		x.fromMobile(s, e, reply, now)
		return
	}
	x.seek.link = s.link
	if !dialect.ParseReceipt(&x.view, &x.receipt) {
		x.counts.malformed++
		x.orphaned(s.carrier.n, e.data, &reply, now)
		return
	}
	if l, m, part := x.correlate(s.carrier.n, x.receipt.ID); m != nil {
		if l.leading {
			l.received(m, part, &x.receipt, &reply, now)
		} else {
			x.handReceipt(givenReceipt, m.ID, part, s.carrier.n, s.link, e.data, &reply)
		}
		return
	}
	ids := s.link.ids
	if ids.Undecided() {
		x.orphaned(s.carrier.n, e.data, &reply, now)
		return
	}
	x.idText = ids.Answer(x.idText[:0], x.receipt.ID)
	id, news, ok := x.ended.find(s.carrier.n, x.idText)
	switch {
	case ok && !news:
		ids.Known()
		if l := x.lanes[id.Lane()]; l.leading {
			l.repeated(id, &x.receipt, &reply, now)
		} else {
			x.handReceipt(givenEnded, id, 0, s.carrier.n, s.link, e.data, &reply)
		}
		return
	case ok:
		ids.Known()
	default:
		if l, m := x.infer(s.carrier.n, now); m != nil {
			if l.leading {
				l.inferred(m, &x.receipt, &reply, now)
			} else {
				x.handReceipt(givenInferred, m.ID, 0, s.carrier.n, s.link, e.data, &reply)
			}
			return
		}
	}
	x.orphaned(s.carrier.n, e.data, &reply, now)
	x.belated.add(s.carrier.n, s.link, x.receipt.ID)
}

// received journals a receipt for m, and the end of m if the receipt is final. reply, if any, goes out when
// that is committed.
func (l *lane) received(m *book.Msg, part uint8, r *pdu.Receipt, reply *ack, now int64) {
	if m.Of > 0 {
		l.receivedPart(m, part, r, reply, now)
		return
	}
	if m.Phase != phaseAwaiting { // it has ended already; the first final receipt decided
		l.repeated(m.ID, r, reply, now)
		unknown := m.Note&noteUnknown != 0 || m.State == book.StateEnded && m.End == ledger.EndUnknown
		if unknown && m.Note&noteTold == 0 && l.read(m) && l.news(m, r, now) {
			m.Note |= noteTold
		}
		return
	}
	l.heard(m, r, false, reply, now)
}

// repeated journals a receipt behind the one that decided.
func (l *lane) repeated(id ledger.MsgID, r *pdu.Receipt, reply *ack, now int64) {
	l.journalReceipt(id, &ledger.Receipt{State: uint8(r.State), Repeated: true, Done: r.DoneDate, Err: r.Err, ID: r.ID}, reply, now)
}

// journalReceipt appends a RECEIPT; reply, if any, goes out when it is committed.
func (l *lane) journalReceipt(id ledger.MsgID, v *ledger.Receipt, reply *ack, now int64) {
	l.begin()
	l.open = ledger.AppendReceipt(l.open, l.x.billers.worker(), id, now, v)
	if reply != nil {
		l.acks = append(l.acks, *reply)
	}
	l.recorded(now)
}

func (l *lane) heard(m *book.Msg, r *pdu.Receipt, inferred bool, reply *ack, now int64) {
	x := l.x
	if g := l.groups[m.Group]; m.Concat && g != nil {
		l.together(2*len(g.waiting), now)
	}
	v := ledger.Receipt{State: uint8(r.State), Inferred: inferred, Done: r.DoneDate, Err: r.Err, ID: r.ID}
	end := endOf(r.State)
	c := x.table.CarrierOf(m.Carrier)
	onSent := c == nil || c.Cost == catalog.ChargeSent
	if inferred && onSent || end == ledger.EndDelivered && r.State.Final() {
		v.Cost = l.owes(m)
	}
	l.journalReceipt(m.ID, &v, reply, now)
	if !r.State.Final() {
		l.notify(m, r, now)
		return
	}
	n := router.Number(m.Number)
	if end == ledger.EndDelivered {
		x.recent.Delivered(m.Carrier, n, now, now-m.Answered)
	} else {
		x.recent.Failed(m.Carrier, n, now)
	}
	l.final(m, ledger.Final{End: end, Reason: ledger.ReasonReceipt}, now)
	l.speaks(m, r, now)
}

// owes is what a carrier earns by a receipt: nothing, if it earned when it took the message. What its contract said then
// may not be what it says now.
func (l *lane) owes(m *book.Msg) ledger.Micro {
	if m.Cost != 0 || m.Note&noteOwed != 0 {
		return 0
	}
	m.Note |= noteOwed
	return m.Buy * ledger.Micro(m.Parts)
}

func endOf(s pdu.State) ledger.End {
	switch s {
	case pdu.StateDelivered:
		return ledger.EndDelivered
	case pdu.StateExpired:
		return ledger.EndExpired
	case pdu.StateUnknown:
		return ledger.EndUnknown
	}
	return ledger.EndFailed
}

// orphaned keeps a receipt that fits no message, in lane 0: its message's answer may still come.
func (x *executor) orphaned(carrier uint16, p []byte, reply *ack, now int64) {
	l := x.lanes[0]
	l.begin()
	l.open = ledger.AppendOrphan(l.open, now, carrier, p)
	if reply != nil {
		l.acks = append(l.acks, *reply)
	}
	l.recorded(now)
	x.early.add(carrier, &x.view, &x.receipt, p, now)
}
