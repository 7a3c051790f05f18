package journal

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestKeysSortAsNumbers(t *testing.T) {
	sorted := [][]byte{
		Key(LaneMeta, 0), Key(LaneMeta, 0, 1), Key(EntryKind, 0, 0), Key(EntryKind, 0, 255), Key(EntryKind, 0, 256),
		Key(EntryKind, 1, 1), Key(EntryKind, 1, 1<<40), Key(EntryKind, 256, 0), Key(EntryKind, 65535, ^uint64(0)),
		Key(Fold, 0, 1, 2), Key(Fold, 0, 1, 3), Key(Fold, 0, 2, 0), Key(Catalog, 0),
	}
	if !slices.IsSortedFunc(sorted, bytes.Compare) {
		t.Errorf("%x is not sorted", sorted)
	}
	for _, lane := range []uint16{0, 1, 255, 256, 65534, 65535} {
		lo, hi := LaneRange(EntryKind, lane)
		first, last := Key(EntryKind, lane, 0), Key(EntryKind, lane, ^uint64(0))
		if bytes.Compare(lo, first) > 0 || bytes.Compare(last, hi) >= 0 {
			t.Errorf("lane %d: %x..%x does not hold its keys", lane, lo, hi)
		}
		if next := Key(EntryKind, lane+1, 0); lane < 65535 && bytes.Compare(next, hi) < 0 {
			t.Errorf("lane %d: %x holds the next lane's", lane, hi)
		}
	}
	if lane, n, err := parseKey(Key(EntryKind, 7, 9)); lane != 7 || n != 9 || err != nil {
		t.Errorf("%d %d %v", lane, n, err)
	}
	if _, _, err := parseKey(Key(EntryKind, 7)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("%v", err)
	}
}

