package peer

import "smsplane/pdu"

// quoted is how much of a message its receipt repeats (3.4 appendix B).
const quoted = 20

// refusedAgain is how long a delivery waits that the client could not take now.
const refusedAgain = 1e9 // ns

// deliver sends what is due in the mailbox, up to the window, and asks for a turn when the next falls due.
func (cc *carrierConn) deliver(now int64) {
	room := min(cc.c.behaviour.Load().ReceiptWindow, len(cc.used)/2) - cc.unacked
	if room <= 0 { // the next answer gives a turn
		return
	}
	var next int64
	cc.going, next = cc.box.take(now, room, cc.going[:0])
	for i := range cc.going {
		if !cc.sendDelivery(&cc.going[i], now) { // an answer is missing since a whole table ago
			cc.earned = append(cc.earned, cc.going[i:]...)
			break
		}
	}
	if next > 0 && (next > now || len(cc.going) < room) {
		cc.arm(next)
	}
}

// sendDelivery takes a place in the window and writes the deliver_sm: one act. False when the place is taken.
func (cc *carrierConn) sendDelivery(d *delivery, now int64) bool {
	seq := nextSequence(cc.seq)
	at := seq & uint32(len(cc.used)-1)
	if cc.used[at] != 0 {
		return false
	}
	cc.seq, cc.used[at], cc.waiting[at] = seq, seq, *d
	cc.unacked++
	if d.mo {
		cc.c.n.moSent.Add(1)
	} else {
		cc.c.n.sent.Add(1)
	}
	cc.out = appendDelivery(cc.out, seq, d, now)
	return true
}

// appendDelivery writes a deliver_sm: an MO message as it is, a receipt with its addresses swapped.
func appendDelivery(dst []byte, seq uint32, d *delivery, now int64) []byte {
	s := pdu.Submit{
		Command: pdu.DeliverSM, Src: d.src[:d.srcLen], Dst: d.dst[:d.dstLen], Text: d.text[:d.textLen],
		SrcTON: d.srcTON, SrcNPI: d.srcNPI, DstTON: d.dstTON, DstNPI: d.dstNPI,
	}
	if d.mo {
		return s.Append(dst, seq)
	}
	s.Src, s.Dst = s.Dst, s.Src
	s.SrcTON, s.SrcNPI, s.DstTON, s.DstNPI = s.DstTON, s.DstNPI, s.SrcTON, s.SrcNPI
	s.ESMClass = pdu.ESMReceipt
	var id [40]byte
	var text [256]byte
	var tlvs [80]byte
	r := pdu.Receipt{ID: appendID(id[:0], d.form, d.id), State: pdu.StateDelivered, Err: []byte("000"), Sub: 1, Dlvrd: 1,
		SubmitDate: d.taken, DoneDate: now, Text: d.text[:d.textLen]}
	if d.failing {
		r.State, r.Err, r.Dlvrd = pdu.StateUndeliverable, []byte("011"), 0
	}
	s.Text = pdu.AppendReceiptText(text[:0], &r)
	s.TLVs = pdu.AppendTLV8(pdu.AppendTLVString(tlvs[:0], pdu.TagReceiptedMessageID, r.ID), pdu.TagMessageState, uint8(r.State))
	return s.Append(dst, seq)
}

// delivered takes a deliver_sm_resp.
func (cc *carrierConn) delivered(now int64, h pdu.Header) {
	if cc.used == nil {
		return
	}
	at := h.Sequence & uint32(len(cc.used)-1)
	if cc.used[at] != h.Sequence || h.Sequence == 0 {
		return
	}
	d := &cc.waiting[at]
	cc.used[at] = 0
	cc.unacked--
	switch {
	case h.Status == pdu.ROK && d.mo:
		cc.c.n.moAnswered.Add(1)
	case h.Status == pdu.ROK:
		cc.c.n.answered.Add(1)
	default:
		cc.c.n.receiptsRefused.Add(1)
		if h.Status == pdu.RThrottled || h.Status == pdu.RMsgQFul || h.Status == pdu.RXTAppn {
			d.due = now + refusedAgain
			cc.earned = append(cc.earned, *d)
		}
	}
}
