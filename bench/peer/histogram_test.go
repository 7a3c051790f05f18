package peer

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Every bucket's top must fall into that bucket, and the next value into the next one.
func TestHistogramBucketsTile(t *testing.T) {
	for i := range buckets - 1 {
		top := bucketTop(i)
		if bucketOf(top) != i || bucketOf(top+1) != i+1 {
			t.Fatalf("bucket %d tops at %d, which falls into %d, and %d into %d", i, top, bucketOf(top), top+1, bucketOf(top+1))
		}
	}
	if bucketOf(1<<62) != buckets-1 || bucketOf(-5) != 0 {
		t.Fatal("values outside the range leave the table")
	}
}

// Quantiles against a sorted list: never below the exact value, at most 1/64 above it.
func TestHistogramQuantiles(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for round := range 30 {
		var h Histogram
		n := 1 + rnd.IntN(5000)
		values := make([]int64, n)
		for i := range values {
			values[i] = rnd.Int64N(1 << (4 + rnd.IntN(34)))
			h.Record(values[i])
		}
		slices.Sort(values)
		for _, q := range []float64{0.001, 0.5, 0.9, 0.99, 0.999, 1} {
			rank := min(max(int(q*float64(n)+0.999999), 1), n)
			exact, got := values[rank-1], int64(h.Quantile(q))
			if got < exact || got > exact+exact/64 {
				t.Fatalf("round %d: quantile %v of %d values is %d, exactly %d", round, q, n, got, exact)
			}
		}
		if int64(h.Max()) != values[n-1] || h.Count() != uint64(n) {
			t.Fatalf("max %d, count %d; want %d, %d", h.Max(), h.Count(), values[n-1], n)
		}
	}
}

// Two histograms merged are the histogram of both lists.
func TestHistogramMerge(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	var a, b, both Histogram
	for range 10000 {
		v := rnd.Int64N(1 << 36)
		both.Record(v)
		if v%3 == 0 {
			a.Record(v)
		} else {
			b.Record(v)
		}
	}
	a.Merge(&b)
	if a != both {
		t.Fatal("merged histogram differs")
	}
}

func TestHistogramEmptyAndHuge(t *testing.T) {
	var h Histogram
	if h.Quantile(0.99) != 0 || h.Latency() != (Latency{}) {
		t.Fatal("an empty histogram is not all zero")
	}
	h.Record(1 << 45)
	if h.Quantile(0.5) != 1<<45 {
		t.Fatalf("the only value 2^45 reads %d", h.Quantile(0.5))
	}
}
