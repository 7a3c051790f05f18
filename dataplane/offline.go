package dataplane

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"smsplane/dataplane/admin"
	"smsplane/dataplane/config"
	"smsplane/ledger/book"
	"smsplane/ledger/catalog"
	"smsplane/ledger/journal"
)

// CheckConfig says everything that is wrong with a node file and its catalog folder; nil is that it would run.
func CheckConfig(cfgPath string) error {
	cfg, err := config.Load(cfgPath)
	if err != nil {
		return err
	}
	keys := checkKeys(&cfg.SMPP)
	if cfg.Catalog == "" {
		return keys
	}
	files, err := catalog.Read(cfg.Catalog)
	if err == nil {
		_, err = catalog.Parse(files)
	}
	if keys == nil {
		return err
	}
	return errors.Join(keys, err)
}

// OpenOffline opens the store of a node that does not run, to read it. Whatever was committed is folded in
// memory; the store is not changed.
func OpenOffline(cfgPath string) (admin.Source, io.Closer, error) {
	cfg, err := config.Load(cfgPath)
	if err != nil {
		return nil, nil, err
	}
	if _, err := os.Stat(filepath.Join(cfg.Data, "store")); errors.Is(err, os.ErrNotExist) {
		return nil, nil, fmt.Errorf("there is none in %s yet; serve makes it at its first start", cfg.Data)
	}
	n := &Node{cfg: cfg, log: slog.New(slog.DiscardHandler), clock: monotonic()}
	n.state.Store("stopped")
	n.db, err = journal.OpenReadOnly(journal.Options{Dir: filepath.Join(cfg.Data, "store"), Logger: n.log, Clock: n.clock})
	if err != nil {
		return nil, nil, fmt.Errorf("opening the store in %s: %w", cfg.Data, err)
	}
	if err = n.formed(); err == nil {
		n.x = n.executor()
		err = n.replay()
	}
	s := &source{n: n, do: func(f func()) bool { f(); return true }}
	if errors.Is(err, journal.ErrCorrupt) {
		s.broken, err = err, nil
	}
	if err != nil {
		n.db.Close()
		return nil, nil, err
	}
	return s, n.db, nil
}

// replay folds every lane up to the end of its log. On a single host what is on disk is committed.
func (n *Node) replay() error {
	x := n.x
	for i := range n.cfg.Lanes {
		l := &lane{n: uint16(i), x: x}
		l.clear()
		x.lanes = append(x.lanes, l)
		if err := l.load(); err != nil {
			return fmt.Errorf("lane %d: %w", i, err)
		}
		err := l.log.Scan(l.book.Applied()+1, l.log.Last(), func(e journal.Entry) error {
			if e.Kind != 0 || len(e.Data) == 0 {
				return l.book.Apply(e.Index, nil)
			}
			return l.book.Apply(e.Index, e.Data)
		})
		if err != nil {
			return fmt.Errorf("lane %d: %w", i, err)
		}
		l.book.Carriers(func(c uint16, _ book.Carrier) { x.carrier(c) })
	}
	if x.lanes[0].book.System.Version == 0 {
		return nil
	}
	x.onCatalog = noLinks
	return x.install()
}
