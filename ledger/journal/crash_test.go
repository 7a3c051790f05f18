package journal

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A crash history: one caller issues numbered requests; each leaves its number in the store. After a crash
// the store must equal the model after some number k of them, with k at least what was acknowledged.

const crashLanes = 3

// crashModel is what the store must hold: all keys of all kinds, by their bytes.
type crashModel map[string]string

func (m crashModel) dropRange(lo, hi []byte) {
	maps.DeleteFunc(m, func(k, _ string) bool { return k >= string(lo) && k < string(hi) })
}

// history makes requests and keeps the model in step.
type history struct {
	rng   *rand.Rand
	model crashModel
	last  [crashLanes]uint64
	first [crashLanes]uint64
	n     uint64
}

func newHistory(seed uint64) *history {
	h := &history{rng: testRand(seed), model: crashModel{}}
	for i := range h.first {
		h.first[i] = 1
	}
	return h
}

var counterKey = Key(Fold, 0, 99)

// next issues request n and applies it to the model.
func (h *history) next(d *DB, done func()) {
	h.n++
	lane := uint16(h.rng.IntN(crashLanes))
	if h.rng.IntN(4) == 0 {
		h.nextBatch(d, lane, done)
		return
	}
	first := h.last[lane] + 1
	if back := h.rng.Uint64N(4); h.rng.IntN(5) == 0 && first > h.first[lane]+back {
		first -= back
	}
	e := run(lane, first, first+h.rng.Uint64N(4), h.n)
	for i := first; i <= h.last[lane]; i++ {
		delete(h.model, string(Key(EntryKind, lane, i)))
	}
	for i := range e {
		key := Key(EntryKind, lane, e[i].Index)
		v := make([]byte, entryHeader)
		putEntryHeader(v, key, &e[i])
		h.model[string(key)] = string(v) + string(e[i].Data)
	}
	h.last[lane] = e[len(e)-1].Index
	vote := Vote{Term: h.n}
	h.model[string(Key(LaneMeta, lane, metaVote))] = string(appendVote(nil, vote))
	d.Append(Append{Lane: lane, Entries: e, Vote: &vote, Done: done})
}

// nextBatch writes a few keys, sometimes drops the front of a lane, and has an empty append tell when it is
// durable.
func (h *history) nextBatch(d *DB, lane uint16, done func()) {
	b := NewBatch()
	set := func(k, v []byte) {
		b.Set(k, v)
		h.model[string(k)] = string(v)
	}
	if front := h.first[lane] + h.rng.Uint64N(4); h.rng.IntN(3) == 0 && front <= h.last[lane] {
		lo, hi := Key(EntryKind, lane, h.first[lane]), Key(EntryKind, lane, front)
		b.DeleteRange(lo, hi)
		h.model.dropRange(lo, hi)
		h.first[lane] = front
		set(Key(LaneMeta, lane, metaWindow), encodeWindow(window{first: front, prevTerm: 1}))
	}
	set(Key(Fold, lane, h.rng.Uint64N(50)), fmt.Appendf(nil, "request %d", h.n))
	set(Key(EDR, lane, h.n), bytes.Repeat([]byte{byte(h.n)}, h.rng.IntN(2000)))
	set(counterKey, be.AppendUint64(nil, h.n))
	d.Write(b, nil)
	d.Append(Append{Lane: lane, Done: done})
}

// number is the last request that left a mark in the dump: a vote's term or the counter.
func number(m crashModel) (n uint64) {
	for lane := range uint16(crashLanes) {
		if v := m[string(Key(LaneMeta, lane, metaVote))]; v != "" {
			n = max(n, be.Uint64([]byte(v)))
		}
	}
	if v := m[string(counterKey)]; v != "" {
		n = max(n, be.Uint64([]byte(v)))
	}
	return n
}

func dump(t *testing.T, d *DB) crashModel {
	t.Helper()
	m := crashModel{}
	err := d.Scan([]byte{byte(LaneMeta)}, []byte{255}, func(k, v []byte) error {
		m[string(k)] = string(v)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestCrashKeepsAcknowledgedPrefix(t *testing.T) {
	lost, kept := 0, 0
	for seed := range uint64(16) {
		for _, percent := range []int{0, 30, 100} {
			t.Run(fmt.Sprintf("seed=%d,unsynced=%d", seed, percent), func(t *testing.T) {
				l, k := crashOnce(t, seed, percent)
				lost, kept = lost+l, kept+k
			})
		}
	}
	if lost == 0 || kept == 0 {
		t.Errorf("%d requests lost, %d acknowledged: the crashes come at the wrong time to show anything", lost, kept)
	}
}

// crashOnce returns how many issued requests were lost, which is allowed for those not acknowledged, and how
// many were acknowledged before the crash.
func crashOnce(t *testing.T, seed uint64, percent int) (lost, kept int) {
	fs := vfs.NewCrashableMem()
	d := mustOpen(t, testOptions(fs))
	h := newHistory(seed)
	states := []crashModel{{}}
	var mu sync.Mutex
	var acked uint64
	heard := make(chan struct{}, 1)
	ack := func(n uint64) func() {
		return func() {
			mu.Lock()
			defer mu.Unlock()
			if n != acked+1 {
				t.Errorf("done of request %d came after %d", n, acked)
			}
			acked = n
			select {
			case heard <- struct{}{}:
			default:
			}
		}
	}
	requests := 20 + h.rng.IntN(200)
	for range requests {
		h.next(d, ack(h.n+1))
		states = append(states, maps.Clone(h.model))
		if h.rng.IntN(8) == 0 {
			<-heard // some acknowledgment, perhaps an old one: the pipeline is caught at different depths
		}
	}
	mu.Lock()
	before := acked
	mu.Unlock()
	crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: h.rng})
	mustClose(t, d)

	r := mustOpen(t, testOptions(crashed))
	defer mustClose(t, r)
	got := dump(t, r)
	k := number(got)
	if k < before {
		t.Fatalf("request %d was acknowledged, the store knows %d", before, k)
	}
	if want := states[k]; !maps.Equal(got, want) {
		t.Fatalf("after request %d of %d: %s", k, requests, difference(got, want))
	}
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
	for lane := range uint16(crashLanes) { // and it goes on from there
		l := mustLog(t, r, lane)
		extend(t, r, l, run(lane, l.Last()+1, l.Last()+2, 1<<40)...)
	}
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
	return requests - int(k), int(before)
}

func difference(got, want crashModel) string {
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if got[k] != want[k] {
			return fmt.Sprintf("key %x holds %.40x, want %.40x", k, got[k], want[k])
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			return fmt.Sprintf("key %x should be gone", k)
		}
	}
	return "none"
}
