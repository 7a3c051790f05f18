package profile

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"smsplane/pdu"
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