func TestGetScan(t *testing.T) {
	d := mustOpen(t, testOptions(vfs.NewMem()))
	defer mustClose(t, d)
	b := NewBatch()
	for i := range uint64(10) {
		b.Set(Key(Fold, 4, i), fmt.Appendf(nil, "v%d", i))
	}
	b.DeleteRange(Key(Fold, 4, 3), Key(Fold, 4, 6))
	b.Set(Key(Fold, 4, 4), []byte("again"))
	if b.Len() != 12 || b.Size() == 0 {
		t.Errorf("%d changes of %d bytes", b.Len(), b.Size())
	}
	writeWait(d, b)
	if v, err := d.Get(Key(Fold, 4, 3)); v != nil || err != nil {
		t.Errorf("a dropped key holds %q, %v", v, err)
	}
	if v, err := d.Get(Key(Fold, 4, 4)); string(v) != "again" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
	lo, hi := LaneRange(Fold, 4)
	var up, down []string
	if err := d.Scan(lo, hi, func(_, v []byte) error { up = append(up, string(v)); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := d.ScanReverse(lo, hi, func(_, v []byte) error { down = append(down, string(v)); return nil }); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(up, " "); got != "v0 v1 v2 again v6 v7 v8 v9" {
		t.Errorf("scan: %s", got)
	}
	slices.Reverse(down)
	if !slices.Equal(up, down) {
		t.Errorf("reverse: %v", down)
	}
	n := 0
	if err := d.Scan(lo, hi, func(_, _ []byte) error { n++; return ErrStop }); err != nil || n != 1 {
		t.Errorf("stopped after %d: %v", n, err)
	}
	boom := errors.New("boom")
	if err := d.Scan(lo, hi, func(_, _ []byte) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("%v", err)
	}
	empty := NewBatch()
	if empty.Len() != 0 || empty.Size() != 0 {
		t.Error("a reused batch is not empty")
	}
	empty.Set(Key(Fold, 9), nil)
	writeWait(d, empty)
	if v, err := d.Get(Key(Fold, 9)); v == nil || len(v) != 0 || err != nil {
		t.Errorf("an empty value reads as %v, %v", v, err)
	}
}

// Appends and writes of one caller are seen in order; Dones come in order, each once.
func TestOrder(t *testing.T) {
	d := mustOpen(t, testOptions(vfs.NewMem()))
	var mu sync.Mutex
	done := map[uint16][]int{}
	var wg sync.WaitGroup
	const callers, each = 5, 200
	for lane := range uint16(callers) {
		wg.Go(func() {
			for i := range each {
				b := NewBatch()
				b.Set(Key(Fold, lane, 0), be.AppendUint64(nil, uint64(i)))
				d.Write(b, func() {
					if v, err := d.Get(Key(Fold, lane, 0)); err != nil || be.Uint64(v) < uint64(i) {
						t.Errorf("lane %d: write %d is not visible", lane, i)
					}
				})
				d.Append(Append{Lane: lane, Entries: run(lane, uint64(i+1), uint64(i+1), 1), Done: func() {
					mu.Lock()
					done[lane] = append(done[lane], i)
					mu.Unlock()
				}})
			}
		})
	}
	wg.Wait()
	mustClose(t, d) // waits for all
	for lane := range uint16(callers) {
		if len(done[lane]) != each || !slices.IsSorted(done[lane]) {
			t.Errorf("lane %d: dones %v", lane, done[lane])
		}
	}
	if !panics(func() { d.Append(Append{Lane: 1}) }) {
		t.Error("append to a closed store")
	}
}

func TestReopenReadOnlyCheckpoint(t *testing.T) {
	fs := vfs.NewMem()
	if _, err := OpenReadOnly(testOptions(fs)); err == nil {
		t.Error("opened what is not there")
	}
	d := mustOpen(t, testOptions(fs))
	id := d.ID()
	appendWait(d, Append{Lane: 3, Entries: run(3, 1, 4, 2), Vote: &Vote{Term: 2, Voted: 1, Commit: 3}})
	appendWait(d, Append{Lane: 9, Entries: run(9, 1, 1, 1)})
	if err := d.Checkpoint("copy"); err != nil {
		t.Fatal(err)
	}
	if s := d.Stats(); s.Entries != 5 || s.Syncs == 0 || s.Disk == 0 || d.DiskUsage() == 0 {
		t.Errorf("%+v", s)
	}
	mustClose(t, d)
	o := testOptions(fs)
	for _, dir := range []string{"j", "copy"} {
		o.Dir = dir
		r, err := OpenReadOnly(o)
		if err != nil {
			t.Fatal(err)
		}
		if lanes, err := r.Lanes(); !slices.Equal(lanes, []uint16{3, 9}) || err != nil || r.ID() != id {
			t.Errorf("%s: lanes %v (%v), id %x, want %x", dir, lanes, err, r.ID(), id)
		}
		l := mustLog(t, r, 3)
		if l.Last() != 4 || l.Vote() != (Vote{Term: 2, Voted: 1, Commit: 3}) {
			t.Errorf("%s: last %d, vote %+v", dir, l.Last(), l.Vote())
		}
		if !panics(func() { r.Write(NewBatch(), nil) }) {
			t.Error("wrote to a read-only store")
		}
		mustClose(t, r)
	}
	other := testOptions(vfs.NewMem())
	d = mustOpen(t, other)
	if d.ID() == id {
		t.Error("two stores of one id")
	}
	mustClose(t, d)
}

func TestUnknownLayoutIsRefused(t *testing.T) {
	fs := vfs.NewMem()
	d := mustOpen(t, testOptions(fs))
	v, err := d.Get(Key(storeKind, 0))
	if err != nil {
		t.Fatal(err)
	}
	be.PutUint32(v, storeVersion+1)
	if err := d.p.Set(Key(storeKind, 0), v, pebble.Sync); err != nil {
		t.Fatal(err)
	}
	mustClose(t, d)
	if _, err := Open(testOptions(fs)); err == nil || !strings.Contains(err.Error(), fmt.Sprint("layout version ", storeVersion+1)) {
		t.Errorf("%v", err)
	}
}

func TestAppendGapPanics(t *testing.T) {
	d := mustOpen(t, testOptions(vfs.NewMem()))
	defer mustClose(t, d)
	w := writer{d: d, b: d.p.NewBatch()}
	for name, e := range map[string][]Entry{
		"gap":         run(1, 2, 2, 1),
		"index zero":  run(1, 0, 0, 1),
		"not in turn": {{Index: 1}, {Index: 3}},
	} {
		if !panics(func() { w.addEntries(1, e) }) {
			t.Errorf("%s: no panic", name)
		}
	}
	if err := w.b.Close(); err != nil {
		t.Fatal(err)
	}
}

// The queue takes its bound and then makes callers wait; one oversized request still gets in.
func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q queue
		q.init()
		q.put(&request{size: maxQueued + 1})
		entered := false
		go func() {
			q.put(&request{size: 1})
			entered = true
		}()
		synctest.Wait()
		if entered {
			t.Fatal("no bound")
		}
		n := len(q.take(nil))
		synctest.Wait()
		n += len(q.take(nil))
		if n != 2 || q.bytes != 0 || !entered {
			t.Errorf("%d requests, %d bytes left", n, q.bytes)
		}
		q.put(&request{size: 5})
		q.close()
		if got := q.take(nil); len(got) != 1 {
			t.Errorf("%d requests left at close, want 1", len(got))
		}
		if q.take(nil) != nil {
			t.Error("something after the end")
		}
	})
}

func FuzzParseEntry(f *testing.F) {
	key := Key(EntryKind, 2, 5)
	for _, e := range []Entry{{Index: 5, Term: 3}, {Index: 5, Term: 3, Data: testBlock(2, 2, 1)}, {Index: 5, Term: 1, Kind: 1, Data: []byte("x")}} {
		v := make([]byte, entryHeader, entryHeader+len(e.Data))
		putEntryHeader(v, key, &e)
		f.Add(append(v, e.Data...))
	}
	f.Fuzz(func(t *testing.T, v []byte) {
		lane, e, err := parseEntry(key, v)
		if err != nil || checkData(lane, &e) != nil {
			return
		}
		again := make([]byte, entryHeader)
		putEntryHeader(again, key, &e)
		again = append(again, e.Data...)
		copy(v[6:8], again[6:8])
		if lane != 2 || e.Index != 5 || !bytes.Equal(again[4:], v[4:]) {
			t.Fatalf("%x came back as %x", v, again)
		}
	})
}
