package profile

import (
	"smsplane/pdu"
	"smsplane/pdu/text"
)

// Shape is how a text goes over a link in parts that we make of it, one submit_sm each. It is settled when the first
// part is sent and kept for the others, so that the parts fit each other whatever the catalog says meanwhile.
type Shape struct {
	Of      uint8 // parts; 0: it goes whole
	Joined  Parts
	Coding  uint8        // data_coding of the parts
	Charset text.Charset // that it stands for
	Ref     uint16       // that the parts have in common; the caller's to choose
}

// MaxParts is how many parts a text may have: their number is one octet wherever it is written.
const MaxParts = 255

// tooMany is Of of a text that has more; no such text is sent.
const tooMany = 0xFF

// shape says into how many parts a converted text goes.
func (f *Forwarder) shape(w *converted, to *Link, noTLVs bool) (v Shape) {
	v.Joined = to.Long.joined()
	if noTLVs && len(w.data) > maxShort && v.Joined == PartsAsIs || noTLVs && v.Joined == PartsSAR {
		v.Joined = PartsUDH8 // it knows no message_payload, and no sar_*
	}
	if v.Joined == PartsAsIs || w.part {
		return Shape{}
	}
	if v.Joined == PartsSAR && w.udh > 0 { // the two must not be combined: a header of ours would be the second
		v.Joined = PartsUDH8
	}
	v.Coding = w.coding
	v.Charset, _ = to.Text.charset(w.coding)
	n := 0
	for range f.cut(w, &v) {
		n++
	}
	switch {
	case n <= 1:
		return Shape{}
	case n > MaxParts-1:
		v.Of = tooMany
		return v
	}
	v.Of = uint8(n)
	return v
}

// maxShort is the longest short_message (3.4 §5.2.21).
const maxShort = 254

// AppendPart writes one part, counted from 0, of a message that Carries gave shape to; the rest is as for Append. It is
// false when the message does not have these parts any more: its client reads its own octets otherwise since.
func (f *Forwarder) AppendPart(dst []byte, m *pdu.Message, h *pdu.Hop, from *Client, to *Link, number []byte, v *Shape, part uint8) ([]byte, bool) {
	pinned := *to
	pinned.Codings, pinned.Long = []uint8{v.Coding}, LongShort
	if v.Coding == 0 {
		pinned.Text.DCS0 = v.Charset
	} else if v.Coding == 8 {
		pinned.Text.UCS2 = v.Charset
	}
	w := f.convert(m, from, &pinned)
	if !w.ok || w.coding != v.Coding || w.part {
		return dst, false
	}
	n := uint8(0)
	var piece []byte
	for p := range f.cut(&w, v) {
		if n == part {
			piece = append([]byte(nil), p...)
		}
		if n++; n > v.Of {
			break
		}
	}
	if n != v.Of || part >= n {
		return dst, false
	}
	f.joinPart(&w, piece, v, part)
	return f.write(dst, m, h, &pinned, number, &w), true
}

// cut walks over the parts of a converted text, without headers. A text in another alphabet than the air's is cut as it
// will be there, and each piece written in the carrier's own.
func (f *Forwarder) cut(w *converted, v *Shape) func(yield func([]byte) bool) {
	extra := text.Concat8
	if v.Joined == PartsUDH16 {
		extra = text.Concat16
	}
	header, body := w.data[:w.udh], w.data[w.udh:]
	plain := func(yield func([]byte) bool) {
		for p := range text.Cut(w.coding, header, body, extra) {
			if !yield(p) {
				return
			}
		}
	}
	if _, isText := (&Charsets{}).charset(w.coding); !isText || shifted(header) || v.Charset == text.Unpacked || v.Charset == text.UTF16BE {
		return plain
	}
	s, ok := v.Charset.Decode(nil, body, w.udh)
	if !ok {
		return plain
	}
	air, set, coding := s, text.Unpacked, uint8(0)
	if air, ok = text.Unpacked.Encode(nil, s, 0); !ok || w.coding == 8 {
		set, coding = text.UTF16BE, 8
		air, _ = text.UTF16BE.Encode(nil, s, 0)
	}
	udh := w.udh + extra
	if w.udh == 0 {
		udh++
	}
	if v.Joined == PartsSAR {
		udh = w.udh
	}
	return func(yield func([]byte) bool) {
		for p := range text.Cut(coding, header, air, extra) {
			s, _ := set.Decode(nil, p, 0)
			out, ok := v.Charset.Encode(nil, s, udh)
			if !ok || !yield(out) {
				return
			}
		}
	}
}

// joinPart makes w one part of itself.
func (f *Forwarder) joinPart(w *converted, piece []byte, v *Shape, part uint8) {
	header := append([]byte(nil), w.data[:w.udh]...)
	switch v.Joined {
	case PartsSAR:
		w.tlvs = pdu.AppendTLV16(f.udh[:0], pdu.TagSARMsgRefNum, v.Ref)
		w.tlvs = pdu.AppendTLV8(w.tlvs, pdu.TagSARTotalSegments, v.Of)
		w.tlvs = pdu.AppendTLV8(w.tlvs, pdu.TagSARSegmentSeqnum, part+1)
	default:
		if len(header) == 0 {
			header = append(header, 0)
		}
		if v.Joined == PartsUDH16 {
			header = append(header, 8, 4, byte(v.Ref>>8), byte(v.Ref), v.Of, part+1)
		} else {
			header = append(header, 0, 3, byte(v.Ref), v.Of, part+1)
		}
		header[0] = byte(len(header) - 1)
		w.esm |= pdu.ESMUDHI
	}
	w.udh = len(header)
	w.data = append(header, piece...)
}

// PartOf reads which part of which text m says that it is, by its user data header or by sar_* TLVs, whatever else the
// header says; ok is false for a text that is whole.
func PartOf(m *pdu.Message) (ref uint16, total, seq uint8, ok bool) {
	var header []byte
	if m.UDHI() {
		data := m.UserData()
		header = data[:pdu.UDHLen(data)]
	} else if len(m.TLVs()) == 0 {
		return 0, 0, 0, false
	}
	if v, there := element(header, 0); there && len(v) == 3 {
		return uint16(v[0]), v[1], v[2], v[1] > 1
	}
	if v, there := element(header, 8); there && len(v) == 4 {
		return uint16(v[0])<<8 | uint16(v[1]), v[2], v[3], v[2] > 1
	}
	ref, total, seq, have := partOf(m, nil)
	return ref, total, seq, have == PartsSAR && total > 1
}

// concatenated says that a header names the text that this is a part of, whatever else it says.
func concatenated(header []byte) bool {
	_, short := element(header, 0)
	_, wide := element(header, 8)
	return short || wide
}
