package replica

import "smsplane/ledger/journal"

// checker holds the promises against what the hosts show. It is told by the simulation, not by raft.
type checker struct {
	history [][]byte // what was applied first at each index, by index-1
	chain   []uint64 // hash of all up to there
	acked   uint64   // highest index that its proposer saw applied
	leaders map[uint64]string
	copies  map[uint64]copies
	shipped int
}

// copies is which hosts have had an entry of this term on their disk, synced.
type copies struct {
	term  uint64
	hosts uint64
}

func newChecker() checker {
	return checker{leaders: map[uint64]string{}, copies: map[uint64]copies{}}
}

// apply: every host applies the same at every index.
func (c *checker) apply(s *sim, h *simHost, index uint64, block []byte, hash uint64) {
	switch n := uint64(len(c.history)); {
	case index == n+1:
		c.history, c.chain = append(c.history, block), append(c.chain, hash)
	case index > n:
		s.failf("host %s applies %d, the history ends at %d", h.name(), index, n)
	case string(c.history[index-1]) != string(block):
		s.failf("host %s disagrees on index %d (acknowledged up to %d)", h.name(), index, c.acked)
	case c.chain[index-1] != hash:
		s.failf("host %s has other books at index %d", h.name(), index)
	}
}

// fold: what a host recovers or imported is what the history makes of it.
func (c *checker) fold(s *sim, h *simHost, index, hash uint64) {
	if index > uint64(len(c.chain)) || index > 0 && c.chain[index-1] != hash {
		s.failf("host %s recovered other books at index %d of %d", h.name(), index, len(c.chain))
	}
}

// ack: what is acknowledged is on the disks of as many data hosts as make a majority of the voters, or the
// leader says that it is not.
func (c *checker) ack(s *sim, h *simHost, index uint64) {
	c.acked = max(c.acked, index)
	s.stats.acked++
	g := h.r.Group()
	term, _ := h.log.Term(index)
	n, single := 0, h.r.SingleCopy()
	for _, id := range g.Voters {
		if have := c.copies[index]; !IsWitness(id) && have.term == term && have.hosts>>Number(id)&1 != 0 {
			n++
		}
	}
	if g.Index != h.groupIndex { // what is in the log may have been committed by the group before
		h.groupIndex, h.exempt = g.Index, h.log.Last()
	}
	if single {
		s.stats.single++
	}
	if n <= len(g.Voters)/2 && !single && !g.Joint() && index > h.exempt {
		s.failf("host %s acknowledges index %d with %d copies of %d voters and does not say so", h.name(), index, n, len(g.Voters))
	}
}

// durable notes what a host's disk has after the sync that follows.
func (c *checker) durable(h *simHost, l *journal.Log) {
	if h.witness || h.r == nil {
		return
	}
	for i := l.First(); i <= l.Last(); i++ {
		term, _ := l.Term(i)
		have := c.copies[i]
		if term > have.term {
			have = copies{term: term}
		}
		if term == have.term {
			have.hosts |= 1 << h.n
			c.copies[i] = have
		}
	}
}

// leader: a term has one.
func (c *checker) leader(s *sim, h *simHost) {
	if !h.r.Leader() {
		return
	}
	if other, ok := c.leaders[h.r.Term()]; ok && other != h.name() {
		s.failf("hosts %s and %s both lead in term %d", other, h.name(), h.r.Term())
	}
	if h.witness {
		s.failf("witness %s leads", h.name())
	}
	c.leaders[h.r.Term()] = h.name()
}

// senders: at any instant one host at most may hand messages to carriers. A host that is stopped looks at its lease when
// it goes on.
func (c *checker) senders(s *sim) {
	sender := ""
	for _, h := range s.hosts {
		if !h.up() || h.r == nil || !h.r.leads() {
			continue
		}
		if now := h.now(); now < h.r.Lease() && now >= h.r.SendFrom() {
			if sender != "" {
				s.failf("hosts %s and %s both send", sender, h.name())
			}
			sender = h.name()
		}
	}
}

// end: nothing acknowledged is gone, and every store is whole.
func (c *checker) end(s *sim) {
	for _, h := range s.hosts {
		if h.r == nil || h.witness {
			continue
		}
		if h.applied < c.acked {
			s.failf("host %s ends at %d, %d was acknowledged", h.name(), h.applied, c.acked)
		}
		if err := h.db.Check(); err != nil {
			s.failf("host %s: %v", h.name(), err)
		}
	}
}
