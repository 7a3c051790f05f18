package ring

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/puzpuzpuz/xsync/v4"

	"smsplane/ring"
)

type descriptor [4]uint64

const slots = 4096

// check fails unless the sum of 0 to n-1 arrived.
func check(b *testing.B, sum uint64) {
	b.Helper()
	if n := uint64(b.N); sum != n*(n-1)/2 {
		b.Fatalf("sum %d of %d items", sum, n)
	}
}

func BenchmarkSmsplane(b *testing.B) {
	for _, batch := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("batch%d", batch), func(b *testing.B) {
			r := ring.New[descriptor](slots)
			go func() {
				for sent := 0; sent < b.N; {
					s := r.Reserve(min(batch, b.N-sent))
					if len(s) == 0 {
						runtime.Gosched()
						continue
					}
					for i := range s {
						s[i] = descriptor{uint64(sent + i)}
					}
					r.Commit(len(s))
					sent += len(s)
				}
			}()
			sum := uint64(0)
			for got := 0; got < b.N; {
				s := r.Peek(batch)
				if len(s) == 0 {
					runtime.Gosched()
					continue
				}
				for i := range s {
					sum += s[i][0]
				}
				got += len(s)
				r.Release(len(s))
			}
			check(b, sum)
		})
	}
}

func BenchmarkXsync(b *testing.B) {
	q := xsync.NewSPSCQueue[descriptor](slots)
	go func() {
		for i := range b.N {
			for !q.TryEnqueue(descriptor{uint64(i)}) {
				runtime.Gosched()
			}
		}
	}()
	sum := uint64(0)
	for got := 0; got < b.N; {
		d, ok := q.TryDequeue()
		if !ok {
			runtime.Gosched()
			continue
		}
		sum += d[0]
		got++
	}
	check(b, sum)
}

func BenchmarkChannel(b *testing.B) {
	ch := make(chan descriptor, slots)
	go func() {
		for i := range b.N {
			ch <- descriptor{uint64(i)}
		}
	}()
	sum := uint64(0)
	for range b.N {
		sum += (<-ch)[0]
	}
	check(b, sum)
}

// BenchmarkBoost runs the C++ program, which takes its own time of as many items.
func BenchmarkBoost(b *testing.B) {
	program := boost(b)
	for _, batch := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("batch%d", batch), func(b *testing.B) {
			out, err := exec.Command(program, strconv.Itoa(b.N), strconv.Itoa(batch)).Output()
			if err != nil {
				b.Fatalf("boost: %v", err)
			}
			var ns, sum uint64
			if _, err := fmt.Sscan(string(out), &ns, &sum); err != nil {
				b.Fatalf("boost said %q: %v", out, err)
			}
			check(b, sum)
			b.ReportMetric(float64(ns)/float64(b.N), "ns/op")
		})
	}
}

// boost builds the C++ contestant.
func boost(b *testing.B) string {
	b.Helper()
	_, err := exec.LookPath("g++")
	_, header := os.Stat("/usr/include/boost/lockfree/spsc_queue.hpp")
	if err != nil || header != nil {
		b.Skip("Boost is left out: it needs g++ and Debian's libboost-dev (apt-get install g++ libboost-dev)")
	}
	program := filepath.Join(b.TempDir(), "boost")
	if out, err := exec.Command("g++", "-O2", "-march=native", "-pthread", "-o", program, filepath.Join("testdata", "boost.cpp")).CombinedOutput(); err != nil {
		b.Fatalf("g++: %v\n%s", err, strings.TrimSpace(string(out)))
	}
	return program
}
