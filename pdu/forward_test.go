package pdu

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// randomSubmit is a message such as Parse accepts, of any of the three commands.
func randomSubmit(r *rand.Rand) Submit {
	word := func(limit int) []byte {
		b := make([]byte, r.IntN(limit))
		for i := range b {
			b[i] = byte('!' + r.IntN(90))
		}
		return b
	}
	s := Submit{Command: []Command{SubmitSM, DeliverSM, DataSM}[r.IntN(3)], Service: word(6), SrcTON: uint8(r.IntN(7)), Src: word(21),
		DstTON: uint8(r.IntN(7)), DstNPI: 1, Dst: word(21), ESMClass: uint8(r.IntN(4)), Protocol: uint8(r.IntN(256)), Priority: uint8(r.IntN(4)),
		Registered: uint8(r.IntN(32)), Replace: uint8(r.IntN(2)), Coding: uint8(r.IntN(256)), Text: append(word(400), '.')}
	if r.IntN(2) == 0 {
		s.Schedule = []byte("261123120000004+")
	}
	if r.IntN(2) == 0 {
		s.Validity = []byte("000002000000000R")
	}
	for range r.IntN(4) {
		switch r.IntN(4) {
		case 0:
			s.TLVs = AppendTLV(s.TLVs, Tag(0x1400+r.IntN(0x2C00)), word(30))
		case 1:
			s.TLVs = AppendTLV(s.TLVs, Tag(0x4000+r.IntN(0x2C00)), word(30))
		case 2:
			s.TLVs = append(s.TLVs, qosTLV...)
		case 3:
			s.TLVs = append(s.TLVs, userReference...)
		}
	}
	return s
}

// forwardModel is AppendForward by taking apart and building anew.
func forwardModel(s Submit, h *Hop) []byte {
	if s.Command == DataSM {
		s.Command, s.Protocol, s.Replace = SubmitSM, 0, 0
		tlvs := AppendTLV(nil, TagMessagePayload, s.Text)
		s.Text, s.TLVs = nil, append(tlvs, s.TLVs...)
		if h.NoTLVs {
			if s.Text, _ = FindTLV(s.TLVs, TagMessagePayload); len(s.Text) > 255 {
				s.Text = nil
			}
		}
	}
	if h.Deliver {
		s.Command = DeliverSM
	}
	if mode := s.ESMClass & 3; mode == 1 || mode == 2 { // between the client and us
		s.ESMClass &^= 3
	}
	s.Schedule, s.Validity, s.Priority, s.Registered, s.Replace = nil, h.Validity, h.Priority, h.Registered, 0
	if len(h.Dst) > 0 {
		s.DstTON, s.DstNPI, s.Dst = 1, 1, h.Dst
	}
	var kept []byte
	Walk(s.TLVs, func(t Tag, v []byte) bool {
		if (h.VendorTLVs || !t.Vendor()) && (t != TagQOSTimeToLive || len(h.Validity) == 0) {
			kept = AppendTLV(kept, t, v)
		}
		return true
	})
	s.TLVs = kept
	if h.NoTLVs {
		s.TLVs = nil
		if len(s.Text) > 255 {
			s.Text = nil
		}
	}
	return s.Append(nil, h.Sequence)
}

func TestAppendForwardAgainstModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 5000 {
		s := randomSubmit(r)
		h := Hop{Sequence: r.Uint32(), Priority: uint8(r.IntN(4)), Registered: uint8(r.IntN(4)), VendorTLVs: r.IntN(2) == 0, Deliver: r.IntN(4) == 0, NoTLVs: r.IntN(4) == 0}
		if h.NoTLVs && len(s.Text) > 254 {
			s.Text = s.Text[:254]
		}
		if r.IntN(2) == 0 {
			h.Validity = []byte("000000000500000R")
		}
		if r.IntN(3) == 0 {
			h.Dst = []byte("4915112345678")
		}
		var m Message
		if st := m.Parse(s.Append(nil, 1)); st != ROK {
			t.Fatalf("%d: %v of %+v", i, st, s)
		}
		have, want := AppendForward([]byte("x"), &m, &h)[1:], forwardModel(s, &h)
		if !bytes.Equal(have, want) {
			t.Fatalf("%d: %+v\nhop  %+v\nhave %x\nwant %x", i, s, h, have, want)
		}
		var next Message
		if st := next.Parse(have); st != ROK {
			t.Fatalf("%d: what was forwarded does not parse: %v", i, st)
		}
	}
}

// A message without anything to change crosses a hop octet for octet, its unknown TLVs and their order included.
func TestAppendForwardKeepsEverythingElse(t *testing.T) {
	s := good()
	s.Protocol, s.Coding, s.Service = 0x41, 0xF2, []byte("CMT")
	s.TLVs = AppendTLV(AppendTLV(AppendTLV(nil, 0x7777, []byte("b")), 0x1403, []byte("38636")), 0x7777, []byte("a"))
	p := s.Append(nil, 5)
	var m Message
	m.Parse(p)
	if have := AppendForward(nil, &m, &Hop{Sequence: 5, Registered: s.Registered, VendorTLVs: true}); !bytes.Equal(have, p) {
		t.Errorf("have %x\nwant %x", have, p)
	}
}

func TestAppendForwardDropsPadding(t *testing.T) {
	s := good()
	s.TLVs = []byte{0, 0}
	var m Message
	m.Parse(s.Append(nil, 5))
	s.TLVs = nil
	if have := AppendForward(nil, &m, &Hop{Sequence: 5, Registered: 1}); !bytes.Equal(have, s.Append(nil, 5)) {
		t.Errorf("padding went on: %x", have)
	}
}

func TestInternational(t *testing.T) {
	for _, c := range []struct {
		ton  uint8
		addr string
		want bool
	}{{1, "4915112345678", true}, {0, "4915112345678", true}, {1, "+4915112345678", false}, {0, "004915112345678", false},
		{1, "004915112345678", false}, {2, "15112345678", false}, {0, "015112345678", false}, {4, "15112345678", false}, {1, "", false}} {
		s := good()
		s.DstTON, s.Dst = c.ton, []byte(c.addr)
		var m Message
		m.Parse(s.Append(nil, 5))
		if have := m.International(); have != c.want {
			t.Errorf("TON %d %q: %v", c.ton, c.addr, have)
		}
	}
}
