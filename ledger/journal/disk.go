package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// watched is the file system as the store uses it. The first write or sync of a file of the store that fails, or that
// puts down less than it was given, ends the process there and then: Pebble answers some such failures with an error, some
// with a panic (when one log is closed and the next one made), and either comes later. Files elsewhere, such as those of a
// backup, are nobody's promise: their errors go to who asked.
type watched struct {
	vfs.FS
	d   *DB
	dir string // of the store, with a separator at its end
}

func watch(under vfs.FS, d *DB) vfs.FS {
	return &watched{FS: under, d: d, dir: strings.TrimSuffix(under.PathJoin(d.o.Dir, "x"), "x")}
}

func (w *watched) file(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil || !strings.HasPrefix(name, w.dir) && w.FS.PathJoin(name, "x") != w.dir+"x" {
		return f, err
	}
	watched := &watchedFile{File: f, d: w.d, name: name, isManifest: strings.HasPrefix(w.FS.PathBase(name), "MANIFEST")}
	if strings.HasSuffix(name, ".log") {
		return newWAL(watched), nil
	}
	return watched, nil
}

// made is file for a new one, of which a failure is as good as a failed write. Whoever opens a store that he may not
// open hears of that instead.
func (w *watched) made(name string, f vfs.File, err error) (vfs.File, error) {
	denied := !w.d.opened.Load() && (errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist))
	if err != nil && !denied && strings.HasPrefix(name, w.dir) {
		w.d.fatal(fmt.Errorf("create %s: %w", name, err))
	}
	return w.file(name, f, err)
}

func (w *watched) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := w.FS.Create(name, c)
	f, err = w.made(name, f, err)
	if watched, ok := f.(*watchedFile); ok && c == flushCategory && onDisk(name, f) {
		return &flushedFile{watched}, err
	}
	return f, err
}

func (w *watched) ReuseForWrite(was, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := w.FS.ReuseForWrite(was, name, c)
	return w.made(name, f, err)
}

func (w *watched) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	f, err := w.FS.OpenReadWrite(name, c, o...)
	return w.file(name, f, err)
}

func (w *watched) OpenDir(name string) (vfs.File, error) {
	f, err := w.FS.OpenDir(name)
	return w.file(name, f, err)
}

// Unwrap implements vfs.FS.
func (w *watched) Unwrap() vfs.FS { return w.FS }

// watchedFile is a file of the store, open for writing.
type watchedFile struct {
	vfs.File
	d    *DB
	name string

	isManifest, named bool
}

func (f *watchedFile) wrote(n, of int, err error) (int, error) {
	if err == nil && n < of {
		err = io.ErrShortWrite
	}
	if err != nil {
		f.d.fatal(fmt.Errorf("write %s: %d of %d octets: %w", f.name, n, of, err))
	}
	return n, nil
}

func (f *watchedFile) synced(err error) error {
	if err != nil {
		f.d.fatal(fmt.Errorf("sync %s: %w", f.name, err))
	}
	return nil
}

func (f *watchedFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return f.wrote(n, len(p), err)
}

func (f *watchedFile) WriteAt(p []byte, at int64) (int, error) {
	n, err := f.File.WriteAt(p, at)
	return f.wrote(n, len(p), err)
}

// Sync of a manifest makes its name durable, too: the marker that names it is made next, and a file system may bring the
// marker's name to disk before that of the manifest.
func (f *watchedFile) Sync() error {
	err := f.synced(f.File.Sync())
	if err == nil && f.isManifest && !f.named {
		f.named = true
		err = f.synced(f.d.syncDir())
	}
	return err
}

func (d *DB) syncDir() error {
	dir, err := d.o.FS.OpenDir(d.o.Dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (f *watchedFile) SyncData() error { return f.synced(f.File.SyncData()) }
func (f *watchedFile) SyncTo(length int64) (full bool, err error) {
	full, err = f.File.SyncTo(length)
	return full, f.synced(err)
}
