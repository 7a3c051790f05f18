package ring

import (
	"math/rand/v2"
	"runtime"
	"testing"
)

// TestAgainstModel runs random calls on a ring and on a slice, with sizes that wrap often.
func TestAgainstModel(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		size := 1 << rnd.IntN(5)
		r := New[int](size)
		var model []int
		next := 0
		for range 2_000 {
			n := rnd.IntN(size + 3)
			if rnd.IntN(2) == 0 {
				model, next = produce(t, r, model, next, n, rnd)
			} else {
				model = consume(t, r, model, n, rnd)
			}
			if r.Len() != len(model) {
				t.Fatalf("seed %d: Len %d, model %d", seed, r.Len(), len(model))
			}
		}
	}
}

func produce(t *testing.T, r *Ring[int], model []int, next, n int, rnd *rand.Rand) ([]int, int) {
	t.Helper()
	s := r.Reserve(n)
	free := r.Cap() - len(model)
	if len(s) > n || len(s) > free || cap(s) != len(s) {
		t.Fatalf("Reserve(%d) gave %d slots (cap %d), %d free", n, len(s), cap(s), free)
	}
	if len(s) == 0 && n > 0 && free > 0 {
		t.Fatalf("Reserve(%d) gave none, %d free", n, free)
	}
	k := rnd.IntN(len(s) + 1)
	for i := range k {
		s[i] = next
		model = append(model, next)
		next++
	}
	for i := k; i < len(s); i++ {
		s[i] = -1 // the rest of a reservation is not passed on
	}
	r.Commit(k)
	return model, next
}

func consume(t *testing.T, r *Ring[int], model []int, n int, rnd *rand.Rand) []int {
	t.Helper()
	s := r.Peek(n)
	if len(s) > n || len(s) > len(model) || cap(s) != len(s) {
		t.Fatalf("Peek(%d) gave %d slots (cap %d), %d filled", n, len(s), cap(s), len(model))
	}
	if len(s) == 0 && n > 0 && len(model) > 0 {
		t.Fatalf("Peek(%d) gave none, %d filled", n, len(model))
	}
	for i, v := range s {
		if v != model[i] {
			t.Fatalf("slot %d is %d, want %d", i, v, model[i])
		}
	}
	k := rnd.IntN(len(s) + 1)
	r.Release(k)
	return model[k:]
}

func TestPushPop(t *testing.T) {
	r := New[*int](2)
	if _, ok := r.Pop(); ok {
		t.Fatal("popped from an empty ring")
	}
	one, two := 1, 2
	if !r.Push(&one) || !r.Push(&two) || r.Push(&one) {
		t.Fatal("a ring of two takes two")
	}
	if v, ok := r.Pop(); !ok || v != &one {
		t.Fatal("not the oldest")
	}
	if r.buf[0] != nil {
		t.Fatal("a popped slot holds its value")
	}
	if v, ok := r.Pop(); !ok || v != &two {
		t.Fatal("not the second")
	}
}

func TestMisuse(t *testing.T) {
	r := New[int](4)
	r.Reserve(2)
	for name, f := range map[string]func(){
		"size 0":            func() { New[int](0) },
		"size 3":            func() { New[int](3) },
		"commit too much":   func() { r.Commit(3) },
		"release unpeeked":  func() { r.Release(1) },
		"negative commit":   func() { r.Commit(-1) },
		"commit twice":      func() { r.Commit(1); r.Commit(1) },
		"release after all": func() { r.Peek(4); r.Release(1); r.Release(1) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

// TestTwoGoroutines passes a sequence through a small ring in batches of all sizes, parking both sides: -race sees the slots
// change hands, and a lost wake-up would hang.
func TestTwoGoroutines(t *testing.T) {
	const total = 200_000
	r := New[uint64](64)
	filled, freed := NewBell(), NewBell()
	go func() {
		hasRoom := func() bool { return r.Len() < r.Cap() }
		rnd := rand.New(rand.NewPCG(7, 7))
		for next := uint64(0); next < total; {
			s := r.Reserve(1 + rnd.IntN(20))
			if len(s) == 0 {
				freed.Wait(Forever, hasRoom)
				continue
			}
			n := 0
			for n < len(s) && next < total {
				s[n] = next
				n, next = n+1, next+1
			}
			r.Commit(n)
			filled.Ring()
		}
	}()
	hasWork := func() bool { return r.Len() > 0 }
	for want := uint64(0); want < total; {
		s := r.Peek(16)
		if len(s) == 0 {
			filled.Wait(Forever, hasWork)
			continue
		}
		for _, v := range s {
			if v != want {
				t.Fatalf("got %d, want %d", v, want)
			}
			want++
		}
		r.Release(len(s))
		freed.Ring()
	}
}

func TestNoAllocation(t *testing.T) {
	r := New[[4]uint64](64)
	b := NewBell()
	never, always := func() bool { return false }, func() bool { return true }
	allocs := testing.AllocsPerRun(200, func() {
		r.Commit(len(r.Reserve(16)))
		for n := len(r.Peek(16)); n > 0; n = len(r.Peek(16)) {
			r.Release(n)
		}
		r.Push([4]uint64{})
		r.Pop()
		b.Ring()
		b.Wait(0, never)
		b.Wait(1000, never)
		b.Wait(Forever, always)
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

type descriptor [4]uint64

func BenchmarkRing(b *testing.B) {
	for _, batch := range []int{1, 16, 64} {
		b.Run(name(batch), func(b *testing.B) {
			r := New[descriptor](4096)
			filled, freed := NewBell(), NewBell()
			go func() {
				hasRoom := func() bool { return r.Len() < r.Cap() }
				for sent := 0; sent < b.N; {
					s := r.Reserve(min(batch, b.N-sent))
					if len(s) == 0 {
						freed.Wait(Forever, hasRoom)
						continue
					}
					for i := range s {
						s[i] = descriptor{uint64(sent + i)}
					}
					sent += len(s)
					r.Commit(len(s))
					filled.Ring()
				}
			}()
			hasWork := func() bool { return r.Len() > 0 }
			sum := uint64(0)
			for got := 0; got < b.N; {
				s := r.Peek(64)
				if len(s) == 0 {
					filled.Wait(Forever, hasWork)
					continue
				}
				for i := range s {
					sum += s[i][0]
				}
				got += len(s)
				r.Release(len(s))
				freed.Ring()
			}
			if want := uint64(b.N) * uint64(b.N-1) / 2; sum != want {
				b.Fatalf("sum %d, want %d", sum, want)
			}
		})
	}
}

func name(batch int) string {
	return map[int]string{1: "single", 16: "batch16", 64: "batch64"}[batch]
}

func BenchmarkChannel(b *testing.B) {
	ch := make(chan descriptor, 4096)
	go func() {
		for i := range b.N {
			ch <- descriptor{uint64(i)}
		}
	}()
	sum := uint64(0)
	for range b.N {
		d := <-ch
		sum += d[0]
	}
	if want := uint64(b.N) * uint64(b.N-1) / 2; sum != want {
		b.Fatalf("sum %d, want %d", sum, want)
	}
	runtime.KeepAlive(ch)
}
