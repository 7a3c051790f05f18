package replica

import (
	"bytes"
	crand "crypto/rand"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"smsplane/ledger/journal"
)

// The simulation: hosts with real stores on crashable memory disks, a lossy network, clocks that drift, all of it
// on one goroutine and in virtual time. Everything is drawn from one seed, raft's election timeouts too, so a
// seed is a run: go test ./ledger/replica -run TestSimulation -seed N -v
//
// The checkers (check_test.go) know nothing of raft: they see what hosts apply, acknowledge, have on disk, and
// believe about leases.

const (
	ms      = int64(1e6)
	simStep = 4 * ms
)

// mutation is what a simulation breaks on purpose.
type mutation struct {
	faults
	sameID bool // a wiped member comes back under the id it had
	plan   func(*sim)
}

// failure is a broken promise, carried out of the run by panic.
type failure string

type packet struct {
	from, to uint64
	at       int64
	data     []byte
}

type sim struct {
	rng   *rand.Rand
	disks *rand.Rand // which of them fill up
	now   int64
	mut   mutation
	hosts []*simHost
	net   []packet
	cut   [8][8]bool // from, to: nothing gets through
	loss  int        // percent
	dup   int
	delay int64
	load  int // percent of steps with proposals
	rooms map[uint64]Room

	check     checker
	serial    uint64
	pending   *simHost // to be replaced: its store was lost
	dropped   uint64   // its id before
	promoteAt int64    // not before
	stats     simStats
	trace     *strings.Builder
}

type simStats struct {
	acked, leaders, snapshots, wiped, crashes, changes, single, diskErrors, transfers, resumed, promoted int
}

// randReader feeds crypto/rand, from which raft draws its timeouts.
type randReader struct{ *rand.ChaCha8 }

func (r randReader) Read(p []byte) (int, error) { return r.ChaCha8.Read(p) }

func seedBytes(seed uint64) (b [32]byte) {
	le.PutUint64(b[:], seed)
	return b
}

// newSim makes a cluster: number of data hosts that vote, witnesses, and hosts that are not members yet.
func newSim(seed uint64, mut mutation, data, witnesses, spares int) *sim {
	crand.Reader = randReader{rand.NewChaCha8(seedBytes(seed))}
	s := &sim{rng: rand.New(rand.NewPCG(seed, 7)), disks: rand.New(rand.NewPCG(seed, 8)), now: 1e9, mut: mut, delay: 4 * ms, load: 50, check: newChecker()}
	group := Group{}
	for i := range data + witnesses + spares {
		h := &simHost{s: s, n: uint16(i + 1), witness: i >= data && i < data+witnesses, fs: vfs.NewCrashableMem(), spare: i >= data+witnesses}
		h.id = MakeID(h.n, 1, h.witness)
		h.drift = 0.9 + 0.2*s.rng.Float64()
		h.offset = s.rng.Int64N(1e12)
		if !h.spare {
			group.Voters = append(group.Voters, h.id)
		}
		s.hosts = append(s.hosts, h)
	}
	for _, h := range s.hosts {
		if !h.spare {
			h.group = group
			h.start()
		}
	}
	return s
}

func (s *sim) failf(format string, args ...any) {
	panic(failure(fmt.Sprintf("at %d ms: ", s.now/ms) + fmt.Sprintf(format, args...)))
}

func (s *sim) logf(format string, args ...any) {
	if s.trace != nil {
		fmt.Fprintf(s.trace, "%6d ", s.now/ms)
		fmt.Fprintf(s.trace, format+"\n", args...)
	}
}

// simHost is one machine: its disk outlives its process.
type simHost struct {
	s       *sim
	n       uint16
	id      uint64
	witness bool
	spare   bool // has no lane
	group   Group
	drift   float64
	offset  int64
	frozen  int64 // stopped until, as by SIGSTOP
	stalled int64 // the disk does nothing until

	fs      *vfs.MemFS
	diskErr *atomic.Bool
	died    chan error
	db      *journal.DB
	log     *journal.Log
	r       *Replica
	life    int

	applied, flushed uint64
	hash             uint64
	flushing         int
	mine             map[string]bool // proposed in leadTerm
	leadTerm         uint64
	votedIn          uint64
	seenTerm         uint64
	seenLead         uint64
	groupIndex       uint64
	exempt           uint64 // entries up to here were proposed in another group
	out              map[uint64]*transfer
	installing       bool
}

