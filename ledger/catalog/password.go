package catalog

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"

	"golang.org/x/crypto/bcrypt"

	"smsplane/ledger/catalog/document"
)

// CheckPassword compares in a time that tells nothing about the password; with password_hash it costs what
// bcrypt costs, so it is for goroutines that may wait.
func (c *Client) CheckPassword(p string) bool { return matches(p, c.password, c.hash) }

// CheckPassword is that of a client, for a carrier that binds to us.
func (i *Inbound) CheckPassword(p string) bool { return matches(p, i.password, i.hash) }

func matches(p string, plain, hash []byte) bool {
	if hash != nil {
		return bcrypt.CompareHashAndPassword(hash, []byte(p)) == nil
	}
	// Sums have one length, so not even the length of the password shows.
	want, got := sha256.Sum256(plain), sha256.Sum256([]byte(p))
	return len(plain) > 0 && subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

// SameLogin reports whether o lets in with the same system_id and password; a new hash of the old password is
// another login, as nobody can tell.
func (c *Client) SameLogin(o *Client) bool {
	return c.SystemID == o.SystemID && bytes.Equal(c.password, o.password) && bytes.Equal(c.hash, o.hash)
}

// secret reads password, password_hash or password_file, of which one must be there.
func (p *parser) secret(m *document.Map, hashable bool) (plain, hash []byte) {
	said := 0
	for _, k := range []string{"password", "password_hash", "password_file"} {
		if m.Has(k) {
			said++
		}
	}
	keys := "password, password_hash or password_file"
	if !hashable {
		keys = "password or password_file"
	}
	switch {
	case said == 0:
		m.FailAt(m.Line(""), "%s is missing", keys)
	case said > 1:
		m.FailAt(m.Line("password"), "only one of %s can be the password", keys)
	}
	if s, ok := m.Text("password"); ok {
		plain = checkedSecret(m, "password", []byte(s))
	}
	if hashable || m.Has("password_hash") {
		hash = hashed(m, hashable)
	}
	if s, ok := m.Text("password_file"); ok {
		plain = p.secretFile(m, s)
	}
	return plain, hash
}

func hashed(m *document.Map, hashable bool) []byte {
	s, ok := m.Text("password_hash")
	if !ok {
		return nil
	}
	if !hashable {
		m.Fail("password_hash", "a carrier wants the password itself")
		return nil
	}
	if _, err := bcrypt.Cost([]byte(s)); err != nil {
		m.Fail("password_hash", "is not a bcrypt hash")
		return nil
	}
	return []byte(s)
}

func (p *parser) secretFile(m *document.Map, path string) []byte {
	b, ok := p.files[path]
	switch {
	case len(path) > maxPath:
		m.Fail("password_file", "has a name longer than %d octets", maxPath)
	case !ok:
		m.Fail("password_file", "there is no file %s", path)
	default:
		return checkedSecret(m, "password_file", bytes.TrimRight(b, "\r\n"))
	}
	return nil
}

// checkedSecret says what is wrong with a password without repeating it.
func checkedSecret(m *document.Map, key string, b []byte) []byte {
	switch _, err := bcrypt.Cost(b); {
	case len(b) == 0:
		m.Fail(key, "is empty")
	case err == nil:
		m.Fail(key, "looks like a bcrypt hash; that goes into password_hash")
	case len(b) > maxName:
		m.Fail(key, "is longer than %d octets", maxName)
	case !printable(string(b)):
		m.Fail(key, "holds characters other than printable ASCII, or a space at an end")
	default:
		return b
	}
	return nil
}
