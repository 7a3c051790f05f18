package dataplane

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"

	"smsplane/dataplane/config"
)

// In the environment moodyNode names the node file of an appliance that this test binary is to be, see TestMain. moodySize
// gives it a file system of its own for its data, of so many octets; moodyFull fills that before the start, but for the ballast.
// moodyFiles is how many files it may open.
const (
	moodyNode  = "SMSPLANE_MOODY_NODE"
	moodySize  = "SMSPLANE_MOODY_SIZE"
	moodyFull  = "SMSPLANE_MOODY_FULL"
	moodyFiles = "SMSPLANE_MOODY_FILES"
)

// TestMain is the appliance on a disk that it is told about on its input, when a test has started the binary once more for
// that: what ends a process is shown by the end of a process.
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
	d := newMoodyDisk(cfg.Data)
	n.store.FS = d
	if size := os.Getenv(moodySize); size != "" {
		if err := d.mount(size); err != nil {
			return err
		}
	}
	if os.Getenv(moodyFull) != "" {
		g := newGuard(cfg, log)
		if err := errors.Join(makeBallast(g.ballast, g.ballastSize()), d.fill(0)); err != nil {
			return err
		}
	}
	if text := os.Getenv(moodyFiles); text != "" {
		files, err := strconv.ParseUint(text, 10, 32)
		if err == nil {
			err = unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: files, Max: files})
		}
		if err != nil {
			return err
		}
	}
	drain, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			fmt.Println(d.told(in.Text()))
		}
	}()
	return n.serve(drain, context.Background())
}

// told does what it is told, and returns what is to be said of it.
func (d *moodyDisk) told(what string) string {
	var n int64
	switch _, err := fmt.Sscanf(what, moodFill, &n); {
	case err == nil:
		if err := d.fill(n); err != nil {
			return err.Error()
		}
	case what == moodBallast:
		st, err := os.Stat(filepath.Join(d.dir, "ballast"))
		if err != nil {
			return "none"
		}
		return fmt.Sprint(st.Size())
	default:
		d.become(what)
	}
	return what
}

// mount puts a file system into the folder. The process has a table of mounts of its own.
func (d *moodyDisk) mount(size string) error {
	return errors.Join(os.MkdirAll(d.dir, 0o700), unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), unix.Mount("moody", d.dir, "tmpfs", 0, "size="+size))
}

// fill leaves so many octets free; less than nothing empties the disk of all that was filled in.
func (d *moodyDisk) fill(leave int64) error {
	waste := filepath.Join(d.dir, "waste")
	if err := os.Remove(waste); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	free, err := diskFree(d.dir)()
	if err != nil || leave < 0 {
		return err
	}
	return makeBallast(waste, int64(free)-leave)
}

// moodyDisk does to the journal's log what it is in the mood for, and is as full as it is told.
type moodyDisk struct {
	vfs.FS
	dir    string // of the data
	mu     sync.Mutex
	change sync.Cond
	mood   string
}

// Moods of a disk, and what it is told and asked besides.
const (
	moodWell  = "well"
	moodWrite = "writes fail"
	moodHalf  = "writes end halfway"
	moodSync  = "syncs fail"
	moodHang  = "syncs hang"

	moodFill    = "leave %d octets free"
	moodBallast = "how large is the ballast"
)

func newMoodyDisk(dir string) *moodyDisk {
	d := &moodyDisk{FS: vfs.Default, dir: dir, mood: moodWell}
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