func (h *simHost) up() bool     { return h.db != nil && h.now() >= 0 && h.s.now >= h.frozen }
func (h *simHost) now() int64   { return h.offset + int64(float64(h.s.now)*h.drift) }
func (h *simHost) name() string { return fmt.Sprintf("%d.%d", h.n, Incarnation(h.id)) }

func (h *simHost) start() {
	h.diskErr, h.died = new(atomic.Bool), make(chan error, 64)
	on, died := h.diskErr, h.died
	fs := errorfs.Wrap(h.fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo, errorfs.OpFileWrite:
			if on.Load() && strings.HasSuffix(op.Path, ".log") {
				return errorfs.ErrInjected
			}
		}
		return nil
	}))
	var err error
	h.db, err = journal.Open(journal.Options{FS: fs, Dir: "j", Logger: quiet(), Stepped: true, Clock: func() int64 { return 1 },
		Fatal: func(err error) {
			died <- err
			select {} // the process would be gone; here its goroutines stand still
		}})
	if err != nil {
		h.s.failf("host %d: %v", h.n, err)
	}
	h.openLane()
}

func (h *simHost) openLane() {
	s := h.s
	h.life++
	h.out, h.mine, h.leadTerm, h.installing, h.flushing = map[uint64]*transfer{}, map[string]bool{}, 0, false, 0
	var err error
	if h.log, err = h.db.Log(0); err != nil {
		s.failf("host %d: %v", h.n, err)
	}
	h.applied, h.hash = 0, 0
	if v, err := h.db.Get(journal.Key(journal.Fold, 0)); err != nil {
		s.failf("host %d: %v", h.n, err)
	} else if v != nil {
		h.applied, h.hash = le.Uint64(v), le.Uint64(v[8:])
		s.check.fold(s, h, h.applied, h.hash)
	}
	h.flushed = h.applied
	h.r, err = Open(Config{DB: h.db, Log: h.log, ID: h.id, Group: h.group, Applied: h.applied, Clock: h.now, Hold: 6000, Logger: simLog.With("host", h.n),
		Send: h.send, Snapshot: h.snapshot, faults: s.mut.faults})
	if err != nil {
		s.failf("host %s: open: %v", h.name(), err)
	}
	if h.witness {
		h.applied = h.r.Applied()
	}
	h.r.SetRooms(s.rooms)
}

// fill says what disks can still take, by who has them; all others have room.
func (s *sim) fill(of map[*simHost]Room) {
	s.rooms = map[uint64]Room{}
	for h, room := range of {
		s.logf("the disk of host %s is %s", h.name(), room)
		s.rooms[h.id] = room
	}
	for _, h := range s.hosts {
		if h.r != nil && !h.installing {
			h.r.SetRooms(s.rooms)
		}
	}
}

// kill ends the process; with power loss the disk keeps what was synced and some of the rest.
func (h *simHost) kill(power bool) {
	if h.db == nil {
		return
	}
	s := h.s
	s.stats.crashes++
	s.logf("host %s dies, power loss %v", h.name(), power)
	h.closeTransfers()
	percent := 100
	if power {
		percent = []int{0, 30, 100}[s.rng.IntN(3)]
	}
	fs := h.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: s.rng})
	if !h.diskErr.Load() { // else its goroutines hang, as those of a process that is gone
		_ = h.db.Abandon()
	}
	h.fs, h.db, h.log, h.r = fs, nil, nil, nil
}

func (h *simHost) send(to uint64, msg []byte) {
	s := h.s
	dst := s.hosts[Number(to)-1]
	if s.cut[h.n][dst.n] || s.rng.IntN(100) < s.loss {
		return
	}
	for range 1 + s.pick(s.dup) {
		s.net = append(s.net, packet{from: h.id, to: to, at: s.now + s.rng.Int64N(s.delay), data: bytes.Clone(msg)})
	}
}

func (s *sim) pick(percent int) int {
	if s.rng.IntN(100) < percent {
		return 1
	}
	return 0
}

