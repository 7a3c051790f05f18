package profile

import (
	"strings"
	"testing"

	"smsplane/pdu"
	"smsplane/pdu/text"
)

// packedParts is a text in packed septets, behind headers that make the first of them begin in the middle of an octet.
func packedParts(t *testing.T, words string, size int) (all []*pdu.Message) {
	t.Helper()
	n := (len(words) + size - 1) / size
	for i := range n {
		header := []byte{5, 0, 3, 7, byte(n), byte(i + 1)}
		body, ok := text.Packed.Encode(nil, []byte(words[i*size:min(len(words), (i+1)*size)]), len(header))
		if !ok {
			t.Fatalf("%q cannot be packed", words)
		}
		s := pdu.Submit{Src: []byte("s"), Dst: []byte("4915"), ESMClass: pdu.ESMUDHI, Text: append(header, body...)}
		m := new(pdu.Message)
		if st := m.Parse(s.Append(nil, 1)); st != pdu.ROK {
			t.Fatal(st)
		}
		all = append(all, m)
	}
	return all
}

// Packed septets of parts do not fit each other: they are unpacked, and packed anew as one text.
func TestJoinPacked(t *testing.T) {
	c := &Client{Text: Charsets{DCS0: text.Packed}}
	for _, size := range []int{153, 152, 150, 147} {
		words := strings.Repeat("packed {as} ever ", 25)[:401]
		parts := packedParts(t, words, size)
		for i, m := range parts {
			if total, seq, ok := c.Joinable(m); !ok || int(total) != len(parts) || int(seq) != i+1 {
				t.Errorf("part %d: %d of %d, %v", i+1, seq, total, ok)
			}
		}
		var m pdu.Message
		if st := m.Parse(c.Join(nil, parts)); st != pdu.ROK || m.UDHI() || len(m.ShortMessage()) > 0 {
			t.Fatalf("%v, esm_class %#x", st, m.ESMClass())
		}
		if have, ok := text.Packed.Decode(nil, m.Payload(), 0); !ok || string(have) != words {
			t.Errorf("parts of %d septets read %q", size, have)
		}
	}
	broken := packedParts(t, strings.Repeat("x", 200), 153)[0]
	data := broken.UserData()
	data[6] = 0x1B << 1
	data[7] = 0xFF // ESC, and what no table has behind it
	if _, _, ok := c.Joinable(broken); ok {
		t.Error("septets that are no text can be joined")
	}
}
