package profile

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"unicode/utf8"

	"smsplane/pdu"
	"smsplane/pdu/text"
)

// randomText draws code points from what short messages hold.
func randomText(r *rand.Rand, n int) []byte {
	pools := [][2]rune{{' ', '~'}, {0xA1, 0xFF}, {0x391, 0x3A9}, {0x4E00, 0x9FFF}, {0x1F300, 0x1F64F}}
	pool := pools[r.IntN(len(pools))]
	var s []byte
	for range n {
		if r.IntN(20) == 0 {
			pool = pools[r.IntN(len(pools))]
		}
		s = utf8.AppendRune(s, pool[0]+r.Int32N(pool[1]-pool[0]+1))
	}
	return s
}

func randomCharsets(r *rand.Rand) Charsets {
	return Charsets{DCS0: []text.Charset{text.Unpacked, text.Packed, text.ASCII, text.ISO88591, text.UTF8}[r.IntN(5)],
		UCS2: []text.Charset{text.UTF16BE, text.UTF16LE, text.UTF16Mark}[r.IntN(3)]}
}

// randomPart makes header and TLVs of a part, and says what they mean.
func randomPart(r *rand.Rand) (udh, tlvs []byte, ref uint16, total, seq uint8) {
	ref, total = uint16(r.IntN(256)), uint8(2+r.IntN(200))
	seq = uint8(1 + r.IntN(int(total)))
	switch r.IntN(4) {
	case 0:
		return []byte{5, 0, 3, byte(ref), total, seq}, nil, ref, total, seq
	case 1:
		return []byte{6, 8, 4, byte(ref >> 8), byte(ref), total, seq}, nil, ref, total, seq
	case 2:
		tlvs = pdu.AppendTLV16(nil, pdu.TagSARMsgRefNum, ref)
		tlvs = pdu.AppendTLV8(tlvs, pdu.TagSARTotalSegments, total)
		return nil, pdu.AppendTLV8(tlvs, pdu.TagSARSegmentSeqnum, seq), ref, total, seq
	}
	return nil, nil, 0, 0, 0
}

// Whatever a client and a carrier mean by data_coding, and wherever they want long texts and parts: the carrier reads
// the code points that the client wrote, and the same part of the same text, or the message is not sent to it.
func TestTextArrivesCodePointByCodePoint(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 5))
	sent, refused, conversions := 0, 0, map[string]int{}
	var f Forwarder
	for k := range 30000 {
		from, to := &Client{Text: randomCharsets(r)}, &Link{Text: randomCharsets(r), Long: Long(r.IntN(4)), Parts: Parts(r.IntN(4)),
			TLVs: TLVs{AllVendor: true}}
		if r.IntN(2) == 0 {
			to.Codings = [][]uint8{{0}, {8}, {0, 8}, {3, 8}, {0, 3}}[r.IntN(5)]
		}
		udh, tlvs, ref, total, seq := randomPart(r)
		want := randomText(r, 1+r.IntN(60)*(1+3*r.IntN(4)))
		coding := []uint8{0, 1, 3, 8}[r.IntN(4)]
		set, _ := from.Text.charset(coding)
		body, ok := set.Encode(nil, want, len(udh))
		if !ok || bytes.HasSuffix(want, []byte("\r")) {
			continue
		}
		if len(udh)+len(tlvs) > 0 && len(udh)+len(body) > 140 {
			continue
		}
		s := pdu.Submit{Src: []byte("Sender"), SrcTON: 5, Dst: []byte("015112345678"), Coding: coding, Text: append(bytes.Clone(udh), body...),
			TLVs: pdu.AppendTLV(tlvs, 0x1403, []byte("vendor"))}
		if len(udh) > 0 {
			s.ESMClass = pdu.ESMUDHI
		}
		var m, got pdu.Message
		if st := m.Parse(s.Append(nil, 1)); st != pdu.ROK {
			t.Fatalf("%d: %v", k, st)
		}
		if _, ok := f.Carries(&m, from, to, false); !ok {
			refused++
			continue
		}
		h := pdu.Hop{Sequence: 7, Validity: []byte("000001000000000R"), Registered: 1}
		p := f.Append(nil, &m, &h, from, to, []byte("4915112345678"))
		if st := got.Parse(p); st != pdu.ROK {
			t.Fatalf("%d: what was sent does not parse: %v %x", k, st, p)
		}
		head, data := []byte(nil), got.UserData()
		if got.UDHI() {
			head, data = data[:pdu.UDHLen(data)], data[pdu.UDHLen(data):]
		}
		set, ok = to.Text.charset(got.DataCoding())
		have, sound := set.Decode(nil, data, len(head))
		if !ok || !sound || !bytes.Equal(have, want) {
			t.Fatalf("%d: %q in coding %d (%+v) arrives as %q in coding %d (%+v, takes %v)", k, want, coding, from.Text, have, got.DataCoding(), to.Text, to.Codings)
		}
		if to.Codings != nil && !bytes.Contains(to.Codings, []byte{got.DataCoding()}) {
			t.Fatalf("%d: coding %d, carrier takes %v", k, got.DataCoding(), to.Codings)
		}
		gr, gt, gs, form := partOf(&got, head)
		wide := to.Parts == PartsUDH8 && len(udh) != 6
		if total > 0 && (gr != ref && !wide || gt != total || gs != seq || to.Parts != PartsAsIs && form != to.Parts) {
			t.Fatalf("%d: part %d/%d of %d arrives as %d/%d of %d, form %d (wants %d)", k, seq, total, ref, gs, gt, gr, form, to.Parts)
		}
		if _, there := got.TLV(0x1403); !there || string(got.DstAddr()) != "4915112345678" || got.DstTON() != 1 || got.DstNPI() != 1 {
			t.Fatalf("%d: TLV or destination: %x", k, p)
		}
		if to.Long == LongAlways && len(got.ShortMessage()) > 0 || to.Long == LongShort && len(data)+len(head) <= 254 && got.Payload() != nil {
			t.Fatalf("%d: long %d: %x", k, to.Long, p)
		}
		sent++
		conversions[fmt.Sprint(coding, "→", got.DataCoding())]++
	}
	if sent < 4000 || refused < 200 || len(conversions) < 8 {
		t.Errorf("%d sent, %d refused, %v: hardly anything was tested", sent, refused, conversions)
	}
	t.Logf("%d sent, %d refused, %v", sent, refused, conversions)
}

