package dataplane

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"

	"smsplane/dataplane/config"
	"smsplane/dataplane/transport"
	"smsplane/ledger/catalog"
)

// door is an address where clients bind.
type door struct {
	net.Listener
	secure *tls.Config // nil: plain TCP
}

// doors are the addresses of the node file, open or shut.
type doors struct {
	cfg   *config.SMPP
	log   *slog.Logger
	lobby *transport.Lobby
	fail  func(error)

	mu   sync.Mutex
	open []door
	over bool // never opened again
}

// serve receives clients at all doors.
func (d *doors) serve(l *transport.Lobby, fail func(error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lobby, d.fail = l, fail
	for _, v := range d.open {
		go d.receive(v)
	}
}

func (d *doors) receive(v door) {
	err := v.serve(d.lobby)
	if d.mu.Lock(); err != nil && slices.Contains(d.open, v) {
		d.fail(fmt.Errorf("listener %v: %w", v.Addr(), err))
	}
	d.mu.Unlock()
}

// heed listens, or does not, as want says; those who are bound stay. want is asked when nobody else can open or shut any more: else who
// was told first might have the last word.
func (d *doors) heed(want func() bool) (open bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if open = want(); open {
		return true, d.reopen()
	}
	d.shut()
	return false, nil
}

// shut stops listening. The doors are locked, as for reopen.
func (d *doors) shut() {
	all := d.open
	d.open = nil
	closeDoors(all)
}

// reopen listens again after a shut.
func (d *doors) reopen() error {
	if d.over || len(d.open) > 0 {
		return nil
	}
	all, err := openDoors(d.cfg, d.log)
	if err != nil {
		return err
	}
	d.open = all
	for _, v := range all {
		go d.receive(v)
	}
	return nil
}

// end shuts the doors for good.
func (d *doors) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
	d.shut()
}

// openDoors listens on every address of the node file, or on none.
func openDoors(c *config.SMPP, log *slog.Logger) (doors []door, err error) {
	defer func() {
		if err != nil {
			closeDoors(doors)
			doors = nil
		}
	}()
	if doors, err = listen(doors, "smpp.listen", c.Listen, nil); err != nil || len(c.TLSListen) == 0 {
		return doors, err
	}
	keys, err := transport.ReadKeys(keyFiles(&c.TLS), log)
	if err != nil {
		return doors, fmt.Errorf("smpp.tls: %w", err)
	}
	return listen(doors, "smpp.tls_listen", c.TLSListen, keys.Config())
}

func listen(doors []door, key string, addresses []string, secure *tls.Config) ([]door, error) {
	for _, a := range addresses {
		l, err := net.Listen("tcp", a)
		if err != nil {
			return doors, fmt.Errorf("%s: %w", key, err)
		}
		doors = append(doors, door{l, secure})
	}
	return doors, nil
}

func closeDoors(doors []door) {
	for _, d := range doors {
		d.Close()
	}
}

// serve receives clients until the lobby closes.
func (d door) serve(l *transport.Lobby) error {
	if d.secure != nil {
		return l.ServeTLS(d.Listener, d.secure)
	}
	return l.Serve(d.Listener)
}

func keyFiles(t *config.TLS) transport.KeyFiles {
	return transport.KeyFiles{Cert: t.Cert, Key: t.Key, ClientCA: t.ClientCA, Optional: t.CertOptional}
}

// checkKeys says why the TLS files of a node file cannot be used.
func checkKeys(c *config.SMPP) error {
	if len(c.TLSListen) == 0 {
		return nil
	}
	if _, err := transport.ReadKeys(keyFiles(&c.TLS), slog.New(slog.DiscardHandler)); err != nil {
		return fmt.Errorf("smpp.tls: %w", err)
	}
	return nil
}

// linkTLS is how a link dials; nil is plain TCP.
func linkTLS(d *catalog.LinkTLS) (*tls.Config, error) {
	if d == nil {
		return nil, nil
	}
	t := transport.Trust{CA: d.CA, ServerName: d.ServerName, Pins: d.Pins, PinOnly: d.PinOnly, Cert: d.Cert, Key: d.Key}
	return t.Config()
}
