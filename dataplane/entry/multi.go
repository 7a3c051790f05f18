package entry

import (
	"smsplane/ledger"
	"smsplane/ledger/catalog"
	"smsplane/pdu"
)

// multi is a submit_multi whose messages are on their way.
type multi struct {
	name     ledger.MsgID // the first message's, which the client is told for all of them
	paced    bool
	accepted int
	failed   []pdu.Unsuccess
}

// submitMulti makes one message of each destination (3.4 §4.5). They enter the same block, so that one answer,
// with the destinations that were refused, follows one commit; only payloads larger than a block take several.
// When all are refused, the answer is the status of the first. Each message counts for the client's rate: above it they
// are refused, and those of a paced client, which came in by one token, are owed for.
func (d *Desk) submitMulti(s *Session, h pdu.Header, p []byte, now int64) pdu.Status {
	c, l := d.table().ClientOf(s.Account.Number), d.lanes[s.Account.Lane]
	m, st := pdu.Decode(p)
	switch {
	case c == nil:
		return d.refuse(RefusedDraining, pdu.RInvBndSts)
	case st != pdu.ROK:
		return d.refuse(RefusedFields, st)
	case m.Field("esm_class").Number&modeMask == modeDatagram || m.Field("esm_class").Number&modeMask == modeTransaction:
		return d.refuse(RefusedFields, pdu.RInvEsmClass) // one answer cannot tell of all
	case m.Field("replace_if_present_flag").Number != 0: // 3.4 §4.5.1
		return d.refuse(RefusedFields, pdu.RInvRepFlag)
	}
	if l.n > 0 && l.n+len(m.Dests) > BlockMessages {
		d.cut(l, now, true)
	}
	g := multi{paced: c.OverRate == catalog.Pace}
	if g.paced {
		s.Account.owe(now, len(m.Dests)-1)
	}
	var last ledger.MsgID
	for i := range m.Dests {
		to := &m.Dests[i]
		id, st := d.multiOne(s, c, l, m, to, &g, now)
		if st != pdu.ROK {
			g.failed = append(g.failed, pdu.Unsuccess{TON: to.TON, NPI: to.NPI, Addr: to.Name, Status: st})
			continue
		}
		if g.accepted == 0 {
			g.name = id
		}
		last = id
		g.accepted++
	}
	if g.accepted == 0 {
		return g.failed[0].Status
	}
	d.multis[last] = multiAnswer(s, h, &g)
	l.tickets[len(l.tickets)-1].s = s // that of the last message answers for all
	return pdu.ROK
}

// multiOne admits the message for one destination.
func (d *Desk) multiOne(s *Session, c *catalog.Client, l *Lane, m *pdu.PDU, to *pdu.Dest, g *multi, now int64) (ledger.MsgID, pdu.Status) {
	switch {
	case to.List:
		return 0, d.refuse(RefusedNumber, pdu.RInvDLName)
	case !g.paced && !s.Account.take(now, c.TPS):
		return 0, d.refuse(RefusedRate, pdu.RThrottled)
	}
	if st := d.ready(s, c, l, now); st != pdu.ROK {
		return 0, st
	}
	d.copy = one(d.copy[:0], m, to)
	if st := d.check(s, c, d.copy, now); st != pdu.ROK {
		return 0, st
	}
	d.accept.Behind = uint8(g.accepted)
	return d.enter(s, l, d.copy, ticket{command: pdu.SubmitMulti, seq: m.Sequence, at: now}), pdu.ROK
}

// one writes the submit_sm that says to one destination what a submit_multi says to all.
func one(dst []byte, m *pdu.PDU, to *pdu.Dest) []byte {
	text := m.Field("short_message").Octets
	v := pdu.Submit{Service: m.Field("service_type").Octets, SrcTON: m.Field("source_addr_ton").Number, SrcNPI: m.Field("source_addr_npi").Number,
		Src: m.Field("source_addr").Octets, DstTON: to.TON, DstNPI: to.NPI, Dst: to.Name, ESMClass: m.Field("esm_class").Number,
		Protocol: m.Field("protocol_id").Number, Priority: m.Field("priority_flag").Number, Schedule: m.Field("schedule_delivery_time").Octets,
		Validity: m.Field("validity_period").Octets, Registered: m.Field("registered_delivery").Number, Coding: m.Field("data_coding").Number,
		DefaultMsg: m.Field("sm_default_msg_id").Number, Text: text, TLVs: m.TLVs}
	return v.Append(dst, m.Sequence)
}

// multiAnswer makes the submit_multi_resp.
func multiAnswer(s *Session, h pdu.Header, g *multi) []byte {
	r := pdu.New(pdu.SubmitMultiResp, pdu.ROK, h.Sequence)
	r.Set("message_id", s.appendID(nil, g.name))
	r.SetNumber("unsuccess_sme", uint8(len(g.failed)))
	for _, u := range g.failed {
		u.Addr = append([]byte(nil), u.Addr...)
		r.Failed = append(r.Failed, u)
	}
	return r.Append(nil)
}
