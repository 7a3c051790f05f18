//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// kannel is Kannel's bearerbox, bound to the appliance as a transceiver, and its smsbox, which takes messages by HTTP and
// calls back with receipts and with what comes from phones.
type kannel struct {
	bearerbox, smsbox *process
	send              string // URL of sendsms

	mu       sync.Mutex
	receipts map[string][]string // by destination: the values of %d, one for each part
	mobile   []string            // "sender text"
}

const kannelConf = `group = core
admin-port = %d
admin-password = unused
admin-allow-ip = 127.0.0.1
smsbox-port = %d
box-allow-ip = 127.0.0.1
log-level = 1

group = smsc
smsc = smpp
smsc-id = smsplane
host = 127.0.0.1
port = %s
smsc-username = demo
smsc-password = secret
system-type = kannel
transceiver-mode = true
reconnect-delay = 1
max-pending-submits = 10
dest-addr-ton = 1
dest-addr-npi = 1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = %d
sendsms-interface = 127.0.0.1

group = sendsms-user
username = test
password = test
max-messages = 20
concatenation = true
user-allow-ip = 127.0.0.1

group = sms-service
keyword = default
catch-all = true
max-messages = 0
get-url = "%s/mobile?from=%%p&text=%%b"
`

func startKannel(t *testing.T, smppPort string) *kannel {
	t.Helper()
	k := &kannel{receipts: map[string][]string{}}
	calls := httptest.NewServer(http.HandlerFunc(k.called))
	t.Cleanup(calls.Close)
	sendPort, boxPort := freePort(t), freePort(t)
	conf := filepath.Join(t.TempDir(), "kannel.conf")
	write(t, conf, fmt.Sprintf(kannelConf, freePort(t), boxPort, smppPort, sendPort, calls.URL))
	k.bearerbox = start(t, sbin(t, "bearerbox"), "-v", "1", conf)
	eventually(t, patience, "bearerbox listens for smsbox", func() bool {
		c, err := dialRaw(loopback(boxPort))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	k.smsbox = start(t, sbin(t, "smsbox"), "-v", "1", conf)
	k.send = fmt.Sprintf("http://127.0.0.1:%d/cgi-bin/sendsms", sendPort)
	k.calls(calls.URL)
	eventually(t, patience, "smsbox takes messages", func() bool {
		resp, err := http.Get(k.send)
		if err == nil {
			resp.Body.Close()
		}
		return err == nil
	})
	return k
}

// sbin finds a program of Debian's kannel, which may be outside of a user's PATH.
func sbin(t *testing.T, name string) string {
	t.Helper()
	for _, p := range []string{name, "/usr/sbin/" + name} {
		if found, err := exec.LookPath(p); err == nil {
			return found
		}
	}
	t.Fatalf("%s is not installed; run make deps", name)
	return ""
}

// calls keeps where smsbox calls back, as part of the URL that sends.
func (k *kannel) calls(base string) {
	k.send += "?" + url.Values{"username": {"test"}, "password": {"test"}, "from": {"kannel"}, "dlr-mask": {"19"}, "charset": {"UTF-8"},
		"dlr-url": {base + "/receipt?to=%p&type=%d"}}.Encode()
}

func (k *kannel) called(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	q := r.URL.Query()
	switch r.URL.Path {
	case "/receipt":
		k.receipts[q.Get("to")] = append(k.receipts[q.Get("to")], q.Get("type"))
	case "/mobile":
		k.mobile = append(k.mobile, q.Get("from")+" "+q.Get("text"))
	}
}

// submit sends a form by HTTP, as Kannel's users do.
func (k *kannel) submit(t *testing.T, f form, to string) {
	t.Helper()
	q := url.Values{"to": {to}}
	switch {
	case f.Octets > 0:
		header := ""
		for i := 0; i < len(f.UDH); i += 2 {
			header += "%" + f.UDH[i:i+2]
		}
		q.Set("coding", "1")
		q.Set("text", string(f.octets()))
		k.get(t, k.send+"&"+q.Encode()+"&udh="+header)
		return
	case f.Coding == 8:
		q.Set("coding", "2")
	default:
		q.Set("coding", "0")
	}
	q.Set("text", f.text())
	k.get(t, k.send+"&"+q.Encode())
}

func (k *kannel) get(t *testing.T, u string) {
	t.Helper()
	resp, err := http.Get(u)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		t.Fatalf("sendsms answers %s", resp.Status)
	}
}

// TestKannel: bearerbox as a client: text, long text, emoji and binary in, receipts back, and a message from a
// phone by its rule in mo.yaml.
func TestKannel(t *testing.T) {
	c := startCarrier(t).keeping()
	n := newNode(t, c.port)
	write(t, filepath.Join(filepath.Dir(n.config), "catalog", "mo.yaml"), "mo:\n  - {match: {to: \"88333\"}, client: demo}\n")
	n.up().linked(linkSessions)
	_, port, _ := strings.Cut(n.smpp, ":")
	k := startKannel(t, port)
	var sent []string
	for i, f := range readForms(t) {
		if f.Payload {
			continue // Kannel sends no message_payload
		}
		to := fmt.Sprintf("49151%07d", i)
		k.submit(t, f, to)
		sent = append(sent, to)
	}
	received := func(to string) int {
		k.mu.Lock()
		defer k.mu.Unlock()
		delivered := 0
		for _, kind := range k.receipts[to] {
			if kind == "1" {
				delivered++
			}
		}
		return delivered
	}
	for i, to := range sent {
		f := readForms(t)[i]
		eventually(t, patience, "Kannel hears that the phone has "+f.Name, func() bool {
			parts := len(c.keptFor(to))
			return parts > 0 && received(to) >= 1
		})
		f.arrived(t, c.keptFor(to))
	}
	c.phone(t, message{from: "491511111111", to: "88333", text: []byte("hello from a phone")})
	eventually(t, patience, "Kannel has the message from a phone", func() bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		return len(k.mobile) == 1 && k.mobile[0] == "+491511111111 hello from a phone"
	})
	k.bearerbox.kill()
	k.smsbox.kill()
	n.proven()
	n.stop()
}
