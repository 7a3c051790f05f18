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

	mu     sync.Mutex
	told   []string // lines as other clients print them, of parts taken and delivered
	mobile []string // the same of messages of phones
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
use-ssl = %t
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
get-url = "%s/mobile?from=%%p&to=%%P&coding=%%c&udh=%%u&text=%%b"
`

func startKannel(t *testing.T, smppPort string, secure bool) *kannel {
	t.Helper()
	k := &kannel{}
	calls := httptest.NewServer(http.HandlerFunc(k.called))
	t.Cleanup(calls.Close)
	sendPort, boxPort := freePort(t), freePort(t)
	conf := filepath.Join(t.TempDir(), "kannel.conf")
	write(t, conf, fmt.Sprintf(kannelConf, freePort(t), boxPort, smppPort, secure, sendPort, calls.URL))
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
	k.send += "?" + url.Values{"username": {"test"}, "password": {"test"}, "from": {"kannel"}, "dlr-mask": {"27"}, "charset": {"UTF-8"},
		"dlr-url": {base + "/receipt?to=%p&type=%d&id=%F"}}.Encode()
}

func (k *kannel) called(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	q := r.URL.Query()
	switch r.URL.Path {
	case "/receipt":
		to, id := q.Get("to"), q.Get("id")
		switch q.Get("type") {
		case "8":
			k.told = append(k.told, "accepted "+to+" "+id)
		case "1":
			k.told = append(k.told, "receipt "+id+" DELIVRD "+to+" kannel")
		default:
			k.told = append(k.told, r.URL.RawQuery)
		}
	case "/mobile":
		k.mobile = append(k.mobile, mobileLine(q))
	}
}

// mobileLine says of a message of a phone what other clients print. Kannel puts a plus before numbers and has its own
// numbers for alphabets, and gives UCS-2 as it came.
func mobileLine(q url.Values) string {
	body := q.Get("udh") + q.Get("text")
	coding := map[string]string{"0": "0", "1": "4", "2": "8"}[q.Get("coding")]
	if coding == "8" {
		body = utf16Text([]byte(body))
	}
	return fmt.Sprintf("mobile %s %s %s %x", strings.TrimPrefix(q.Get("from"), "+"), strings.TrimPrefix(q.Get("to"), "+"), coding, body)
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

// playKannel is what Kannel can do of the clients' lines. Of a message that it divides it asks for the receipt of the first part.
func playKannel(t *testing.T, s *stand, prefix, port string, secure bool) []string {
	k := startKannel(t, port, secure)
	sent := 0
	for i, f := range s.forms {
		if !f.SAR && !f.Payload {
			k.submit(t, f, fmt.Sprintf("%s%07d", prefix, i))
			sent++
		}
	}
	k.submit(t, form{Text: "call me"}, fmt.Sprintf("%s%07d", prefix, 900))
	sent++
	var lines []string
	eventually(t, patience, "Kannel hears of every message, and from the phone", func() bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		lines = append(append([]string(nil), k.told...), k.mobile...)
		return len(lines) >= 2*sent+len(fromPhone)
	})
	k.bearerbox.kill()
	k.smsbox.kill()
	return lines
}
