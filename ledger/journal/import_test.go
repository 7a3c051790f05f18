package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// stateAt is a fold state of these tests: the applied index, then filler.
func stateAt(index uint64) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, index), make([]byte, 300)...)
}

func stateIndex(v []byte) (uint64, error) { return binary.LittleEndian.Uint64(v), nil }

// fillLane gives a store a lane with entries first..last and folds at index, and keys of all kinds.
func fillLane(t *testing.T, d *DB, lane uint16, index, last, term uint64) {
	l := mustLog(t, d, lane)
	extend(t, d, l, run(lane, 1, last, term)...)
	b := NewBatch()
	b.Set(Key(Fold, lane), stateAt(index))
	for _, k := range []Kind{Run, Moved, EDR, EDRIndex, Catalog, Seal} {
		for n := range uint64(20) {
			b.Set(Key(k, lane, n), fmt.Appendf(nil, "%v %d of term %d", k, n, term))
		}
	}
	SetGroup(b, lane, []byte("group"))
	writeWait(d, b)
	appendWait(d, Append{Lane: lane, Vote: &Vote{Term: term + 2, Voted: 7, Commit: last}})
	l.DropBelow(index / 2)
	l.DropNow()
	appendWait(d, Append{Lane: lane})
}

// lanePairs is all of a lane but its meta and what is behind index.
func lanePairs(t *testing.T, d *DB, lane uint16, index uint64) map[string]string {
	all := map[string]string{}
	err := shipped(func(k Kind) error {
		lo, hi := LaneRange(k, lane)
		return d.Scan(lo, hi, func(k, v []byte) error {
			if Kind(k[0]) != EntryKind || be.Uint64(k[keyPrefix:]) <= index {
				all[string(k)] = string(v)
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// What an Export takes on disk is known about, before any of it is read; other lanes are not in it.
func TestSizeOfAnExport(t *testing.T) {
	d := mustOpen(t, testOptions(vfs.NewMem()))
	defer d.Close()
	fillLane(t, d, 1, 40, 60, 2)
	piece := make([]byte, 16<<10)
	noise := rand.NewChaCha8([32]byte{1}) // which no compression makes smaller
	for lane := range uint16(3) {
		b := NewBatch()
		for n := range uint64(64) {
			noise.Read(piece)
			b.Set(Key(Run, lane, 100+n), piece)
		}
		writeWait(d, b)
	}
	if err := d.p.Flush(); err != nil {
		t.Fatal(err)
	}
	e, err := d.Export(1, stateIndex)
	if err != nil {
		t.Fatal(err)
	}
	if n := d.SizeOf(&e.Meta); n < 1<<20 || n > 3<<19 {
		t.Errorf("a lane of a MiB is said to take %d octets", n)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

func ship(t *testing.T, e *Export, i *Import, chunks int) (ended bool) {
	t.Helper()
	for range chunks {
		c, err := e.Chunk(i.After(), 700)
		if err != nil {
			t.Fatal(err)
		}
		if c == nil {
			return true
		}
		if err := i.Add(c, nil); err != nil {
			t.Fatal(err)
		}
	}
	return false
}

func mustImport(t *testing.T, d *DB, m Meta) *Import {
	t.Helper()
	i, err := d.Import(m)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// A lane is exported, imported into a store that has an old state of it, with a crash after every single
// step: either the old lane is there or the whole new one, staged chunks are not sent again, and the end is the same.
func TestImportCrashesAnywhere(t *testing.T) {
	importCrashes(t, run(2, 1, 12, 3), Vote{Term: 3, Voted: 1, Commit: 10}, (*Import).Install, Vote{Term: 11, Commit: 40}, 40)
}

// Where only the folds are damaged, what the log has behind the Export stays, with a crash after every single step, too.
func TestRenewKeepsTheLog(t *testing.T) {
	importCrashes(t, run(2, 1, 50, 9), Vote{Term: 12, Voted: 1, Commit: 45}, (*Import).Renew, Vote{Term: 12, Voted: 1, Commit: 45}, 50)
}

// A log that does not reach as far, or goes on beside the Export in another term, stays as little as in an Install.
func TestRenewOfALogThatIsBehind(t *testing.T) {
	importCrashes(t, run(2, 1, 12, 3), Vote{Term: 3, Voted: 1, Commit: 10}, (*Import).Renew, Vote{Term: 11, Commit: 40}, 40)
	importCrashes(t, run(2, 1, 50, 3), Vote{Term: 3, Voted: 1, Commit: 10}, (*Import).Renew, Vote{Term: 11, Commit: 40}, 40)
}

// importCrashes imports lane 2 over an old state of it by install; vote and last are what its log has then.
func importCrashes(t *testing.T, old []Entry, oldVote Vote, install func(i *Import, done func()) error, vote Vote, last uint64) {
	t.Helper()
	from, e := exported(t)
	if m := e.Meta; m.Index != 40 || m.Term != 9 || m.VoteTerm != 11 || m.First != 20 || m.PrevTerm != 9 || string(m.Group) != "group" {
		t.Fatalf("meta %+v", m)
	}
	if m, err := DecodeMeta(e.Meta.Encode()); err != nil || fmt.Sprint(m) != fmt.Sprint(e.Meta) {
		t.Fatalf("decoded %+v, %v", m, err)
	}
	fillLane(t, from, 3, 5, 6, 1) // a neighbour, and later changes, are not in it
	b := NewBatch()
	b.Set(Key(Moved, 2, 100), []byte("later"))
	writeWait(from, b)
	want := lanePairs(t, from, 2, 40)
	delete(want, string(Key(Moved, 2, 100)))

	for crash, done := 1, false; !done; crash++ {
		fs := vfs.NewCrashableMem()
		o := testOptions(fs)
		o.Stepped = true
		to := mustOpen(t, o)
		to.installBytes = 1000
		l := mustLog(t, to, 2)
		l.Extend(old)
		l.SetVote(oldVote)
		to.Append(Append{Lane: 2, Entries: old, Vote: &oldVote})
		b := NewBatch()
		b.Set(Key(Fold, 2), stateAt(8))
		b.Set(Key(EDR, 2, 7777), []byte("old"))
		to.Write(b, nil)
		to.Append(Append{Lane: 2, Done: func() {}})
		for to.Step(1) > 0 {
		}
		to.Sync()
		before := lanePairs(t, to, 2, 40)

		steps, installed := 0, false
		drain := func() bool {
			for to.Stats().Queued > 0 {
				to.Step(1) // one request reaches the disk
				if err := to.p.LogData(nil, pebble.Sync); err != nil {
					t.Fatal(err)
				}
				to.Sync()
				if steps++; steps == crash {
					return false
				}
			}
			return true
		}
		i := mustImport(t, to, e.Meta)
		alive := drain()
		for ended := false; alive && !ended; alive = alive && drain() {
			ended = ship(t, e, i, 1)
		}
		if alive {
			if err := install(i, func() { installed = true }); err != nil {
				t.Fatal(err)
			}
			alive = drain()
			done = alive
		}
		if alive && !installed {
			t.Fatal("never told")
		}
		fs = fs.CrashClone(vfs.CrashCloneCfg{})
		if err := to.Abandon(); err != nil {
			t.Fatal(err)
		}
		o = testOptions(fs)
		to = mustOpen(t, o)
		got := lanePairs(t, to, 2, 40)
		switch {
		case maps.Equal(got, before): // go on
			i := mustImport(t, to, e.Meta)
			if crash > 3 && i.After() == nil {
				t.Fatalf("crash %d: what was staged is forgotten", crash)
			}
			for !ship(t, e, i, 1) {
			}
			writeWait(to, NewBatch())
			ready := make(chan struct{})
			if err := install(i, func() { close(ready) }); err != nil {
				t.Fatal(err)
			}
			<-ready
			got = lanePairs(t, to, 2, 40)
		case installed, !alive:
		default:
			t.Fatalf("crash %d: neither the old lane nor the new", crash)
		}
		if !maps.Equal(got, want) {
			t.Fatalf("crash %d: the lane differs: %d keys, want %d", crash, len(got), len(want))
		}
		l = mustLog(t, to, 2)
		if v := l.Vote(); v != vote || l.First() != 20 || l.Last() != last || string(l.Group()) != "group" {
			t.Fatalf("crash %d: vote %+v, log %d..%d", crash, v, l.First(), l.Last())
		}
		extend(t, to, l, run(2, last+1, last+5, 12)...)
		if err := to.Check(); err != nil {
			t.Fatal(err)
		}
		lo, hi := LaneRange(Staged, 2)
		if err := to.Scan(lo, hi, func(k, _ []byte) error { return fmt.Errorf("%x is left behind", k) }); err != nil {
			t.Fatal(err)
		}
		mustClose(t, to)
	}
}

func TestImportRefuses(t *testing.T) {
	from := mustOpen(t, testOptions(vfs.NewMem()))
	defer mustClose(t, from)
	if _, err := from.Export(2, stateIndex); !errors.Is(err, ErrNoFold) {
		t.Errorf("exported an empty lane: %v", err)
	}
	fillLane(t, from, 2, 40, 60, 9)
	e, err := from.Export(2, stateIndex)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	to := mustOpen(t, testOptions(vfs.NewMem()))
	defer mustClose(t, to)
	i := mustImport(t, to, e.Meta)
	c, err := e.Chunk(nil, 700)
	if err != nil {
		t.Fatal(err)
	}
	bad := append([]byte(nil), c...)
	bad[50] ^= 1
	if i.Add(bad, nil) == nil || i.Add(c[:len(c)-1], nil) == nil {
		t.Error("took a damaged chunk")
	}
	if err := i.Add(c, nil); err != nil {
		t.Fatal(err)
	}
	if i.Add(c, nil) == nil {
		t.Error("took a chunk twice")
	}
	other := e.Meta
	other.ID[0]++
	j := mustImport(t, to, other)
	if j.After() != nil || i.Add(c, nil) == nil {
		t.Error("two imports of one lane")
	}
	j.Abort()

	l := mustLog(t, to, 2)
	for name, tail := range map[string][]Entry{"the same log": run(2, 1, 45, 9), "more committed": run(2, 1, 45, 12)} {
		l.Extend(tail)
		l.SetVote(Vote{Term: 12})
		if name == "more committed" {
			l.SetVote(Vote{Term: 12, Commit: 41})
		}
		if err := j.Needed(l); !errors.Is(err, ErrSuperseded) {
			t.Errorf("%s: %v", name, err)
		}
	}
	l.Extend(run(2, 30, 45, 8))
	l.SetVote(Vote{Term: 12, Commit: 29})
	if err := j.Needed(l); err != nil {
		t.Errorf("an unacknowledged tail of another term: %v", err)
	}
}

// exported is a store with lane 2, and an Export of it up to 40 of 60.
func exported(t *testing.T) (from *DB, e *Export) {
	t.Helper()
	from = mustOpen(t, testOptions(vfs.NewMem()))
	t.Cleanup(func() { mustClose(t, from) })
	fillLane(t, from, 2, 40, 60, 9)
	e, err := from.Export(2, stateIndex)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return from, e
}

// Another host may begin to send the lane between the last piece of one and its Install, or during that: what is installed is one
// Export whole, never the end of one with the pieces of another, or with none.
func TestInstallIsOfOneExport(t *testing.T) {
	from, e := exported(t)
	want := lanePairs(t, from, 2, 40)
	o := testOptions(vfs.NewMem())
	o.Stepped = true
	to := mustOpen(t, o)
	defer mustClose(t, to)
	drain := func() {
		for to.Step(1) > 0 {
		}
		to.Sync()
	}
	staged := func(m Meta) *Import {
		i := mustImport(t, to, m)
		for drain(); !ship(t, e, i, 1); drain() {
		}
		return i
	}
	i := staged(e.Meta)
	other := e.Meta
	other.ID[0]++
	j := mustImport(t, to, other)
	drain()
	if i.Install(nil) == nil || i.Renew(nil) == nil {
		t.Error("an import is installed whose pieces have gone")
	}
	i.Abort()
	for drain(); !ship(t, e, j, 1); drain() {
	}
	installed := false
	if err := j.Install(func() { installed = true }); err != nil {
		t.Fatal(err)
	}
	if _, err := to.Import(e.Meta); err == nil {
		t.Error("another import begins while one is being installed")
	}
	if _, err := to.Import(other); err == nil {
		t.Error("the same import begins while it is being installed")
	}
	j.Abort()
	drain()
	if got := lanePairs(t, to, 2, 40); !installed || !maps.Equal(got, want) {
		t.Errorf("installed %v: %d keys, want %d", installed, len(got), len(want))
	}
	staged(e.Meta)
}

// A log that begins behind the Export is not put together with it: nobody has what is between.
func TestRenewRefusesAGap(t *testing.T) {
	_, e := exported(t)
	to := mustOpen(t, testOptions(vfs.NewMem()))
	defer mustClose(t, to)
	l := mustLog(t, to, 2)
	extend(t, to, l, run(2, 1, 60, 9)...)
	l.SetVote(Vote{Term: 9, Commit: 55})
	l.DropBelow(50)
	i := mustImport(t, to, e.Meta)
	for !ship(t, e, i, 1) {
	}
	writeWait(to, NewBatch())
	if err := i.Renew(nil); !errors.Is(err, ErrSuperseded) {
		t.Errorf("a log from 50 on behind an Export up to 40: %v", err)
	}
	if again := mustLog(t, to, 2); again != l || again.Last() != 60 {
		t.Errorf("the log was given up")
	}
}