func (h *simHost) apply(index uint64, block []byte) error {
	s := h.s
	if index != h.applied+1 && !h.witness {
		s.failf("host %s applies %d after %d", h.name(), index, h.applied)
	}
	h.applied = index
	if h.witness {
		if block != nil {
			s.failf("witness %s was given a block", h.name())
		}
		return nil
	}
	h.hash = chain(h.hash, block)
	s.check.apply(s, h, index, block, h.hash)
	if h.mine[string(block)] && block != nil && h.r.Leader() && h.r.Term() == h.leadTerm {
		delete(h.mine, string(block))
		s.check.ack(s, h, index)
	}
	if s.rng.IntN(3) == 0 {
		h.log.Evict(index)
	}
	return nil
}

func chain(hash uint64, block []byte) uint64 {
	f := fnv.New64a()
	f.Write(le.AppendUint64(nil, hash))
	f.Write(block)
	return f.Sum64()
}

// flush writes the fold and drops what nobody needs.
func (h *simHost) flush() {
	if h.witness || h.applied == h.flushed {
		return
	}
	b := journal.NewBatch()
	b.Set(journal.Key(journal.Fold, 0), le.AppendUint64(le.AppendUint64(nil, h.applied), h.hash))
	b.Set(journal.Key(journal.EDR, 0, h.applied), make([]byte, 100))
	h.flushing++
	life := h.life
	h.db.Write(b, func() {
		if h.life == life {
			h.flushing--
		}
	})
	h.flushed = h.applied
	low := min(h.flushed+1, h.r.Needed())
	low -= min(low, h.s.rng.Uint64N(10)) // what the books still need
	if low > h.log.First() {
		h.log.DropBelow(low)
		if h.s.rng.IntN(2) == 0 {
			h.log.DropNow()
		}
	}
}

// disk lets the host's disk get on.
func (h *simHost) disk() {
	s := h.s
	if h.db == nil || s.now < h.stalled {
		return
	}
	if h.diskErr.Load() {
		ended, db := make(chan struct{}), h.db
		go func() { // Fatal stops this goroutine, or one of Pebble's
			defer close(ended)
			db.Append(journal.Append{Lane: 9, Done: func() {}})
			db.Step(1 << 30)
			db.Sync()
		}()
		select {
		case <-h.died:
			s.stats.diskErrors++
			h.kill(true)
		case <-ended:
			s.failf("host %s: a failed disk went unnoticed", h.name())
		}
		return
	}
	switch s.rng.IntN(4) {
	case 0, 1:
		h.db.Step(1 << 30)
		log := h.log
		if !h.installing {
			s.check.durable(h, log)
		}
		h.db.Sync()
	case 2:
		h.db.Step(1 + s.rng.IntN(3))
	}
}

// work is the host's owner goroutine.
func (h *simHost) work() {
	s := h.s
	if !h.up() || h.r == nil {
		return
	}
	if _, err := h.r.DoWork(h.now(), h.apply); err != nil {
		s.failf("host %s: %v", h.name(), err)
	}
	s.check.leader(s, h)
	if _, term, lead := h.r.Role(); s.trace != nil && (term != h.seenTerm || lead != h.seenLead) {
		s.logf("host %s sees leader %x in term %d", h.name(), lead, term)
		h.seenTerm, h.seenLead = term, lead
	}
	if leader, term, _ := h.r.Role(); !leader || term != h.leadTerm {
		h.mine, h.leadTerm = map[string]bool{}, 0
		if leader {
			s.logf("host %s leads in term %d", h.name(), term)
			s.stats.leaders++
			h.leadTerm = term
		}
	}
	if h.leadTerm > 0 {
		for range s.pick(s.load) * (1 + s.rng.IntN(3)) {
			s.serial++
			b := testBlock(0, 1+s.rng.IntN(5), s.serial*100)
			if h.r.Propose(b) {
				h.mine[string(b)] = true
			}
		}
	}
	if s.rng.IntN(6) == 0 {
		h.flush()
	}
	h.stream()
}

// step lets a little time pass.
func (s *sim) step() {
	s.now += simStep
	s.check.senders(s) // a host that was stopped looks at its lease before it hears of anything
	net := s.net
	s.net = nil
	for _, i := range s.rng.Perm(len(net)) {
		p := net[i]
		h := s.hosts[Number(p.to)-1]
		switch {
		case p.at > s.now || h.db != nil && s.now < h.frozen:
			s.net = append(s.net, p)
		case h.r != nil && h.id == p.to && s.known(p.from):
			_ = h.r.Step(p.data)
		}
	}
	for _, i := range s.rng.Perm(len(s.hosts)) {
		s.hosts[i].work()
		s.hosts[i].disk()
	}
	s.check.senders(s)
	s.operate()
}

