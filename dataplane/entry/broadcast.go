package entry

import (
	"smsplane/ledger"
	"smsplane/ledger/catalog"
	"smsplane/pdu"
	"smsplane/router"
)

// broadcast decides about a broadcast_sm (5.0 §4.4.1). It is a transaction: one attempt, and the answer is the carrier's.
func (d *Desk) broadcast(s *Session, h pdu.Header, p []byte, now int64) pdu.Status {
	c := d.table().ClientOf(s.Account.Number)
	switch {
	case c == nil:
		return d.refuse(RefusedDraining, pdu.RInvBndSts)
	case c.Broadcast == "":
		return d.refuse(RefusedKind, pdu.RProhibited)
	}
	l := d.lanes[s.Account.Lane]
	if st := d.ready(s, c, l, now); st != pdu.ROK {
		return st
	}
	b, st := pdu.Decode(p)
	if st == pdu.ROK {
		st = b.CheckBroadcast()
	}
	if st == pdu.ROK {
		d.copy = b.AppendBroadcastKept(d.copy[:0], []byte(c.Broadcast))
		st = d.view.Parse(d.copy)
	}
	if st != pdu.ROK {
		return d.refuse(RefusedFields, st)
	}
	if st, why := admitBroadcast(&d.accept, &d.view, c, s.Account, d.table(), now); why != Admitted {
		return d.refuse(why, st)
	}
	d.accept.Session = s.ID
	d.enter(s, l, d.copy, ticket{s: s, command: h.Command, seq: h.Sequence, at: now, wait: true})
	return pdu.ROK
}

// admitBroadcast is admit of a broadcast: its number is the catalog's, it is one part, and its times are for the carrier.
func admitBroadcast(a *ledger.Accept, m *pdu.Message, c *catalog.Client, acc *Account, t *router.Table, now int64) (pdu.Status, Refused) {
	n, _ := router.Normalize(m.DstAddr(), m.DstTON(), m.DstNPI(), "")
	class := t.ClassOf(acc.Number, n, c.ClassOf(m.SrcAddr()))
	until, _, st := Times(m, &c.Validity[class], now)
	if st != pdu.ROK {
		return st, RefusedTimes
	}
	*a = ledger.Accept{Class: class, Once: true, Transact: true, Broadcast: true, Number: uint64(n), ValidUntil: min(until, now+int64(onceWithin))}
	return afford(a, 1, c, acc, t, now)
}

// broadcasted answers a broadcast_sm: with our id if it was taken, and with what the carrier said of single areas.
func (s *Session) broadcasted(id ledger.MsgID, st pdu.Status, seq uint32, areas []byte) {
	d := s.desk
	switch {
	case st == pdu.ROK:
		d.idText = s.appendID(d.idText[:0], id)
		d.copy = pdu.AppendMessageResp(d.copy[:0], pdu.BroadcastSM, st, seq, d.idText)
	case len(areas) == 0:
		s.reply(pdu.BroadcastSM, st, seq, nil)
		return
	default:
		d.copy = append(pdu.AppendPlain(d.copy[:0], pdu.BroadcastSMResp, s.told(st), seq), 0) // message_id
	}
	d.copy = pdu.Finish(append(d.copy, areas...), 0)
	s.Answer(pdu.BroadcastSM, st, seq, d.copy)
}
