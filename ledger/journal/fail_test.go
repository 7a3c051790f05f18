package journal

import (
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// failing wraps fs so that operations of the kinds fail on files with the suffix while on is set.
func failing(fs vfs.FS, on *atomic.Bool, suffix string, kinds ...errorfs.OpKind) vfs.FS {
	return errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !on.Load() || !strings.HasSuffix(op.Path, suffix) {
			return nil
		}
		for _, k := range kinds {
			if op.Kind == k {
				return errorfs.ErrInjected
			}
		}
		return nil
	}))
}

// A failed sync or write of the WAL ends the process; what waits is never acknowledged, nor is anything after.
func TestFailedWriteIsFatal(t *testing.T) {
	for name, kinds := range map[string][]errorfs.OpKind{
		"sync":  {errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo},
		"write": {errorfs.OpFileWrite},
	} {
		t.Run(name, func(t *testing.T) {
			var on, acked atomic.Bool
			mem := vfs.NewCrashableMem()
			o := testOptions(failing(mem, &on, ".log", kinds...))
			died := make(chan error, 8)
			o.Fatal = func(err error) {
				died <- err
				select {} // the process would be gone; here its goroutine goes no further
			}
			d := mustOpen(t, o)
			appendWait(d, Append{Lane: 1, Entries: run(1, 1, 3, 1)})
			on.Store(true)
			d.Append(Append{Lane: 1, Entries: run(1, 4, 4, 1), Done: func() { acked.Store(true) }})
			select {
			case err := <-died:
				if !strings.Contains(err.Error(), "injected") {
					t.Errorf("%v does not name the cause", err)
				}
			case <-time.After(2 * time.Minute):
				t.Fatal("the failure stayed unnoticed")
			}
			on.Store(false) // the disk is well again: too late
			d.Append(Append{Lane: 1, Entries: run(1, 5, 5, 1), Done: func() { acked.Store(true) }})
			survivor := mustOpen(t, testOptions(mem.CrashClone(vfs.CrashCloneCfg{})))
			defer mustClose(t, survivor)
			if l := mustLog(t, survivor, 1); l.Last() < 3 {
				t.Errorf("acknowledged entries up to 3, recovered %d", l.Last())
			}
			if acked.Load() {
				t.Error("acknowledged after a failure")
			}
		})
	}
}

// shorted writes half of what a file of Pebble's log is given, and says so without an error.
type shorted struct {
	vfs.FS
	on *atomic.Bool
}

type shortedFile struct {
	vfs.File
	on *atomic.Bool
}

func (s shorted) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := s.FS.Create(name, c)
	if err == nil && strings.HasSuffix(name, ".log") {
		f = &shortedFile{f, s.on}
	}
	return f, err
}

func (f *shortedFile) Write(p []byte) (int, error) {
	if f.on.Load() {
		p = p[:len(p)/2]
	}
	return f.File.Write(p)
}

// fatalities is what a journal says when it ends the process; whoever it says it on goes no further.
func fatalities(o *Options) <-chan error {
	died := make(chan error, 8)
	o.Fatal = func(err error) {
		died <- err
		select {}
	}
	return died
}

// A write that puts down less than it was given is a failed one, whatever the file system says of it.
func TestShortWriteIsFatal(t *testing.T) {
	var on, acked atomic.Bool
	o := testOptions(shorted{vfs.NewMem(), &on})
	died := fatalities(&o)
	d := mustOpen(t, o)
	appendWait(d, Append{Lane: 1, Entries: run(1, 1, 3, 1)})
	on.Store(true)
	d.Append(Append{Lane: 1, Entries: run(1, 4, 4, 1), Done: func() { acked.Store(true) }})
	select {
	case err := <-died:
		if !errors.Is(err, io.ErrShortWrite) || acked.Load() {
			t.Errorf("%v; acknowledged: %v", err, acked.Load())
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("half a write stayed unnoticed")
	}
}

// When one log is closed and the next one made, Pebble answers a failure with a panic: the process must have ended before.
func TestFailedRotationIsFatal(t *testing.T) {
	for name, kinds := range map[string][]errorfs.OpKind{
		"sync":   {errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo},
		"create": {errorfs.OpCreate, errorfs.OpReuseForWrite},
	} {
		var on atomic.Bool
		o := testOptions(failing(vfs.NewMem(), &on, ".log", kinds...))
		died := fatalities(&o)
		d := mustOpen(t, o)
		appendWait(d, Append{Lane: 1, Entries: run(1, 1, 3, 1)})
		on.Store(true)
		go func() { _ = d.p.Flush() }() // never returns
		select {
		case err := <-died:
			if !errors.Is(err, errorfs.ErrInjected) {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(2 * time.Minute):
			t.Fatalf("%s: the failure stayed unnoticed", name)
		}
	}
}

// A backup is written through the same file system: that its disk is full is no reason to end.
func TestFailedBackupIsNotFatal(t *testing.T) {
	var on atomic.Bool
	on.Store(true)
	mem := vfs.NewMem()
	o := testOptions(errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasPrefix(op.Path, "backup") && op.Kind == errorfs.OpFileWrite {
			return errorfs.ErrInjected
		}
		return nil
	})))
	died := fatalities(&o)
	d := mustOpen(t, o)
	defer mustClose(t, d)
	appendWait(d, Append{Lane: 1, Entries: run(1, 1, 300, 1)})
	if err := d.p.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := d.Checkpoint("backup"); !errors.Is(err, errorfs.ErrInjected) {
		t.Errorf("checkpoint: %v", err)
	}
	if len(died) > 0 {
		t.Errorf("a failed backup ended the process: %v", <-died)
	}
}

