package profile

import (
	"smsplane/pdu"
	"smsplane/pdu/text"
)

// MaxJoined is how many octets of PDUs may be joined into one: message_payload holds 64 KiB.
const MaxJoined = 60_000

// Joinable reads which part of which text m is. It is false when the parts cannot be put one behind the other: their
// header says more than that, or their septets are packed and are no text. c is the client's, and may be nil.
func (c *Client) Joinable(m *pdu.Message) (total, seq uint8, ok bool) {
	header, body := headerOf(m)
	_, total, seq, have := partOf(m, header)
	if have == PartsAsIs || seq == 0 || seq > total || total < 2 {
		return total, seq, false
	}
	if ok = true; c.packs(m) {
		_, ok = text.Packed.Decode(nil, body, len(header))
	}
	return total, seq, ok
}

// packs says that the septets of m begin behind its header in the middle of an octet.
func (c *Client) packs(m *pdu.Message) bool {
	return c != nil && c.Text.DCS0 == text.Packed && m.DataCoding() == 0
}

// headerOf splits the user data of m behind its header.
func headerOf(m *pdu.Message) (header, body []byte) {
	data, n := m.UserData(), 0
	if m.UDHI() {
		n = pdu.UDHLen(data)
	}
	return data[:n:n], data[n:]
}

// Join writes the text that parts make, which are Joinable and stand in order, as one message_payload. All else is as the
// first says.
func (c *Client) Join(dst []byte, parts []*pdu.Message) []byte {
	m := parts[0]
	s := pdu.Submit{Service: m.ServiceType(), SrcTON: m.SrcTON(), SrcNPI: m.SrcNPI(), Src: m.SrcAddr(), DstTON: m.DstTON(), DstNPI: m.DstNPI(),
		Dst: m.DstAddr(), ESMClass: m.ESMClass() &^ pdu.ESMUDHI, Protocol: m.ProtocolID(), Priority: m.Priority(), Schedule: m.Schedule(),
		Validity: m.Validity(), Registered: m.RegisteredDelivery(), Replace: m.ReplaceIfPresent(), Coding: m.DataCoding(), DefaultMsg: m.DefaultMsgID()}
	var body []byte
	for _, p := range parts {
		header, data := headerOf(p)
		if c.packs(m) {
			body, _ = text.Packed.Decode(body, data, len(header))
		} else {
			body = append(body, data...)
		}
	}
	if c.packs(m) {
		body, _ = text.Packed.Encode(nil, body, 0)
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
