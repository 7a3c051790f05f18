package dataplane

import (
	"strconv"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
	"smsplane/pdu/profile"
)

// deliver makes the deliver_sm for a bind: a message from a carrier as it came, or a receipt. It is nil when the
// bind cannot carry it; ok is false when the store cannot be read.
func (l *lane) deliver(m *book.Msg, s *clientSession) (p []byte, ok bool) {
	p, err := l.book.PDU(m)
	if err != nil {
		l.x.fail(err)
		return nil, false
	}
	if m.MO {
		if out, ok := l.forClient(m, p, s.noTLVs); ok {
			p = out
		}
		if s.noTLVs {
			return l.withoutTLVs(p), true
		}
		return p, true
	}
	l.view.Parse(p)
	done := m.ReceiptDone
	if done == 0 {
		done = m.Ended
	}
	r := pdu.Receipt{State: stateOf(m), Err: m.Err(), SubmitDate: m.Accepted, DoneDate: done, Sub: int(m.Parts)}
	if m.End == ledger.EndDelivered {
		r.Dlvrd = int(m.Parts)
	}
	return l.onPaper(l.receipt(m, &r, pdu.ESMReceipt, s.noTLVs)), true
}

// forClient is a message from a carrier as its client reads data_coding, and wants parts; false when it is right as it is.
func (l *lane) forClient(m *book.Msg, p []byte, noTLVs bool) (out []byte, ok bool) {
	var to profile.Client
	if l.x.adapt.clients {
		if c := l.x.table.ClientOf(m.Account); c != nil && c.Profile != nil {
			to = *c.Profile
		}
	}
	if m.Notice || !noTLVs && to.Text == (profile.Charsets{}) && to.Joined == profile.PartsAsIs || l.view.Parse(p) != pdu.ROK {
		return nil, false
	}
	if out, ok = l.x.adapt.forward.Relay(l.blank(len(p)), &l.view, profile.Charsets{}, to.Text, to.Joined, noTLVs); !ok {
		return nil, false
	}
	return l.written(out), true
}

// receipt makes the deliver_sm that tells what became of the message in the lane's view, or how it stands
// (pdu.ESMIntermediate): source and destination swapped (3.4 Appendix B), the addresses as the client wrote them.
// A client bound as 3.3 gets the text alone.
func (l *lane) receipt(m *book.Msg, r *pdu.Receipt, class uint8, noTLVs bool) *pdu.Submit {
	v := &l.view
	w := l.x.writing(m.Account)
	l.idText = w.AppendID(l.idText[:0], appendName(l.scratch[:0], m))
	r.ID, r.Text = l.idText, v.ShortMessage()
	l.scratch = pdu.AppendReceiptText(l.scratch[:0], r)
	l.tlvs = l.tlvs[:0]
	if w.What == profile.FromTLVs && !noTLVs {
		l.scratch = l.scratch[:0]
	}
	if class == pdu.ESMReceipt {
		class = w.ESMClass
	}
	if !noTLVs && w.What != profile.FromText {
		l.tlvs = pdu.AppendTLVString(l.tlvs, pdu.TagReceiptedMessageID, l.idText)
		l.tlvs = pdu.AppendTLV8(l.tlvs, pdu.TagMessageState, uint8(r.State))
		if code, ok := networkError(r.Err); ok {
			l.tlvs = pdu.AppendTLV(l.tlvs, pdu.TagNetworkErrorCode, code[:])
		}
		if ref, ok := v.TLV(pdu.TagUserMessageReference); ok {
			l.tlvs = pdu.AppendTLV(l.tlvs, pdu.TagUserMessageReference, ref)
		}
	}
	l.reply = pdu.Submit{Command: pdu.DeliverSM, SrcTON: v.DstTON(), SrcNPI: v.DstNPI(), Src: v.DstAddr(), DstTON: v.SrcTON(), DstNPI: v.SrcNPI(),
		Dst: v.SrcAddr(), ESMClass: class, Text: l.scratch, TLVs: l.tlvs}
	return &l.reply
}

