package profile

import (
	"encoding/binary"
	"slices"

	"smsplane/pdu"
	"smsplane/pdu/text"
)

// Forwarder makes hop copies for links that want them otherwise than pdu.AppendForward makes them. It belongs to one
// goroutine; its zero value is ready.
type Forwarder struct {
	utf8, out, body, tlvs, dst []byte
	udh                        [16]byte
}

// Carries reports whether the link can take m without losing anything of it: some data_coding that the carrier takes
// holds the text, and the text fits. noTLVs: the link speaks 3.3. shape says in how many parts it is sent, and how.
func (f *Forwarder) Carries(m *pdu.Message, from *Client, to *Link, noTLVs bool) (shape Shape, ok bool) {
	w := f.convert(m, from, to)
	if !w.ok {
		return shape, false
	}
	if shape = f.shape(&w, to, noTLVs); shape.Of == tooMany {
		return Shape{}, false
	}
	return shape, shape.Of > 0 || f.fits(m, &w, noTLVs)
}

// converted is a text on its way: coding and user data with its header, and what goes beside them.
type converted struct {
	ok     bool
	coding uint8
	esm    uint8
	data   []byte // header included
	udh    int    // octets of header in data
	tlvs   []byte // sar_* to add
	parts  bool   // sar_* of the message are replaced
	part   bool   // it says by itself that it is a part of something
}

// Append writes the hop copy of m. number is the E.164 number in digits; h as for pdu.AppendForward. What Carries
// refused goes on as the client sent it.
func (f *Forwarder) Append(dst []byte, m *pdu.Message, h *pdu.Hop, from *Client, to *Link, number []byte) []byte {
	w := f.convert(m, from, to)
	return f.write(dst, m, h, to, number, &w)
}

func (f *Forwarder) write(dst []byte, m *pdu.Message, h *pdu.Hop, to *Link, number []byte, w *converted) []byte {
	s := pdu.Submit{Service: m.ServiceType(), SrcTON: m.SrcTON(), SrcNPI: m.SrcNPI(), Src: m.SrcAddr(), DstTON: m.DstTON(), DstNPI: m.DstNPI(),
		Dst: m.DstAddr(), ESMClass: w.esm, Protocol: m.ProtocolID(), Priority: h.Priority, Validity: h.Validity, Registered: h.Registered,
		Coding: w.coding, DefaultMsg: m.DefaultMsgID(), Text: w.data}
	if a := to.Source.kind(s.Src); a.Set {
		s.SrcTON, s.SrcNPI = a.TON, a.NPI
	}
	switch d := &to.Dest; {
	case d.Set || d.Prefix != "":
		f.dst = append(append(f.dst[:0], d.Prefix...), number...)
		s.DstTON, s.DstNPI, s.Dst = 1, 1, f.dst
		if d.Set {
			s.DstTON, s.DstNPI = d.TON, d.NPI
		}
	case !m.International():
		s.DstTON, s.DstNPI, s.Dst = 1, 1, number
	}
	if !h.NoTLVs {
		f.tlvs = append(f.tlvs[:0], w.tlvs...)
		if f.long(m, w, to.Long) {
			f.tlvs = pdu.AppendTLV(f.tlvs, pdu.TagMessagePayload, w.data)
			s.Text = nil
		}
		f.pass(m, w, h, &to.TLVs)
		s.TLVs = f.tlvs
	}
	return s.Append(dst, h.Sequence)
}

// long says whether the text goes into message_payload; beyond 254 octets it does anyway.
func (f *Forwarder) long(m *pdu.Message, w *converted, rule Long) bool {
	switch rule {
	case LongPayload:
		return w.udh == 0 && text.Parts(w.coding, w.esm, w.data) > 1
	case LongAlways:
		return true
	case LongShort, LongUDH8, LongUDH16, LongSAR:
		return false
	}
	return m.Payload() != nil && len(m.ShortMessage()) == 0
}

// pass adds the message's TLVs, less those that the text replaced and those that are not for this carrier.
func (f *Forwarder) pass(m *pdu.Message, w *converted, h *pdu.Hop, rules *TLVs) {
	for b := m.TLVs(); ; {
		t, v, rest, ok := pdu.NextTLV(b)
		if !ok {
			break
		}
		b = rest
		switch {
		case t == pdu.TagMessagePayload, t == pdu.TagQOSTimeToLive && len(h.Validity) > 0, slices.Contains(rules.Drop, t),
			w.parts && (t == pdu.TagSARMsgRefNum || t == pdu.TagSARTotalSegments || t == pdu.TagSARSegmentSeqnum),
			t.Vendor() && !rules.AllVendor && !slices.Contains(rules.Vendor, t):
			continue
		}
		for _, r := range rules.Rename {
			if r.From == t {
				t = r.To
				break
			}
		}
		f.tlvs = pdu.AppendTLV(f.tlvs, t, v)
	}
	for b := rules.Add; ; {
		t, v, rest, ok := pdu.NextTLV(b)
		if !ok {
			return
		}
		b = rest
		if _, there := pdu.FindTLV(f.tlvs, t); !there {
			f.tlvs = pdu.AppendTLV(f.tlvs, t, v)
		}
	}
}

// fits says whether the text that came out can be sent: within one short message behind a header, and within
// short_message where there are no TLVs.
func (f *Forwarder) fits(m *pdu.Message, w *converted, noTLVs bool) bool {
	if noTLVs && (len(w.data) > 254 || len(w.tlvs) > 0) {
		return false
	}
	if len(w.data) > 0xFFFF {
		return false
	}
	changed := w.coding != m.DataCoding() || w.parts || len(w.data) != len(m.UserData())
	return !changed || w.udh == 0 || text.Parts(w.coding, w.esm, w.data) <= text.Parts(m.DataCoding(), m.ESMClass(), m.UserData())
}

