package replica

import (
	"flag"
	"fmt"
	"strings"
	"testing"
)

var (
	simSeeds = flag.Int("seeds", 40, "how many seeds TestSimulation runs")
	simSeed  = flag.Uint64("seed", 0, "the first of them")
)

// shape is a kind of cluster.
type shape struct{ data, witnesses, spares int }

var shapes = []shape{{2, 1, 0}, {2, 1, 0}, {3, 0, 0}, {3, 0, 1}, {2, 1, 1}, {2, 0, 0}, {1, 0, 1}}

// storm is the course of a seed: bad weather, then repair.
func storm(s *sim) {
	if s.mut.plan != nil {
		s.mut.plan(s)
		return
	}
	s.run(int64(s.rng.IntN(800)) * ms)
	for range 2 + s.rng.IntN(10) {
		s.fault()
		s.run(int64(50+s.rng.IntN(900)) * ms)
	}
	s.heal()
	s.load = 50
	before := s.check.acked
	s.run(500 * ms)
	if s.check.acked == before {
		s.failf("nothing is acknowledged after all is repaired%s", s.state())
	}
	s.heal()
}

func runSeed(seed uint64, mut mutation, trace bool) (*sim, string) {
	sh := shapes[seed%uint64(len(shapes))]
	return simulate(seed, mut, sh.data, sh.witnesses, sh.spares, func(s *sim) {
		if trace {
			s.trace = &strings.Builder{}
		}
		storm(s)
	})
}

func TestSimulation(t *testing.T) {
	var sum simStats
	failed := 0
	for seed := *simSeed; seed < *simSeed+uint64(*simSeeds); seed++ {
		s, broken := runSeed(seed, mutation{}, testing.Verbose() && *simSeeds == 1)
		if broken != "" {
			t.Errorf("seed %d (%v): %s", seed, shapes[seed%uint64(len(shapes))], broken)
			if failed++; failed > 10 {
				break
			}
		}
		if s == nil {
			continue
		}
		if s.trace != nil {
			t.Log("\n" + s.trace.String())
		}
		sum.add(s.stats)
	}
	t.Logf("%d seeds: %+v", *simSeeds, sum)
	if *simSeeds >= 40 && (sum.acked < 2000 || sum.leaders < 50 || sum.snapshots < 5 || sum.wiped < 3 || sum.single < 20) {
		t.Error("too little happened to show anything")
	}
}

func (a *simStats) add(b simStats) {
	a.acked += b.acked
	a.leaders += b.leaders
	a.snapshots += b.snapshots
	a.wiped += b.wiped
	a.crashes += b.crashes
	a.changes += b.changes
	a.single += b.single
	a.diskErrors += b.diskErrors
	a.transfers += b.transfers
	a.resumed += b.resumed
	a.promoted += b.promoted
}

var _ = fmt.Sprint
