package cluster

import (
	"math/rand/v2"
	"testing"
)

// steps follows Shift until it says nothing more.
func steps(t *testing.T, lanes []Lead, hosts []uint64, down uint64) (moves int) {
	t.Helper()
	for {
		lane, to, ok := Shift(lanes, hosts, func(_ int, h uint64) bool { return h != down })
		if !ok {
			return moves
		}
		if moves++; moves > 4*len(lanes) {
			t.Fatalf("no end of steps: %+v", lanes)
		}
		if to == down || to == lanes[lane].By {
			t.Fatalf("lane %d to %d", lane, to)
		}
		lanes[lane].By = to
	}
}

func leads(lanes []Lead, host uint64) (n, weight int) {
	for _, l := range lanes {
		if l.By == host {
			n, weight = n+1, weight+l.Weight
		}
	}
	return n, weight
}

func TestShiftSpreadsAndStops(t *testing.T) {
	hosts := []uint64{1, 2}
	lanes := make([]Lead, 8)
	for i := range lanes {
		lanes[i] = Lead{By: 1, Weight: 1, Stays: i == 0}
	}
	if n := steps(t, lanes, hosts, 2); n != 0 {
		t.Fatalf("%d lanes go to a host that is away", n)
	}
	if n := steps(t, lanes, hosts, 0); n != 4 {
		t.Errorf("%d moves to spread eight lanes over two hosts, want 4", n)
	}
	if a, _ := leads(lanes, 1); a != 4 || lanes[0].By != 1 {
		t.Errorf("%+v", lanes)
	}
	for i := range lanes { // the second host died, and the first leads all; it comes back
		lanes[i].By = 1
	}
	if n := steps(t, lanes, hosts, 0); n != 4 {
		t.Errorf("%d moves when a host is back, want 4", n)
	}
	lanes[0].Pin, lanes[7].Pin = 2, 1
	steps(t, lanes, hosts, 0)
	if lanes[0].By != 2 || lanes[7].By != 1 {
		t.Errorf("pins are not followed: %+v", lanes)
	}
	if a, _ := leads(lanes, 1); a != 4 {
		t.Errorf("host 1 leads %d of 8", a)
	}
}

// Lanes with many accounts stand apart, whatever their numbers.
func TestShiftWeighs(t *testing.T) {
	lanes := make([]Lead, 8)
	for i := range lanes {
		lanes[i] = Lead{By: 1, Weight: 1, Stays: i == 0}
	}
	lanes[1].Weight, lanes[2].Weight = 17, 17
	steps(t, lanes, []uint64{1, 2}, 0)
	if lanes[1].By == lanes[2].By {
		t.Errorf("both busy lanes are led by one host: %+v", lanes)
	}
}

func TestShiftEndsForAnything(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		hosts := []uint64{1, 2, 3, 4, 5}[:1+rng.IntN(5)]
		lanes := make([]Lead, 1+rng.IntN(40))
		for i := range lanes {
			lanes[i] = Lead{By: hosts[rng.IntN(len(hosts))], Weight: 1 + rng.IntN(30), Stays: i == 0}
			if rng.IntN(10) == 0 {
				lanes[i].Pin = hosts[rng.IntN(len(hosts))]
			}
		}
		steps(t, lanes, hosts, 0)
	}
}

// A host whose disk is full is none of those that lanes are spread over: it gives up all but what stays, one by one, to the least
// laden, is given nothing, an operator's word neither, and has its part when it is among them again.
func TestShiftLeavesAFullHost(t *testing.T) {
	lanes := make([]Lead, 9)
	for i := range lanes {
		lanes[i] = Lead{By: 1 + uint64(i%3), Weight: 1, Stays: i == 0}
	}
	lanes[4].Pin = 1
	if n := steps(t, lanes, []uint64{2, 3}, 1); n != 2 {
		t.Errorf("%d moves off a host that leads lane 0 and two more, want 2", n)
	}
	if a, _ := leads(lanes, 1); a != 1 || lanes[0].By != 1 {
		t.Errorf("the full host leads %d lanes: %+v", a, lanes)
	}
	for _, host := range []uint64{2, 3} {
		if n, _ := leads(lanes, host); n != 4 {
			t.Errorf("host %d leads %d of the other 8", host, n)
		}
	}
	if n := steps(t, lanes, nil, 0); n != 0 {
		t.Errorf("%d moves when no host has room", n)
	}
	steps(t, lanes, []uint64{1, 2, 3}, 0)
	if a, _ := leads(lanes, 1); a != 3 || lanes[4].By != 1 {
		t.Errorf("with room again it leads %d lanes: %+v", a, lanes)
	}
}
