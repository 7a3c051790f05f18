package dataplane

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"

	"smsplane/dataplane/config"
	"smsplane/ledger/journal"
)

// moodyNode in the environment names the node file of an appliance that this test binary is to be, see TestMain.
const moodyNode = "SMSPLANE_MOODY_NODE"

// TestMain is the appliance on a disk whose moods it is told on its input, when a test has started the binary once more
// for that: what ends a process is shown by the end of a process.
func TestMain(m *testing.M) {
	if file := os.Getenv(moodyNode); file != "" {
		if err := serveMoody(file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func serveMoody(file string) error {
	cfg, err := config.Load(file)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	n := &Node{cfg: cfg, log: log, clock: monotonic(), started: time.Now(), progress: &progress{log: log, lanes: cfg.Lanes}}
	n.state.Store(stateStarting)
	d := newMoodyDisk()
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return err
	}
	if n.db, err = journal.Open(journal.Options{FS: d, Dir: filepath.Join(cfg.Data, "store"), Logger: log, Clock: n.clock}); err != nil {
		return err
	}
	drain, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			d.become(in.Text())
			fmt.Println(in.Text())
		}
	}()
	return n.serve(drain, context.Background())
}

// moodyDisk does to the journal's log what it is in the mood for.
type moodyDisk struct {
	vfs.FS
	mu     sync.Mutex
	change sync.Cond
	mood   string
}

// Moods of a disk.
const (
	moodWell  = "well"
	moodWrite = "writes fail"
	moodHalf  = "writes end halfway"
	moodSync  = "syncs fail"
	moodHang  = "syncs hang"
)

func newMoodyDisk() *moodyDisk {
	d := &moodyDisk{FS: vfs.Default, mood: moodWell}
	d.change.L = &d.mu
	return d
}

func (d *moodyDisk) become(mood string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mood = mood
	d.change.Broadcast()
}

func (d *moodyDisk) is(mood string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mood == mood
}

func (d *moodyDisk) file(f vfs.File, name string, err error) (vfs.File, error) {
	if err != nil || !strings.HasSuffix(name, ".log") {
		return f, err
	}
	return &moodyFile{f, d}, nil
}

func (d *moodyDisk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.Create(name, c)
	return d.file(f, name, err)
}

func (d *moodyDisk) ReuseForWrite(was, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.ReuseForWrite(was, name, c)
	return d.file(f, name, err)
}

type moodyFile struct {
	vfs.File
	d *moodyDisk
}

func (f *moodyFile) Write(p []byte) (int, error) {
	switch {
	case f.d.is(moodWrite):
		return 0, unix.EIO
	case f.d.is(moodHalf):
		return f.File.Write(p[:len(p)/2])
	}
	return f.File.Write(p)
}

// synced lets a sync hang as long as the mood lasts, or fail.
func (f *moodyFile) synced(sync func() error) error {
	f.d.mu.Lock()
	for f.d.mood == moodHang {
		f.d.change.Wait()
	}
	failed := f.d.mood == moodSync
	f.d.mu.Unlock()
	if failed {
		return unix.EIO
	}
	return sync()
}

func (f *moodyFile) Sync() error     { return f.synced(f.File.Sync) }
func (f *moodyFile) SyncData() error { return f.synced(f.File.SyncData) }
func (f *moodyFile) SyncTo(n int64) (full bool, err error) {
	err = f.synced(func() (err error) { full, err = f.File.SyncTo(n); return err })
	return full, err
}
