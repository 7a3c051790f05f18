package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"smsplane/pdu"
)

// bindSecure binds over TLS, reads the answer, and returns the certificate that was shown.
func bindSecure(t *testing.T, h *house, c *tls.Config) (*tls.Conn, *x509.Certificate, error) {
	t.Helper()
	raw := h.dial(t)
	conn := tls.Client(raw, c)
	if _, err := conn.Write(bindPDU(pdu.BindTransceiver, "right", 1)); err != nil {
		raw.Close()
		return nil, nil, err
	}
	if _, err := conn.Read(make([]byte, 100)); err != nil { // in TLS 1.3 a refused certificate shows here
		raw.Close()
		return nil, nil, err
	}
	return conn, conn.ConnectionState().PeerCertificates[0], nil
}

func TestBindOverTLS(t *testing.T) {
	a := newAuthority(t, "authority")
	h := open(t, houseOptions{keys: newKeyFolder(t, a.issue(t, "smsc.example"), nil).read(t)})
	for _, version := range tlsVersions {
		c := tls.Client(h.dial(t), clientConfig(a, version))
		enquiry := pdu.AppendPlain(nil, pdu.EnquireLink, pdu.ROK, 8)
		send(t, c, append(bindPDU(pdu.BindTransceiver, "right", 7), enquiry...))
		if got, _ := readPDU(t, c); got.Command != pdu.BindTransceiverResp || got.Status != pdu.ROK || got.Sequence != 7 {
			t.Fatalf("%+v", got)
		}
		if got, _ := readPDU(t, c); got.Command != pdu.EnquireLink || got.Sequence != 8 {
			t.Errorf("echo of what followed the bind: %+v", got)
		}
		c.Close()
	}
	refused := tls.Client(h.dial(t), clientConfig(a, tls.VersionTLS12))
	send(t, refused, bindPDU(pdu.BindTransceiver, "wrong", 3))
	if got, _ := readPDU(t, refused); got.Status != pdu.RBindFail {
		t.Errorf("%+v", got)
	}
	if rest := readAll(t, refused); rest != "" { // readAll fails without a close_notify
		t.Errorf("then %q", rest)
	}
	refused.Close()
	h.empty(t)
	if s := h.settled(t); s.Bound != 2 || s.Refused != 1 || s.Handshake != 0 {
		t.Errorf("%+v", s)
	}
}

// TestNoHandshake: who speaks no TLS to a TLS listener, or an old one, or nothing, is counted and reaches no loop.
func TestNoHandshake(t *testing.T) {
	a := newAuthority(t, "authority")
	o := houseOptions{keys: newKeyFolder(t, a.issue(t, "smsc.example"), nil).read(t)}
	o.gate.BindTimeout = 300 * time.Millisecond
	h := open(t, o)
	plain, silent, old := h.dial(t), h.dial(t), h.dial(t)
	send(t, plain, bindPDU(pdu.BindTransceiver, "right", 1))
	if err := tls.Client(old, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}).Handshake(); err == nil {
		t.Error("TLS 1.1 was taken")
	}
	for _, c := range []net.Conn{plain, silent, old} {
		_, _ = io.Copy(io.Discard, c)
		c.Close()
	}
	h.empty(t)
	if s := h.settled(t); s.Handshake != 3 || s.Bound != 0 {
		t.Errorf("%+v", s)
	}
}