// What Pebble's background work reports is fatal, but for its own cancellations.
func TestBackgroundErrorIsFatal(t *testing.T) {
	var got error
	o := testOptions(vfs.NewMem())
	o.Fatal = func(err error) {
		got = err
		panic(err)
	}
	d := mustOpen(t, o)
	cause := errors.New("no space left on device")
	func() {
		defer func() { _ = recover() }()
		d.backgroundError(cause)
	}()
	if !errors.Is(got, cause) {
		t.Errorf("told %v", got)
	}
}

func TestFatalMustNotReturn(t *testing.T) {
	o := testOptions(vfs.NewMem())
	o.Fatal = func(error) {}
	d := mustOpen(t, o)
	defer mustClose(t, d)
	defer func() {
		if recover() == nil {
			t.Error("went on after Fatal returned")
		}
	}()
	d.fatal(errors.New("x"))
}

// damage opens the store raw and changes the value under key.
func damage(t *testing.T, d *DB, key []byte, edit func(v []byte) []byte) {
	t.Helper()
	v, err := d.Get(key)
	if err != nil || v == nil {
		t.Fatalf("nothing to damage: %v", err)
	}
	b := NewBatch()
	b.Set(key, edit(v))
	writeWait(d, b)
}

func TestDamageIsNamed(t *testing.T) {
	flip := func(at int) func([]byte) []byte {
		return func(v []byte) []byte {
			v[(at+len(v))%len(v)] ^= 0x10
			return v
		}
	}
	key := Key(EntryKind, 5, 7)
	for name, c := range map[string]struct {
		do     func(t *testing.T, d *DB)
		opened bool // Log finds it, without looking inside blocks
		text   string
	}{
		"block body":     {func(t *testing.T, d *DB) { damage(t, d, key, flip(-1)) }, false, "lane 5 index 7"},
		"block torn":     {func(t *testing.T, d *DB) { damage(t, d, key, func(v []byte) []byte { return v[:len(v)-9] }) }, false, "lane 5 index 7"},
		"term":           {func(t *testing.T, d *DB) { damage(t, d, key, flip(15)) }, true, "lane 5 index 7"},
		"kind":           {func(t *testing.T, d *DB) { damage(t, d, key, flip(5)) }, true, "lane 5 index 7"},
		"cut to nothing": {func(t *testing.T, d *DB) { damage(t, d, key, func([]byte) []byte { return nil }) }, true, "lane 5 index 7"},
		"another's value": {func(t *testing.T, d *DB) {
			damage(t, d, key, func([]byte) []byte { v, _ := d.Get(Key(EntryKind, 5, 8)); return v })
		}, true, "lane 5 index 7"},
		"gap":           {func(t *testing.T, d *DB) { drop(d, Key(EntryKind, 5, 7), Key(EntryKind, 5, 9)) }, true, "lane 5 index 7"},
		"front missing": {func(t *testing.T, d *DB) { drop(d, Key(EntryKind, 5, 1), Key(EntryKind, 5, 3)) }, true, "lane 5 index 1"},
		"lost tail":     {func(t *testing.T, d *DB) { drop(d, Key(EntryKind, 5, 9), Key(EntryKind, 5, 99)) }, true, "lane 5 index 9"},
		"vote of bad size": {func(t *testing.T, d *DB) {
			damage(t, d, Key(LaneMeta, 5, metaVote), func(v []byte) []byte { return v[1:] })
		}, true, "lane 5"},
	} {
		t.Run(name, func(t *testing.T) {
			d := mustOpen(t, testOptions(vfs.NewMem()))
			defer mustClose(t, d)
			appendWait(d, Append{Lane: 5, Entries: run(5, 1, 10, 2), Vote: &Vote{Term: 2, Commit: 10}})
			if err := d.Check(); err != nil {
				t.Fatal(err)
			}
			c.do(t, d)
			named := func(err error) bool { return errors.Is(err, ErrCorrupt) && strings.Contains(err.Error(), c.text) }
			if err := d.Check(); !named(err) {
				t.Errorf("Check: %v", err)
			}
			l, err := d.Log(5)
			if c.opened {
				if !named(err) {
					t.Errorf("Log: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := l.Entry(7); !named(err) {
				t.Errorf("Entry: %v", err)
			}
			if err := l.Scan(1, 10, func(Entry) error { return nil }); !named(err) {
				t.Errorf("Scan: %v", err)
			}
		})
	}
}

func drop(d *DB, lo, hi []byte) {
	b := NewBatch()
	b.DeleteRange(lo, hi)
	writeWait(d, b)
}

// Bits that rot inside a table file are Pebble's to find; the error must still say where it hurts: in runs, packs, stragglers,
func TestRottenValuesAreNamed(t *testing.T) {
	for kind, want := range map[Kind]string{Run: "runs of lane 5, 7", EDR: "edr packs of lane 5, 7", Moved: "stragglers of lane 5, 7"} {
		fs := vfs.NewMem()
		d := mustOpen(t, testOptions(fs))
		v := make([]byte, 100_000)
		_, _ = rand.NewChaCha8([32]byte{}).Read(v) // cannot be compressed: the place that rots is in it
		b, done := NewBatch(), make(chan struct{})
		b.Set(Key(kind, 5, 7), v)
		d.Write(b, func() { close(done) })
		<-done
		if err := d.p.Flush(); err != nil {
			t.Fatal(err)
		}
		mustClose(t, d)
		rot(t, fs, ".sst", 50_000)
		d = mustOpen(t, testOptions(fs))
		lo, hi := LaneRange(kind, 5)
		_, get := d.Get(Key(kind, 5, 7))
		for how, err := range map[string]error{"get": get, "scan": d.Scan(lo, hi, func(_, _ []byte) error { return nil })} {
			if !errors.Is(err, ErrCorrupt) || how == "get" && !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "of lane 5") {
				t.Errorf("%s of %v: %v", how, kind, err)
			}
		}
	}
}

// and in the log.
func TestRottenTableIsNamed(t *testing.T) {
	fs := vfs.NewMem()
	d := mustOpen(t, testOptions(fs))
	appendWait(d, Append{Lane: 5, Entries: run(5, 1, 500, 2)})
	if err := d.p.Flush(); err != nil {
		t.Fatal(err)
	}
	mustClose(t, d)
	rot(t, fs, ".sst", 40000)
	d = mustOpen(t, testOptions(fs))
	_, err := d.Log(5)
	if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "lane 5 index ") {
		t.Errorf("Log: %v", err)
	}
	if err := d.Check(); err == nil || !strings.Contains(err.Error(), "lane 5 index ") {
		t.Errorf("Check: %v", err)
	}
}

