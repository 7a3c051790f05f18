package replica

import (
	"errors"
	"math"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestThreeMembersElectAndAgree(t *testing.T) {
	mustSimulate(t, 1, 3, 0, 0, func(s *sim) {
		s.load = 0
		s.until("the first leader", 2000*ms, func() bool { return s.leader() != nil })
		s.load = 100
		s.run(1000 * ms)
		s.heal()
		if s.check.acked < 50 || len(s.check.leaders) != 1 {
			s.failf("%d acknowledged under %d leaders on a good network", s.check.acked, len(s.check.leaders))
		}
		s.load = 0
		s.until("nothing to be needed any more", 1000*ms, func() bool { return s.leader().r.Needed() == s.leader().r.Applied()+1 })
		s.until("the others to hear of it", 1000*ms, func() bool {
			for _, h := range s.hosts {
				if h.r.Needed() != h.r.Applied()+1 {
					return false
				}
			}
			return true
		})
	})
}

func TestLeaderCutOffAcknowledgesNothing(t *testing.T) {
	mustSimulate(t, 2, 3, 0, 0, func(s *sim) {
		s.until("the first leader", 2000*ms, func() bool { return s.leader() != nil })
		old := s.leader()
		s.until("the first blocks", 1000*ms, func() bool { return s.check.acked > 2 })
		s.isolate(old)
		s.run(20 * ms) // what was on its way
		s.net = nil
		before, start := old.r.Applied(), s.now
		s.until("the next leader", 2000*ms, func() bool { return s.leader() != old && s.leader() != nil })
		if s.now-start < electionTicks*20*ms*8/10 {
			s.failf("a leader after %d ms: faster than it can be noticed", (s.now-start)/ms)
		}
		s.until("the old leader to step down", 2000*ms, func() bool { leader, _, _ := old.r.Role(); return !leader })
		if old.r.Applied() != before || old.r.Lease() != 0 {
			s.failf("a cut off leader applied %d entries on its own, lease %d", old.r.Applied()-before, old.r.Lease())
		}
		s.run(500 * ms)
		s.heal()
	})
}

// isolate cuts a host off from all others.
func (s *sim) isolate(h *simHost) {
	for i := range s.cut {
		s.cut[i][h.n], s.cut[h.n][i] = true, true
	}
}

func (s *sim) data() (leader, other *simHost) {
	s.until("a leader", 3000*ms, func() bool { return s.leader() != nil })
	leader = s.leader()
	for _, h := range s.hosts {
		if h != leader && !h.witness && !h.spare {
			other = h
		}
	}
	return leader, other
}

// In steady state the witness is sent no entry, writes nothing, and both data hosts have what is acknowledged. With
// one of them away the witness stands in and that is told; once it is back and level, the witness is left alone.
func TestWitnessIsFedOnlyInNeed(t *testing.T) {
	mustSimulate(t, 3, 2, 1, 0, func(s *sim) {
		a, b := s.data()
		w := s.hosts[2]
		s.run(200 * ms)
		last, appends := w.log.Last(), w.db.Stats().Appends
		s.load = 100
		s.run(3000 * ms)
		if w.log.Last() != last || w.db.Stats().Appends != appends || s.stats.single != 0 {
			s.failf("the witness took entries %d..%d, %d appends, %d acknowledged with one copy", last, w.log.Last(), w.db.Stats().Appends-appends, s.stats.single)
		}
		before := s.check.acked
		b.kill(true)
		s.run(2000 * ms)
		if !a.r.SingleCopy() || s.check.acked < before+100 || s.stats.single == 0 {
			s.failf("alone with the witness: single copy %v, %d acknowledged, %d of them told", a.r.SingleCopy(), s.check.acked-before, s.stats.single)
		}
		for i := w.log.First(); i <= w.log.Last(); i++ {
			if w.log.Size(i) != 0 {
				s.failf("the witness has %d octets of entry %d", w.log.Size(i), i)
			}
		}
		s.load = 20 // the log must not run away from a slow snapshot
		b.start()
		s.until("two copies again", 5000*ms, func() bool { return !a.r.SingleCopy() })
		s.run(100 * ms)
		appends = w.db.Stats().Appends
		s.run(2000 * ms)
		if w.db.Stats().Appends != appends {
			s.failf("the witness is fed on: %d appends", w.db.Stats().Appends-appends)
		}
		s.heal()
	})
}

// A pair with a witness fails over; the stale host alone with the witness must not lead.
func TestPairFailsOver(t *testing.T) {
	mustSimulate(t, 4, 2, 1, 0, func(s *sim) {
		a, b := s.data()
		s.load = 100
		s.run(1000 * ms)
		a.kill(true)
		start, acked := s.now, s.check.acked
		s.until("the other host to acknowledge", 1500*ms, func() bool { return s.check.acked > acked+1 && s.leader() == b })
		s.logf("failed over in %d ms", (s.now-start)/ms)
		s.run(500 * ms) // with one copy, which a lacks
		b.kill(true)
		a.start()
		for range 500 {
			if s.step(); s.leader() != nil {
				s.failf("a host that lacks acknowledged entries leads")
			}
		}
		s.heal()
	})
}

func TestTransfer(t *testing.T) {
	mustSimulate(t, 5, 2, 1, 0, func(s *sim) {
		a, b := s.data()
		s.run(300 * ms)
		for _, to := range []uint64{s.hosts[2].id, a.id, 99} {
			if err := a.r.Transfer(to); !errors.Is(err, ErrNoSuccessor) {
				s.failf("transfer to %x: %v", to, err)
			}
		}
		if err := b.r.Transfer(0); !errors.Is(err, ErrNotLeader) {
			s.failf("a follower hands over: %v", err)
		}
		if err := a.r.Transfer(0); err != nil {
			s.failf("%v", err)
		}
		start := s.now
		s.until("the other to lead", 500*ms, func() bool { return s.leader() == b })
		if took := s.now - start; took > 100*ms {
			s.failf("handing over took %d ms", took/ms)
		}
		if a.r.Leader() || a.r.Lease() != 0 {
			s.failf("both lead")
		}
		s.heal()
	})
}

// A host that waits for a snapshot is nobody to hand over to: the leader would take no proposals and wait for it in vain.
func TestNobodyHandsOverToWhoLacksTheLane(t *testing.T) {
	mustSimulate(t, 15, 2, 1, 0, func(s *sim) {
		a, b := s.data()
		b.kill(false)
		s.load = 80
		s.run(4000 * ms) // more than the log that is kept
		b.start()
		s.until("b to wait for a snapshot", 3000*ms, func() (waits bool) {
			a.r.Progress(func(m Member) { waits = waits || m.ID == b.id && m.Active && m.Snapshot })
			return waits
		})
		if err := a.r.Transfer(0); !errors.Is(err, ErrNoSuccessor) {
			s.failf("it hands over: %v", err)
		}
		if !a.r.Propose(testBlock(0, 1, 1<<40)) {
			s.failf("proposals are dropped for the sake of a host that cannot lead")
		}
		s.load = 10
		s.until("b to have everything", 20000*ms, func() bool { return b.r != nil && b.r.Applied()+20 > a.r.Applied() })
		if err := a.r.Transfer(0); err != nil {
			s.failf("%v", err)
		}
		s.until("b to lead", 500*ms, func() bool { return s.leader() == b })
		s.heal()
	})
}

// A leader whose disk hangs says so, and hands over before anybody times out.
func TestStalledDiskHandsOver(t *testing.T) {
	mustSimulate(t, 6, 3, 0, 0, func(s *sim) {
		s.until("a leader", 3000*ms, func() bool { return s.leader() != nil })
		a := s.leader()
		s.run(300 * ms)
		if a.r.Stalled() {
			s.failf("a disk that works is called stalled")
		}
		a.stalled = s.now + 60000*ms
		s.until("another to lead", 2500*ms, func() bool { l := s.leader(); return l != nil && l != a })
		acked := s.check.acked
		s.run(500 * ms)
		if s.check.acked < acked+10 {
			s.failf("the others do not go on")
		}
		a.stalled = 0
		s.heal()
	})
}

func TestLease(t *testing.T) {
	mustSimulate(t, 7, 2, 1, 1, func(s *sim) {
		a, b := s.data()
		if from := a.r.SendFrom() - a.now(); from < int64(defaultLease) {
			s.failf("sends %d ms after it became leader", from/ms)
		}
		s.run(1500 * ms)
		for range 300 {
			s.step()
			if left := a.r.Lease() - a.now(); left < 150*ms || left > int64(defaultLease)*3/4 {
				s.failf("the lease has %d ms left on a good network", left/ms)
			}
		}
		s.isolate(b) // the witness answers
		s.run(1000 * ms)
		if a.r.Lease() <= a.now() {
			s.failf("no lease though a majority answers")
		}
		s.cut = [8][8]bool{}
		s.isolate(a)
		s.run(400 * ms)
		if a.r.Lease() > a.now() {
			s.failf("a leader that nobody answers keeps its lease")
		}
		s.heal()
	})
	h := openSingle(t, vfs.NewMem(), "j", 0)
	defer h.close()
	h.until(h.r.Leader)
	if h.r.Lease() != math.MaxInt64 || h.r.SendFrom() != 0 || h.r.SingleCopy() || h.r.Stalled() {
		t.Errorf("the only member: lease %d from %d", h.r.Lease(), h.r.SendFrom())
	}
}

// A single host becomes a pair with a witness without losing its lease, and a host is taken out again.
func TestGroupGrowsAndShrinks(t *testing.T) {
	mustSimulate(t, 8, 1, 0, 2, func(s *sim) {
		s.until("a leader", 1000*ms, func() bool { return s.leader() != nil })
		a, b, w := s.hosts[0], s.hosts[1], s.hosts[2]
		w.witness, w.id = true, MakeID(3, 1, true)
		leased := func() {
			if a.r.Lease() <= a.now() {
				s.failf("the lease ended while the group changes")
			}
		}
		s.until("some blocks", 1000*ms, func() bool { leased(); return s.check.acked > 50 })
		for _, step := range []struct {
			h    *simHost
			kind ChangeKind
			done func(Group) bool
		}{
			{b, AddLearner, func(g Group) bool { return g.Has(b.id) }},
			{b, AddVoter, func(g Group) bool { return g.Votes(b.id) }},
			{w, AddVoter, func(g Group) bool { return g.Votes(w.id) }},
		} {
			step.h.join(a.r.Group())
			if err := a.r.ProposeConf(Change{step.kind, step.h.id}); err != nil {
				s.failf("%v", err)
			}
			if err := a.r.ProposeConf(Change{Remove, step.h.id}); !errors.Is(err, ErrPending) {
				s.failf("a second change meanwhile: %v", err)
			}
			s.until("the change", 3000*ms, func() bool { leased(); return step.done(a.r.Group()) && a.r.Applied() > a.r.Group().Index+20 })
			s.until("the member to follow", 3000*ms, func() bool {
				leased()
				return step.h.witness || step.h.r != nil && step.h.r.Applied()+5 > a.r.Applied()
			})
		}
		for _, bad := range [][]Change{{{Remove, a.id}, {Remove, b.id}}, {{AddVoter, 0}}} {
			if err := a.r.ProposeConf(bad...); !errors.Is(err, ErrGroup) {
				s.failf("%v: %v", bad, err)
			}
		}
		if err := a.r.ProposeConf(Change{Remove, a.id}); err != nil {
			s.failf("%v", err)
		}
		s.until("the other to lead", 3000*ms, func() bool { l := s.leader(); return l == b })
		a.kill(false)
		a.spare = true
		s.run(500 * ms)
		s.heal()
	})
}

// A member that comes back with nothing under the id it had is told, and neither votes for what it does not
// know nor brings the process down.
func TestLostLogIsTold(t *testing.T) {
	mustSimulate(t, 9, 3, 0, 0, func(s *sim) {
		s.until("a leader", 3000*ms, func() bool { return s.leader() != nil })
		s.run(500 * ms)
		a := s.leader()
		b := s.hosts[a.n%3]
		b.wiped()
		var told error
		for range 50 {
			s.now += simStep
			a.work()
			a.disk()
			for _, p := range s.net {
				if err := error(nil); p.to == b.id {
					if err = b.r.Step(p.data); errors.Is(err, ErrLostLog) {
						told = err
					}
				}
			}
			s.net = nil
		}
		if told == nil {
			s.failf("nobody noticed")
		}
	})
}
