package replica

import (
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// operate is the operator and the hosts' formation: it brings back a host whose store was lost under its next
// incarnation, as `cluster replace` does.
func (s *sim) operate() {
	h := s.pending
	if h == nil {
		return
	}
	l := s.leader()
	if l == nil {
		s.promote()
	}
	if l == nil {
		return
	}
	g := l.r.Group()
	switch {
	case g.Votes(h.id) && !g.Has(s.dropped) && !g.Joint():
		s.logf("host %s is replaced", h.name())
		s.pending = nil
		s.stats.changes++
	case l == h:
	case h.witness && !g.Has(h.id):
		h.join(g)
		_ = l.r.ProposeConf(s.swap(h)...)
	case h.witness:
	case !g.Has(h.id):
		h.join(g)
		_ = l.r.ProposeConf(Change{AddLearner, h.id})
	case slices.Contains(g.Learners, h.id):
		l.r.Progress(func(m Member) {
			if m.ID == h.id && m.Match+20 >= l.r.Committed() && h.r != nil {
				_ = l.r.ProposeConf(s.swap(h)...)
			}
		})
	}
}

// promote is the operator's act in a pair without a third place: the host that is left goes on alone.
func (s *sim) promote() {
	for _, h := range s.hosts {
		if h.r == nil || h.spare || !h.up() || h.installing || s.now < s.promoteAt {
			continue
		}
		if g := h.r.Group(); len(g.Voters) == 2 && !g.Joint() && g.Votes(s.dropped) && g.Votes(h.id) {
			s.logf("host %s is promoted", h.name())
			s.stats.promoted++
			h.kill(false)
			h.start()
			h.r = nil
			done := false
			Alone(h.db, h.log, h.id, func() { done = true })
			if h.db.Step(1 << 30); h.db.Sync() == 0 || !done {
				s.failf("host %s: the promotion is not durable", h.name())
			}
			h.kill(false)
			h.start()
			s.promoteAt = s.now + 5000*ms
			return
		}
	}
}

func (s *sim) swap(h *simHost) []Change {
	c := []Change{{AddVoter, h.id}}
	if l := s.leader(); l.r.group.Has(s.dropped) {
		c = append(c, Change{Remove, s.dropped})
	}
	return c
}

// join opens the host's lane with the group that the leader tells.
func (h *simHost) join(g Group) {
	if h.spare {
		h.spare, h.group = false, g
		if h.db != nil {
			h.s.failf("host %s: a spare runs", h.name())
		}
		h.start()
	}
}

// mayLose says whether the store of h can go without what nobody else has: some other data voter is up, level
// with every log there is, and synced.
func (s *sim) mayLose(h *simHost) bool {
	l := s.leader()
	if s.pending != nil || l == nil || l.r.Group().Joint() || s.anyDown() {
		return false
	}
	if h.witness {
		return true
	}
	for _, o := range s.hosts {
		if o == h || o.spare || o.witness || o.r == nil || !l.r.Group().Votes(o.id) {
			continue
		}
		o.db.Step(1 << 30)
		s.check.durable(o, o.log)
		o.db.Sync()
		level := o.r != nil
		for _, all := range s.hosts {
			if level && all.log != nil {
				a, _ := all.log.Term(all.log.Last())
				b, _ := o.log.Term(o.log.Last())
				level = b > a || b == a && o.log.Last() >= all.log.Last()
			}
		}
		if level {
			return true
		}
	}
	return false
}

func (s *sim) anyDown() bool {
	return slices.ContainsFunc(s.hosts, func(h *simHost) bool { return !h.spare && h.r == nil })
}

// wipe takes a host's store away.
func (s *sim) wipe(h *simHost) {
	s.logf("host %s loses its store", h.name())
	s.stats.wiped++
	h.kill(false)
	h.fs = vfs.NewCrashableMem()
	h.drift = 0.9 + 0.2*s.rng.Float64()
	if s.mut.sameID {
		h.start()
		return
	}
	s.dropped = h.id
	h.id = MakeID(h.n, Incarnation(h.id)+1, h.witness)
	h.spare = true
	s.pending = h
	s.net = slices.DeleteFunc(s.net, func(p packet) bool { return Number(p.to) == h.n })
}

// wiped brings a wiped host back under its old id, as no transport would let it.
func (h *simHost) wiped() {
	h.kill(false)
	h.fs = vfs.NewCrashableMem()
	h.start()
}

// fault changes the weather.
func (s *sim) fault() {
	members := slices.DeleteFunc(slices.Clone(s.hosts), func(h *simHost) bool { return h.spare })
	h := members[s.rng.IntN(len(members))]
	if l := s.leader(); l != nil && s.rng.IntN(3) == 0 {
		h = l
	}
	s.loss = []int{0, 0, 2, 10, 25}[s.rng.IntN(5)]
	s.dup = []int{0, 0, 5, 20}[s.rng.IntN(4)]
	s.delay = []int64{2, 5, 20, 100}[s.rng.IntN(4)] * ms
	s.load = []int{0, 20, 50, 80}[s.rng.IntN(4)]
	if s.disks.IntN(8) == 0 { // some disks fill up, and others are cleared
		full := map[*simHost]Room{}
		for _, h := range members {
			if room := Room(max(0, s.disks.IntN(5)-2)); room != Roomy && !h.witness {
				full[h] = room
			}
		}
		s.fill(full)
	}
	switch s.rng.IntN(14) {
	case 0: // power loss of all, at once
		for _, h := range members {
			h.kill(true)
		}
		for _, h := range members {
			h.start()
		}
	case 1: // of some
		for _, h := range members {
			if s.rng.IntN(2) == 0 {
				h.kill(true)
			}
		}
	case 2, 3:
		if h.db != nil {
			h.kill(s.rng.IntN(2) == 0)
		} else {
			h.start()
		}
	case 4: // restarts at once
		h.kill(s.rng.IntN(2) == 0)
		h.start()
	case 5: // cut off, wholly or one way
		for _, o := range s.hosts {
			s.cut[h.n][o.n] = s.rng.IntN(3) > 0
			s.cut[o.n][h.n] = s.rng.IntN(3) > 0
		}
	case 6: // one pair
		o := members[s.rng.IntN(len(members))]
		s.cut[h.n][o.n], s.cut[o.n][h.n] = s.rng.IntN(2) == 0, true
	case 7:
		h.frozen = s.now + s.rng.Int64N(3000)*ms
	case 8:
		h.stalled = s.now + s.rng.Int64N(2500)*ms
	case 9:
		if h.db != nil {
			h.diskErr.Store(true)
		}
	case 10:
		if s.mut.sameID {
			if s.rng.IntN(2) == 0 {
				h.wiped()
			}
		} else if s.mayLose(h) {
			s.wipe(h)
		}
	case 11:
		if l := s.leader(); l != nil {
			s.stats.transfers++
			_ = l.r.Transfer(0)
		}
	case 12:
		s.change()
	default:
		s.cut = [8][8]bool{}
		for _, h := range members {
			if h.db == nil {
				h.start()
			}
		}
	}
}

// change lets a host that is not a member join, or one that is leave for good.
func (s *sim) change() {
	l := s.leader()
	if l == nil || s.pending != nil || s.mut.sameID || l.r.Group().Joint() {
		return
	}
	g := l.r.Group()
	for _, h := range s.hosts {
		if h.spare {
			s.pending, s.dropped = h, 0
			return
		}
	}
	// Somebody changes places with himself: the last host leaves, and comes back later as a spare.
	h := s.hosts[len(s.hosts)-1]
	if h.witness || h == l || len(s.hosts) < 4 || !g.Votes(h.id) || !s.mayLose(h) {
		return
	}
	if l.r.ProposeConf(Change{Remove, h.id}) != nil {
		return
	}
	id := h.id
	for range 250 {
		s.step()
		if l := s.leader(); l != nil && !l.r.leavesOpen(id) {
			break
		}
	}
	if l := s.leader(); l == nil || l.r.leavesOpen(id) || l.r.Applied() < l.r.Group().Index {
		return
	}
	for _, o := range s.hosts { // forgotten by all: it may go
		if o.r != nil && o.id != id && o.r.group.Has(id) {
			return
		}
	}
	s.logf("host %s left", h.name())
	s.stats.changes++
	h.kill(false)
	h.fs = vfs.NewCrashableMem()
	h.id = MakeID(h.n, Incarnation(h.id)+1, h.witness)
	h.spare = true
}

// leavesOpen says that a member was not seen to leave.
func (r *Replica) leavesOpen(id uint64) bool { return r.group.Has(id) || r.confAt > r.applied }
