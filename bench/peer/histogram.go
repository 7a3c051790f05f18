package peer

import (
	"math/bits"
	"time"
)

// Histogram counts durations in log-linear buckets: 64 to each power of two, so a value is known to 1/64 of itself from
// 64 ns up and exactly below 128 ns. Its size is fixed (18 KiB), Record is a shift and an increment, and two histograms
// merge by addition.
//
//	value        0 … 127       128 … 255    256 … 511   …   2^39 … 2^40-1
//	bucket       itself        by 2         by 4            by 2^33
//
// Values from 2^40 ns (18 minutes) up share the last bucket; Max stays exact. The zero Histogram is empty and ready to use.
// It has one owner at a time.
type Histogram struct {
	counts [buckets]uint64
	n      uint64
	sum    int64 // ns
	max    int64 // ns
}

const (
	subBits = 6
	topBit  = 40
	buckets = (topBit-subBits-1)<<subBits + 2<<subBits
)

func bucketOf(v int64) int {
	u := min(uint64(max(v, 0)), 1<<topBit-1)
	e := max(0, bits.Len64(u)-subBits-1)
	return e<<subBits + int(u>>e)
}

// bucketTop is the greatest value of bucket i.
func bucketTop(i int) int64 {
	e := max(0, i>>subBits-1)
	return (int64(i-e<<subBits)+1)<<e - 1
}

// Record adds one value in nanoseconds; a negative one counts as 0.
func (h *Histogram) Record(ns int64) {
	h.counts[bucketOf(ns)]++
	h.n++
	h.sum += max(ns, 0)
	h.max = max(h.max, ns)
}

// Merge adds all of o.
func (h *Histogram) Merge(o *Histogram) {
	for i, c := range o.counts {
		h.counts[i] += c
	}
	h.n += o.n
	h.sum += o.sum
	h.max = max(h.max, o.max)
}

// Since is what was recorded after an earlier copy of the histogram; the greatest value is known to its bucket only.
func (h *Histogram) Since(before *Histogram) (d Histogram) {
	for i := range h.counts {
		if d.counts[i] = h.counts[i] - before.counts[i]; d.counts[i] > 0 {
			d.max = min(bucketTop(i), h.max)
		}
	}
	d.n, d.sum = h.n-before.n, h.sum-before.sum
	return d
}

// Count is the number of values recorded.
func (h *Histogram) Count() uint64 { return h.n }

// Max is the greatest value recorded, exactly.
func (h *Histogram) Max() time.Duration { return time.Duration(h.max) }

// Quantile is a value that at least the share q of the values (0 < q ≤ 1) does not pass, at most 1/64 too high. It is 0
// for an empty histogram.
func (h *Histogram) Quantile(q float64) time.Duration {
	want := max(uint64(q*float64(h.n)+0.999999), 1)
	var seen uint64
	for i, c := range h.counts {
		if seen += c; seen >= want && c > 0 {
			if i == buckets-1 {
				return time.Duration(h.max)
			}
			return time.Duration(min(bucketTop(i), h.max))
		}
	}
	return time.Duration(h.max)
}

// Latency is what a report says of a histogram, in microseconds.
type Latency struct {
	Count  uint64  `json:"count"`
	MeanUS float64 `json:"mean_us"`
	P50US  float64 `json:"p50_us"`
	P99US  float64 `json:"p99_us"`
	P999US float64 `json:"p999_us"`
	MaxUS  float64 `json:"max_us"`
}

// Latency sums the histogram up.
func (h *Histogram) Latency() Latency {
	us := func(d time.Duration) float64 { return float64(d) / 1e3 }
	l := Latency{Count: h.n, P50US: us(h.Quantile(0.5)), P99US: us(h.Quantile(0.99)), P999US: us(h.Quantile(0.999)), MaxUS: us(h.Max())}
	if h.n > 0 {
		l.MeanUS = float64(h.sum) / float64(h.n) / 1e3
	}
	return l
}
