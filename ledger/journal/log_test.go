package journal

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// logModel is a Log as a plain map.
type logModel struct {
	entries     map[uint64]Entry
	first, last uint64
}

func (m *logModel) check(t *testing.T, l *Log, step int) {
	t.Helper()
	if l.First() != m.first || l.Last() != m.last {
		t.Fatalf("step %d: %d..%d, want %d..%d", step, l.First(), l.Last(), m.first, m.last)
	}
	n := m.first
	err := l.Scan(m.first, m.last, func(e Entry) error {
		want := m.entries[n]
		if e.Index != n || e.Term != want.Term || e.Kind != want.Kind || !bytes.Equal(e.Data, want.Data) {
			t.Fatalf("step %d: index %d is %+v, want %+v", step, n, e, want)
		}
		if term, ok := l.Term(n); !ok || term != want.Term {
			t.Fatalf("step %d: term of %d is %d, want %d", step, n, term, want.Term)
		}
		if l.Size(n) != len(want.Data) {
			t.Fatalf("step %d: size of %d is %d", step, n, l.Size(n))
		}
		n++
		return nil
	})
	if err != nil || n != m.last+1 {
		t.Fatalf("step %d: scan ended at %d: %v", step, n, err)
	}
}

// Random extensions, overwrites, evictions, drops and reopenings against a map.
func TestLogAgainstModel(t *testing.T) {
	for seed := range uint64(4) {
		rng := testRand(seed)
		fs := vfs.NewMem()
		d := mustOpen(t, testOptions(fs))
		l := mustLog(t, d, 2)
		m := &logModel{entries: map[uint64]Entry{}, first: 1}
		term := uint64(1)
		for step := range 80 {
			switch n := rng.Uint64N(300); rng.IntN(8) {
			case 0, 1, 2: // extend, or overwrite a suffix in a new term
				first := m.last + 1
				if back := rng.Uint64N(40); rng.IntN(3) == 0 && first > m.first+back {
					first, term = first-back, term+1
				}
				e := run(2, first, first+n, term)
				for i := range e {
					if rng.IntN(10) == 0 {
						e[i].Data = nil
					}
					if rng.IntN(10) == 0 {
						e[i].Kind, e[i].Data = 1, []byte("not a block")
					}
					m.entries[e[i].Index] = e[i]
				}
				m.last = first + n
				extend(t, d, l, e...)
			case 3, 4, 5:
				for range n {
					l.Evict(rng.Uint64N(m.last + 2))
				}
			case 6:
				if i := m.first + n/3; i <= m.last+1 {
					l.DropBelow(i)
					m.first = i
				}
			case 7:
				mustClose(t, d)
				d = mustOpen(t, testOptions(fs))
				l = mustLog(t, d, 2)
				if l.Resident() != 0 {
					t.Fatal("a fresh log has resident bytes")
				}
			}
			m.check(t, l, step)
			if step%10 == 0 {
				if err := d.Check(); err != nil {
					t.Fatalf("step %d: %v", step, err)
				}
			}
		}
		mustClose(t, d)
	}
}

func TestLogResidency(t *testing.T) {
	d := mustOpen(t, testOptions(vfs.NewMem()))
	defer mustClose(t, d)
	l := mustLog(t, d, 1)
	e := run(1, 1, 3, 1)
	size := int64(len(e[0].Data))
	l.Extend(e)
	if l.Resident() != 3*size {
		t.Fatalf("%d bytes resident, want %d", l.Resident(), 3*size)
	}
	l.Evict(2) // not durable yet: it stays
	if got, err := l.Entry(2); err != nil || &got.Data[0] != &e[1].Data[0] {
		t.Fatalf("evicted before disk had it (%v)", err)
	}
	l.Stable(3, 9) // an append of another term says nothing about these
	l.Evict(2)
	if l.Resident() != 3*size {
		t.Fatal("evicted on the word of an overwritten append")
	}
	appendWait(d, Append{Lane: 1, Entries: e})
	l.Stable(3, 1)
	l.Evict(2)
	l.Evict(2)
	if l.Resident() != 2*size {
		t.Fatalf("%d bytes resident, want %d", l.Resident(), 2*size)
	}
	got, err := l.Entry(2)
	if err != nil || !bytes.Equal(got.Data, e[1].Data) || l.Resident() != 2*size {
		t.Fatalf("read back %x (%v), %d resident", got.Data, err, l.Resident())
	}
	l.Extend(run(1, 2, 2, 5)) // overwrites 2 and 3, not yet on disk
	l.Evict(2)
	if l.Resident() != 2*size || l.Last() != 2 {
		t.Fatalf("%d resident, last %d", l.Resident(), l.Last())
	}
	if l2 := mustLog(t, d, 1); l2 != l {
		t.Error("two tables of one lane")
	}
}

