package entry

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// A quantile is never below the true one and at most an eighth above it.
func TestHistogramQuantiles(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var h, other, both Histogram
		var all []int64
		for i := range 2000 {
			v := int64(r.Uint64() >> (20 + r.IntN(43)))
			all = append(all, v)
			if i%2 == 0 {
				h.Add(v)
			} else {
				other.Add(v)
			}
		}
		both.Merge(&h)
		both.Merge(&other)
		slices.Sort(all)
		for _, q := range []float64{0, .5, .9, .99, .999} {
			want := all[int(q*float64(len(all)))]
			if got := both.Quantile(q); got < want || float64(got) > float64(want)*1.125+1 {
				t.Fatalf("quantile %v is %d, the data say %d", q, got, want)
			}
		}
	}
	var empty Histogram
	empty.Add(-5)
	if empty.N != 1 || empty.Quantile(.99) != 0 {
		t.Error("a negative duration does not count as zero")
	}
}

// A histogram counts since the start: a thousand durations a second fill 32 bits in seven weeks.
func TestHistogramOfALongLife(t *testing.T) {
	var h Histogram
	const n = 1<<32 - 1
	h.N, h.buckets[bucket(1000)] = n, n
	h.Add(1000)
	h.Add(1 << 40)
	if got := h.Quantile(.99); got < 1000 || got > 1125 {
		t.Errorf("of %d durations of 1000 ns and one of minutes 99 %% are told to take up to %d ns", h.N-1, got)
	}
}
