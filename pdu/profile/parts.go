package profile

import (
	"smsplane/pdu"
	"smsplane/pdu/text"
)

// Parts is text.Parts of a message from the client: by its characters where its data_coding means something else than
// is usual. c may be nil.
func (c *Client) Parts(m *pdu.Message) int {
	data, esm := m.UserData(), m.ESMClass()
	if c == nil || c.Text == (Charsets{}) {
		return text.Parts(m.DataCoding(), esm, data)
	}
	set, ok := c.Text.charset(m.DataCoding())
	udh := 0
	if m.UDHI() {
		udh = pdu.UDHLen(data)
	}
	var s []byte
	if ok && !shifted(data[:udh]) {
		s, ok = set.Decode(nil, data[udh:], udh)
	}
	if !ok {
		return text.Parts(m.DataCoding(), esm, data)
	}
	header := append([]byte(nil), data[:udh]...)
	if out, ok := text.Unpacked.Encode(header, s, udh); ok && m.DataCoding() != 8 {
		return text.Parts(0, esm, out)
	}
	out, _ := text.UTF16BE.Encode(header, s, udh)
	return text.Parts(8, esm, out)
}
