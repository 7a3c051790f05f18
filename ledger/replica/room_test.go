package replica

import "testing"

// In a pair each disk is needed: a full follower is fed as ever, and the leader says that it wants nothing new, as long as the
// disk is full and its host is there.
func TestFullDiskOfAPairCramps(t *testing.T) {
	for _, witnesses := range []int{0, 1} {
		mustSimulate(t, 11, 2, witnesses, 0, func(s *sim) {
			a, b := s.data()
			s.run(300 * ms)
			if a.r.Cramped() {
				s.failf("cramped, and all disks have room")
			}
			s.fill(map[*simHost]Room{b: Full})
			acked := s.check.acked
			s.run(1000 * ms)
			if !a.r.Cramped() || b.r.Cramped() || s.check.acked < acked+50 || a.r.SingleCopy() || s.stats.single > 0 {
				s.failf("cramped %v, follower %v, %d acknowledged, single copy %v, %d", a.r.Cramped(), b.r.Cramped(), s.check.acked-acked, a.r.SingleCopy(), s.stats.single)
			}
			s.isolate(b)
			s.run(1000 * ms)
			if leads := a.r.Leader(); leads != (witnesses > 0) || a.r.Cramped() {
				s.failf("the full host is away: leads %v, cramped %v", leads, a.r.Cramped())
			}
			s.cut = [8][8]bool{}
			s.until("cramped again", 3000*ms, func() bool { l := s.leader(); return l == a && a.r.Cramped() || l == b && b.r.Cramped() })
			s.fill(nil)
			s.until("room again", 100*ms, func() bool { return !a.r.Cramped() && !b.r.Cramped() })
			s.heal()
		})
	}
}

// Of three a full one is left alone: it gets nothing that it would have to write, and disturbs nobody; it is fed when it is needed,
// and gets what it lacks when it has room again: from the log, or a snapshot.
func TestFullDiskOfThreeIsSpared(t *testing.T) {
	for _, long := range []int64{200, 4000} {
		mustSimulate(t, 12, 3, 0, 0, func(s *sim) {
			a, b := s.data()
			if s.load = 80; long < 1000 { // the log that is kept suffices
				s.load = 3
			}
			c := s.hosts[5-a.n-b.n] // the third
			s.run(300 * ms)
			s.fill(map[*simHost]Room{b: Full})
			s.run(100 * ms) // what was on its way
			last, appends, acked, leaders := b.log.Last(), b.db.Stats().Appends, s.check.acked, len(s.check.leaders)
			s.run(long * ms)
			if b.log.Last() != last || b.db.Stats().Appends != appends {
				s.failf("the full host took entries %d..%d, %d appends", last, b.log.Last(), b.db.Stats().Appends-appends)
			}
			if a.r.Cramped() || s.check.acked < acked+uint64(long)/200 || len(s.check.leaders) != leaders || s.leader() != a {
				s.failf("cramped %v, %d acknowledged, %d leaders", a.r.Cramped(), s.check.acked-acked, len(s.check.leaders)-leaders)
			}
			if err := a.r.Transfer(0); err != nil {
				s.failf("%v", err)
			}
			s.until("the one with room to lead", 500*ms, func() bool { return s.leader() == c })
			if long > 1000 { // it lacks more than the log has
				snapshots := s.stats.snapshots
				s.fill(nil)
				s.load = 10
				s.until("a snapshot to arrive", 10000*ms, func() bool { return s.stats.snapshots > snapshots })
				s.heal()
				return
			}
			s.run(100 * ms)
			c.r.Progress(func(m Member) {
				if m.ID == b.id && m.Match != last {
					s.failf("the new leader takes the full one's log to end at %d, it ends at %d", m.Match, last)
				}
			})
			s.isolate(a)
			s.until("the full one to be needed", 1000*ms, func() bool { return c.r.Cramped() })
			acked = s.check.acked
			s.until("what was accepted to come to its end with its help", 3000*ms, func() bool { return s.check.acked > acked+2 && b.log.Last() > last })
			s.cut = [8][8]bool{}
			s.until("it to be spared again", 1000*ms, func() bool { return !c.r.Cramped() && c.r.spares(b.id) })
			s.fill(nil)
			s.until("it to have everything", 3000*ms, func() bool { return b.r.Applied()+20 > c.r.Applied() })
			s.heal()
		})
	}
}

// A full host that lacks more than the log has is sent the lane as soon as it is needed, as it would be sent entries.
func TestFullDiskThatIsNeededGetsASnapshot(t *testing.T) {
	mustSimulate(t, 18, 3, 0, 0, func(s *sim) {
		a, b := s.data()
		s.load = 80
		s.run(300 * ms)
		s.fill(map[*simHost]Room{b: Full})
		s.run(4000 * ms)
		if s.stats.snapshots > 0 || b.r.Applied() >= a.log.First() {
			s.failf("%d snapshots, the full host has %d, the log begins at %d", s.stats.snapshots, b.r.Applied(), a.log.First())
		}
		s.load = 10
		s.isolate(s.hosts[5-a.n-b.n]) // the third
		acked := s.check.acked
		s.until("what was accepted to come to its end with its help", 20000*ms, func() bool { return s.leader() == a && s.check.acked > acked+20 })
		if s.stats.snapshots == 0 || !a.r.Cramped() {
			s.failf("%d snapshots, cramped %v", s.stats.snapshots, a.r.Cramped())
		}
		s.heal()
	})
}

