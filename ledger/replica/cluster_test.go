package replica

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"

	"smsplane/ledger/journal"
)

// A cluster of three members on crashable memory disks, a lossy network and a virtual clock. Everything that
// happens is drawn from one seed but for raft's own election timeouts.

const (
	simMembers = 3
	simTick    = int64(20e6)
)

type packet struct {
	to   int
	at   int64 // when it arrives
	data []byte
}

// member is one host; its process can be killed and its disk kept or crashed.
type member struct {
	s       *sim
	n       int // 0..
	fs      *vfs.MemFS
	db      *journal.DB
	log     *journal.Log
	r       *Replica
	applied [][]byte // by index-1, over this life
	cut     bool     // neither hears nor is heard
}

// sim holds the cluster and what it promised.
type sim struct {
	t       *testing.T
	rng     *rand.Rand
	now     int64
	members [simMembers]*member
	net     []packet
	loss    int               // percent
	history [][]byte          // committed, by index-1; every member must agree
	acked   map[string]uint64 // blocks that their proposer saw applied, with the index
	leaders map[uint64]int    // term to member
	serial  uint64
}

func newSim(t *testing.T, seed uint64) *sim {
	s := &sim{t: t, rng: rand.New(rand.NewPCG(seed, 7)), now: 1e9, acked: map[string]uint64{}, leaders: map[uint64]int{}}
	for i := range s.members {
		s.members[i] = &member{s: s, n: i, fs: vfs.NewCrashableMem()}
		s.members[i].start()
	}
	return s
}

func (m *member) start() {
	m.db = mustOpenDB(m.s.t, m.fs, "j")
	var err error
	if m.log, err = m.db.Log(0); err != nil {
		m.s.t.Fatal(err)
	}
	m.applied = nil
	m.r, err = Open(Config{DB: m.db, Log: m.log, ID: uint64(m.n + 1), Group: Group{Voters: []uint64{1, 2, 3}}, Send: m.send, Logger: quiet()})
	if err != nil {
		m.s.t.Fatal(err)
	}
}

// crash kills the member; its disk keeps what was synced and a part of what was not.
func (m *member) crash() {
	s := m.s
	percent := []int{0, 30, 100}[s.rng.IntN(3)]
	fs := m.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: s.rng})
	m.stop()
	m.fs = fs
}

// stop closes the store of the old life, so that its goroutines end; the crashed copy does not see it.
func (m *member) stop() {
	m.r = nil
	if err := m.db.Close(); err != nil {
		m.s.t.Fatal(err)
	}
}

func (m *member) send(to uint64, msg []byte) {
	s := m.s
	dst := int(to - 1)
	if m.cut || s.members[dst].cut || s.rng.IntN(100) < s.loss {
		return
	}
	at := s.now + s.rng.Int64N(simTick/2)
	s.net = append(s.net, packet{to: dst, at: at, data: bytes.Clone(msg)})
}

// apply checks the member against the one history and notes what is acknowledged.
func (m *member) apply(index uint64, block []byte) error {
	s := m.s
	if index != uint64(len(m.applied))+1 {
		s.t.Fatalf("member %d applies %d after %d", m.n, index, len(m.applied))
	}
	m.applied = append(m.applied, block)
	switch {
	case index > uint64(len(s.history)):
		s.history = append(s.history, block)
	case !bytes.Equal(s.history[index-1], block):
		s.t.Fatalf("member %d disagrees on index %d", m.n, index)
	}
	if block != nil {
		s.acked[string(block)] = index
	}
	if s.rng.IntN(2) == 0 { // who falls behind is sent what is read back from disk
		m.log.Evict(index)
	}
	return nil
}

// step lets a little time pass: packets arrive, members work, disks get on.
func (s *sim) step() {
	s.now += simTick / 4
	net := s.net
	s.net = nil
	for _, i := range s.rng.Perm(len(net)) {
		p := net[i]
		m := s.members[p.to]
		switch {
		case p.at > s.now:
			s.net = append(s.net, p)
		case m.r != nil && !m.cut:
			_ = m.r.Step(p.data)
		}
	}
	for _, m := range s.members {
		if m.r == nil {
			continue
		}
		if _, err := m.r.DoWork(s.now, m.apply); err != nil {
			s.t.Fatal(err)
		}
		s.checkLeader(m)
	}
	if s.rng.IntN(4) > 0 { // else the disks of all are slow this time
		synctest.Wait()
	}
}

func (s *sim) checkLeader(m *member) {
	if !m.r.Leader() {
		return
	}
	if other, ok := s.leaders[m.r.Term()]; ok && other != m.n {
		s.t.Fatalf("members %d and %d both lead in term %d", other, m.n, m.r.Term())
	}
	s.leaders[m.r.Term()] = m.n
}