func TestLogBounds(t *testing.T) {
	d := mustOpen(t, testOptions(vfs.NewMem()))
	defer mustClose(t, d)
	l := mustLog(t, d, 1)
	if l.First() != 1 || l.Last() != 0 || l.Vote() != (Vote{}) || l.Lane() != 1 {
		t.Errorf("fresh log %d..%d", l.First(), l.Last())
	}
	if term, ok := l.Term(0); !ok || term != 0 {
		t.Error("the term before the first entry is 0")
	}
	extend(t, d, l, run(1, 1, 5, 4)...)
	l.SetVote(Vote{Term: 4, Voted: 2, Commit: 1})
	if l.Vote().Term != 4 {
		t.Error("vote not set")
	}
	l.DropBelow(3)
	l.DropBelow(2) // behind: nothing
	for i, want := range map[uint64]bool{1: false, 2: true, 3: true, 5: true, 6: false} {
		if _, ok := l.Term(i); ok != want {
			t.Errorf("Term(%d) %v", i, ok)
		}
	}
	for _, i := range []uint64{0, 2, 6} {
		if _, err := l.Entry(i); err == nil || !strings.Contains(err.Error(), "outside 3..5") {
			t.Errorf("Entry(%d): %v", i, err)
		}
		if l.Size(i) != 0 {
			t.Errorf("Size(%d) %d", i, l.Size(i))
		}
	}
	stop := 0
	if err := l.Scan(3, 5, func(Entry) error { stop++; return ErrStop }); err != nil || stop != 1 {
		t.Errorf("stopped after %d: %v", stop, err)
	}
	if err := l.Scan(5, 6, func(Entry) error { return nil }); err == nil {
		t.Error("scanned past the end")
	}
	boom := errors.New("boom")
	if err := l.Scan(3, 5, func(Entry) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("%v", err)
	}
	for name, f := range map[string]func(){
		"gap":         func() { l.Extend(run(1, 7, 7, 4)) },
		"below first": func() { l.Extend(run(1, 2, 2, 4)) },
		"not in turn": func() { l.Extend([]Entry{{Index: 6}, {Index: 8}}) },
		"drop beyond": func() { l.DropBelow(9) },
	} {
		if !panics(f) {
			t.Errorf("%s: no panic", name)
		}
	}
}

func panics(f func()) (yes bool) {
	defer func() { yes = recover() != nil }()
	f()
	return false
}

