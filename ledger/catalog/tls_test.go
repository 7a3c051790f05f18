package catalog

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// certificate makes one that signs itself.
func certificate(t *testing.T) (cert, key []byte) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, secret.Public(), secret)
	if err != nil {
		t.Fatal(err)
	}
	k, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: k})
}

func TestLinkTLS(t *testing.T) {
	cert, key := certificate(t)
	_, stranger := certificate(t)
	sum := sha256.Sum256(cert)
	pin := base64.StdEncoding.EncodeToString(sum[:])
	for _, c := range []struct {
		tls  string
		want *LinkTLS // nil: refused
		text string   // in the error
	}{
		{"{}", &LinkTLS{}, ""},
		{"{ca: tls/ca.pem, server_name: smsc.example}", &LinkTLS{CA: cert, ServerName: "smsc.example"}, ""},
		{"{cert: own.pem, key: own.key}", &LinkTLS{Cert: cert, Key: key}, ""},
		{"{pins: [" + pin + "]}", &LinkTLS{Pins: []string{pin}}, ""},
		{"{verify: pin, pins: " + pin + "}", &LinkTLS{Pins: []string{pin}, PinOnly: true}, ""},
		{"{verify: chain}", &LinkTLS{}, ""},
		{"true", nil, "tls should be a mapping"},
		{"{verify: none}", nil, `verify: "none" is not one of chain, pin`},
		{"{insecure: true}", nil, `"insecure" is not a key here`},
		{"{ca: absent.pem}", nil, "ca: there is no file absent.pem"},
		{"{ca: own.key}", nil, "ca: holds no certificate"},
		{"{cert: own.pem}", nil, "cert and key go together"},
		{"{cert: own.pem, key: strange.key}", nil, "cert: cannot be used with key"},
		{"{verify: pin}", nil, "verify: pin needs pins"},
		{"{verify: pin, pins: " + pin + ", ca: tls/ca.pem}", nil, "leave them out"},
		{"{pins: []}", nil, "pins: should be 1 to 10"},
		{"{pins: [c2hvcnQ=]}", nil, "is not the SHA-256"},
		{"{server_name: \"a b\"}", nil, "is not the name of a host"},
	} {
		files := with(t, CarriersFile, `- address: "127.0.0.1:3775"`, `- address: "127.0.0.1:3775"`+"\n        tls: "+c.tls)
		maps.Copy(files, map[string][]byte{"tls/ca.pem": cert, "own.pem": cert, "own.key": key, "strange.key": stranger})
		got, err := Parse(files)
		switch {
		case c.want == nil && (err == nil || !strings.Contains(err.Error(), c.text)):
			t.Errorf("%s: %v; want %q", c.tls, err, c.text)
		case c.want != nil && err != nil:
			t.Errorf("%s: %v", c.tls, err)
		case c.want != nil && !reflect.DeepEqual(got.Carriers[0].Links[0].TLS, c.want):
			t.Errorf("%s: %+v", c.tls, got.Carriers[0].Links[0].TLS)
		}
	}
}

// TestLinkTLSFiles: Read brings the files along, and a change inside one is a change of the catalog that shows no key.
func TestLinkTLSFiles(t *testing.T) {
	dir := t.TempDir()
	for name, b := range with(t, CarriersFile, `- address: "127.0.0.1:3775"`, `- address: "127.0.0.1:3775"`+"\n        tls: {cert: keys/own.pem, key: keys/own.key}") {
		write(t, filepath.Join(dir, name), b)
	}
	cert, key := certificate(t)
	write(t, filepath.Join(dir, "keys/own.pem"), cert)
	write(t, filepath.Join(dir, "keys/own.key"), key)
	files, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	before := parse(t, files)
	files["keys/own.pem"], files["keys/own.key"] = certificate(t)
	changes := Diff(before, parse(t, files))
	if len(changes) != 1 || !strings.Contains(changes[0].String(), "tls.files") || strings.Contains(changes[0].String(), "BEGIN") {
		t.Errorf("%v", changes)
	}
	if n := len(Diff(before, parse(t, contract(t)))); n != 2 {
		t.Errorf("%d changes when TLS goes, want tls and its files", n)
	}
}

func write(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
