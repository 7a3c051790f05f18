package profile

import (
	"bytes"
	"slices"
	"strconv"

	"smsplane/pdu"
)

// IsReceipt reports whether m, from the carrier, is a receipt.
func (p *Link) IsReceipt(m *pdu.Message) bool {
	if m.IsReceipt() || m.IsIntermediate() || m.LooksLikeReceipt() {
		return true
	}
	return p != nil && slices.Contains(p.Receipts.Classes, m.ESMClass())
}

// ParseReceipt is pdu.ParseReceipt in the carrier's dialect. p may be nil.
func (p *Link) ParseReceipt(m *pdu.Message, r *pdu.Receipt) bool {
	if p == nil {
		return pdu.ParseReceipt(m, r)
	}
	var ok bool
	switch p.Receipts.From {
	case FromText:
		ok = pdu.ParseReceiptText(pdu.ReceiptText(m), r)
	case FromTLVs:
		ok = pdu.ParseReceiptTLVs(m, r)
	default:
		ok = pdu.ParseReceipt(m, r)
	}
	for _, w := range p.Receipts.States {
		if bytes.EqualFold(r.Stat, []byte(w.Word)) && len(r.ID) > 0 {
			r.State, ok = w.State, true
		}
	}
	return ok
}

// AppendID writes our id as the client reads it in receipts; id is the sixteen hex digits of its answer.
func (w *Writing) AppendID(dst, id []byte) []byte {
	switch w.ID {
	case Decimal:
		if v, err := strconv.ParseUint(string(id), 16, 64); err == nil {
			return strconv.AppendUint(dst, v, 10)
		}
	case Hex:
		return append(dst, bytes.ToUpper(id)...)
	}
	return append(dst, id...)
}
