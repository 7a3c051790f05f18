package conform

import (
	"bytes"
	"context"
	"fmt"

	"smsplane/pdu"
)

// tlvs tries what may stand behind a submit_sm.
func (r *run) tlvs(ctx context.Context) {
	r.sheet.section("TLVs of submit_sm")
	for _, p := range []struct {
		probe string
		tlvs  []byte
	}{
		{"user_message_reference", pdu.AppendTLV16(nil, pdu.TagUserMessageReference, 7)},
		{"source_port and destination_port", pdu.AppendTLV16(pdu.AppendTLV16(nil, pdu.TagSourcePort, 1), pdu.TagDestinationPort, 2948)},
		{"privacy_indicator", pdu.AppendTLV8(nil, pdu.TagPrivacyIndicator, 1)},
		{"a vendor's tag 0x1412", pdu.AppendTLV(nil, 0x1412, []byte("x"))},
		{"an unknown tag 0x0FFE", pdu.AppendTLV(nil, 0x0FFE, []byte("x"))},
	} {
		m := r.message("conform: TLV")
		m.TLVs = p.tlvs
		r.offer(ctx, p.probe, m.Append(nil, 0))
	}
	bad := r.message("conform: TLV")
	bad.TLVs = pdu.AppendTLV(nil, pdu.TagUserMessageReference, []byte{1, 2, 3})
	r.demand(ctx, "user_message_reference of 3 octets", bad.Append(nil, 0), pdu.RInvTLVLen)
	bad.TLVs = []byte{0x02, 0x04, 0x00, 0x09, 1}
	r.demand(ctx, "a TLV that runs past the end", bad.Append(nil, 0), pdu.RInvTLVStream, pdu.RInvTLVLen, pdu.RInvMsgLen)
	bad.TLVs = pdu.AppendTLV(nil, pdu.TagMessagePayload, []byte("and a payload"))
	r.offer(ctx, "message_payload beside short_message", bad.Append(nil, 0))
}

// alphabets tries data_coding.
func (r *run) alphabets(ctx context.Context) {
	r.sheet.section("data_coding")
	for _, p := range []struct {
		coding uint8
		name   string
		text   []byte
	}{
		{0x00, "SMSC default", []byte("conform")}, {0x01, "ASCII", []byte("conform")}, {0x02, "octets", []byte{0, 1, 2, 255}},
		{0x03, "Latin-1", []byte{'c', 0xE4}}, {0x04, "octets", []byte{0, 1, 2, 255}}, {0x05, "JIS", []byte("conform")},
		{0x06, "Cyrillic", []byte{0xBF}}, {0x07, "Hebrew", []byte{0xE0}}, {0x08, "UCS-2", []byte{0x04, 0x11}},
		{0x08, "UTF-16 surrogates", []byte{0xD8, 0x3D, 0xDE, 0x00}}, {0x08, "UCS-2, odd octets", []byte{0x04, 0x11, 0x04}},
		{0x0A, "ISO-2022-JP", []byte("conform")}, {0x0E, "KS C 5601", []byte{0xB0, 0xA1}},
		{0x10, "flash, GSM 7-bit", []byte("conform")}, {0x18, "flash, UCS-2", []byte{0x04, 0x11}},
		{0xC8, "message waiting", []byte("conform")}, {0xF0, "class 0", []byte("conform")}, {0xF5, "class 1, octets", []byte{1, 2}},
		{0x80, "reserved", []byte("conform")},
	} {
		m := r.message("")
		m.Coding, m.Text = p.coding, p.text
		r.offer(ctx, fmt.Sprintf("0x%02X %s", p.coding, p.name), m.Append(nil, 0))
	}
}

// longMessages tries every way to carry more than a part.
func (r *run) longMessages(ctx context.Context) {
	r.sheet.section("Long messages")
	text := func(n int) []byte { return bytes.Repeat([]byte("conform. "), n/9+1)[:n] }
	for _, n := range []int{0, 140, 160, 161, 254} {
		m := r.message("")
		m.Text = text(n)
		r.offer(ctx, fmt.Sprintf("short_message of %d octets", n), m.Append(nil, 0))
	}
	for _, n := range []int{100, 255, 1_000, 4_096, 20_480, 60_000} {
		m := r.message("")
		m.TLVs = pdu.AppendTLV(nil, pdu.TagMessagePayload, text(n))
		r.offer(ctx, fmt.Sprintf("message_payload of %d octets", n), m.Append(nil, 0))
	}
	for part := range byte(2) {
		udh := r.message("")
		udh.ESMClass, udh.Text = pdu.ESMUDHI, append([]byte{5, 0, 3, 0x42, 2, part + 1}, text(153)...)
		r.offer(ctx, fmt.Sprintf("UDH, 8-bit reference, part %d of 2", part+1), udh.Append(nil, 0))
	}
	for part := range byte(2) {
		udh := r.message("")
		udh.ESMClass, udh.Text = pdu.ESMUDHI, append([]byte{6, 8, 4, 0x42, 0x43, 2, part + 1}, text(152)...)
		r.offer(ctx, fmt.Sprintf("UDH, 16-bit reference, part %d of 2", part+1), udh.Append(nil, 0))
	}
	for part := range byte(2) {
		sar := r.message("")
		sar.Text = text(153)
		sar.TLVs = pdu.AppendTLV8(pdu.AppendTLV8(pdu.AppendTLV16(nil, pdu.TagSARMsgRefNum, 0x44), pdu.TagSARTotalSegments, 2), pdu.TagSARSegmentSeqnum, part+1)
		r.offer(ctx, fmt.Sprintf("sar_* TLVs, part %d of 2", part+1), sar.Append(nil, 0))
	}
	ports := r.message("")
	ports.ESMClass, ports.Coding, ports.Text = pdu.ESMUDHI, 4, append([]byte{6, 5, 4, 0x0B, 0x84, 0x23, 0xF0}, 1, 2, 3)
	r.offer(ctx, "UDH, application ports, binary", ports.Append(nil, 0))
	broken := r.message("")
	broken.ESMClass, broken.Text = pdu.ESMUDHI, []byte{200, 0, 3}
	r.offer(ctx, "UDH longer than the message", broken.Append(nil, 0))
}

