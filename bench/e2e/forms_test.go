//go:build e2e

package e2e

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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
	Payload bool
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
	case f.Payload && len(parts[0].payload) != f.Octets:
		t.Errorf("%s: payload of %d octets", f.Name, len(parts[0].payload))
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

// assemble joins parts by their 8-bit concatenation headers; header is any other one.
func assemble(parts []message) (whole, header []byte, err error) {
	pieces := make([][]byte, len(parts))
	for i, m := range parts {
		user := m.text
		if m.payload != nil {
			user = m.payload
		}
		at := i
		if m.esmClass&0x40 != 0 {
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
		} else if len(parts) > 1 {
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

// TestForms: npm smpp (also over TLS), Net::SMPP and gosmpp send text, long text, emoji, binary and 20 KB, and our carrier
// puts together what each of them meant. npm also asks about messages, changes them, takes them back and sends to two.
func TestForms(t *testing.T) {
	forms := readForms(t)
	c := startCarrier(t).keeping()
	n := newNode(t, c.port)
	secure := loopback(freePort(t))
	cert, key := newAuthority(t).issue(t, "smsplane")
	n.edit("smsplane.yaml", "  listen: [", fmt.Sprintf("  tls_listen: [%q]\n  tls: {cert: cert.pem, key: key.pem}\n  listen: [", secure))
	n.place("cert.pem", cert)
	n.place("key.pem", key)
	n.up().linked(linkSessions)

	library := filepath.Join(t.TempDir(), "client")
	if code, _, errs := run(t, 3*time.Minute, "go", "build", "-C", "../codec", "-o", library, "./client"); code != 0 {
		t.Fatalf("go build: %s", errs)
	}
	host, port, _ := strings.Cut(n.smpp, ":")
	_, securePort, _ := strings.Cut(secure, ":")
	for _, client := range []struct {
		name, prefix string
		command      []string
	}{
		{"npm", "49151", []string{"node", "node/forms.js", host, port, "demo", "secret", "49151", formsFile}},
		{"npm over TLS", "49152", []string{"node", "node/forms.js", host, securePort, "demo", "secret", "49152", formsFile, "tls"}},
		{"perl", "49153", []string{"perl", "perl/forms.pl", host, port, "demo", "secret", "49153", formsFile}},
		{"gosmpp", "49154", []string{library, n.smpp, "demo", "secret", "49154", formsFile}},
	} {
		t.Run(client.name, func(t *testing.T) {
			code, out, errs := run(t, 2*time.Minute, client.command[0], client.command[1:]...)
			if code != 0 {
				t.Fatalf("exit %d: %s\n%s", code, errs, out)
			}
			for i, f := range forms {
				f.arrived(t, c.keptFor(fmt.Sprintf("%s%07d", client.prefix, i)))
			}
			said := map[string]int{}
			for line := range strings.Lines(out) {
				switch f := strings.Fields(line); f[0] {
				case "accepted":
					said["accepted"]++
				case "receipt":
					said["receipt "+f[2]]++
				default:
					said[strings.TrimSpace(line)]++
				}
			}
			if said["accepted"] < len(forms)+3 || said["receipt DELIVRD"] != said["accepted"] {
				t.Errorf("%v", said)
			}
			if strings.HasPrefix(client.name, "npm") {
				deeds(t, c, client.prefix, said)
			}
		})
	}
	n.proven()
	n.stop()
}

// deeds: submit_multi reached both numbers; the message of an hour from now was there, was changed, was taken back and is
// DELETED (4), and never left.
func deeds(t *testing.T, c *carrier, prefix string, said map[string]int) {
	t.Helper()
	for _, line := range []string{"multi 0 0", "replace 0", "cancel 0", "query 0 4"} {
		if said[line] != 1 {
			t.Errorf("%q was said %d times: %v", line, said[line], said)
		}
	}
	for i := range 2 {
		to := fmt.Sprintf("%s000010%d", prefix, i)
		eventually(t, patience, "submit_multi reaches "+to, func() bool { return len(c.keptFor(to)) == 1 })
	}
	if n := len(c.keptFor(prefix + "0000200")); n != 0 {
		t.Errorf("a cancelled message reached the carrier %d times", n)
	}
}
