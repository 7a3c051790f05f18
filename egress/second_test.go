package egress

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Whatever comes, and in whatever bunches: no second sees more than n, and n pass in each that is offered enough.
func TestSecondIsExact(t *testing.T) {
	const n = 100
	s, rnd := NewSecond(n), rand.New(rand.NewPCG(1, 2))
	var passed []int64
	for now, end := int64(1e18), int64(1e18)+20*second; now < end; now += rnd.Int64N(4 * int64(time.Millisecond)) {
		if idle := now % (5 * second); idle < second { // saves nothing up
			continue
		}
		for s.Open(0, now) {
			s.Passed(now)
			passed = append(passed, now)
		}
	}
	for i := n; i < len(passed); i++ {
		if passed[i]-passed[i-n] < second {
			t.Fatalf("%d in %v", n+1, time.Duration(passed[i]-passed[i-n]))
		}
	}
	if len(passed) < 15*n {
		t.Errorf("%d in 16 busy seconds at %d", len(passed), n)
	}
	var free Second
	if free.Passed(1); !free.Open(3, 1) {
		t.Error("no limit, and shut")
	}
}

// What is kept is there when it is asked for, and bulk that leaves it alone has the rest.
func TestPaceKeepsPlaces(t *testing.T) {
	const tps = 100
	p, low, high := NewPace(tps, 50*time.Millisecond), 0, 0
	for i := range int64(10_000) { // milliseconds
		now := int64(1e18) + i*int64(time.Millisecond)
		if i%50 == 0 && i > 0 {
			if !p.Open(0, now) {
				t.Fatalf("no place after %d ms", i)
			}
			p.Passed(now)
			high++
		}
		for p.Open(1, now) {
			p.Passed(now)
			low++
		}
	}
	if low+high < 98*10*tps/100 || low+high > 10*tps {
		t.Errorf("%d and %d in 10 s at %d", low, high, tps)
	}
}