// A host that joins with a full disk gets nothing until it has room, so nobody is refused on its behalf: here the one left of a pair goes
// on with the witness.
func TestFullDiskOfALearnerCrampsNobody(t *testing.T) {
	mustSimulate(t, 14, 2, 1, 1, func(s *sim) {
		a, b := s.data()
		c := s.hosts[3]
		s.isolate(b)
		s.until("a to go on alone", 3000*ms, a.r.SingleCopy)
		c.join(a.r.Group())
		if err := a.r.ProposeConf(Change{AddLearner, c.id}); err != nil {
			s.failf("%v", err)
		}
		s.fill(map[*simHost]Room{c: Full})
		s.until("the third to join", 3000*ms, func() bool { return a.r.Group().Has(c.id) && a.r.answers(a.r.peer(c.id)) })
		s.run(1000 * ms)
		if !a.r.Leader() || a.r.Cramped() {
			s.failf("leads %v, cramped %v", a.r.Leader(), a.r.Cramped())
		}
		s.cut = [8][8]bool{}
		s.fill(nil)
		s.heal()
	})
}

// A disk at its end is hardly written to any more: its host takes no entries, whether or not the leader knows, leads nothing that another
// could, and campaigns only when nobody else has led for a while.
func TestBrimfulDiskTakesNothing(t *testing.T) {
	mustSimulate(t, 13, 2, 1, 0, func(s *sim) {
		a, b := s.data()
		s.run(300 * ms)
		b.r.SetRooms(map[uint64]Room{b.id: Brimful}) // and nobody else knows
		last := b.log.Last()
		acked := s.check.acked
		s.until("a to go on alone", 2000*ms, func() bool { return a.r.SingleCopy() && s.check.acked > acked+20 })
		s.fill(map[*simHost]Room{b: Brimful})
		s.run(1000 * ms)
		if b.log.Last() != last || !a.r.Cramped() || s.leader() != a {
			s.failf("the host at its end took entries %d..%d, cramped %v", last, b.log.Last(), a.r.Cramped())
		}
		s.isolate(a)
		s.run(1500 * ms)
		if leader, _, _ := b.r.Role(); leader {
			s.failf("it leads")
		}
		s.cut = [8][8]bool{}
		s.fill(nil)
		s.until("two copies", 5000*ms, func() bool { l := s.leader(); return l != nil && !l.r.SingleCopy() && b.r.Applied()+20 > a.r.Applied() })

		a, b = s.data()
		s.load = 0
		s.until("both to have the same", 3000*ms, func() bool { return a.log.Last() == b.log.Last() && a.r.InFlight() == 0 })
		s.fill(map[*simHost]Room{b: Brimful})
		s.isolate(a)
		s.run(1000 * ms)
		if leader, _, _ := b.r.Role(); leader {
			s.failf("it leads and has not waited for anybody else")
		}
		s.until("it to lead, as nobody else can", 4000*ms, func() bool { leader, _, _ := b.r.Role(); return leader })
		s.cut = [8][8]bool{}
		s.fill(nil)
		s.load = 50

		a, b = s.data()
		s.fill(map[*simHost]Room{a: Brimful})
		s.until("the other to lead", 2000*ms, func() bool { return s.leader() == b })
		s.fill(map[*simHost]Room{a: Brimful, b: Brimful})
		leaders := len(s.check.leaders)
		s.run(1000 * ms)
		if s.leader() != b || len(s.check.leaders) != leaders {
			s.failf("two hosts at their end hand the lead to and fro")
		}
		s.heal()
	})
}

// Whoever led with a disk at its end leads again after a restart, where nobody else can: all disks are, or the other host lacks what
// was acknowledged in a single copy. That one is given it, and leads then. Where nothing could be committed nobody leads.
func TestBrimfulLeaderComesBack(t *testing.T) {
	mustSimulate(t, 16, 2, 1, 0, func(s *sim) {
		a, b := s.data()
		s.run(300 * ms)
		s.fill(map[*simHost]Room{a: Brimful, b: Brimful})
		s.until("a single copy", 3000*ms, func() bool { l := s.leader(); return l != nil && l.r.SingleCopy() })
		a, b = s.data()
		s.run(500 * ms) // with one copy, which b lacks
		a.kill(false)
		s.run(500 * ms)
		a.start()
		acked := s.check.acked
		s.until("it to go on", 5000*ms, func() bool { return s.leader() == a && s.check.acked > acked+20 })

		a.kill(false)
		s.fill(map[*simHost]Room{a: Brimful})
		s.run(500 * ms) // b has room, and lacks what a acknowledged
		a.start()
		s.until("b to have everything and to lead", 10000*ms, func() bool { return s.leader() == b })
		s.heal()
	})
	mustSimulate(t, 17, 3, 0, 0, func(s *sim) {
		a, _ := s.data()
		s.run(300 * ms)
		s.fill(map[*simHost]Room{s.hosts[0]: Brimful, s.hosts[1]: Brimful, s.hosts[2]: Brimful})
		s.run(300 * ms)
		a.kill(false)
		a.start()
		s.run(5000 * ms)
		if s.leader() != nil {
			s.failf("a host leads, and nobody takes what it says")
		}
		s.heal()
	})
}