// networkError is err: as network_error_code (3.4 §5.3.2.31); without a network type it is taken for one of GSM. ok is
// false for none, and for what is no number.
func networkError(err []byte) (v [3]byte, ok bool) {
	n, e := strconv.ParseUint(string(err), 10, 16)
	return [3]byte{3, byte(n >> 8), byte(n)}, e == nil && n > 0
}

// appendName writes the id that the client knows a message by, as it was told.
func appendName(dst []byte, m *book.Msg) []byte {
	if m.ShortID {
		return m.Name().AppendShort(dst)
	}
	return m.Name().Append(dst)
}

// withoutTLVs is a message for a client bound as 3.3: a deliver_sm with its text as short_message. nil when that is too
// long, or an address of a data_sm is.
func (l *lane) withoutTLVs(p []byte) []byte {
	v := &l.view
	if v.Parse(p) != pdu.ROK || len(v.UserData()) > maxShort || max(len(v.SrcAddr()), len(v.DstAddr())) > maxAddr {
		return nil
	}
	l.reply = pdu.Submit{Command: pdu.DeliverSM, Service: v.ServiceType(), SrcTON: v.SrcTON(), SrcNPI: v.SrcNPI(), Src: v.SrcAddr(), DstTON: v.DstTON(),
		DstNPI: v.DstNPI(), Dst: v.DstAddr(), ESMClass: v.ESMClass(), Protocol: v.ProtocolID(), Priority: v.Priority(), Coding: v.DataCoding(),
		Registered: v.RegisteredDelivery(), Text: v.UserData()}
	return l.onPaper(&l.reply)
}

// maxShort is the longest short_message (3.4 §5.2.21).
const maxShort = 254

// maxAddr is the longest address of a deliver_sm (3.4 §4.6.1).
const maxAddr = 20

// onPaper writes a deliver_sm where nothing else will be written.
func (l *lane) onPaper(s *pdu.Submit) []byte {
	return l.written(s.Append(l.blank(0), 0))
}

// notify parks an intermediate notification for a client that asked for them (3.4 §5.2.17): it is told like a
// message from a carrier, durably and once.
func (l *lane) notify(m *book.Msg, r *pdu.Receipt, now int64) {
	if m.Registered&wantsNews == 0 || !l.read(m) {
		return
	}
	v := pdu.Receipt{State: r.State, Err: r.Err, SubmitDate: m.Accepted, DoneDate: now, Sub: int(m.Parts)}
	l.park(m, l.receipt(m, &v, pdu.ESMIntermediate, false), now)
}

// news parks a receipt that came behind the end of a message whose outcome nobody knew; the message is in the lane's
// view. The money moved with that end and stays where it is. It reports whether the client had to be told.
func (l *lane) news(m *book.Msg, r *pdu.Receipt, now int64) bool {
	end := endOf(r.State)
	if !r.State.Final() || end == ledger.EndUnknown || !wantsReceipt(m.Registered, end) {
		return false
	}
	v := pdu.Receipt{State: stateAt(end, ledger.ReasonReceipt, uint8(r.State)), Err: r.Err, SubmitDate: m.Accepted, DoneDate: r.DoneDate, Sub: int(m.Parts)}
	if v.DoneDate == 0 {
		v.DoneDate = now
	}
	if end == ledger.EndDelivered {
		v.Dlvrd = int(m.Parts)
	}
	l.park(m, l.receipt(m, &v, pdu.ESMReceipt, false), now)
	return true
}

// park journals a deliver_sm about a message that is not its receipt: it is kept and delivered like a message from a
// carrier.
func (l *lane) park(m *book.Msg, s *pdu.Submit, now int64) {
	l.begin()
	l.open = ledger.AppendMO(l.open, l.x.billers.worker(), l.nextMO(), now, &ledger.MO{Account: m.Account, Carrier: m.Carrier, Notice: true,
		PDU: s.Append(nil, 0)})
	l.recorded(now)
}

// wantsNews is the bit of registered_delivery that asks for intermediate notifications.
const wantsNews = 0x10