// leader is the reachable member that leads in the highest term.
func (s *sim) leader() *member {
	var best *member
	for _, m := range s.members {
		if m.r != nil && !m.cut && m.r.Leader() && (best == nil || m.r.Term() > best.r.Term()) {
			best = m
		}
	}
	return best
}

func (s *sim) propose() {
	for _, m := range s.members { // a cut off leader takes proposals too; they must not be acknowledged
		if m.r != nil && m.r.Leader() {
			s.serial++
			m.r.Propose(testBlock(0, 1+s.rng.IntN(5), s.serial))
		}
	}
}

func (s *sim) until(what string, steps int, ok func() bool) {
	s.t.Helper()
	for range steps {
		if ok() {
			return
		}
		s.step()
	}
	s.t.Fatalf("%s: not within %d steps", what, steps)
}

// heal brings everybody back and waits until all have applied the same.
func (s *sim) heal() {
	s.loss = 0
	for _, m := range s.members {
		m.cut = false
		if m.r == nil {
			m.start()
		}
	}
	s.until("a leader after healing", 400, func() bool { return s.leader() != nil })
	s.until("all equal after healing", 400, func() bool {
		for _, m := range s.members {
			if m.r.InFlight() != 0 || m.r.Applied() != s.members[0].r.Applied() {
				return false
			}
		}
		return true
	})
}

// check holds the promises against what all members have now.
func (s *sim) check() {
	for block, index := range s.acked {
		for _, m := range s.members {
			if index > uint64(len(m.applied)) || string(m.applied[index-1]) != block {
				s.t.Fatalf("index %d was acknowledged, member %d lost it", index, m.n)
			}
		}
	}
	for _, m := range s.members {
		if err := m.db.Check(); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *sim) end() {
	for _, m := range s.members {
		m.stop()
	}
}

func TestThreeMembersElectAndAgree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1)
		s.until("the first leader", 200, func() bool { return s.leader() != nil })
		for range 50 {
			s.propose()
			s.step()
		}
		s.heal()
		if len(s.acked) != 50 {
			t.Errorf("%d of 50 blocks acknowledged on a good network", len(s.acked))
		}
		s.until("nothing to be needed any more", 100, func() bool { return s.leader().r.Needed() == s.leader().r.Applied()+1 })
		s.check()
		s.end()
	})
}

func TestLeaderCutOffAcknowledgesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 2)
		s.until("the first leader", 200, func() bool { return s.leader() != nil })
		old := s.leader()
		s.propose()
		s.until("the first block", 100, func() bool { return len(s.acked) == 1 })
		old.cut = true
		before := old.r.Applied()
		for i := range 5 {
			old.r.Propose(testBlock(0, 1, uint64(1000+i)))
		}
		start := s.now
		s.until("the next leader", 400, func() bool { return s.leader() != nil })
		if took := s.now - start; took < simTick {
			t.Errorf("a leader after %d ns: faster than it can be noticed", took)
		}
		if old.r.Applied() != before {
			t.Error("a cut off leader applied on its own")
		}
		s.until("the old leader to step down", 400, func() bool { return !old.r.Leader() })
		s.propose()
		s.until("a block under the new leader", 200, func() bool { return len(s.acked) == 2 })
		s.heal()
		s.check()
		for i := range 5 {
			if _, ok := s.acked[string(testBlock(0, 1, uint64(1000+i)))]; ok {
				t.Error("a block of the cut off leader was acknowledged")
			}
		}
		s.end()
	})
}

// Random kills, power losses of one or all, cuts and losses; nothing acknowledged may go and no two
// histories may differ.
func TestSeededFaults(t *testing.T) {
	acked, leaders := 0, 0
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSim(t, 100+seed)
				for range 12 {
					s.fault()
					for range 60 {
						if s.rng.IntN(2) == 0 {
							s.propose()
						}
						s.step()
					}
				}
				s.heal()
				s.check()
				acked, leaders = acked+len(s.acked), leaders+len(s.leaders)
				s.end()
			})
		})
	}
	if acked < 200 || leaders < 20 {
		t.Errorf("%d blocks acknowledged under %d leaders: too few to show anything", acked, leaders)
	}
	t.Logf("%d blocks acknowledged under %d leaders", acked, leaders)
}

// fault changes the weather.
func (s *sim) fault() {
	m := s.members[s.rng.IntN(simMembers)]
	s.loss = s.rng.IntN(3) * 8
	switch s.rng.IntN(6) {
	case 0: // power loss of all
		for _, m := range s.members {
			if m.r != nil {
				m.crash()
			}
			m.start()
		}
		s.net = nil
	case 1, 2:
		if l := s.leader(); l != nil {
			m = l
		}
		fallthrough
	case 3:
		if m.r != nil {
			m.crash()
		} else {
			m.start()
		}
	case 4:
		m.cut = !m.cut
	case 5:
		for _, m := range s.members {
			m.cut = false
			if m.r == nil {
				m.start()
			}
		}
	}
}
