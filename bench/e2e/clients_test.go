//go:build e2e

package e2e

import (
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// library is software that is not ours, as a client.
type library struct {
	name, source string // source_addr of what it sends
	able         func(f form) bool
	deeds        []string // lines of query_sm, cancel_sm and replace_sm; with them comes submit_multi
	play         func(t *testing.T, s *stand, prefix, port string, secure bool) []string
}

// stand is the one appliance and the one carrier of all clients.
type stand struct {
	*carrier
	host, port, securePort string
	forms                  []form
	gosmpp                 string // the client that was built with it
}

// TestClients: npm smpp, Net::SMPP, gosmpp and Kannel, each over TCP and over TLS, do what the table in doc.go says; the
// carrier has what each of them meant, octet by octet or code point by code point, and each has all that was due to it.
func TestClients(t *testing.T) {
	s := newStand(t)
	n := newNode(t, s.carrier.port)
	secure := loopback(freePort(t))
	cert, key := newAuthority(t).issue(t, "smsplane")
	n.edit("smsplane.yaml", "  listen: [", fmt.Sprintf("  tls_listen: [%q]\n  tls: {cert: cert.pem, key: key.pem}\n  listen: [", secure))
	n.place("cert.pem", cert)
	n.place("key.pem", key)
	n.place("catalog/mo.yaml", "mo:\n  - {match: {to: \"88333\"}, client: demo}\n")
	n.up().linked(linkSessions)
	s.host, s.port, _ = strings.Cut(n.smpp, ":")
	_, s.securePort, _ = strings.Cut(secure, ":")

	all := func(form) bool { return true }
	deeds := []string{"query 0 1", "replace 0", "cancel 0", "cancel 17", "query 0 4"}
	for i, l := range []library{
		{"npm", "npm", all, append(deeds, "query 12"), script("node", "node/forms.js")},
		{"perl", "perl", all, append(deeds, "query 12"), script("perl", "perl/forms.pl")},
		{"gosmpp", "gosmpp", all, deeds, gosmpp},
		{"kannel", "kannel", func(f form) bool { return !f.SAR && !f.Payload }, nil, playKannel},
	} {
		for j, port := range []string{s.port, s.securePort} {
			name := l.name
			if j == 1 {
				name += " over TLS"
			}
			t.Run(name, func(t *testing.T) {
				prefix := fmt.Sprintf("4915%d", 10+2*i+j)
				l.judge(t, s, prefix, l.play(t, s, prefix, port, j == 1))
			})
		}
	}
	n.proven()
	n.stop()
}

// newStand starts the carrier and builds what has to be built.
func newStand(t *testing.T) *stand {
	t.Helper()
	s := &stand{carrier: startCarrier(t).keeping(), forms: readForms(t), gosmpp: filepath.Join(t.TempDir(), "client")}
	s.replies = fromPhone
	if code, _, errs := run(t, 3*time.Minute, "go", "build", "-C", "../codec", "-o", s.gosmpp, "./client"); code != 0 {
		t.Fatalf("go build: %s", errs)
	}
	return s
}

// fromPhone is what a phone sends to our clients when it gets "call me": GSM 7-bit with escapes, UCS-2 with emoji, binary with a header.
var fromPhone = []message{
	{to: "88333", text: []byte("Hi \x1b\x28you\x1b\x29 for 5 \x1b\x65 \x00 \x7b")},
	{to: "88333", coding: 8, text: []byte("\x04\x3f\x04\x40\x04\x38\x00 \xd8\x3d\xde\x42")},
	{to: "88333", coding: 4, esmClass: 0x40, text: []byte("\x06\x05\x04\x0b\x84\x23\xf0\x00\x01\xfe\xff\x0a\x80")},
}

// heard is how the lines of clients tell it.
var heard = []string{
	"88333 0 " + hex.EncodeToString([]byte("Hi {you} for 5 € @ ä")),
	"88333 8 " + hex.EncodeToString([]byte("при 🙂")),
	"88333 4 " + hex.EncodeToString(fromPhone[2].text),
}

// script plays a client that is a program of its own.
func script(command ...string) func(*testing.T, *stand, string, string, bool) []string {
	return func(t *testing.T, s *stand, prefix, port string, secure bool) []string {
		return linesOf(t, secure, append(command, s.host, port, "demo", "secret", prefix, formsFile)...)
	}
}

func gosmpp(t *testing.T, s *stand, prefix, port string, secure bool) []string {
	return linesOf(t, secure, s.gosmpp, s.host+":"+port, "demo", "secret", prefix, formsFile)
}

func linesOf(t *testing.T, secure bool, command ...string) []string {
	t.Helper()
	if secure {
		command = append(command, "tls")
	}
	code, out, errs := run(t, 2*time.Minute, command[0], command[1:]...)
	if code != 0 || errs != "" {
		t.Fatalf("exit %d: %s\n%s", code, errs, out)
	}
	return strings.Split(strings.TrimSpace(out), "\n")
}

// judge compares what the carrier has, and what the client says, with what should be.
func (l *library) judge(t *testing.T, s *stand, prefix string, lines []string) {
	t.Helper()
	number := func(n int) string { return fmt.Sprintf("%s%07d", prefix, n) }
	for i, f := range s.forms {
		if l.able(f) {
			f.arrived(t, s.keptFor(number(i)))
		}
	}
	said := map[string]int{}
	due := map[string]int{} // lines that should be there
	for _, line := range lines {
		said[line]++
		switch f := strings.Fields(line); f[0] {
		case "accepted":
			due[line]++
			due[fmt.Sprintf("receipt %s DELIVRD %s %s", f[2], f[1], l.source)]++
		case "multi":
			due[line]++
			if len(f) != 4 || f[1] != "0" || f[3] != "4420123456:69,friends:52" {
				t.Errorf("submit_multi: %q", line)
				continue
			}
			for _, to := range []string{number(1000), number(1001)} {
				due[fmt.Sprintf("receipt %s DELIVRD %s %s", f[2], to, l.source)]++
			}
		case "receipt":
			if len(f) == 5 && f[3] == number(2000) { // of the message that was changed, whose id was not told
				due[fmt.Sprintf("receipt %s DELIVRD %s %s", f[1], f[3], l.source)]++
			}
		}
	}
	for _, h := range heard {
		due["mobile "+number(900)+" "+h]++
	}
	if l.deeds != nil {
		l.judgeDeeds(t, s, number, due)
	}
	for line := range due {
		if said[line] != due[line] {
			t.Errorf("%q %d times, want %d", line, said[line], due[line])
		}
	}
	for line := range said {
		if due[line] == 0 {
			t.Errorf("%q is not due", line)
		}
	}
}

// judgeDeeds: submit_multi reached both numbers; the message of an hour from now was there, was changed and came within
// the second that it was changed to; the other was taken back, once, is DELETED (4), and never left.
func (l *library) judgeDeeds(t *testing.T, s *stand, number func(int) string, due map[string]int) {
	t.Helper()
	for _, line := range l.deeds {
		due[line]++
	}
	for to, want := range map[string][]string{number(1000): {"to several"}, number(1001): {"to several"}, number(2000): {"sooner"}, number(2001): nil} {
		var texts []string
		for _, m := range s.keptFor(to) {
			texts = append(texts, string(m.text))
		}
		if !slices.Equal(texts, want) {
			t.Errorf("the carrier has %q for %s, want %q", texts, to, want)
		}
	}
}
