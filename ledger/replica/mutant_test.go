package replica

import (
	"testing"
)

// Each mutant breaks one promise on purpose, and the simulation must see it, or it would not see a mistake
// either. Where bad weather alone would take long to show one, a plan leads up to the moment.
var mutants = map[string]struct {
	mut   mutation
	shape shape
	seeds int
}{
	"skips the sync":             {mutation{faults: faults{skipSync: true}}, shape{3, 0, 0}, 20},
	"forgets its vote":           {mutation{faults: faults{forgetVote: true}, plan: revote}, shape{3, 0, 0}, 60},
	"feeds the witness eagerly":  {mutation{faults: faults{eager: true}}, shape{2, 1, 0}, 20},
	"feeds it before the disk":   {mutation{faults: faults{early: true}, plan: blink}, shape{2, 1, 0}, 10},
	"wiped leader and witness":   {mutation{sameID: true, plan: wipeBoth}, shape{2, 1, 0}, 20},
	"wiped follower and witness": {mutation{sameID: true, plan: wipeOther}, shape{2, 1, 0}, 20},
	"drops MsgSnap in silence":   {mutation{faults: faults{dropSnap: true}, plan: fallBehind}, shape{3, 0, 0}, 5},
	"drops the witness's":        {mutation{faults: faults{dropSnap: true}, plan: staleWitness}, shape{2, 1, 0}, 5},
	"leases without an echo":     {mutation{faults: faults{ownLease: true}, plan: stop}, shape{2, 1, 0}, 20},
}

func TestMutantsAreCaught(t *testing.T) {
	for name, m := range mutants {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(m.seeds) {
				if _, broken := simulate(seed, m.mut, m.shape.data, m.shape.witnesses, m.shape.spares, storm); broken != "" {
					t.Logf("seed %d: %.120s", seed, broken)
					return
				}
			}
			t.Errorf("lived through %d seeds", m.seeds)
		})
	}
}

// The same courses hold without the mutation.
func TestMutantPlansHold(t *testing.T) {
	for name, m := range mutants {
		if m.mut.plan == nil || m.mut.sameID {
			continue
		}
		m.mut.faults = faults{}
		for seed := range uint64(2) {
			if _, broken := simulate(seed, m.mut, m.shape.data, m.shape.witnesses, m.shape.spares, storm); broken != "" {
				t.Errorf("%s, seed %d: %s", name, seed, broken)
			}
		}
	}
}

// revote crashes voters just after they voted, again and again.
func revote(s *sim) {
	s.run(1000 * ms)
	for range 30 {
		for _, h := range s.hosts { // nobody hears a leader
			s.isolate(h)
		}
		s.run(int64(300+s.rng.IntN(300)) * ms)
		s.cut = [8][8]bool{}
		s.delay = 60 * ms
		for range 60 {
			s.step()
			for _, h := range s.hosts {
				if h.r != nil && h.log.Vote().Voted != 0 && h.log.Vote().Voted != h.id && h.log.Vote().Term > h.votedIn {
					h.votedIn = h.log.Vote().Term
					s.run(5 * simStep) // its answer leaves
					h.kill(true)
					h.start()
				}
			}
		}
		s.delay = 4 * ms
	}
	s.heal()
}

// wipeBoth: acknowledged with one copy, which is lost together with the witness's memory of it.
func wipeBoth(s *sim) {
	a, b := s.data()
	s.run(500 * ms)
	b.kill(true)
	s.run(1500 * ms)
	a.wiped()
	s.hosts[2].wiped()
	b.start()
	s.run(3000 * ms)
	s.heal()
}

// wipeOther: the follower and the witness forget, and the leader is away: the two of them begin anew.
func wipeOther(s *sim) {
	a, b := s.data()
	s.run(1000 * ms)
	a.kill(true)
	b.wiped()
	s.hosts[2].wiped()
	s.run(3000 * ms)
	s.heal()
}

// fallBehind keeps a host away until the log does not reach it any more.
func fallBehind(s *sim) {
	_, b := s.data()
	b.kill(false)
	s.load = 100
	s.run(4000 * ms)
	s.heal()
}

// staleWitness makes the witness the one that decides, when it is behind the log.
func staleWitness(s *sim) {
	_, b := s.data()
	s.load = 100
	s.run(3000 * ms)
	b.kill(true)
	acked := s.check.acked
	s.until("the witness to stand in", 3000*ms, func() bool { return s.check.acked > acked+20 })
	s.heal()
}

// stop freezes the leader until another leads, and lets it go on.
func stop(s *sim) {
	s.data()
	for range 6 {
		s.run(1500 * ms)
		a := s.leader()
		if a == nil {
			continue
		}
		a.frozen = s.now + int64(900+s.rng.IntN(600))*ms
		s.run(1500 * ms)
	}
	s.heal()
}

// blink takes the power of the only data host that is there, again and again: with the witness it leads anew.
func blink(s *sim) {
	a, b := s.data()
	s.load = 100
	s.run(500 * ms)
	b.kill(true)
	for range 15 {
		s.until("the host that is left to lead", 5000*ms, func() bool { return s.leader() == a })
		s.run(int64(200+s.rng.IntN(500)) * ms)
		a.kill(true)
		a.start()
	}
	s.heal()
}
