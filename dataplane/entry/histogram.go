package entry

import "math/bits"

// Histogram counts durations in buckets of one eighth of a power of two: quantiles within 12.5 %. One
// goroutine writes; a copy is read.
type Histogram struct {
	N       uint64
	buckets [64 * 8]uint64
}

// Add counts a duration in nanoseconds; negative ones count as zero.
func (h *Histogram) Add(ns int64) {
	h.N++
	h.buckets[bucket(uint64(max(ns, 0)))]++
}

func bucket(v uint64) int {
	if v < 8 {
		return int(v)
	}
	e := bits.Len64(v) - 4
	return e<<3 + int(v>>e)
}

// Quantile is the upper bound, in nanoseconds, of the bucket that holds the q-quantile (0 to 1); 0 when empty.
func (h *Histogram) Quantile(q float64) int64 {
	if h.N == 0 {
		return 0
	}
	rank := uint64(q * float64(h.N))
	for i, n := range h.buckets {
		if n > rank {
			if i < 16 {
				return int64(i)
			}
			e := i>>3 - 1
			return int64(i&7+8+1)<<e - 1
		}
		rank -= n
	}
	return 0
}

// Merge adds what another histogram counted.
func (h *Histogram) Merge(o *Histogram) {
	h.N += o.N
	for i, n := range o.buckets {
		h.buckets[i] += n
	}
}
