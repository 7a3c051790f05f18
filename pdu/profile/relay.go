package profile

import (
	"bytes"

	"smsplane/pdu"
)

// Relay writes a message from a carrier for a client: text that the one means by data_coding as the other means it, and
// parts joined as the client wants them. It is false, and nothing is written, when the message is right as it stands, or
// when the client has no way to write it. noTLVs: the client bound as 3.3, to which sar_* cannot be told.
func (f *Forwarder) Relay(dst []byte, m *pdu.Message, from, to Charsets, parts Parts, noTLVs bool) ([]byte, bool) {
	if noTLVs && (parts == PartsAsIs || parts == PartsSAR) {
		parts = PartsAsIs
		if _, there := m.TLV(pdu.TagSARMsgRefNum); there {
			parts = PartsUDH8
		}
	}
	if from == to && parts == PartsAsIs {
		return dst, false
	}
	w := f.convert(m, &Client{Text: from}, &Link{Text: to, Parts: parts})
	if !w.ok || w.coding == m.DataCoding() && !w.parts && bytes.Equal(w.data, m.UserData()) {
		return dst, false
	}
	return f.relayed(dst, m, &w), true
}

// Split writes a message from a carrier as parts of one short message each: as the client wants longer ones (long), or because
// it bound as 3.3 (noTLVs), which has no room for this one. It is nil when the message can stay whole, or must: it is a part
// of something already, or would have too many. Text stays what it means to everybody. The parts have ref in common.
func (f *Forwarder) Split(m *pdu.Message, long Long, noTLVs bool, ref uint16) (parts [][]byte) {
	w := f.convert(m, nil, &plain)
	v := f.shape(&w, &Link{Long: long}, noTLVs)
	if !w.ok || v.Of == 0 || v.Of == tooMany {
		return nil
	}
	v.Ref = ref
	for piece := range f.cut(&w, &v) {
		part := w
		f.joinPart(&part, piece, &v, uint8(len(parts)))
		parts = append(parts, f.relayed(nil, m, &part))
	}
	return parts
}

// plain wants everything as the specification says.
var plain Link

// relayed writes m with another text.
func (f *Forwarder) relayed(dst []byte, m *pdu.Message, w *converted) []byte {
	s := pdu.Submit{Command: m.Command(), Service: m.ServiceType(), SrcTON: m.SrcTON(), SrcNPI: m.SrcNPI(), Src: m.SrcAddr(),
		DstTON: m.DstTON(), DstNPI: m.DstNPI(), Dst: m.DstAddr(), ESMClass: w.esm, Protocol: m.ProtocolID(), Priority: m.Priority(),
		Schedule: m.Schedule(), Validity: m.Validity(), Registered: m.RegisteredDelivery(), Replace: m.ReplaceIfPresent(), Coding: w.coding,
		DefaultMsg: m.DefaultMsgID(), Text: w.data}
	f.tlvs = append(f.tlvs[:0], w.tlvs...)
	if m.Command() != pdu.DataSM && f.long(m, w, LongAsIs) {
		f.tlvs, s.Text = pdu.AppendTLV(f.tlvs, pdu.TagMessagePayload, w.data), nil
	}
	f.pass(m, w, &pdu.Hop{}, &TLVs{AllVendor: true})
	s.TLVs = f.tlvs
	return s.Append(dst, 0)
}

// Standard says that a link means by data_coding what everybody does.
func (p *Link) Standard() bool { return p == nil || p.Text == (Charsets{}) }
