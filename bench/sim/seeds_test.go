package sim

import (
	"flag"
	"fmt"
	"maps"
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
	seedCount = flag.Int("seeds", 150, "histories of single hosts in TestSeeds")
	seedFrom  = flag.Uint64("from", 1, "the first seed")
)

// mutated names the fault that TestMutants has switched on; the first seed that sees it is enough.
var mutated = os.Getenv("SMSPLANE_MUTANT")

// run is one history of one host, judged.
func run(seed uint64, verbose bool) (w *world, problem string) {
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
	h := w.newHost("a", 1+w.rng.IntN(3), w.chance(2))
	w.newCarrier("north")
	w.newCarrier("south")
	w.newClient("post", false)
	w.newClient("pre", true)
	h.start()
	w.after(w.between(0, time.Second), w.storm)
	for end := w.now + int64(w.between(time.Second, 10*time.Second)); w.now < end; {
		w.step()
	}
	w.clear()
	w.rest()
	before := w.judge(h)
	w.refold(h)
	h.die("the last power loss", h.disk.cut(0, w.rng), false)
	w.until("the host is up again", time.Minute, func() bool { return h.alive }, w.unrest)
	w.rest()
	w.compare(before, w.judge(h))
	return w, ""
}

// close lets go of the stores.
func (w *world) close() {
	for _, h := range w.hosts {
		if h.db != nil {
			_ = h.db.Abandon()
		}
	}
}

func reproduce(seed uint64) string {
	return fmt.Sprintf("go test ./bench/sim -run 'TestSeeds$' -seeds 1 -from %d -v", seed)
}

// TestSeeds runs histories of single hosts.
func TestSeeds(t *testing.T) {
	var next, accepted, copies, messages atomic.Int64
	var mu sync.Mutex
	var seen atomic.Bool
	faults, bad := map[string]int{}, 0
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(*seedCount) && (mutated == "" || !seen.Load()); i = next.Add(1) - 1 {
				seed := *seedFrom + uint64(i)
				w, problem := run(seed, testing.Verbose() && *seedCount == 1)
				mu.Lock()
				if problem != "" {
					seen.Store(true)
					if bad++; bad <= 5 {
						t.Errorf("seed %d: %s\n%s", seed, problem, reproduce(seed))
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
	workers.Wait()
	t.Logf("%d histories, %d failed; %d messages, %d accepted, %d copies at carriers", *seedCount, bad, messages.Load(), accepted.Load(), copies.Load())
	for _, k := range slices.Sorted(maps.Keys(faults)) {
		t.Logf("%8d × %s", faults[k], k)
	}
	if mutated == "" && *seedCount >= 100 && accepted.Load() < int64(*seedCount)*10 {
		t.Error("too few messages were accepted to show anything")
	}
}
