package profile

import (
	"smsplane/pdu"
	"smsplane/pdu/text"
)

// MaxJoined is how many octets of PDUs may be joined into one: message_payload holds 64 KiB.
const MaxJoined = 60_000

// Joinable reads which part of which text m is. It is false when the parts, one behind the other, are not the text: their
// header says more than that, or their septets are packed from its end. c is the client's, and may be nil.
func (c *Client) Joinable(m *pdu.Message) (total, seq uint8, ok bool) {
	var header []byte
	if m.UDHI() {
		data := m.UserData()
		header = data[:pdu.UDHLen(data)]
	}
	_, total, seq, have := partOf(m, header)
	packed := c != nil && c.Text.DCS0 == text.Packed && m.DataCoding() == 0
	return total, seq, have != PartsAsIs && !packed && seq > 0 && seq <= total && total > 1
}

// Join writes the text that parts make, which stand in order, as one message_payload. All else is as the first says.
func Join(dst []byte, parts []*pdu.Message) []byte {
	m := parts[0]
	s := pdu.Submit{Service: m.ServiceType(), SrcTON: m.SrcTON(), SrcNPI: m.SrcNPI(), Src: m.SrcAddr(), DstTON: m.DstTON(), DstNPI: m.DstNPI(),
		Dst: m.DstAddr(), ESMClass: m.ESMClass() &^ pdu.ESMUDHI, Protocol: m.ProtocolID(), Priority: m.Priority(), Schedule: m.Schedule(),
		Validity: m.Validity(), Registered: m.RegisteredDelivery(), Replace: m.ReplaceIfPresent(), Coding: m.DataCoding(), DefaultMsg: m.DefaultMsgID()}
	var body []byte
	for _, p := range parts {
		data := p.UserData()
		if p.UDHI() {
			data = data[pdu.UDHLen(data):]
		}
		body = append(body, data...)
	}
	s.TLVs = pdu.AppendTLV(nil, pdu.TagMessagePayload, body)
	for b := m.TLVs(); ; {
		t, v, rest, ok := pdu.NextTLV(b)
		if !ok {
			return s.Append(dst, 0)
		}
		b = rest
		switch t {
		case pdu.TagMessagePayload, pdu.TagSARMsgRefNum, pdu.TagSARTotalSegments, pdu.TagSARSegmentSeqnum:
		default:
			s.TLVs = pdu.AppendTLV(s.TLVs, t, v)
		}
	}
}
