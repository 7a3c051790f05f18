package dataplane

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"smsplane/dataplane/admin"
	"smsplane/dataplane/config"
	"smsplane/ledger/journal"
	"smsplane/ledger/replica"
)

// A backup is a folder: the store as one moment left it, and a list of its files with their checksums.
//
//	DIR/backup.json   DIR/store/...
//
// It is verified when it is made and before it is put in place: every file by its checksum, every entry and
// fold of the store as `store check` does. A restored store is the same store: the original must never run
// beside it.
const (
	backupList    = "backup.json"
	backupStore   = "store"
	backupVersion = 1
	storeFolder   = "store"     // below the data folder
	restoring     = "restoring" // below the data folder, until the copy is verified

	lostFound = "lost+found" // of the file system, where the data folder is the place that it is mounted at
)

// backupFile is what backup.json says.
type backupFile struct {
	Version int               `json:"version"`
	Node    string            `json:"node"`
	Lanes   int               `json:"lanes"`
	Store   string            `json:"store_id"`
	Made    time.Time         `json:"made"`
	Files   map[string]string `json:"files"` // SHA-256 by name
}

// Backup implements admin.Operations.
func (s *source) Backup(ctx context.Context, dir string) (r admin.Report, err error) {
	if !filepath.IsAbs(dir) {
		return r, admin.BadRequest("backup to %q: want an absolute path on the node's host", dir)
	}
	if err := s.flushed(ctx); err != nil {
		return r, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return r, admin.BadRequest("backup: %v", err)
	}
	store := filepath.Join(dir, backupStore)
	if err := s.n.db.Checkpoint(store); err != nil {
		return r, err
	}
	list := backupFile{Version: backupVersion, Node: s.n.cfg.Name, Lanes: s.n.cfg.Lanes, Store: fmt.Sprintf("%x", s.n.db.ID()),
		Made: instant(s.n.clock()), Files: map[string]string{}}
	size := int64(0)
	if err := eachFile(store, func(name string) error {
		sum, n, err := copySum(filepath.Join(store, name), io.Discard)
		list.Files[name] = sum
		size += n
		return err
	}); err != nil {
		return r, err
	}
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return r, err
	}
	if err := errors.Join(writeSynced(filepath.Join(dir, backupList), append(text, '\n')), syncDir(dir)); err != nil {
		return r, err
	}
	r, err = verifyStore(ctx, s.n.cfg, store)
	r.Lines = append([]string{fmt.Sprintf("%s: %d files, %d octets", dir, len(list.Files), size)}, r.Lines...)
	return r, err
}

// verifyStore runs the check of a stopped node over a store that lies anywhere.
func verifyStore(ctx context.Context, cfg *config.Node, store string) (r admin.Report, err error) {
	n := &Node{cfg: cfg, log: slog.New(slog.DiscardHandler), clock: monotonic()}
	n.state.Store("stopped")
	if n.db, err = journal.OpenReadOnly(journal.Options{Dir: store, Logger: n.log, Clock: n.clock}); err != nil {
		return r, err
	}
	defer n.db.Close()
	n.x = n.executor()
	if err := n.replay(); err != nil {
		return r, err
	}
	return (&source{n: n, do: func(f func()) bool { f(); return true }}).Check(ctx)
}

