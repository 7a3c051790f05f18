package sim

import (
	crand "crypto/rand"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"smsplane/pdu"
)

var (
	seedCount    = flag.Int("seeds", 150, "histories in TestSeeds")
	clusterCount = flag.Int("clusters", 40, "histories of clusters in TestClusterSeeds, unless -seeds says so")
	spreadCount  = flag.Int("spreads", 12, "histories of clusters whose lanes are spread, in TestSpreadSeeds, unless -seeds says so")
	memberCount  = flag.Int("reshapes", 30, "histories of clusters whose members change, in TestMemberSeeds, unless -seeds says so")
	orderCount   = flag.Int("orders", 20, "histories in which nothing may be overtaken, in TestOrderSeeds, unless -seeds says so")
	seedFrom     = flag.Uint64("from", 1, "the first seed")
)

// mutated names the fault that TestMutants has switched on; the first seed that sees it is enough.
var mutated = os.Getenv("SMSPLANE_MUTANT")

// run is one history of one host or, as play has it, of several, judged.
func run(seed uint64, verbose bool, play func(w *world)) (w *world, problem string) {
	w = newWorld(seed)
	w.verbose = verbose
	defer func() {
		switch p := recover().(type) {
		case nil:
		case failure:
			problem = p.with(w, 60)
		default:
			problem = failure{fmt.Sprintf("panic: %v\n%s", p, debug.Stack())}.with(w, 60)
		}
		w.close()
	}()
	w.deliverWindow, w.linkWindow = 1+w.rng.IntN(20), 1+w.rng.IntN(30)
	w.doubt = []string{"resend", "expire"}[w.rng.IntN(2)]
	w.gap = w.between(100*time.Millisecond, 4*time.Second)
	play(w)
	return w, ""
}

// storms lets clients and carriers meet the hosts in bad weather, until it clears and everything has come to rest.
func (w *world) storms() {
	w.newCarrier("north")
	w.newCarrier("south")
	w.newClient("post", false)
	w.newClient("pre", true)
	for _, h := range w.hosts {
		if !h.spare {
			h.start()
		}
	}
	span := w.between(time.Second, 10*time.Second)
	if w.reshapes {
		w.operate()
		w.reshape()
		span += 5 * time.Second
	}
	w.after(w.between(0, time.Second), w.storm)
	for end := w.now + int64(span); w.now < end; {
		w.step()
	}
	w.clear()
	w.rest()
}

// alone is the history of a single host.
func alone(w *world) {
	h := w.newHost("a", 1+w.rng.IntN(3), w.chance(2))
	w.storms()
	before := w.judge(h)
	w.refold(h)
	h.die("the last power loss", h.disk.cut(0, w.rng), false)
	w.until("the host is up again", time.Minute, func() bool { return h.alive }, w.unrest)
	w.rest()
	w.compare(before, w.judge(h))
}

// orderly is the history of a single host whose carriers come and go, as the host does, and are sent everything in order. They
// may have enough at a time that none of it is near to the rest.
func orderly(w *world) {
	w.orderly, w.perCarrier, w.linkWindow = true, 1, 20+w.rng.IntN(80)
	alone(w)
}

// apart is the history of a cluster whose lanes are led by several hosts; only one has links.
func apart(w *world) {
	w.spread, w.perCarrier = true, 1+w.rng.IntN(2)
	if w.chance(2) {
		w.tps = 10 + w.rng.IntN(150)
	}
	w.inCluster(2 + w.rng.IntN(3))
	if w.faults["a guest sends"] == 0 {
		w.faults["no guest sent"]++
	}
}

// reshaped is the history of a cluster whose members come, go, and lose their stores.
func reshaped(w *world) {
	w.spread, w.reshapes, w.perCarrier = w.chance(2), true, 1+w.rng.IntN(2)
	if w.chance(3) {
		w.tps = 10 + w.rng.IntN(150)
	}
	w.inCluster(1 + w.rng.IntN(3))
}

// together is the history of a cluster: in the end every data host is asked, and again when the leader has died.
func together(w *world) { w.inCluster(1 + w.rng.IntN(3)) }