// A synced WAL that rots in its middle must not be taken for one that was torn at its end. (Pebble finds the
// proof, a later chunk that says how far was synced, only behind the 32 KiB block that is damaged: rot in the
// last block of a WAL does look like a torn tail.)
func TestRottenWALIsNotATornTail(t *testing.T) {
	mem := vfs.NewCrashableMem()
	d := mustOpen(t, testOptions(mem))
	for i := uint64(1); i <= 40; i++ {
		e := []Entry{{Index: i, Term: 2, Data: testBlock(5, 100, i)}}
		appendWait(d, Append{Lane: 5, Entries: e})
	}
	crashed := mem.CrashClone(vfs.CrashCloneCfg{})
	mustClose(t, d)
	rot(t, crashed, ".log", 1500)
	if d, err := Open(testOptions(crashed)); err == nil {
		t.Errorf("opened, with %d of 40 acknowledged entries", mustLog(t, d, 5).Last())
		mustClose(t, d)
	}
}

// rot flips a bit of every non-empty file with the suffix.
func rot(t *testing.T, fs vfs.FS, suffix string, at int64) {
	t.Helper()
	names, err := fs.List("j")
	if err != nil {
		t.Fatal(err)
	}
	hit := 0
	for _, name := range names {
		if !strings.HasSuffix(name, suffix) {
			continue
		}
		f, err := fs.OpenReadWrite(fs.PathJoin("j", name), vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		var b [1]byte
		if _, err := f.ReadAt(b[:], at); err == nil {
			b[0] ^= 0x08
			if _, err := f.WriteAt(b[:], at); err != nil {
				t.Fatal(err)
			}
			hit++
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if hit == 0 {
		t.Fatalf("no %s file to rot", suffix)
	}
}