// convert brings the text into a charset that the carrier takes, and says anew how parts belong together. Text that
// already is as the carrier wants it stays octet for octet, as does what is no sound text.
func (f *Forwarder) convert(m *pdu.Message, from *Client, to *Link) converted {
	w := converted{ok: true, coding: m.DataCoding(), esm: m.ESMClass(), data: m.UserData()}
	header, body := []byte(nil), w.data
	if m.UDHI() {
		n := pdu.UDHLen(w.data)
		header, body = w.data[:n], w.data[n:]
	}
	_, total, seq, _ := partOf(m, header)
	w.part = total > 0 && seq > 0 || concatenated(header)
	part, joined := f.rejoin(&w, m, header, to.Parts)
	if !joined {
		part = header
	}
	out, changed := f.transcode(&w, body, header, len(part), from, to)
	header, w.udh = part, len(part)
	if joined || changed {
		f.body = append(append(f.body[:0], header...), out...)
		w.data = f.body
	}
	return w
}

// transcode finds a data_coding that the carrier takes and that holds the text: the client's, else 0, else 8. udh is
// the length of the header that will stand before it.
func (f *Forwarder) transcode(w *converted, body, header []byte, udh int, from *Client, to *Link) (out []byte, changed bool) {
	var own Charsets
	if from != nil {
		own = from.Text
	}
	source, isText := own.charset(w.coding)
	if !isText || shifted(header) {
		return body, false
	}
	takes := func(coding uint8) bool { return to.Codings == nil || slices.Contains(to.Codings, coding) }
	if target, _ := to.Text.charset(w.coding); target == source && takes(w.coding) && (source != text.Packed || udh == len(header)) {
		return body, false
	}
	var ok bool
	if f.utf8, ok = source.Decode(f.utf8[:0], body, len(header)); !ok {
		w.ok = takes(w.coding)
		return body, false
	}
	for _, coding := range [...]uint8{w.coding, 0, 8} {
		if !takes(coding) {
			continue
		}
		target, _ := to.Text.charset(coding)
		if f.out, ok = target.Encode(f.out[:0], f.utf8, udh); ok {
			w.coding = coding
			return f.out, true
		}
	}
	w.ok = false
	return body, false
}

// shifted says that a header names a national table: such text is relayed untouched.
func shifted(header []byte) bool {
	_, single := element(header, 0x24)
	_, locking := element(header, 0x25)
	return single || locking
}

// element finds an information element of a user data header, length octet included (3GPP TS 23.040 §9.2.3.24).
func element(header []byte, id byte) (v []byte, ok bool) {
	if len(header) == 0 {
		return nil, false
	}
	for b := header[1:]; len(b) >= 2 && len(b) >= 2+int(b[1]); b = b[2+int(b[1]):] {
		if b[0] == id {
			return b[2 : 2+int(b[1])], true
		}
	}
	return nil, false
}

// rejoin writes how a part belongs to its text in the carrier's way. It reports false, and leaves the message alone,
// when it is no part, is so already, or has a header with more in it than that.
func (f *Forwarder) rejoin(w *converted, m *pdu.Message, header []byte, want Parts) (udh []byte, ok bool) {
	ref, total, seq, have := partOf(m, header)
	if total == 0 || seq == 0 || want == PartsAsIs || want == PartsPayload || have == PartsAsIs || have == want {
		return nil, false
	}
	w.parts = true
	switch want {
	case PartsSAR:
		w.esm &^= pdu.ESMUDHI
		w.tlvs = pdu.AppendTLV16(f.udh[:0], pdu.TagSARMsgRefNum, ref)
		w.tlvs = pdu.AppendTLV8(w.tlvs, pdu.TagSARTotalSegments, total)
		w.tlvs = pdu.AppendTLV8(w.tlvs, pdu.TagSARSegmentSeqnum, seq)
		return nil, true
	case PartsUDH8:
		udh = append(f.udh[:0], 5, 0, 3, byte(ref), total, seq)
	case PartsUDH16:
		udh = append(f.udh[:0], 6, 8, 4, byte(ref>>8), byte(ref), total, seq)
	}
	w.esm |= pdu.ESMUDHI
	return udh, true
}

// partOf reads which part of which text m is; PartsAsIs for none, or for a header that says more than that.
func partOf(m *pdu.Message, header []byte) (ref uint16, total, seq uint8, have Parts) {
	if v, ok := element(header, 0); ok && len(v) == 3 && len(header) == 6 {
		return uint16(v[0]), v[1], v[2], PartsUDH8
	}
	if v, ok := element(header, 8); ok && len(v) == 4 && len(header) == 7 {
		return binary.BigEndian.Uint16(v), v[2], v[3], PartsUDH16
	}
	r, ok1 := m.TLV(pdu.TagSARMsgRefNum)
	n, ok2 := m.TLV(pdu.TagSARTotalSegments)
	s, ok3 := m.TLV(pdu.TagSARSegmentSeqnum)
	if len(header) > 0 || !ok1 || !ok2 || !ok3 || len(r) != 2 || len(n) != 1 || len(s) != 1 {
		return 0, 0, 0, PartsAsIs
	}
	return binary.BigEndian.Uint16(r), n[0], s[0], PartsSAR
}
