package profile

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"smsplane/pdu"
	"smsplane/pdu/text"
)

// What a carrier's subscriber wrote, its client reads code point by code point, and as the same part of the same text.
func TestTextFromCarriersArrives(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 4))
	var f Forwarder
	changed, joined := 0, 0
	for k := range 20000 {
		from, to, parts, narrow := randomCharsets(r), randomCharsets(r), Parts(r.IntN(4)), r.IntN(4) == 0
		udh, tlvs, ref, total, seq := randomPart(r)
		want := randomText(r, 1+r.IntN(60))
		coding := []uint8{0, 1, 3, 8}[r.IntN(4)]
		set, _ := from.charset(coding)
		body, ok := set.Encode(nil, want, len(udh))
		if !ok || bytes.HasSuffix(want, []byte("\r")) || len(udh)+len(body) > 200 {
			continue
		}
		s := pdu.Submit{Command: []pdu.Command{pdu.DeliverSM, pdu.DataSM}[r.IntN(2)], Src: []byte("4915112345678"), SrcTON: 2, Dst: []byte("12345"),
			Coding: coding, Text: append(bytes.Clone(udh), body...), TLVs: pdu.AppendTLV(tlvs, 0x1403, []byte("vendor"))}
		if len(udh) > 0 {
			s.ESMClass = pdu.ESMUDHI
		}
		var m, got pdu.Message
		p := s.Append(nil, 1)
		if st := m.Parse(p); st != pdu.ROK {
			t.Fatalf("%d: %v", k, st)
		}
		// First into what everybody means, for the books; then into what the client means.
		if out, ok := f.Relay(nil, &m, from, Charsets{}, PartsAsIs, false); ok {
			p = out
			changed++
		}
		if st := m.Parse(p); st != pdu.ROK {
			t.Fatalf("%d: %v %x", k, st, p)
		}
		if out, ok := f.Relay(nil, &m, Charsets{}, to, parts, narrow); ok {
			p = bytes.Clone(out)
		}
		if st := got.Parse(p); st != pdu.ROK || got.Command() != s.Command || got.SrcTON() != 2 {
			t.Fatalf("%d: %v %x", k, st, p)
		}
		head, data := []byte(nil), got.UserData()
		if got.UDHI() {
			head, data = data[:pdu.UDHLen(data)], data[pdu.UDHLen(data):]
		}
		set, _ = to.charset(got.DataCoding())
		have, sound := set.Decode(nil, data, len(head))
		if !sound || !bytes.Equal(have, want) {
			t.Fatalf("%d: %q in coding %d (%+v) is read as %q in coding %d (%+v)", k, want, coding, from, have, got.DataCoding(), to)
		}
		gr, gt, gs, form := partOf(&got, head)
		if narrow && form == PartsSAR {
			t.Fatalf("%d: sar_* for a client of 3.3", k)
		}
		if total > 0 && (gt != total || gs != seq || gr != ref && byte(gr) != byte(ref) || !narrow && parts != PartsAsIs && form != parts) {
			t.Fatalf("%d: part %d/%d of %d is read as %d/%d of %d, form %d (wants %d)", k, seq, total, ref, gs, gt, gr, form, parts)
		}
		if total > 0 {
			joined++
		}
		if _, there := got.TLV(0x1403); !there {
			t.Fatalf("%d: the carrier's TLV is lost", k)
		}
	}
	if changed < 1000 || joined < 1000 {
		t.Errorf("%d changed, %d parts: hardly anything was tested", changed, joined)
	}
}

// A long message from a carrier, cut for its client, is read code point by code point; each part is one short message, and all
// of them say that they belong together.
func TestLongTextFromCarriersIsCut(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 30))
	var f Forwarder
	cut := 0
	for k := range 5000 {
		coding := []uint8{0, 1, 3, 4, 8}[r.IntN(5)]
		want := randomText(r, 1+r.IntN(600))
		set, isText := (&Charsets{}).charset(coding)
		body, ok := want, true
		if isText {
			body, ok = set.Encode(nil, want, 0)
		}
		long, narrow := []Long{LongAsIs, LongUDH8, LongUDH16, LongSAR}[r.IntN(4)], r.IntN(3) == 0
		if !ok || len(body) == 0 || bytes.HasSuffix(want, []byte("\r")) {
			continue
		}
		s := pdu.Submit{Command: []pdu.Command{pdu.DeliverSM, pdu.DataSM}[r.IntN(2)], Src: []byte("4915112345678"), Dst: []byte("12345"), Coding: coding, Text: body}
		var m pdu.Message
		if st := m.Parse(s.Append(nil, 1)); st != pdu.ROK {
			t.Fatalf("%d: %v", k, st)
		}
		parts := f.Split(&m, long, narrow, 0xABCD)
		if single := text.Parts(coding, 0, body) == 1; (parts == nil) != (single || long == LongAsIs && !(narrow && len(body) > 254)) {
			t.Fatalf("%d: %d parts of %d octets, coding %d, long %d, narrow %v", k, len(parts), len(body), coding, long, narrow)
		}
		if parts == nil {
			continue
		}
		cut++
		var got []byte
		for i, p := range parts {
			if st := m.Parse(p); st != pdu.ROK || m.Command() != s.Command || string(m.SrcAddr()) != "4915112345678" {
				t.Fatalf("%d: %v %x", k, st, p)
			}
			ref, total, seq, ok := PartOf(&m)
			if !ok || byte(ref) != 0xCD || int(total) != len(parts) || int(seq) != i+1 || text.Parts(coding, m.ESMClass(), m.UserData()) != 1 {
				t.Fatalf("%d: part %d of %d says %d/%d of %x", k, i+1, len(parts), seq, total, ref)
			}
			data := m.UserData()
			if m.UDHI() {
				data = data[pdu.UDHLen(data):]
			}
			got = append(got, data...)
		}
		if !bytes.Equal(got, body) {
			t.Fatalf("%d: %x is read as %x", k, body, got)
		}
	}
	if cut < 1000 {
		t.Errorf("only %d were cut", cut)
	}
}
