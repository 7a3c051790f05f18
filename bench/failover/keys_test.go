//go:build e2e

package failover

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"path/filepath"
	"time"
)

// certify writes an authority and a certificate for each host, and returns what their node files say of them.
func (s *site) certify() (section func(name string) string) {
	s.t.Helper()
	sign := func(name string, serial int64, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			s.t.Fatal(err)
		}
		c := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
		if parent == nil {
			c.IsCA, c.BasicConstraintsValid, parent, by = true, true, c, key
		} else {
			c.DNSNames = []string{name}
		}
		der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
		if err != nil {
			s.t.Fatal(err)
		}
		private, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			s.t.Fatal(err)
		}
		s.write(filepath.Join("tls", name+".pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
		s.write(filepath.Join("tls", name+".key"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
		return c, key
	}
	ca, key := sign("ca", 1, nil, nil)
	for i, name := range []string{"a", "b", "w"} {
		sign(name, int64(i+2), ca, key)
	}
	return func(name string) string {
		return "  tls: {cert: tls/" + name + ".pem, key: tls/" + name + ".key, ca: tls/ca.pem}\n"
	}
}