func (w *world) inCluster(lanes int) {
	w.patience = 5 * time.Minute // every heartbeat costs
	w.newCluster(lanes, w.chance(2), w.rng.IntN(3) > 0, btoi(w.reshapes))
	w.storms()
	first := w.leader()
	before := w.judge(first)
	w.equal(before)
	for _, h := range w.hosts {
		if h != first && h.s != nil {
			w.faults["a guest sends"] += int(h.s.ForGuests())
		}
	}
	first.die("the leader's last power loss", first.disk.cut(0, w.rng), false)
	w.until("a host leads", time.Minute, func() bool { return w.leader() != nil }, w.unrest)
	w.rest()
	w.compare(before, w.judge(w.leader()))
	w.equal(before)
}

// equal holds every data host to what the leader has.
func (w *world) equal(p *past) {
	for _, h := range w.hosts {
		if h.s != nil {
			w.compare(p, w.read(h))
			w.refold(h)
		}
	}
}

// close lets go of the stores.
func (w *world) close() {
	for _, h := range w.hosts {
		h.abandon()
	}
}

// TestSeeds runs histories of single hosts.
func TestSeeds(t *testing.T) { seeds(t, "TestSeeds", *seedCount, runtime.GOMAXPROCS(0), alone) }

// TestOrderSeeds runs histories in which nothing may be overtaken.
func TestOrderSeeds(t *testing.T) {
	if isSet("seeds") {
		*orderCount = *seedCount
	}
	seeds(t, "TestOrderSeeds", *orderCount, runtime.GOMAXPROCS(0), orderly)
}

// TestClusterSeeds runs histories of clusters,
func TestClusterSeeds(t *testing.T) { clusterSeeds(t, *clusterCount, together) }

// TestSpreadSeeds of clusters whose lanes are led by several hosts,
func TestSpreadSeeds(t *testing.T) { clusterSeeds(t, *spreadCount, apart) }

// TestMemberSeeds of clusters whose members change.
func TestMemberSeeds(t *testing.T) { clusterSeeds(t, *memberCount, reshaped) }

// clusterSeeds runs histories one at a time: raft draws its timeouts from one source for the whole process, which is seeded here.
func clusterSeeds(t *testing.T, count int, play func(w *world)) {
	if isSet("seeds") {
		count = *seedCount
	}
	real := crand.Reader
	defer func() { crand.Reader = real }()
	seeds(t, t.Name(), count, 1, func(w *world) {
		crand.Reader = rand.NewChaCha8([32]byte{byte(w.rng.Uint32()), byte(w.rng.Uint32()), byte(w.rng.Uint32())})
		play(w)
	})
}

func isSet(name string) (set bool) {
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

func seeds(t *testing.T, test string, count, workers int, play func(w *world)) {
	var next, accepted, copies, messages atomic.Int64
	var mu sync.Mutex
	var seen atomic.Bool
	faults, bad := map[string]int{}, 0
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(count) && (mutated == "" || !seen.Load()); i = next.Add(1) - 1 {
				seed := *seedFrom + uint64(i)
				w, problem := run(seed, testing.Verbose() && count == 1, play)
				mu.Lock()
				if problem != "" {
					seen.Store(true)
					if bad++; bad <= 5 {
						t.Errorf("seed %d: %s\ngo test ./bench/sim -run '%s$' -seeds 1 -from %d -v", seed, problem, test, seed)
					}
				}
				for k, n := range w.faults {
					faults[k] += n
				}
				mu.Unlock()
				for _, m := range w.messages {
					messages.Add(1)
					copies.Add(int64(len(m.copies)))
					if m.answered && m.status == pdu.ROK {
						accepted.Add(1)
					}
				}
			}
		})
	}
	group.Wait()
	t.Logf("%d histories, %d failed; %d messages, %d accepted, %d copies at carriers", count, bad, messages.Load(), accepted.Load(), copies.Load())
	for _, k := range slices.Sorted(maps.Keys(faults)) {
		t.Logf("%8d × %s", faults[k], k)
	}
	if mutated == "" && count >= 50 && accepted.Load() < int64(count)*10 {
		t.Error("too few messages were accepted to show anything")
	}
	if mutated == "" && count >= 30 && test == "TestMemberSeeds" && faults["done: replace"] < count/2 {
		t.Error("too few hosts were replaced to show anything")
	}
}
