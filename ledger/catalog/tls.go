package catalog

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"

	"smsplane/ledger/catalog/document"
)

// LinkTLS says that a link is to be encrypted, whom it takes for the carrier and what it shows of itself. Files are kept by
// their contents, as a catalog is whole without its folder.
type LinkTLS struct {
	CA         []byte   // PEM; nil: the authorities of the host
	ServerName string   // in the carrier's certificate; empty: the host of the address
	Pins       []string // SHA-256 of a SubjectPublicKeyInfo, base64
	PinOnly    bool     // a pin is enough: no authority, name or date is looked at
	Cert, Key  []byte   // PEM of what we show; nil: nothing
}

// Words of tls.verify.
var verifyWords = []string{"chain", "pin"}

const (
	maxPins      = 10
	pinOctets    = 32
	maxPEM       = 1 << 20 // octets of a file
	maxServerLen = 253
)

// tlsFiles are the keys of a link's tls that name files.
var tlsFiles = []string{"ca", "cert", "key"}

func (p *parser) linkTLS(link *document.Map) *LinkTLS {
	m := link.Map("tls")
	if m == nil {
		return nil
	}
	t := &LinkTLS{CA: p.pemFile(m, "ca"), Cert: p.pemFile(m, "cert"), Key: p.pemFile(m, "key")}
	if s, ok := m.Text("server_name"); ok {
		if len(s) > maxServerLen || !printable(s) || strings.ContainsAny(s, " /:") {
			m.Fail("server_name", "%q is not the name of a host", s)
		}
		t.ServerName = s
	}
	t.Pins = pins(m)
	if i := m.OneOf("verify", verifyWords...); i >= 0 {
		t.PinOnly = i == 1
	}
	if t.PinOnly && !m.Has("pins") {
		m.Fail("verify", "pin needs pins")
	}
	if t.PinOnly && (m.Has("ca") || m.Has("server_name")) {
		m.Fail("verify", "pin looks at neither ca nor server_name; leave them out, or verify the chain")
	}
	if t.CA != nil && !x509.NewCertPool().AppendCertsFromPEM(t.CA) {
		m.Fail("ca", "holds no certificate")
	}
	switch {
	case m.Has("cert") != m.Has("key"):
		m.FailAt(m.Line(""), "cert and key go together")
	case t.Cert != nil && t.Key != nil:
		if _, err := tls.X509KeyPair(t.Cert, t.Key); err != nil {
			m.Fail("cert", "cannot be used with key: %v", err)
		}
	}
	m.Close()
	return t
}

func pins(m *document.Map) []string {
	var list []string
	items := m.Texts("pins")
	if m.Has("pins") && (len(items) == 0 || len(items) > maxPins) {
		m.Fail("pins", "should be 1 to %d, not %d", maxPins, len(items))
	}
	for _, it := range items {
		if b, err := base64.StdEncoding.DecodeString(it.Text); err != nil || len(b) != pinOctets {
			m.FailAt(it.Line, "pins: %q is not the SHA-256 of a public key in base64, 44 characters", it.Text)
			continue
		}
		list = append(list, it.Text)
	}
	return list
}

func (p *parser) pemFile(m *document.Map, key string) []byte {
	path, ok := m.Text(key)
	if !ok {
		return nil
	}
	b, ok := p.files[path]
	switch {
	case len(path) > maxPath:
		m.Fail(key, "has a name longer than %d octets", maxPath)
	case !ok:
		m.Fail(key, "there is no file %s", path)
	case len(b) == 0 || len(b) > maxPEM:
		m.Fail(key, "%s has %d octets", path, len(b))
	default:
		return b
	}
	return nil
}

// fields show a link's TLS in a difference, keys by their sum.
func (t *LinkTLS) fields(at string) []field {
	if t == nil {
		return []field{{name: at + "tls"}}
	}
	verify := verifyWords[0]
	if t.PinOnly {
		verify = verifyWords[1]
	}
	text := fmt.Sprintf("verify %s", verify)
	if t.ServerName != "" {
		text += " name " + t.ServerName
	}
	if len(t.Pins) > 0 {
		text += " pins " + strings.Join(t.Pins, " ")
	}
	return []field{{name: at + "tls", text: text}, {name: at + "tls.files", text: sum(t.CA, t.Cert, t.Key), secret: true}}
}
