//go:build e2e

package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority signs the certificates of a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{key: newKey(t)}
	a.cert, a.pem = sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign}, nil, a.key, a.key)
	return a
}

// issue signs a certificate for 127.0.0.1.
func (a *authority) issue(t *testing.T, name string) (cert, key string) {
	t.Helper()
	secret := newKey(t)
	_, cert = sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}, a.cert, secret, a.key)
	der, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return cert, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sign(t *testing.T, c, parent *x509.Certificate, own, by *ecdsa.PrivateKey) (*x509.Certificate, string) {
	t.Helper()
	var err error
	if c.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
		t.Fatal(err)
	}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, own.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return signed, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// edit replaces a text in a file of the node's folder.
func (n *node) edit(file, old, new string) {
	n.t.Helper()
	file = filepath.Join(filepath.Dir(n.config), file)
	b, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(b), old) {
		n.t.Fatalf("%s holds no %q: %v", file, old, err)
	}
	write(n.t, file, strings.Replace(string(b), old, new, 1))
}

// place puts a file into the node's folder, whole at any instant.
func (n *node) place(name, text string) {
	n.t.Helper()
	file := filepath.Join(filepath.Dir(n.config), name)
	write(n.t, file+".new", text)
	if err := os.Rename(file+".new", file); err != nil {
		n.t.Fatal(err)
	}
}

// TestTLS: a client and a carrier over TLS, each with certificates both ways; new certificates without a restart; openssl.
func TestTLS(t *testing.T) {
	const messages = 2_000
	ours, clients, carriers := newAuthority(t), newAuthority(t), newAuthority(t)
	carrierCert, carrierKey := carriers.issue(t, "carrier")
	pair, err := tls.X509KeyPair([]byte(carrierCert), []byte(carrierKey))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := startCarrierOn(t, tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool(ours)}))
	c.port = l.Addr().(*net.TCPAddr).Port

	n := newNode(t, c.port)
	secure := loopback(freePort(t))
	n.edit("smsplane.yaml", "  listen: [", fmt.Sprintf("  tls_listen: [%q]\n  tls: {cert: keys/cert.pem, key: keys/key.pem, client_ca: keys/clients.pem}\n  listen: [", secure))
	n.edit("catalog/carriers.yaml", "        system_id: smsplane\n", "        system_id: smsplane\n        tls: {ca: tls/ca.pem, cert: tls/own.pem, key: tls/own.key}\n")
	cert, key := ours.issue(t, "first")
	n.place("catalog/tls/ca.pem", "not a certificate")
	if code, out, _ := n.command("check"); code != 1 || !strings.Contains(out, "keys/cert.pem") || !strings.Contains(out, "ca: holds no certificate") {
		t.Errorf("check without the files: exit %d\n%s", code, out)
	}
	own, ownKey := ours.issue(t, "smsplane")
	for name, text := range map[string]string{
		"keys/cert.pem": cert, "keys/key.pem": key, "keys/clients.pem": clients.pem,
		"catalog/tls/ca.pem": carriers.pem, "catalog/tls/own.pem": own, "catalog/tls/own.key": ownKey,
	} {
		n.place(name, text)
	}
	if code, out, errs := n.command("check"); code != 0 {
		t.Fatalf("check: exit %d\n%s%s", code, out, errs)
	}
	n.up().linked(linkSessions)

	clientCert, clientKey := clients.issue(t, "esme")
	shown, err := tls.X509KeyPair([]byte(clientCert), []byte(clientKey))
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{RootCAs: pool(ours), Certificates: []tls.Certificate{shown}}
	box := newOutbox()
	first := dialSecure(t, secure, config, "first")
	e, status, err := bindOn(first, "demo", "secret", 100, box)
	if err != nil || status != rOK {
		t.Fatalf("bind: status %#x, %v", status, err)
	}
	for i := range messages {
		if err := e.send(message{from: "Brand", to: fmt.Sprintf("49151%07d", i), registered: wantReceipt, text: []byte("over TLS")}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, patience, "all messages have their receipts", func() bool { return box.accepted() == messages && box.returned() == messages })
	if taken, again := c.counts(); taken != messages || len(again) != 0 {
		t.Errorf("the carrier took %d, some again: %v", taken, again)
	}

	cert, key = ours.issue(t, "second")
	n.place("keys/key.pem", key)
	n.place("keys/cert.pem", cert)
	dialSecure(t, secure, config, "second").Close()
	if !e.alive() {
		t.Error("the session from before the new certificate does not answer")
	}
	if _, err := tls.Dial("tcp", secure, &tls.Config{RootCAs: pool(ours), MaxVersion: tls.VersionTLS12}); err == nil {
		t.Error("a client without a certificate was taken")
	}
	openssl(t, n, secure, map[string]string{"ca.pem": ours.pem, "cert.pem": clientCert, "key.pem": clientKey})
	first.Close()
	n.proven()
	n.stop()
}

func pool(a *authority) *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// dialSecure connects and demands the certificate of that name.
func dialSecure(t *testing.T, addr string, c *tls.Config, name string) raw {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if got := conn.ConnectionState().PeerCertificates[0].Subject.CommonName; got != name {
		t.Fatalf("the certificate is %q, want %q", got, name)
	}
	return raw{conn}
}

// openssl binds with s_client, has both sides change their keys, and unbinds.
func openssl(t *testing.T, n *node, addr string, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	cmd := exec.Command("openssl", "s_client", "-connect", addr, "-tls1_3", "-verify_return_error",
		"-CAfile", filepath.Join(dir, "ca.pem"), "-cert", filepath.Join(dir, "cert.pem"), "-key", filepath.Join(dir, "key.pem"))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out output
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() {
		in.Close()
		_ = cmd.Process.Kill()
	}()
	say := func(what string, b []byte, awaited []byte) {
		t.Helper()
		if _, err := in.Write(b); err != nil {
			t.Fatal(err)
		}
		eventually(t, patience, what, func() bool { return bytes.Contains([]byte(out.String()), awaited) })
	}
	header := func(command, seq uint32) []byte { return pdu{command: command, seq: seq}.append(nil) }
	say("openssl is connected", nil, []byte("Verify return code: 0 (ok)"))
	say("bind_transceiver_resp", pdu{command: bindTRX, seq: 0x101, body: bindBody("demo", "secret")}.append(nil), header(bindTRX|respBit, 0x101)[4:])
	// A line that begins with K makes s_client send KeyUpdate and ask for ours.
	say("KeyUpdate", []byte("K\n"), []byte("KEYUPDATE"))
	say("enquire_link_resp under new keys", header(enquireLink, 0x102), header(enquireLink|respBit, 0x102))
	say("unbind_resp", header(unbind, 0x103), header(unbind|respBit, 0x103))
	select {
	case err := <-ended: // s_client ends when we say goodbye
		if err != nil {
			t.Errorf("openssl: %v\n%s", err, last(out.String()))
		}
	case <-time.After(patience):
		t.Errorf("openssl still waits after unbind_resp:\n%s", last(out.String()))
	}
}
