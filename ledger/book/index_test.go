package book

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// The index agrees with a map while sequences are given out, mostly die young, and sometimes stay for ever
// or jump.
func TestSeqIndexAgainstAMap(t *testing.T) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 7))
		x, model := newSeqIndex(), map[uint64]uint32{}
		var young []uint64
		next := r.Uint64N(1 << 40)
		for step := range 600_000 {
			seq := next
			next++
			switch r.IntN(100_000) {
			case 0:
				next += r.Uint64N(1 << 33)
			case 1:
				seq = moSequence | r.Uint64N(1<<30)
				if _, ok := model[seq]; ok {
					continue
				}
			}
			slot := uint32(step + 1)
			x.put(seq, slot)
			model[seq] = slot
			if r.IntN(200) != 0 {
				young = append(young, seq)
			}
			for len(young) > 1000 || len(young) > 0 && r.IntN(2) == 0 {
				i := r.IntN(len(young))
				s := young[i]
				young[i] = young[len(young)-1]
				young = young[:len(young)-1]
				if got, ok := x.get(s); !ok || got != model[s] {
					t.Fatalf("seed %d step %d: slot of %d is %d, %v; want %d", seed, step, s, got, ok, model[s])
				}
				x.drop(s)
				delete(model, s)
				if _, ok := x.get(s); ok {
					t.Fatalf("seed %d step %d: %d is still there", seed, step, s)
				}
			}
		}
		for s, want := range model {
			if got, ok := x.get(s); !ok || got != want {
				t.Fatalf("seed %d: slot of %d is %d, %v; want %d", seed, s, got, ok, want)
			}
		}
		live := 0
		for _, p := range x.pages {
			if p != nil {
				live++
			}
		}
		if live > densePages+2 {
			t.Fatalf("seed %d: %d pages are kept for %d messages", seed, live, len(model))
		}
	}
}

// A gap is a stretch of the log in which nothing lives, at its end too.
func TestGapsInTheLog(t *testing.T) {
	var l liveBlocks
	for _, i := range []uint64{10, 10, 11, 50, 51} {
		l.add(i)
	}
	for _, c := range []struct {
		least int
		last  uint64
		want  string
	}{{10, 60, "3 before 12..49 "}, {38, 60, "3 before 12..49 "}, {39, 60, ""}, {39, 90, "5 before 52..90 "}, {9, 60, "3 before 12..49 5 before 52..60 "}} {
		var got string
		l.gaps(c.least, c.last, func(before int, from, to uint64) bool {
			got += fmt.Sprintf("%d before %d..%d ", before, from, to)
			return false
		})
		if got != c.want {
			t.Errorf("least %d up to %d: %q, want %q", c.least, c.last, got, c.want)
		}
	}
	if !l.gaps(1, 60, func(before int, _, _ uint64) bool { return before == 3 }) {
		t.Error("a gap that is worth it is not told")
	}
}

// Old messages are worth moving when what they hold is larger than they are.
func TestScatteredWeighsOctets(t *testing.T) {
	var b Book
	for _, i := range []uint64{10, 10, 60} {
		b.live.add(i)
	}
	for _, c := range []struct {
		size int
		want bool
	}{{900/49 + 1, true}, {900 / 49, false}} {
		if got := b.Scattered(60, 40, func(uint64) int { return c.size }); got != c.want {
			t.Errorf("2 messages before 49 entries of %d octets: %v", c.size, got)
		}
	}
}