func TestClientCertificates(t *testing.T) {
	ours, theirs, others := newAuthority(t, "ours"), newAuthority(t, "theirs"), newAuthority(t, "others")
	own, good, bad := ours.issue(t, "smsc.example"), theirs.issue(t, "esme"), others.issue(t, "esme")
	for name, c := range map[string]struct {
		optional bool
		show     *issued
		ok       bool
	}{
		"required, good":  {false, &good, true},
		"required, bad":   {false, &bad, false},
		"required, none":  {false, nil, false},
		"optional, good":  {true, &good, true},
		"optional, wrong": {true, &bad, false},
		"optional, none":  {true, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newKeyFolder(t, own, theirs.pem)
			f.Optional = c.optional
			h := open(t, houseOptions{keys: f.read(t)})
			config := clientConfig(ours, tls.VersionTLS13)
			if c.show != nil { // whatever the server says it would take
				config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c.show.pair, nil }
			}
			conn, _, err := bindSecure(t, h, config)
			if (err == nil) != c.ok {
				t.Errorf("bind: %v", err)
			}
			if conn != nil {
				conn.Close()
			}
			h.empty(t)
			if s := h.settled(t); (s.Handshake == 0) != c.ok {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestKeysFollowTheirFiles: new files count for the next handshake; what fits no key is left aside until it does.
func TestKeysFollowTheirFiles(t *testing.T) {
	a := newAuthority(t, "authority")
	first, second := a.issue(t, "smsc.example"), a.issue(t, "smsc.example")
	f := newKeyFolder(t, first, nil)
	log, logged := capturedLog()
	keys, err := ReadKeys(f.KeyFiles, log)
	if err != nil {
		t.Fatal(err)
	}
	h := open(t, houseOptions{keys: keys})
	client := clientConfig(a, tls.VersionTLS13)
	shows := func(want issued) *tls.Conn {
		t.Helper()
		conn, shown, err := bindSecure(t, h, client)
		if err != nil {
			t.Fatal(err)
		}
		if !shown.Equal(want.pair.Leaf) {
			t.Fatalf("shows serial %v, want %v", shown.SerialNumber, want.pair.Leaf.SerialNumber)
		}
		return conn
	}
	before := shows(first)
	f.put(t, f.Cert, second.cert)
	shows(first)
	shows(first)
	if n := strings.Count(logged(), "cannot be used"); n != 1 {
		t.Errorf("a certificate without its key was told %d times:\n%s", n, logged())
	}
	f.put(t, f.Key, second.key)
	shows(second)
	send(t, before, []byte("still here"))
	_ = before.SetDeadline(time.Now().Add(patience))
	echo := make([]byte, 10)
	if _, err := io.ReadFull(before, echo); err != nil || string(echo) != "still here" {
		t.Errorf("the session from before: %q %v", echo, err)
	}
}

// TestClientCAFollows: an authority that was taken away lets nobody in any more.
func TestClientCAFollows(t *testing.T) {
	ours, theirs, next := newAuthority(t, "ours"), newAuthority(t, "theirs"), newAuthority(t, "next")
	f := newKeyFolder(t, ours.issue(t, "smsc.example"), theirs.pem)
	h := open(t, houseOptions{keys: f.read(t)})
	client := clientConfig(ours, tls.VersionTLS13)
	client.Certificates = []tls.Certificate{theirs.issue(t, "esme").pair}
	if _, _, err := bindSecure(t, h, client); err != nil {
		t.Fatal(err)
	}
	f.put(t, f.ClientCA, next.pem)
	if _, _, err := bindSecure(t, h, client); err == nil {
		t.Error("bound with a certificate of the authority before")
	}
}

func TestReadKeysSaysWhatIsWrong(t *testing.T) {
	a := newAuthority(t, "authority")
	one, two := a.issue(t, "one"), a.issue(t, "two")
	for name, c := range map[string]struct {
		spoil func(f *keyFolder)
		want  string
	}{
		"no certificate":          {func(f *keyFolder) { f.Cert += ".absent" }, "cert.pem.absent"},
		"another certificate":     {func(f *keyFolder) { f.put(t, f.Cert, two.cert) }, "private key does not match"},
		"no authority":            {func(f *keyFolder) { f.ClientCA += ".absent" }, "clients.pem.absent"},
		"an authority of nothing": {func(f *keyFolder) { f.put(t, f.ClientCA, []byte("none")) }, "clients.pem: holds no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newKeyFolder(t, one, a.pem)
			c.spoil(&f)
			if _, err := ReadKeys(f.KeyFiles, quiet); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want %q", err, c.want)
			}
		})
	}
}

// TestTrust binds to carriers of all kinds and sees whom each Trust takes.
func TestTrust(t *testing.T) {
	a, other := newAuthority(t, "authority"), newAuthority(t, "other")
	server, next, own := a.issue(t, "smsc.example"), a.issue(t, "smsc.example"), a.issue(t, "esme")
	for name, c := range map[string]struct {
		trust Trust
		want  string // in the error; empty: bound
	}{
		"authority and address":    {Trust{CA: a.pem}, ""},
		"authority and name":       {Trust{CA: a.pem, ServerName: "smsc.example"}, ""},
		"another name":             {Trust{CA: a.pem, ServerName: "smsc.invalid"}, "not smsc.invalid"},
		"another authority":        {Trust{CA: other.pem}, "unknown authority"},
		"the system's":             {Trust{}, "certificate"},
		"pinned":                   {Trust{CA: a.pem, Pins: []string{next.pin(), server.pin()}}, ""},
		"pinned authority":         {Trust{CA: a.pem, Pins: []string{Pin(a.cert)}}, ""},
		"pinned another":           {Trust{CA: a.pem, Pins: []string{next.pin()}}, "it is " + server.pin()},
		"pin without an authority": {Trust{CA: other.pem, Pins: []string{server.pin()}}, "unknown authority"},
		"pin only":                 {Trust{PinOnly: true, Pins: []string{server.pin()}}, ""},
		"pin only, another":        {Trust{PinOnly: true, Pins: []string{next.pin()}}, "not pinned"},
		"pin only, authority":      {Trust{PinOnly: true, Pins: []string{Pin(a.cert)}}, "not pinned"},
		"own certificate":          {Trust{CA: a.pem, Cert: own.cert, Key: own.key}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newKeyFolder(t, server, a.pem)
			f.Optional = c.trust.Cert == nil
			h := open(t, houseOptions{keys: f.read(t)})
			config, err := c.trust.Config()
			if err != nil {
				t.Fatal(err)
			}
			o := bindOptions(h.addr)
			o.TLS = config
			nc, peer, _, err := DialBind(t.Context(), o)
			if c.want == "" {
				if err != nil || peer.SystemID != "smsc" {
					t.Fatalf("%+v %v", peer, err)
				}
				r := newRecorder()
				if err := h.engine.Enroll(nc, 0, r, nil); err != nil {
					t.Fatal(err)
				}
				on(t, h.engine, 0, func() { _ = r.conn.Write([]byte("echo me")) })
				eventually(t, "the echo", func() bool { return r.got() == "echo me" })
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want %q", err, c.want)
			}
			var pin *PinError
			if strings.Contains(name, "pin only,") && !errors.As(err, &pin) {
				t.Errorf("%v is no PinError", err)
			}
		})
	}
	for name, trust := range map[string]Trust{
		"pins only, without pins": {PinOnly: true}, "no certificate in the authorities": {CA: []byte("x")}, "half a pair": {Cert: own.cert},
	} {
		if _, err := trust.Config(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
