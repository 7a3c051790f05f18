package crash

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var (
	histories = flag.Int("histories", 0, "how many seeded histories; 0: 400, or 100 with -short")
	oneSeed   = flag.Int64("seed", -1, "only this history")
	nosync    = flag.Bool("nosync", false, "the log's sync does nothing: must fail")
)

// tally says what histories went through, so that a run which cuts nothing of interest shows.
type tally struct {
	mu                                   sync.Mutex
	Lives, Cut, InRecovery, Failed, Torn int
}

// plan is how one life ends, drawn before it begins.
type plan struct {
	acts    int // decisions before the disk is armed; 0: while the store is opened
	ops     int // changes of the disk from then on
	fail    bool
	half    bool
	percent int
}

func newPlan(rng *rand.Rand) plan {
	p := plan{acts: 1 + rng.IntN(300), ops: 1 + rng.IntN(12)}
	if rng.IntN(5) == 0 {
		p.acts, p.ops = 0, 1+rng.IntN(40)
	}
	if rng.IntN(10) == 0 {
		p.fail, p.half = true, rng.IntN(2) == 0
	}
	p.percent = [...]int{0, 0, 0, 30, 70, 100}[rng.IntN(6)]
	return p
}

// history is one seed.
type history struct {
	rng    *rand.Rand
	mem    *vfs.MemFS
	told   memory
	nosync bool
	t      *tally
}

// lives of a history, the last of which is judged and not cut.
const maxLives = 4

// play leads one history to its end; an error is a broken promise.
func play(seed uint64, nosync bool, t *tally) error {
	h := &history{rng: rand.New(rand.NewPCG(seed, 11)), mem: vfs.NewCrashableMem(), told: memory{now: int64(time.Hour)}, nosync: nosync, t: t}
	for i := range h.told.blocks {
		h.told.blocks[i] = map[uint64][]byte{}
	}
	for life := range 1 + h.rng.IntN(maxLives-1) {
		if err := h.live(newPlan(h.rng)); err != nil {
			return fmt.Errorf("life %d: %w", life+1, err)
		}
	}
	return h.last()
}

// live leads one life to its cut.
func (h *history) live(p plan) error {
	seed := h.rng.Uint64()
	d := newDisk(h.mem, h.nosync)
	host := newHost(d, h.told)
	// What was acknowledged is read before the picture is taken: more may be acknowledged meanwhile, and be kept.
	var acked [lanes]uint64
	d.percent, d.rng, d.before = p.percent, rand.New(rand.NewPCG(seed, 1)), func() { acked = host.remember().acked }
	ended := make(chan error, 1)
	go func() { ended <- host.live(p, rand.New(rand.NewPCG(seed, 2))) }()
	select {
	case err := <-ended:
		if err != nil && !(p.fail && d.over()) {
			return err
		}
		if host.db != nil {
			closed := make(chan error, 1)
			go func() { closed <- host.db.Abandon() }()
			select {
			case err := <-closed:
				if err != nil && !d.over() {
					return err
				}
			case <-host.dead: // a write that failed meanwhile ended the process, and Close would wait for it
			}
		}
	case <-host.dead: // the process would be gone
		if !p.fail {
			return host.why
		}
	}
	h.mem, h.told = d.after(), host.remember()
	h.told.acked = acked
	h.count(p)
	return nil
}

// live lets a clerk act until the disk's end has come.
func (h *host) live(p plan, rng *rand.Rand) error {
	if p.acts == 0 {
		h.disk.arm(p.ops, p.fail, p.half)
	}
	if err := h.open(); err != nil {
		return err
	}
	if err := h.lead(); err != nil {
		return err
	}
	c, err := newClerk(rng, h)
	if err != nil {
		return err
	}
	for act := 1; !h.disk.over(); act++ {
		if act == p.acts {
			h.disk.arm(p.ops, p.fail, p.half)
		}
		if err := c.act(); err != nil {
			return fmt.Errorf("act %d: %w", act, err)
		}
		if act > p.acts+5000 {
			return errors.New("the disk's end does not come")
		}
	}
	return nil
}

// last opens what is left on a disk that does not fail, and judges.
func (h *history) last() error {
	host := newHost(newDisk(h.mem, false), h.told)
	if err := host.open(); err != nil {
		return fmt.Errorf("recovery: %w", err)
	}
	if err := host.lead(); err != nil {
		return fmt.Errorf("recovery: %w", err)
	}
	if err := host.judge(host.remember()); err != nil {
		return err
	}
	return host.db.Close()
}

func (h *history) count(p plan) {
	h.t.mu.Lock()
	defer h.t.mu.Unlock()
	h.t.Lives++
	switch {
	case p.acts == 0 && !p.fail:
		h.t.InRecovery++
	case !p.fail:
		h.t.Cut++
	case p.half:
		h.t.Torn++
	default:
		h.t.Failed++
	}
}

// playAll plays seeds on all cores and returns how many broke a promise, and the first.
func playAll(from, n int, nosync bool, t *tally) (broken int, first error) {
	seeds := make(chan uint64)
	var mu sync.Mutex
	var done sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		done.Go(func() {
			for seed := range seeds {
				err := play(seed, nosync, t)
				if err == nil {
					continue
				}
				mu.Lock()
				if broken++; first == nil {
					first = fmt.Errorf("seed %d: %w\nagain: go test ./ledger/crash -run TestHistories -seed %d", seed, err, seed)
				}
				mu.Unlock()
			}
		})
	}
	for i := range n {
		seeds <- uint64(from + i)
	}
	close(seeds)
	done.Wait()
	return broken, first
}

func TestHistories(t *testing.T) {
	n, from := *histories, 0
	switch {
	case *oneSeed >= 0:
		n, from = 1, int(*oneSeed)
	case n == 0 && testing.Short():
		n = 100
	case n == 0:
		n = 400
	}
	var sum tally
	if broken, err := playAll(from, n, *nosync, &sum); broken > 0 {
		t.Errorf("%d of %d histories broke a promise, the first:\n%v", broken, n, err)
	}
	t.Logf("%d histories, %d lives: %d cut at work, %d while the store was opened; %d ended by a failed write or sync, %d by a torn write",
		n, sum.Lives, sum.Cut, sum.InRecovery, sum.Failed, sum.Torn)
	if n >= 100 && (sum.Cut == 0 || sum.InRecovery == 0 || sum.Failed == 0 || sum.Torn == 0) {
		t.Error("some kind of end never came: the histories show less than they should")
	}
}

// Without the log's sync the same histories must be found wanting.
func TestHistoriesWithoutSync(t *testing.T) {
	var sum tally
	broken, err := playAll(0, 40, true, &sum)
	if broken < 10 {
		t.Errorf("the log's sync did nothing, and %d of 40 histories noticed", broken)
	}
	t.Logf("%d of 40 broke a promise, the first: %v", broken, err)
}
