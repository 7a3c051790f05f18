package dataplane

import (
	"smsplane/dataplane/entry"
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/catalog"
	"smsplane/pdu"
)

// replace gives a message that waits another text, other times and another registered_delivery (3.4 §4.10).
func (l *lane) replace(o *order, now int64) {
	id, ok := l.named(o.p.Field("message_id").Octets)
	if !ok {
		l.tell(o, pdu.RInvMsgID, nil)
		return
	}
	m, ok := l.mine(o, id)
	if m == nil {
		l.absent(o, id)
		return
	}
	c, a := l.x.table.ClientOf(m.Account), l.x.accounts[m.Account]
	if !ok || !waits(m) || c == nil || a == nil {
		l.tell(o, pdu.RReplaceFail, nil)
		return
	}
	v, st := l.revised(o, m, c, now)
	if st == pdu.ROK && !a.Spend(v.Price-m.Hold) {
		st = c.Statuses.NoCredit
	}
	if st != pdu.ROK {
		l.tell(o, st, nil)
		return
	}
	if l.deeds > 0 {
		l.rewritten.leave(m)
	}
	l.unlist(m)
	m.Phase = phaseReplacing
	l.begin()
	l.open = ledger.AppendReplace(l.open, l.x.routers.worker(), m.ID, now, v)
	l.acks = append(l.acks, ack{session: o.session, seq: o.seq, command: o.p.Command, client: true})
	l.recorded(now)
}

// revised is the message as the client wants it now: what the request leaves out, and what it has no field for,
// stays. A longer text costs more parts, at the price that was frozen when the message came.
func (l *lane) revised(o *order, m *book.Msg, c *catalog.Client, now int64) (*ledger.Replace, pdu.Status) {
	p, old := o.p, &l.view
	body := p.Field("short_message").Octets
	if payload, _ := pdu.FindTLV(p.TLVs, pdu.TagMessagePayload); len(body) == 0 {
		body = payload
	} else if len(payload) > 0 {
		return nil, pdu.RInvMsgLen // as of a submit_sm with two texts
	}
	if len(body) == 0 {
		return nil, pdu.RInvMsgLen
	}
	s := pdu.Submit{Command: old.Command(), Service: old.ServiceType(), SrcTON: old.SrcTON(), SrcNPI: old.SrcNPI(), Src: old.SrcAddr(),
		DstTON: old.DstTON(), DstNPI: old.DstNPI(), Dst: old.DstAddr(), ESMClass: old.ESMClass(), Protocol: old.ProtocolID(),
		Priority: old.Priority(), Schedule: p.Field("schedule_delivery_time").Octets, Validity: p.Field("validity_period").Octets,
		Registered: p.Field("registered_delivery").Number, Coding: old.DataCoding(), DefaultMsg: p.Field("sm_default_msg_id").Number, Text: body}
	pdu.Walk(old.TLVs(), func(t pdu.Tag, v []byte) bool {
		if t != pdu.TagMessagePayload && t != pdu.TagQOSTimeToLive {
			s.TLVs = pdu.AppendTLV(s.TLVs, t, v)
		}
		return true
	})
	octets := s.Append(nil, o.seq)
	var v pdu.Message
	if st := v.Parse(octets); st != pdu.ROK {
		return nil, st
	}
	until, due, st := entry.Times(&v, &c.Validity[m.Class], now)
	if st != pdu.ROK {
		return nil, st
	}
	if len(v.Schedule()) == 0 {
		due = m.Due
	}
	if len(v.Validity()) == 0 {
		until = m.ValidUntil
	}
	parts := c.Profile.Parts(&v)
	return &ledger.Replace{Parts: uint8(min(parts, 255)), Registered: v.RegisteredDelivery(), ValidUntil: until, Due: due, PDU: octets,
		Price: m.Hold / ledger.Micro(max(m.Parts, 1)) * ledger.Micro(parts)}, pdu.ROK
}