// Restore puts a backup in place of a data folder that is empty or missing, after it has verified the copy.
func Restore(ctx context.Context, cfgPath, dir string) (r admin.Report, err error) {
	cfg, err := config.Load(cfgPath)
	if err != nil {
		return r, err
	}
	var list backupFile
	text, err := os.ReadFile(filepath.Join(dir, backupList))
	if err != nil {
		return r, fmt.Errorf("%s is not a backup: %w", dir, err)
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return r, fmt.Errorf("%s: %s does not load: %w", dir, backupList, err)
	}
	if list.Version != backupVersion {
		return r, fmt.Errorf("%s: %s is of version %d, this build knows %d", dir, backupList, list.Version, backupVersion)
	}
	if list.Lanes != cfg.Lanes {
		return r, fmt.Errorf("%s has %d lanes, the node file says %d: the lane count of a store is fixed", dir, list.Lanes, cfg.Lanes)
	}
	left, err := os.ReadDir(cfg.Data)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return r, err
	}
	if slices.ContainsFunc(left, func(e os.DirEntry) bool { return e.Name() != lostFound }) {
		return r, fmt.Errorf("the data folder %s is not empty: nothing was restored", cfg.Data)
	}
	temp := filepath.Join(cfg.Data, restoring)
	if err := os.MkdirAll(temp, 0o700); err != nil {
		return r, err
	}
	r, err = restoreInto(ctx, cfg, dir, temp, &list)
	if err != nil || !r.OK {
		return r, errors.Join(err, os.RemoveAll(temp))
	}
	if err := secede(cfg, temp); err != nil {
		return r, errors.Join(fmt.Errorf("taking the copy out of the cluster that it belonged to: %w", err), os.RemoveAll(temp))
	}
	if err := os.Rename(temp, filepath.Join(cfg.Data, storeFolder)); err != nil {
		return r, err
	}
	if cfg.Cluster != nil {
		r.Lines = append(r.Lines, "start every host of the cluster, the others with empty folders: it is formed anew around this store")
	}
	r.Lines = append(r.Lines, fmt.Sprintf("restored what node %s held at %s; its original must not run any more", list.Node, list.Made.Format(time.RFC3339)))
	return r, syncDir(cfg.Data)
}

// secede takes a store out of the cluster that it belonged to: what it says of members was true then. Each lane is that of this
// member alone; in a node file with a cluster, a new one is formed around it.
func secede(cfg *config.Node, store string) error {
	db, err := journal.Open(journal.Options{Dir: store, Logger: slog.New(slog.DiscardHandler), Clock: monotonic()})
	if err != nil {
		return err
	}
	id := uint64(1)
	if cfg.Cluster != nil {
		i := slices.IndexFunc(cfg.Cluster.Members, func(m config.Member) bool { return m.Name == cfg.Name })
		id = replica.MakeID(uint16(i+1), 1, false)
	}
	w := journal.NewBatch()
	w.DeleteRange(tableKey, append(slices.Clone(tableKey), 0))
	db.Write(w, nil)
	return errors.Join(alone(db, func(*replica.Group) bool { return false }, id), db.Close())
}

func restoreInto(ctx context.Context, cfg *config.Node, dir, temp string, list *backupFile) (r admin.Report, err error) {
	for name, want := range list.Files {
		if filepath.Base(name) != name {
			return r, fmt.Errorf("%s: %q is no file name", backupList, name)
		}
		to, err := os.OpenFile(filepath.Join(temp, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return r, err
		}
		sum, _, err := copySum(filepath.Join(dir, backupStore, name), to)
		if err = errors.Join(err, to.Sync(), to.Close()); err != nil {
			return r, err
		}
		if sum != want {
			return r, fmt.Errorf("%s: the backup's file is damaged: its checksum is not the one it was made with", filepath.Join(dir, backupStore, name))
		}
	}
	if err := syncDir(temp); err != nil {
		return r, err
	}
	return verifyStore(ctx, cfg, temp)
}

// eachFile visits the files of a store; its lock is not part of it.
func eachFile(dir string, f func(name string) error) error {
	es, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range es {
		if e.IsDir() || e.Name() == "LOCK" {
			continue
		}
		if err := f(e.Name()); err != nil {
			return err
		}
	}
	return nil
}

// copySum copies a file and returns the checksum and length of what it read.
func copySum(from string, to io.Writer) (sum string, n int64, err error) {
	f, err := os.Open(from)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	n, err = io.Copy(io.MultiWriter(to, h), f)
	return hex.EncodeToString(h.Sum(nil)), n, err
}

func writeSynced(file string, b []byte) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
