package profile

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"smsplane/pdu"
	"smsplane/pdu/text"
)

// reassemble is what a carrier does with parts: it checks that they belong together and fit the air, and returns the
// text that they make, as the carrier reads it, with the headers that they have in common.
func reassemble(t *testing.T, k int, parts [][]byte, to *Link, joined Parts) (coding uint8, common, data []byte) {
	t.Helper()
	var ref uint16
	for i, p := range parts {
		var m pdu.Message
		if st := m.Parse(p); st != pdu.ROK {
			t.Fatalf("%d: part %d does not parse: %v %x", k, i, st, p)
		}
		head, body := []byte(nil), m.UserData()
		if m.UDHI() {
			head, body = body[:pdu.UDHLen(body)], body[pdu.UDHLen(body):]
		}
		var r uint16
		var total, seq uint8
		extra := text.Concat8
		switch joined {
		case PartsSAR:
			r, total, seq, _ = partOf(&m, head)
		case PartsUDH8:
			v, _ := element(head, 0)
			if len(v) == 3 {
				r, total, seq = uint16(v[0]), v[1], v[2]
			}
		case PartsUDH16:
			extra = text.Concat16
			v, _ := element(head, 8)
			if len(v) == 4 {
				r, total, seq = uint16(v[0])<<8|uint16(v[1]), v[2], v[3]
			}
		}
		if int(total) != len(parts) || int(seq) != i+1 || i > 0 && (r != ref || m.DataCoding() != coding) {
			t.Fatalf("%d: part %d says %d/%d of %d (coding %d): %x", k, i, seq, total, r, m.DataCoding(), p)
		}
		ref, coding = r, m.DataCoding()
		own := head
		if joined != PartsSAR {
			own = head[:len(head)-extra]
		}
		if len(own) > 1 && i > 0 && !bytes.Equal(own[1:], common) {
			t.Fatalf("%d: part %d has the header %x, part 0 %x", k, i, own, common)
		}
		if len(own) > 1 {
			common = bytes.Clone(own[1:])
		}
		set, isText := to.Text.charset(coding)
		air, size := body, len(head)
		if joined == PartsSAR {
			size += 6
		}
		if isText && !shifted(head) {
			s, ok := set.Decode(nil, body, len(head))
			if !ok {
				t.Fatalf("%d: part %d is no text: %x", k, i, body)
			}
			data = append(data, s...)
			if air, ok = text.Unpacked.Encode(nil, s, 0); ok && len(air) > (140-size)*8/7 || !ok && len(utf16of(s)) > 140-size {
				t.Fatalf("%d: part %d is too long for the air: %q behind %d", k, i, s, size)
			}
			continue
		}
		data = append(data, body...)
		if text.AlphabetOf(coding) == text.GSM7 && len(body) > (140-size)*8/7 || text.AlphabetOf(coding) != text.GSM7 && len(body) > 140-size {
			t.Fatalf("%d: part %d is too long for the air: %d octets behind %d", k, i, len(body), size)
		}
	}
	return coding, common, data
}

func utf16of(s []byte) []byte {
	b, _ := text.UTF16BE.Encode(nil, s, 0)
	return b
}

// A random Unicode text that a link takes in parts arrives code point by code point after reassembly, whatever its
// client and the carrier mean by data_coding; each part fits the air, and no more are made than the client paid for.
func TestTextInPartsArrivesCodePointByCodePoint(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 8))
	var f Forwarder
	sent, whole, refused, most := 0, 0, 0, 0
	for k := range 16000 {
		long := []Long{LongUDH8, LongUDH16, LongSAR}[r.IntN(3)]
		from, to := &Client{Text: randomCharsets(r)}, &Link{Text: randomCharsets(r), Long: long}
		if r.IntN(2) == 0 {
			to.Codings = [][]uint8{{0}, {8}, {0, 8}, {3, 8}, {0, 3}}[r.IntN(5)]
		}
		want := randomText(r, 1+r.IntN(60)*(1+r.IntN(30)))
		coding := []uint8{0, 1, 3, 8}[r.IntN(4)]
		set, _ := from.Text.charset(coding)
		var header []byte
		if r.IntN(8) == 0 {
			header = []byte{6, 5, 4, 0x0B, 0x84, 0x23, 0xF0} // ports
		}
		body, ok := set.Encode(nil, want, len(header))
		if !ok || bytes.ContainsRune(want, '\r') || len(header)+len(body) > 60000 {
			continue
		}
		s := pdu.Submit{Src: []byte("Sender"), SrcTON: 5, Dst: []byte("015112345678"), Coding: coding, Text: append(bytes.Clone(header), body...)}
		if len(header) > 0 {
			s.ESMClass = pdu.ESMUDHI
		}
		var m pdu.Message
		if st := m.Parse(s.Append(nil, 1)); st != pdu.ROK {
			t.Fatalf("%d: %v", k, st)
		}
		shape, ok := f.Carries(&m, from, to, false)
		if !ok {
			refused++
			continue
		}
		h := pdu.Hop{Sequence: 7, Validity: []byte("000001000000000R"), Registered: 1}
		if shape.Of == 0 {
			if n := from.Parts(&m); n > 1 && coding != 1 && coding != 3 && (to.Codings == nil || bytes.IndexByte(to.Codings, coding) >= 0) && to.Text == from.Text {
				t.Fatalf("%d: counted %d parts, goes whole: %q", k, n, want)
			}
			whole++
			continue
		}
		shape.Ref = uint16(r.Uint32())
		var parts [][]byte
		for i := range shape.Of {
			p, ok := f.AppendPart(nil, &m, &h, from, to, []byte("4915112345678"), &shape, i)
			if !ok {
				t.Fatalf("%d: part %d of %+v is not there: %q", k, i, shape, want)
			}
			parts = append(parts, p)
		}
		joined := shape.Joined
		got, common, data := reassemble(t, k, parts, to, joined)
		if !bytes.Equal(data, want) {
			t.Fatalf("%d: %q in coding %d (%+v) arrives as %q in coding %d (%+v), %+v", k, want, coding, from.Text, data, got, to.Text, shape)
		}
		if len(header) > 0 && !bytes.Equal(common, header[1:]) {
			t.Fatalf("%d: header %x arrives as %x", k, header, common)
		}
		paid := from.Parts(&m)
		if _, gsm := text.Unpacked.Encode(nil, want, 0); long != LongUDH16 && (got != 8 || !gsm || coding == 8) && int(shape.Of) > paid {
			t.Fatalf("%d: %d parts are sent, %d were counted: %q coding %d → %d %+v → %+v", k, shape.Of, paid, want, coding, got, from.Text, to.Text)
		}
		most = max(most, int(shape.Of))
		sent++
	}
	if sent < 3000 || whole < 100 || refused < 100 || most < 20 {
		t.Errorf("%d sent in parts (%d at most), %d whole, %d refused: hardly anything was tested", sent, most, whole, refused)
	}
	t.Logf("%d sent in parts (%d at most), %d whole, %d refused", sent, most, whole, refused)
}

