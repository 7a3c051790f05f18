package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// KeyFiles name what a TLS listener shows and asks for, all PEM.
type KeyFiles struct {
	Cert     string // our certificate, with the chain behind it
	Key      string
	ClientCA string // who signs clients' certificates; empty: none are asked for
	Optional bool   // with ClientCA: a client may show none, but not a wrong one
}

// Keys hold a listener's certificate and follow its files: each handshake looks whether they changed and reads them again.
// What cannot be used, such as a certificate whose key is not there yet, is logged once, and what was in use stays in use.
// Sessions that are open keep what they began with.
type Keys struct {
	files KeyFiles
	log   *slog.Logger

	mu     sync.Mutex
	config *tls.Config
	seen   [3]stamp
}

// stamp tells one version of a file from the next.
type stamp struct {
	info os.FileInfo
	at   time.Time
	size int64
}

func (s stamp) same(o stamp) bool {
	if s.info == nil || o.info == nil {
		return s.info == o.info
	}
	return os.SameFile(s.info, o.info) && s.at.Equal(o.at) && s.size == o.size
}

// ReadKeys reads the files for the first time; an error says which cannot be used and why.
func ReadKeys(f KeyFiles, log *slog.Logger) (*Keys, error) {
	k := &Keys{files: f, log: log}
	k.seen = k.stamps()
	var err error
	k.config, err = f.read()
	return k, err
}

// Config is for Lobby.ServeTLS.
func (k *Keys) Config() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return k.current(), nil },
	}
}

func (k *Keys) current() *tls.Config {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.stamps()
	changed := false
	for i := range now {
		changed = changed || !now[i].same(k.seen[i])
	}
	if !changed {
		return k.config
	}
	k.seen = now
	c, err := k.files.read()
	if err != nil {
		k.log.Warn("TLS files changed and cannot be used; serving with those before", "err", err)
		return k.config
	}
	k.log.Info("TLS files read again", "cert", k.files.Cert)
	k.config = c
	return c
}

func (k *Keys) stamps() (s [3]stamp) {
	for i, name := range []string{k.files.Cert, k.files.Key, k.files.ClientCA} {
		if info, err := os.Stat(name); err == nil {
			s[i] = stamp{info, info.ModTime(), info.Size()}
		}
	}
	return s
}

func (f KeyFiles) read() (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", f.Cert, f.Key, err)
	}
	c := &tls.Config{
		Certificates: []tls.Certificate{cert},
		MinVersion:   tls.VersionTLS12,
		// Binds live for days: a ticket would save nothing, and let in whom a new client_ca shuts out.
		SessionTicketsDisabled: true,
		// One write per turn is one large record, not a run of small ones for a browser in a hurry.
		DynamicRecordSizingDisabled: true,
	}
	if f.ClientCA == "" {
		return c, nil
	}
	if c.ClientCAs, err = readPool(f.ClientCA); err != nil {
		return nil, err
	}
	c.ClientAuth = tls.RequireAndVerifyClientCert
	if f.Optional {
		c.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return c, nil
}

func readPool(file string) (*x509.CertPool, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool, err := parsePool(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return pool, nil
}

func parsePool(b []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, errors.New("holds no certificate")
	}
	return pool, nil
}