// A link that wants nothing otherwise gets what pdu.AppendForward makes, for text in short_message.
func TestNothingToChange(t *testing.T) {
	s := pdu.Submit{Service: []byte("CMT"), Src: []byte("12345"), SrcTON: 3, Dst: []byte("4915112345678"), DstTON: 1, DstNPI: 1, Protocol: 0x41,
		Coding: 0xF2, Text: []byte("\x00\x1b\xff"), Registered: 1, Replace: 1, TLVs: pdu.AppendTLV(pdu.AppendTLV8(nil, pdu.TagDestAddrSubunit, 1), 0x1403, []byte("x"))}
	var m pdu.Message
	m.Parse(s.Append(nil, 1))
	h := pdu.Hop{Sequence: 9, Priority: 2, Validity: []byte("000001000000000R"), Registered: 1}
	var f Forwarder
	if have, want := f.Append(nil, &m, &h, nil, &Link{}, []byte("4915112345678")), pdu.AppendForward(nil, &m, &h); !bytes.Equal(have, want) {
		t.Errorf("have %x\nwant %x", have, want)
	}
}

func TestRulesOfALink(t *testing.T) {
	s := pdu.Submit{Src: []byte("12345"), SrcTON: 1, SrcNPI: 1, Dst: []byte("+4915112345678"), Text: []byte("hi"), Registered: 1}
	s.TLVs = pdu.AppendTLV(pdu.AppendTLV(pdu.AppendTLV8(nil, pdu.TagDestAddrSubunit, 1), 0x1400, []byte("entity")), 0x1401, []byte("template"))
	var m, got pdu.Message
	m.Parse(s.Append(nil, 1))
	to := &Link{Source: Source{Short: Address{true, 3, 0}}, Dest: Dest{Address{true, 0, 1}, "00"}, TLVs: TLVs{Vendor: []pdu.Tag{0x1400},
		Drop: []pdu.Tag{pdu.TagDestAddrSubunit}, Rename: []Renamed{{0x1400, 0x1500}}, Add: pdu.AppendTLV(nil, 0x1501, []byte("ours"))}}
	var f Forwarder
	got.Parse(f.Append(nil, &m, &pdu.Hop{Sequence: 1}, nil, to, []byte("4915112345678")))
	if got.SrcTON() != 3 || got.SrcNPI() != 0 || got.DstTON() != 0 || got.DstNPI() != 1 || string(got.DstAddr()) != "004915112345678" {
		t.Errorf("addresses: %x", got.PDU())
	}
	want := pdu.AppendTLV(pdu.AppendTLV(nil, 0x1500, []byte("entity")), 0x1501, []byte("ours"))
	if !bytes.Equal(got.TLVs(), want) {
		t.Errorf("TLVs %x, want %x", got.TLVs(), want)
	}
}

// Text behind a national table, binary, and octets that are no text in the client's charset stay as they are.
func TestRelayedUntouched(t *testing.T) {
	to := &Link{Text: Charsets{DCS0: text.ISO88591, UCS2: text.UTF16LE}}
	for name, s := range map[string]pdu.Submit{
		"national table": {ESMClass: pdu.ESMUDHI, Text: []byte("\x03\x24\x01\x01\x1b\x63")},
		"binary":         {Coding: 4, Text: []byte("\x00\x80\xff")},
		"flash":          {Coding: 0x10, Text: []byte("\x00\x02")},
		"no text":        {Text: []byte("\x80\xe9")},
		"half a pair":    {Coding: 8, Text: []byte("\xd8\x3d\x00a")},
	} {
		s.Src, s.Dst = []byte("1"), []byte("4915112345678")
		var m, got pdu.Message
		m.Parse(s.Append(nil, 1))
		var f Forwarder
		got.Parse(f.Append(nil, &m, &pdu.Hop{Sequence: 1}, nil, to, nil))
		if !bytes.Equal(got.UserData(), s.Text) || got.DataCoding() != s.Coding || got.ESMClass() != s.ESMClass {
			t.Errorf("%s: %x", name, got.PDU())
		}
	}
}