// What is no text to be transcoded is cut as it stands: binary, and text behind a national table, whose header every
// part repeats (3GPP TS 23.040 §9.2.3.24.15).
func TestPartsOfWhatIsNoText(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	random := make([]byte, 20<<10)
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	septets := make([]byte, 700)
	for i := range septets {
		septets[i] = byte(r.IntN(128))
	}
	for name, s := range map[string]pdu.Submit{
		"binary of 20 KiB": {Coding: 4, Text: random},
		"national table":   {ESMClass: pdu.ESMUDHI, Text: append([]byte{3, 0x24, 1, 1}, septets...)},
		"Cyrillic":         {Coding: 6, Text: bytes.Repeat([]byte{0xB0}, 200)},
	} {
		for _, long := range []Long{LongUDH8, LongUDH16, LongSAR} {
			s.Src, s.Dst = []byte("1"), []byte("4915112345678")
			var m pdu.Message
			m.Parse(s.Append(nil, 1))
			var f Forwarder
			to := &Link{Long: long}
			shape, ok := f.Carries(&m, nil, to, false)
			if !ok || shape.Of < 3 {
				t.Fatalf("%s: %+v %v", name, shape, ok)
			}
			var parts [][]byte
			for i := range shape.Of {
				p, _ := f.AppendPart(nil, &m, &pdu.Hop{Sequence: 1}, nil, to, nil, &shape, i)
				parts = append(parts, p)
			}
			coding, common, data := reassemble(t, 0, parts, &Link{Text: Charsets{}}, shape.Joined)
			want := s.Text
			if s.ESMClass != 0 {
				want = s.Text[4:]
				if !bytes.Equal(common, s.Text[1:4]) {
					t.Errorf("%s: header %x", name, common)
				}
			}
			if coding != s.Coding || !bytes.Equal(data, want) {
				t.Errorf("%s: coding %d, %d octets of %d", name, coding, len(data), len(want))
			}
		}
	}
}

// A part that the client made is never split again, a text of more parts than can be counted is not taken, and a peer
// that knows no TLVs gets a header whatever its link says.
func TestWhatIsNotSplit(t *testing.T) {
	var f Forwarder
	var m pdu.Message
	part := pdu.Submit{Src: []byte("1"), Dst: []byte("4915112345678"), ESMClass: pdu.ESMUDHI, Text: append([]byte{5, 0, 3, 1, 2, 1}, bytes.Repeat([]byte("a"), 200)...)}
	m.Parse(part.Append(nil, 1))
	if v, ok := f.Carries(&m, nil, &Link{Long: LongUDH8}, false); !ok || v.Of != 0 {
		t.Errorf("a part: %+v %v", v, ok)
	}
	vast := pdu.Submit{Src: []byte("1"), Dst: []byte("4915112345678"), Text: bytes.Repeat([]byte("a"), 60000)}
	m.Parse(vast.Append(nil, 1))
	if v, ok := f.Carries(&m, nil, &Link{Long: LongUDH8}, false); ok {
		t.Errorf("393 parts: %+v %v", v, ok)
	}
	long := pdu.Submit{Src: []byte("1"), Dst: []byte("4915112345678"), Text: bytes.Repeat([]byte("a"), 600)}
	m.Parse(long.Append(nil, 1))
	for _, rule := range []Long{LongAsIs, LongPayload, LongSAR} {
		v, ok := f.Carries(&m, nil, &Link{Long: rule}, true)
		if !ok || v.Of != 4 || v.Joined != PartsUDH8 {
			t.Errorf("to 3.3, rule %d: %+v %v", rule, v, ok)
		}
		p, _ := f.AppendPart(nil, &m, &pdu.Hop{NoTLVs: true}, nil, &Link{Long: rule}, nil, &v, 0)
		var got pdu.Message
		if got.Parse(p); len(got.TLVs()) > 0 || len(got.ShortMessage()) != 6+153 {
			t.Errorf("to 3.3: %x", p)
		}
	}
}
