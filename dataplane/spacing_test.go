package dataplane

import (
	"os"
	"testing"
	"time"
)

// The executor rests when turns are many and small, and not when they are few, come after a pause, or have much to do.
func TestSpacing(t *testing.T) {
	var s spacer
	now := int64(time.Hour)
	turns := func(n int, every time.Duration, work int) (rest time.Duration) {
		for range n {
			now += int64(every)
			rest = s.turned(now, work)
		}
		return rest
	}
	for _, step := range []struct {
		name  string
		n     int
		every time.Duration
		work  int
		want  time.Duration
	}{
		{"the first", 1, 0, 1, 0},
		{"many small ones", 200, 250 * time.Microsecond, 10, spacing},
		{"spaced, with more in each", 200, spacing, 100, spacing},
		{"much in each", 200, spacing, spacingWork, 0},
		{"small ones again", 200, spacing, 50, spacing},
		{"few", 20, 5 * time.Millisecond, 5, 0},
		{"many small ones again", 200, 250 * time.Microsecond, 10, spacing},
		{"one behind a pause", 1, time.Second, 10, 0},
	} {
		if got := turns(step.n, step.every, step.work); got != step.want {
			t.Errorf("%s: rests %v; want %v", step.name, got, step.want)
		}
	}
}

// A nap lasts as long as was asked for at least, with the kernel's timer and without.
func TestNap(t *testing.T) {
	for _, n := range []*napper{{}, {err: os.ErrInvalid}} {
		defer n.close()
		for range 20 {
			began := time.Now()
			if n.sleep(spacing); time.Since(began) < spacing {
				t.Fatalf("slept %v of %v", time.Since(began), spacing)
			}
		}
	}
}
