package transport

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
)

// Trust says whom a TLS link takes for its carrier, and what it shows of itself. The zero Trust verifies against the system's
// authorities and the address's host name.
type Trust struct {
	CA         []byte   // PEM of the authorities; nil: the system's
	ServerName string   // in the carrier's certificate; empty: the host of the address
	Pins       []string // SHA-256 of a SubjectPublicKeyInfo, base64: one certificate of the chain must have one of them
	PinOnly    bool     // no authority, no name, no dates: the carrier's own certificate has one of Pins
	Cert, Key  []byte   // PEM of what we show; nil: nothing
}

// Pin is the SHA-256 of a certificate's SubjectPublicKeyInfo in base64. It stays the same when a carrier renews its certificate
// with the key it has.
func Pin(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// PinError is a certificate that nobody pinned.
type PinError struct{ Got string } // Pin of the peer's own certificate

func (e *PinError) Error() string {
	return fmt.Sprintf("the certificate's key is not pinned: it is %s", e.Got)
}

// Config is for DialOptions.
func (t *Trust) Config() (*tls.Config, error) {
	c := &tls.Config{
		MinVersion:                  tls.VersionTLS12,
		ServerName:                  t.ServerName,
		DynamicRecordSizingDisabled: true,
	}
	if t.PinOnly && len(t.Pins) == 0 {
		return nil, fmt.Errorf("a link that trusts pins only has none")
	}
	if t.CA != nil {
		pool, err := parsePool(t.CA)
		if err != nil {
			return nil, fmt.Errorf("authorities: %w", err)
		}
		c.RootCAs = pool
	}
	if t.Cert != nil || t.Key != nil {
		cert, err := tls.X509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("own certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	if len(t.Pins) > 0 {
		c.InsecureSkipVerify = t.PinOnly // crypto/tls then leaves the judgement to VerifyConnection
		c.VerifyConnection = t.pinned
	}
	return c, nil
}

func (t *Trust) pinned(s tls.ConnectionState) error {
	chains := s.VerifiedChains
	if t.PinOnly {
		// Others of the list may be there without their keys having signed anything: only the first proved its key.
		chains = [][]*x509.Certificate{s.PeerCertificates[:1]}
	}
	for _, chain := range chains {
		for _, cert := range chain {
			for _, want := range t.Pins {
				if Pin(cert) == want {
					return nil
				}
			}
		}
	}
	return &PinError{Got: Pin(s.PeerCertificates[0])}
}