// mistakes sends what must be refused, and by which status.
func (r *run) mistakes(ctx context.Context) {
	r.sheet.section("Errors")
	long := []byte("123456789012345678901")
	for _, p := range []struct {
		probe string
		spoil func(m *pdu.Submit)
		want  pdu.Status
	}{
		{"no destination", func(m *pdu.Submit) { m.Dst = nil }, pdu.RInvDstAdr},
		{"destination of 21 digits", func(m *pdu.Submit) { m.Dst = long }, pdu.RInvDstAdr},
		{"source of 21 digits", func(m *pdu.Submit) { m.Src = long }, pdu.RInvSrcAdr},
		{"service_type of 6 octets", func(m *pdu.Submit) { m.Service = []byte("CONFOR") }, pdu.RInvSerTyp},
		{"validity_period \"tomorrow\"", func(m *pdu.Submit) { m.Validity = []byte("tomorrow") }, pdu.RInvExpiry},
		{"validity_period in month 13", func(m *pdu.Submit) { m.Validity = []byte("261331000000000+") }, pdu.RInvExpiry},
		{"schedule_delivery_time \"later\"", func(m *pdu.Submit) { m.Schedule = []byte("later") }, pdu.RInvSched},
		{"priority_flag 9", func(m *pdu.Submit) { m.Priority = 9 }, pdu.RInvPrtFlg},
		{"replace_if_present_flag 2", func(m *pdu.Submit) { m.Replace = 2 }, pdu.RInvRepFlag},
	} {
		m := r.message("conform: a mistake")
		p.spoil(&m)
		r.demand(ctx, p.probe, m.Append(nil, 0), p.want)
	}
	whole := r.submit("conform: a mistake")
	short := pdu.Finish(bytes.Clone(whole[:len(whole)-9]), 0)
	r.demand(ctx, "sm_length beyond the end", short, pdu.RInvMsgLen)
	r.demand(ctx, "a body of three octets", pdu.Finish(bytes.Clone(whole[:pdu.HeaderLen+3]), 0), pdu.RInvMsgLen, pdu.RInvCmdLen)
	r.demand(ctx, "no body", pdu.Finish(bytes.Clone(whole[:pdu.HeaderLen]), 0), pdu.RInvMsgLen, pdu.RInvCmdLen)
	r.framing(ctx, "command_length 8", 8)
	r.framing(ctx, "command_length 268,435,456", 1<<28)
}

// framing: after a command_length that cannot be, nothing that follows has a meaning.
func (r *run) framing(ctx context.Context, probe string, length uint32) {
	c, err := r.session(ctx)
	if err != nil {
		r.sheet.add(Line{probe, Differs, err.Error(), "a session"})
		return
	}
	defer r.drop()
	p := pdu.AppendPlain(nil, pdu.EnquireLink, pdu.ROK, c.next())
	p[0], p[1], p[2], p[3] = byte(length>>24), byte(length>>16), byte(length>>8), byte(length)
	_ = c.write(p)
	a, err := c.await(c.seq)
	switch {
	case err == errClosed:
		r.sheet.add(Line{probe, Note, "closed without a word", "generic_nack ESME_RINVCMDLEN, then the end"})
	case err != nil:
		r.sheet.add(Line{probe, Differs, err.Error(), "generic_nack ESME_RINVCMDLEN, then the end"})
	case a.Command == pdu.GenericNack && a.Status == pdu.RInvCmdLen && c.ends(r.Timeout):
		r.sheet.add(Line{probe, OK, describe(a) + ", then closes", ""})
	default:
		r.sheet.add(Line{probe, Note, describe(a), "generic_nack ESME_RINVCMDLEN, then the end"})
	}
}
