//go:build e2e

package e2e

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf16"
)

// form is one message of testdata/forms.json, which every client sends in its own way.
type form struct {
	Name    string
	Coding  byte
	Text    string
	Times   int
	UDH     string
	Octets  int
	Payload bool // as message_payload
	SAR     bool // long ones by sar_* TLVs, not by a header
}

const formsFile = "testdata/forms.json"

func readForms(t *testing.T) (forms []form) {
	t.Helper()
	b, err := os.ReadFile(formsFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &forms); err != nil {
		t.Fatal(err)
	}
	return forms
}

func (f form) text() string { return strings.Repeat(f.Text, max(f.Times, 1)) }

func (f form) octets() []byte {
	b := make([]byte, f.Octets)
	for i := range b {
		b[i] = byte(i * 7)
	}
	return b
}

// keeping makes the carrier keep what it takes.
func (c *carrier) keeping() *carrier {
	c.kept = map[string][]message{}
	return c
}

func (c *carrier) keptFor(to string) []message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]message(nil), c.kept[to]...)
}

// arrived compares what reached the carrier with the form, part by part put together.
func (f form) arrived(t *testing.T, parts []message) {
	t.Helper()
	if len(parts) == 0 {
		t.Errorf("%s: nothing arrived", f.Name)
		return
	}
	if parts[0].coding != f.Coding {
		t.Errorf("%s: data_coding %d, want %d", f.Name, parts[0].coding, f.Coding)
	}
	whole, header, err := assemble(parts)
	switch {
	case err != nil:
		t.Errorf("%s: %v", f.Name, err)
	case f.Payload != (parts[0].payload != nil):
		t.Errorf("%s: message_payload of %d octets, short_message of %d", f.Name, len(parts[0].payload), len(parts[0].text))
	case f.SAR != (parts[0].sar.of > 0):
		t.Errorf("%s: sar_* TLVs %+v", f.Name, parts[0].sar)
	case f.Octets > 0:
		if !bytes.Equal(whole, f.octets()) || hex.EncodeToString(header) != f.UDH {
			t.Errorf("%s: header %x, %d octets", f.Name, header, len(whole))
		}
	case f.Coding == 0:
		if got := gsmText(whole); got != f.text() {
			t.Errorf("%s: %q, want %q", f.Name, got, f.text())
		}
	default:
		if got := utf16Text(whole); got != f.text() {
			t.Errorf("%s: %q, want %q", f.Name, got, f.text())
		}
	}
}

// assemble joins parts by their 8-bit concatenation headers or sar_* TLVs; header is any other one.
func assemble(parts []message) (whole, header []byte, err error) {
	pieces := make([][]byte, len(parts))
	for i, m := range parts {
		user := m.text
		if m.payload != nil {
			user = m.payload
		}
		at := i
		switch {
		case m.sar.of > 0:
			if int(m.sar.of) != len(parts) || m.sar.part < 1 || m.sar.part > m.sar.of || m.sar.ref != parts[0].sar.ref {
				return nil, nil, fmt.Errorf("sar_* TLVs %+v among %d parts", m.sar, len(parts))
			}
			at = int(m.sar.part) - 1
		case m.esmClass&0x40 != 0:
			n := 1 + int(user[0])
			udh := user[:n]
			user = user[n:]
			switch {
			case n == 6 && udh[1] == 0 && int(udh[4]) == len(parts) && udh[5] >= 1 && int(udh[5]) <= len(parts):
				at = int(udh[5]) - 1
			case len(parts) == 1:
				header = udh
			default:
				return nil, nil, fmt.Errorf("a part with header %x among %d", udh, len(parts))
			}
		case len(parts) > 1:
			return nil, nil, fmt.Errorf("%d messages without a header", len(parts))
		}
		if pieces[at] != nil {
			return nil, nil, fmt.Errorf("part %d came twice", at+1)
		}
		pieces[at] = append([]byte{}, user...)
	}
	return bytes.Join(pieces, nil), header, nil
}

// The characters of GSM 03.38 that forms.json uses and that differ from ASCII, by their octet; after 0x1B the extension.
var (
	gsmBasic     = map[byte]rune{0x00: '@', 0x11: '_', 0x15: 'Ω', 0x7B: 'ä', 0x7C: 'ö', 0x7D: 'ñ', 0x7E: 'ü'}
	gsmExtension = map[byte]rune{0x65: '€', 0x28: '{', 0x29: '}', 0x3C: '[', 0x3E: ']', 0x3D: '~'}
)

func gsmText(b []byte) string {
	var s strings.Builder
	for i := 0; i < len(b); i++ {
		r, ok := gsmBasic[b[i]]
		switch {
		case b[i] == 0x1B && i+1 < len(b):
			i++
			r = gsmExtension[b[i]]
		case !ok:
			r = rune(b[i])
		}
		s.WriteRune(r)
	}
	return s.String()
}

func utf16Text(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
	}
	return string(utf16.Decode(units))
}