// What is dropped leaves the disk in large ranges, with the window in the same batch.
func TestDropReachesDiskInRanges(t *testing.T) {
	fs := vfs.NewMem()
	d := mustOpen(t, testOptions(fs))
	l := mustLog(t, d, 1)
	const perBlock = 1000
	var e []Entry
	for i := uint64(1); i <= 80; i++ {
		e = append(e, Entry{Index: i, Term: 1, Data: testBlock(1, perBlock, i)})
	}
	extend(t, d, l, e...)
	lo, hi := LaneRange(EntryKind, 1)
	onDisk := func() (n int) {
		appendWait(d, Append{Lane: 1}) // behind what was queued
		if err := d.Scan(lo, hi, func(_, _ []byte) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	full := uint64(dropMessages/perBlock) + 1 // entries that reach the threshold
	for i := uint64(2); i <= full; i++ {
		l.DropBelow(i)
	}
	if n := onDisk(); n != 80 || l.Resident() != int64((80-full+1)*uint64(len(e[0].Data))) {
		t.Errorf("%d on disk, %d bytes resident: memory goes at once, disk not yet", n, l.Resident())
	}
	l.DropBelow(full + 1)
	if n, writes := onDisk(), d.Stats().Writes; n != 80-int(full) || writes != 1 {
		t.Errorf("%d on disk after %d writes, want %d after 1", n, writes, 80-full)
	}
	l.DropBelow(full + 3)
	mustClose(t, d) // the rest goes here

	d = mustOpen(t, testOptions(fs))
	l = mustLog(t, d, 1)
	if l.First() != full+3 || l.Last() != 80 {
		t.Errorf("%d..%d after reopening, want %d..80", l.First(), l.Last(), full+3)
	}
	if term, ok := l.Term(full + 2); !ok || term != 1 {
		t.Error("the term before the first entry was lost")
	}
	l.DropBelow(81) // everything
	mustClose(t, d)
	d = mustOpen(t, testOptions(fs))
	l = mustLog(t, d, 1)
	if l.First() != 81 || l.Last() != 80 {
		t.Errorf("%d..%d, want an empty log that goes on at 81", l.First(), l.Last())
	}
	extend(t, d, l, run(1, 81, 82, 2)...)
	if err := d.Check(); err != nil {
		t.Error(err)
	}
	mustClose(t, d)
}

// Who needs the blocks up to an index gets them from the one reading that makes the table, and from the table once that is
// there; what is damaged up to that index is found, also when the entry's frame is whole.
func TestReadLogHandsOverWhatItReads(t *testing.T) {
	fs := vfs.NewMem()
	d := mustOpen(t, testOptions(fs))
	e := run(1, 1, 10, 1)
	extend(t, d, mustLog(t, d, 1), e...)
	mustClose(t, d)
	d = mustOpen(t, testOptions(fs))
	read := func(upTo uint64) (last uint64, l *Log, err error) {
		l, err = d.ReadLog(1, upTo, func(got *Entry) error {
			if want := e[last]; got.Index != last+1 || got.Term != 1 || !bytes.Equal(got.Data, want.Data) {
				t.Errorf("index %d after %d, %d octets", got.Index, last, len(got.Data))
			}
			last = got.Index
			return nil
		})
		return last, l, err
	}
	for range 2 {
		if last, l, err := read(6); err != nil || last != 6 || l.Last() != 10 {
			t.Errorf("read up to %d, %v", last, err)
		}
	}
	if last, _, err := read(99); err != nil || last != 10 {
		t.Errorf("read up to %d of all, %v", last, err)
	}
	v := d.Raw(1, 7)
	v[len(v)-1] ^= 1
	b := NewBatch()
	b.Set(Key(EntryKind, 1, 7), v)
	writeWait(d, b)
	mustClose(t, d)
	for _, upTo := range []uint64{7, 6} {
		d = mustOpen(t, testOptions(fs))
		last, l, err := read(upTo)
		switch {
		case upTo == 7 && (last != 6 || l != nil || !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "lane 1 index 7")):
			t.Errorf("a damaged block that is needed: read up to %d, %v", last, err)
		case upTo == 6 && (last != 6 || err != nil):
			t.Errorf("a damaged block that nobody needs yet: read up to %d, %v", last, err)
		}
		mustClose(t, d)
	}
}

// A lane that is written and trimmed while it is checked is no fault: the check looks at one moment of it.
func TestCheckBesideWork(t *testing.T) {
	d := mustOpen(t, testOptions(vfs.NewMem()))
	defer mustClose(t, d)
	l := mustLog(t, d, 1)
	extend(t, d, l, run(1, 1, 4, 1)...)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := uint64(5); i < 1000; i++ {
			e := Entry{Index: i, Term: 1, Data: testBlock(1, 3, i)}
			l.Extend([]Entry{e})
			appendWait(d, Append{Lane: 1, Entries: []Entry{e}, Vote: &Vote{Term: 1, Commit: i - 1}})
			l.Stable(i, 1)
			l.DropBelow(i - 1)
			l.DropNow()
		}
	}()
	for working := true; working && !t.Failed(); {
		select {
		case <-done:
			working = false
		default:
		}
		if err := d.Check(); err != nil {
			t.Error(err)
		}
		if err := d.Entries(1, 1, func(Entry) error { return nil }, func(_ uint64, err error) error { return err }); err != nil {
			t.Error(err)
		}
	}
	<-done
}
