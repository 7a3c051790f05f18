package crash

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// disk is a file system that can be armed: the n-th change from then on is where the life ends.
//
// A cut takes a picture of what a crash would leave just before that change; the life goes on, for nothing. A failure
// lets the first write, sync or new file from then on fail, and everything behind it.
type disk struct {
	vfs.FS
	mem    *vfs.MemFS
	nosync bool

	mu      sync.Mutex
	left    int // changes until the end; 0: not armed
	fail    bool
	half    bool // the failing write puts half of its octets down first
	failing bool
	image   *vfs.MemFS

	percent int        // of what was not synced, that is kept
	rng     *rand.Rand // draws it
	before  func()     // called just before the picture is taken
}

var errDisk = errors.New("the disk failed")

func newDisk(mem *vfs.MemFS, nosync bool) *disk { return &disk{FS: mem, mem: mem, nosync: nosync} }

// arm lets the n-th change from here on be the end.
func (d *disk) arm(n int, fail, half bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left, d.fail, d.half = n, fail, half
}

// over says that the end has come.
func (d *disk) over() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.image != nil || d.failing
}

// after is what the next life finds.
func (d *disk) after() *vfs.MemFS {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.image == nil {
		d.take()
	}
	return d.image
}

func (d *disk) take() {
	d.before()
	d.image = d.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: d.percent, RNG: d.rng})
}

// change is called before each change; torn says that half of a write is to be put down before it fails.
func (d *disk) change() (torn bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failing {
		return false, errDisk
	}
	if d.left == 0 {
		return false, nil
	}
	if d.left--; d.left > 0 {
		return false, nil
	}
	if !d.fail {
		d.take()
		return false, nil
	}
	d.failing = true
	return d.half, errDisk
}

// do is a change without octets.
func (d *disk) do(f func() error) error {
	if _, err := d.change(); err != nil {
		return err
	}
	return f()
}

// names is a change of names alone, which can be where the power goes, but does not fail.
func (d *disk) names(f func() error) error {
	d.mu.Lock()
	fails := d.fail
	d.mu.Unlock()
	if fails {
		return f()
	}
	return d.do(f)
}

func (d *disk) open(name string, f func() (vfs.File, error)) (vfs.File, error) {
	if _, err := d.change(); err != nil {
		return nil, err
	}
	return d.wrap(name, f)
}

func (d *disk) wrap(name string, f func() (vfs.File, error)) (vfs.File, error) {
	v, err := f()
	if err != nil {
		return nil, err
	}
	return &file{File: v, d: d, log: strings.HasSuffix(name, ".log")}, nil
}

func (d *disk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return d.open(name, func() (vfs.File, error) { return d.FS.Create(name, c) })
}
func (d *disk) ReuseForWrite(was, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return d.open(name, func() (vfs.File, error) { return d.FS.ReuseForWrite(was, name, c) })
}
func (d *disk) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return d.wrap(name, func() (vfs.File, error) { return d.FS.OpenReadWrite(name, c, o...) })
}
func (d *disk) OpenDir(name string) (vfs.File, error) {
	return d.wrap(name, func() (vfs.File, error) { return d.FS.OpenDir(name) })
}
func (d *disk) Link(was, name string) error {
	return d.names(func() error { return d.FS.Link(was, name) })
}
func (d *disk) Remove(name string) error { return d.names(func() error { return d.FS.Remove(name) }) }
func (d *disk) Rename(was, name string) error {
	return d.names(func() error { return d.FS.Rename(was, name) })
}
func (d *disk) Unwrap() vfs.FS { return d.FS }

// file is an open file of a disk.
type file struct {
	vfs.File
	d   *disk
	log bool // of Pebble's log
}

func (f *file) Write(p []byte) (int, error) {
	torn, err := f.d.change()
	if torn {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, err
	}
	if err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

func (f *file) sync(g func() error) error {
	return f.d.do(func() error {
		if f.d.nosync && f.log {
			return nil
		}
		return g()
	})
}

func (f *file) Sync() error     { return f.sync(f.File.Sync) }
func (f *file) SyncData() error { return f.sync(f.File.SyncData) }
func (f *file) SyncTo(n int64) (full bool, err error) {
	err = f.sync(func() (err error) { full, err = f.File.SyncTo(n); return err })
	return full, err
}