// known is the transport's part: a host whose store was lost is refused under its old id.
func (s *sim) known(id uint64) bool { return s.hosts[Number(id)-1].id == id }

func (s *sim) run(d int64) {
	for end := s.now + d; s.now < end; {
		s.step()
	}
}

// leader is the host that leads in the highest term, of those that run.
func (s *sim) leader() *simHost {
	var best *simHost
	for _, h := range s.hosts {
		if h.up() && h.r != nil && h.r.Leader() && (best == nil || h.r.Term() > best.r.Term()) {
			best = h
		}
	}
	return best
}

func (s *sim) until(what string, within int64, ok func() bool) {
	for end := s.now + within; !ok(); s.step() {
		if s.now > end {
			s.failf("%s: not within %d ms%s", what, within/ms, s.state())
		}
	}
}

func (s *sim) state() string {
	var b strings.Builder
	for _, h := range s.hosts {
		if h.r == nil {
			fmt.Fprintf(&b, "\n  %s: down, spare %v, installing %v", h.name(), h.spare, h.installing)
			continue
		}
		_, term, lead := h.r.Role()
		fmt.Fprintf(&b, "\n  %s: term %d lead %x applied %d log %d..%d commit %d feed %v needed %d group %v", h.name(), term, lead, h.r.Applied(), h.log.First(), h.log.Last(),
			h.r.Committed(), h.r.feed.on, h.r.Needed(), h.r.Group())
		h.r.Progress(func(m Member) { fmt.Fprintf(&b, "\n      %+v", m) })
	}
	return b.String()
}

// heal repairs everything and waits until all members have applied the same, to the end.
func (s *sim) heal() {
	s.loss, s.dup, s.delay = 0, 0, 4*ms
	s.cut = [8][8]bool{}
	s.fill(nil)
	for _, h := range s.hosts {
		h.frozen, h.stalled = 0, 0
		if h.diskErr != nil && h.db != nil {
			h.diskErr.Store(false)
		}
		if h.db == nil && !h.spare {
			h.start()
		}
	}
	s.until("a leader after healing", 5000*ms, func() bool { return s.leader() != nil })
	load := s.load
	s.load = min(s.load, 10) // or the log runs away from a slow snapshot, as bounded as it is kept
	s.until("the replacement", 20000*ms, func() bool { return s.pending == nil })
	s.load = 0
	s.bury()
	s.until("all equal after healing", 20000*ms, func() bool {
		l := s.leader()
		if l == nil || l.r.Group().Joint() {
			return false
		}
		for _, h := range s.hosts {
			if h.spare {
				continue
			}
			if g := l.r.Group(); h.r == nil || !g.Has(h.id) || !h.witness && (h.r.Applied() != l.r.Applied() || h.r.InFlight() != 0) {
				return false
			}
		}
		return true
	})
	s.load = load
	s.check.end(s)
}

// bury takes hosts away that have left and do not know it, or whose leaving was overlooked.
func (s *sim) bury() {
	g := s.leader().r.Group()
	for _, h := range s.hosts {
		if !h.spare && !g.Has(h.id) {
			h.kill(false)
			h.fs = vfs.NewCrashableMem()
			h.id, h.spare = MakeID(h.n, Incarnation(h.id)+1, h.witness), true
		}
	}
}

func (s *sim) end() {
	for _, h := range s.hosts {
		h.closeTransfers()
		if h.db != nil && !h.diskErr.Load() {
			_ = h.db.Abandon()
		}
	}
}

// simulate runs f and says which promise broke, if one did.
func simulate(seed uint64, mut mutation, data, witnesses, spares int, f func(*sim)) (s *sim, broken string) {
	old := crand.Reader
	defer func() {
		crand.Reader = old
		if p := recover(); p != nil {
			f, ok := p.(failure)
			if !ok {
				panic(p)
			}
			broken = string(f)
		}
	}()
	s = newSim(seed, mut, data, witnesses, spares)
	defer s.end()
	f(s)
	return s, ""
}

func mustSimulate(t *testing.T, seed uint64, data, witnesses, spares int, f func(*sim)) {
	t.Helper()
	if _, broken := simulate(seed, mutation{}, data, witnesses, spares, f); broken != "" {
		t.Fatal(broken)
	}
}

var simLog = quiet()
