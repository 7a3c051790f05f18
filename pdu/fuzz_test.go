package pdu

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
)

// seed gives a fuzz target every vector of a kind and the golden PDUs.
func seed(f *testing.F, kind string) {
	f.Helper()
	b, err := os.ReadFile(vectorFile)
	if err != nil {
		f.Fatal(err)
	}
	var all struct{ Vectors []vector }
	if err := json.Unmarshal(b, &all); err != nil {
		f.Fatal(err)
	}
	for _, v := range all.Vectors {
		if p, err := hex.DecodeString(v.Hex); err == nil && v.Kind == kind {
			f.Add(p)
		}
	}
	if kind == "pdu" {
		for name := range golden {
			f.Add(goldenPDU(f, name))
		}
		for name := range old33 {
			f.Add(old33PDU(f, name))
		}
	}
}

// fence copies p so that reading one octet beyond it panics.
func fence(p []byte) []byte { return append(make([]byte, 0, len(p)), p...)[:len(p):len(p)] }

// Any stream is framed without panic; each PDU decodes, and what decoded is written back octet for octet.
func FuzzStream(f *testing.F) {
	seed(f, "pdu")
	f.Fuzz(func(t *testing.T, stream []byte) {
		for b := fence(stream); ; {
			n, st := Frame(b, 70000)
			if st != ROK && st != RInvCmdLen || n > len(b) || n != 0 && n < HeaderLen {
				t.Fatalf("Frame = %d %v of %d octets", n, st, len(b))
			}
			if n == 0 {
				return
			}
			fuzzPDU(t, fence(b[:n]))
			b = b[n:]
		}
	})
}

func fuzzPDU(t *testing.T, p []byte) {
	d, st := Decode(p)
	if d.Header != ParseHeader(p) {
		t.Fatalf("header lost: %+v", d.Header)
	}
	if st == ROK || st == RInvTLVStream || st == RInvTLVLen || st == RMissingTLV {
		if back := d.Append(nil); !bytes.Equal(back, p) {
			t.Fatalf("%v: written back\n%x, was\n%x", st, back, p)
		}
	}
	switch d.Command {
	case SubmitSM, DeliverSM, DataSM:
		fuzzMessage(t, d, st, p)
	case BindReceiver, BindTransmitter, BindTransceiver:
		if b, bst := ParseBind(p); bst == ROK && st == ROK && len(d.TLVs)+len(d.Tail) == 0 && !bytes.Equal(AppendBind(nil, &b, d.Sequence)[12:], p[12:]) {
			t.Fatalf("bind changes: %+v", b)
		}
	}
	ParseBindResp(p)
	MessageID(p)
	ResponseTLVs(p)
}

// fuzzMessage compares the view with the field table, and forwards what the view accepts.
func fuzzMessage(t *testing.T, d *PDU, decoded Status, p []byte) {
	var m Message
	var r Receipt
	st := m.Parse(p)
	fields := viewFields(&m)
	if decoded == ROK || decoded == RInvTLVStream || decoded == RInvTLVLen {
		for _, want := range d.Fields {
			if want.Octets != nil && fields[want.Name] != string(want.Octets) {
				t.Fatalf("view: %s = %q, want %q", want.Name, fields[want.Name], want.Octets)
			}
		}
		if !bytes.Equal(m.TLVs(), d.TLVs) {
			t.Fatalf("view: TLVs %x, want %x", m.TLVs(), d.TLVs)
		}
	} else if st == ROK {
		t.Fatalf("view accepts what Decode answers with %v", decoded)
	}
	ParseReceipt(&m, &r)
	m.LooksLikeReceipt()
	for _, h := range []Hop{{Sequence: 1, Validity: []byte("000002000000000R")}, {VendorTLVs: true, Priority: 3}, {NoTLVs: true}} {
		var next Message
		if out := AppendForward(nil, &m, &h); st == ROK && len(out) <= 70000 {
			if nst := next.Parse(fence(out)); nst != ROK && m.Command() == SubmitSM && !(h.NoTLVs && !m.FitsWithoutTLVs()) {
				t.Fatalf("forwarded with %+v: %v\n%x\n%x", h, nst, p, out)
			}
		}
	}
}

// Any text is read without panic, every slice lies inside it, and our own writing reads back.
func FuzzReceiptText(f *testing.F) {
	seed(f, "receipt_text")
	f.Add([]byte("ID:1 Submit Date:2611231200 DELIVRD err: text:id:2"))
	f.Add([]byte("::id:\x00stat : x done_date:1"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var r Receipt
		text = fence(text)
		whole := ParseReceiptText(text, &r)
		if len(r.ID)+len(r.Stat)+len(r.Err)+len(r.Text) > len(text) {
			t.Fatalf("more read than there is: %q", show(&r))
		}
		if whole != (len(r.ID) > 0 && len(r.Stat) > 0) {
			t.Fatalf("a receipt: %v, of %q", whole, show(&r))
		}
		for _, part := range [][]byte{r.ID, r.Stat, r.Err, r.Text} {
			if !bytes.Contains(text, part) {
				t.Fatalf("%q does not stand in the text", part)
			}
		}
		p := (&Submit{Command: DeliverSM, Text: text}).Append(nil, 1)
		var m Message
		if len(text) < 60000 && m.Parse(p) == ROK {
			var again Receipt
			ParseReceipt(&m, &again)
		}
	})
}

func FuzzTime(f *testing.F) {
	for _, s := range []string{"261123120000004+", "000002000000000R", "", "2611231200", "261123120030250", "20261123120030"} {
		f.Add([]byte(s), int64(1795435200e9))
	}
	f.Fuzz(func(t *testing.T, b []byte, now int64) {
		if now < 0 || now > 4e18 {
			return
		}
		ParseDate(b)
		at, ok := ParseTime(b, now)
		if ok && len(b) > 0 && len(b) != timeLen {
			t.Fatalf("%q is taken", b)
		}
		if !ok || len(b) == 0 || b[timeLen-1] == 'R' || at < 0 {
			return
		}
		if again, ok := ParseTime(AppendTimeAbsolute(nil, at), now); !ok || again != at && abs(at-now) < 49*365*86400e9 {
			t.Fatalf("%q is %d, read back %d", b, at, again)
		}
	})
}

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}

// A TLV region is walked to its end or to the damage, never beyond.
func FuzzTLVs(f *testing.F) {
	seed(f, "tlv_block")
	f.Add(bytes.Join([][]byte{userReference, vendorTLV, {0, 0}}, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = fence(b)
		var back []byte
		Walk(b, func(tag Tag, v []byte) bool {
			tag.Check(v)
			back = AppendTLV(back, tag, v)
			return true
		})
		if !bytes.HasPrefix(b, back) {
			t.Fatalf("walk of %x gives %x", b, back)
		}
		if rest := b[len(back):]; len(rest) >= tlvHeader && int(binary.BigEndian.Uint16(rest[2:])) <= len(rest)-tlvHeader {
			t.Fatalf("a whole TLV is left: %x", rest)
		}
	})
}
