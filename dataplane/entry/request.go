package entry

import (
	"smsplane/ledger"
	"smsplane/pdu"
)

// modeMask is the messaging mode in esm_class (3.4 §5.2.12): default, datagram, forward, store and forward.
const (
	modeMask        = 0x03
	modeDatagram    = 0x01
	modeTransaction = 0x02
)

// serve answers a request that carries no message.
func (s *Session) serve(h pdu.Header, p []byte) {
	d := s.desk
	switch h.Command {
	case pdu.QuerySM, pdu.CancelSM, pdu.ReplaceSM, pdu.QueryBroadcastSM, pdu.CancelBroadcastSM:
		if st := d.ask(s, h, p); st != pdu.ROK {
			s.reply(h.Command, st, h.Sequence, nil)
		}
	default:
		d.Counts.Refused[RefusedKind]++
		s.reply(h.Command, pdu.RInvCmdID, h.Sequence, nil)
	}
}

// ask passes a query, cancel_sm, replace_sm or cancel_broadcast_sm on to who knows the message. It is answered by Answer.
func (d *Desk) ask(s *Session, h pdu.Header, p []byte) pdu.Status {
	c, broadcast := d.table().ClientOf(s.Account.Number), h.Command == pdu.QueryBroadcastSM || h.Command == pdu.CancelBroadcastSM
	switch {
	case c == nil:
		return d.refuse(RefusedDraining, pdu.RInvBndSts)
	case broadcast && c.Broadcast == "":
		return d.refuse(RefusedKind, pdu.RProhibited)
	case d.Draining && h.Command != pdu.QuerySM:
		return d.refuse(RefusedDraining, pdu.RSysErr)
	}
	if _, st := pdu.Decode(p); st != pdu.ROK {
		return d.refuse(RefusedFields, st)
	}
	d.up.Asked(s.ID, s.Account.Lane, s.Account.Number, h.Sequence, p)
	return pdu.ROK
}

// Answer writes the response to a request that Up.Asked took: p whole, or a status alone when p is empty.
func (s *Session) Answer(c pdu.Command, st pdu.Status, seq uint32, p []byte) {
	if s.gone {
		return
	}
	if len(p) == 0 {
		s.reply(c, st, seq, nil)
		return
	}
	s.sess.ReplyPDU(p)
	s.touch()
}

// appendID writes an id as the session's client is to know it.
func (s *Session) appendID(dst []byte, id ledger.MsgID) []byte {
	if s.short {
		return id.AppendShort(dst)
	}
	return id.Append(dst)
}
