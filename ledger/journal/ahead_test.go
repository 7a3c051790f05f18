package journal

import (
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// wals are the logs of the store in a folder and their sizes.
func wals(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	fs := vfs.Default
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[string]int64{}
	for _, name := range names {
		if !strings.HasSuffix(name, ".log") {
			continue
		}
		s, err := fs.Stat(fs.PathJoin(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		sizes[name] = s.Size()
	}
	return sizes
}

// A log grows by what many syncs need, not with each.
func TestLogGrowsSeldom(t *testing.T) {
	o := testOptions(vfs.Default)
	o.Dir = t.TempDir()
	d := mustOpen(t, o)
	defer mustClose(t, d)
	l := mustLog(t, d, 1)
	const syncs = 500
	grew, before := 0, wals(t, o.Dir)
	for i := uint64(1); i <= syncs; i++ {
		extend(t, d, l, run(1, i, i, i)...)
		now := wals(t, o.Dir)
		for name, size := range now {
			if was, ok := before[name]; ok && size > was {
				grew++
			}
		}
		before = now
	}
	if grew < 1 || grew > syncs/50 {
		t.Errorf("%d of %d syncs made the log longer", grew, syncs)
	}
}

// What was laid is no damage: neither when the host dies, nor when it dies again before it has written anything, nor in a log
// that was written over.
func TestLaidIsNoDamage(t *testing.T) {
	fs := vfs.NewCrashableMem()
	const rounds, each = 6, 20
	for round := uint64(0); round < rounds; round++ {
		d := mustOpen(t, testOptions(fs))
		l := mustLog(t, d, 1)
		if first, last := l.First(), l.Last(); last != (round+1)/2*each {
			t.Fatalf("round %d: entries %d to %d are left", round, first, last)
		}
		if round%2 == 0 {
			for i := l.Last() + 1; i <= (round/2+1)*each; i++ {
				extend(t, d, l, run(1, i, i, i)...)
				if i%each == each/2 { // the log ends here, and the next one begins, while what is in it is being flushed
					if _, err := d.p.AsyncFlush(); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		crashed := fs.CrashClone(vfs.CrashCloneCfg{})
		mustClose(t, d)
		fs = crashed
	}
}

// A host that died while its first record was on its way leaves zeros alone. They are no damage either, however often it dies before
// it has written anything.
func TestZerosAlone(t *testing.T) {
	fs := vfs.NewCrashableMem()
	mustClose(t, mustOpen(t, testOptions(fs)))
	f, err := fs.Create("j/000900.log", "")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := fs.OpenDir("j")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(zeros[:]); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), f.Close(), dir.Sync()); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		fs = fs.CrashClone(vfs.CrashCloneCfg{})
		d := mustOpen(t, testOptions(fs))
		crashed := fs.CrashClone(vfs.CrashCloneCfg{})
		mustClose(t, d)
		fs = crashed
	}
}
