package dataplane

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"smsplane/dataplane/admin"
	"smsplane/dataplane/config"
)

// host is what the machine gives this process, as far as the plan of threads depends on it.
type host struct {
	allowed  []int   // cores in the affinity mask
	quota    float64 // cores that the cgroup tree grants; 0 is no limit
	isolated []int   // cores that the kernel keeps free for those who ask for them
	nodes    [][]int // cores by NUMA node; empty: one node
	procs    int     // GOMAXPROCS
	fixed    bool    // which the environment has set
}

// plan says which threads there are and where they run.
type plan struct {
	loops  int
	pinned bool
	cores  []int // of the loops, then of the executor; empty when not pinned
	procs  int   // GOMAXPROCS while the executor is urgent; 0: as it is
	reason string
}

// exclusiveFrom is how many cores a host must have for itself before threads are tied to them. On two cores
// pinning was measured 4 to 12 times slower: whoever is tied to a busy core waits for it while another idles.
const exclusiveFrom = 8

// spare is how many cores are left to the runtime, Pebble and replication when threads are pinned.
const spare = 2

// threads makes the plan: one loop up to three usable cores, half of them up to seven, then all but the
// spare ones shared between loops and one executor; no more loops than there are entry workers.
func threads(h host, pin config.Pin, entry int) (plan, error) {
	usable := min(len(h.allowed), h.procs)
	if h.quota > 0 {
		usable = min(usable, max(1, int(h.quota+0.999)))
	}
	p := plan{loops: min(loopCount(usable), entry)}
	whole := h.quota == 0 || h.quota == float64(int(h.quota))
	fits := p.loops+1+spare <= usable
	switch {
	case pin == config.PinOff:
		p.reason = "switched off"
	case pin == config.PinStrict && (!whole || !fits):
		return p, fmt.Errorf("threads.pin: strict wants %d whole cores for %d loops, one executor and the runtime; usable are %d, quota %g",
			p.loops+1+spare, p.loops, usable, h.quota)
	case pin == config.PinAuto && usable < exclusiveFrom:
		p.reason = fmt.Sprintf("%d usable cores; below %d a pinned thread waits for its core", usable, exclusiveFrom)
	case !whole || !fits:
		p.reason = fmt.Sprintf("a quota of %g cores is shared, not owned", h.quota)
	default:
		p.pinned, p.reason = true, "one core each"
		p.cores = pick(h, p.loops+1)
	}
	if usable < exclusiveFrom && h.quota == 0 && !h.fixed {
		p.procs = usable + p.loops + 1
	}
	return p, nil
}

// pick takes the cores of one NUMA node as far as they go, since every message crosses between loop and executor: of the node with
// the most isolated ones among those that have room for all threads, else of the one with the most room. There it prefers isolated
// cores, and leaves the first ones, where interrupts land, to the others.
func pick(h host, n int) []int {
	nodes := h.nodes
	if len(nodes) == 0 {
		nodes = [][]int{h.allowed}
	}
	var best, rest []int
	most, fits := -1, false
	for _, node := range nodes {
		cores, isolated := h.prefer(node)
		room, score := len(cores) >= n, len(cores)
		if room {
			score = isolated
		}
		if room && !fits || room == fits && score >= most {
			best, cores, most, fits = cores, best, score, room
		}
		rest = append(rest, cores...)
	}
	cores := append(best, rest...)
	for _, c := range h.allowed { // of no node that is told
		if !slices.Contains(cores, c) {
			cores = append(cores, c)
		}
	}
	return cores[:n]
}

// prefer lists the cores of a node that are allowed, the best first, and how many of them are isolated.
func (h host) prefer(node []int) (cores []int, isolated int) {
	for _, c := range h.isolated {
		if slices.Contains(h.allowed, c) && slices.Contains(node, c) {
			cores = append(cores, c)
		}
	}
	isolated = len(cores)
	for i := len(h.allowed) - 1; i >= 0; i-- {
		if c := h.allowed[i]; slices.Contains(node, c) && !slices.Contains(cores, c) {
			cores = append(cores, c)
		}
	}
	return cores, isolated
}

func (p plan) String() string {
	where := "not pinned: " + p.reason
	if p.pinned {
		where = fmt.Sprintf("pinned to cores %v", p.cores)
	}
	if p.procs > 0 {
		where += fmt.Sprintf("; GOMAXPROCS %d under load", p.procs)
	}
	return fmt.Sprintf("%d loop(s), 1 executor, 1 appender, 1 syncer; %s", p.loops, where)
}

// arrange carries the plan out. A core or a priority that the kernel refuses is told and done without.
func (n *Node) arrange() {
	var once sync.Once
	refused := func(err error) {
		once.Do(func() {
			n.log.Info("loops and executor have no priority: under load they wait behind compactions (CAP_SYS_NICE or LimitNICE=-10 would give it)", "err", err)
		})
	}
	bind := func(what string, i int) {
		if _, err := urge(); err != nil {
			refused(err)
		}
		if !n.plan.pinned {
			return
		}
		runtime.LockOSThread()
		if err := tie(n.plan.cores[i]); err != nil {
			n.log.Warn("a thread could not be pinned", "thread", what, "core", n.plan.cores[i], "err", err)
		}
	}
	for i := range n.loops {
		n.engine.Post(i, func() { bind("loop", i) })
	}
	if n.plan.pinned {
		n.x.began = func() { bind("executor", len(n.loops)) }
		return
	}
	n.x.urgency.set = func() (calm func()) {
		slow, err := urge()
		if err != nil {
			refused(err)
			return func() {}
		}
		if n.plan.procs == 0 {
			return slow
		}
		usual := runtime.GOMAXPROCS(n.plan.procs)
		return func() {
			runtime.GOMAXPROCS(usual)
			slow()
		}
	}
}

// threadStatus tells which workers run where, and how busy their thread was; duties are those of the loops.
func (n *Node) threadStatus(duties []float64) (ts []admin.ThreadStatus) {
	add := func(name string, duty float64, workers string) {
		t := admin.ThreadStatus{Name: name, Core: -1, Duty: duty, Idle: -1, Workers: workers}
		if duty >= 0 {
			t.Idle = 1 - duty
		}
		if n.plan.pinned {
			t.Core = n.plan.cores[len(ts)]
		}
		ts = append(ts, t)
	}
	w, first := n.cfg.Workers, 0
	for i, l := range n.loops {
		add(fmt.Sprintf("loop-%d", i), duties[i], fmt.Sprintf("entry %d-%d", first, first+l.desk.Workers()-1))
		first += l.desk.Workers()
	}
	add("executor", n.x.duty(), fmt.Sprintf("router 0-%d, verifier 0-%d, egress 0-%d, billing 0-%d", w.Router.Count-1, w.Verifier.Count-1, w.Egress.Count-1, w.Billing.Count-1))
	return ts
}

// tie has the calling thread run on one core alone.
func tie(core int) error {
	var set unix.CPUSet
	set.Set(core)
	return unix.SchedSetaffinity(0, &set)
}

// thisHost reads what the kernel grants.
func thisHost() host {
	h := host{procs: runtime.GOMAXPROCS(0), fixed: os.Getenv("GOMAXPROCS") != "", quota: cgroupQuota("/proc/self/cgroup", "/sys/fs/cgroup")}
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err == nil {
		for c := range len(set) * 64 {
			if set.IsSet(c) {
				h.allowed = append(h.allowed, c)
			}
		}
	}
	if len(h.allowed) == 0 {
		for c := range runtime.NumCPU() {
			h.allowed = append(h.allowed, c)
		}
	}
	if b, err := os.ReadFile("/sys/devices/system/cpu/isolated"); err == nil {
		h.isolated = coreList(strings.TrimSpace(string(b)))
	}
	h.nodes = numaNodes("/sys/devices/system/node")
	return h
}

// numaNodes reads the cores of each node; none on a machine that does not tell.
func numaNodes(dir string) (nodes [][]int) {
	files, _ := filepath.Glob(filepath.Join(dir, "node[0-9]*", "cpulist")) // the pattern is well formed
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil {
			nodes = append(nodes, coreList(strings.TrimSpace(string(b))))
		}
	}
	return nodes
}

// coreList reads "2-5,8".
func coreList(s string) (cores []int) {
	for part := range strings.SplitSeq(s, ",") {
		from, to, span := strings.Cut(part, "-")
		a, err := strconv.Atoi(from)
		if err != nil {
			continue
		}
		b := a
		if span {
			if b, err = strconv.Atoi(to); err != nil {
				continue
			}
		}
		for c := a; c <= b && len(cores) < 4096; c++ {
			cores = append(cores, c)
		}
	}
	return cores
}

// cgroupQuota is the smallest CPU limit, in cores, from our own cgroup up to the root: the runtime looks at
// the leaf alone. Both versions of the hierarchy are read; 0 is no limit.
func cgroupQuota(self, mount string) (cores float64) {
	b, err := os.ReadFile(self)
	if err != nil {
		return 0
	}
	least := func(v float64) {
		if v > 0 && (cores == 0 || v < cores) {
			cores = v
		}
	}
	for line := range strings.Lines(string(b)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 || f[1] != "" && !slices.Contains(strings.Split(f[1], ","), "cpu") {
			continue
		}
		root := mount
		if f[1] != "" {
			root = filepath.Join(mount, f[1])
		}
		for dir := filepath.Clean("/" + f[2]); ; dir = filepath.Dir(dir) {
			least(quotaOf(filepath.Join(root, dir)))
			if dir == "/" {
				break
			}
		}
	}
	return cores
}

// quotaOf reads one directory: cpu.max of version 2, or the two files of version 1.
func quotaOf(dir string) float64 {
	if b, err := os.ReadFile(filepath.Join(dir, "cpu.max")); err == nil {
		f := strings.Fields(string(b))
		if len(f) == 2 {
			return share(f[0], f[1])
		}
	}
	q, err1 := os.ReadFile(filepath.Join(dir, "cpu.cfs_quota_us"))
	p, err2 := os.ReadFile(filepath.Join(dir, "cpu.cfs_period_us"))
	if err1 != nil || err2 != nil {
		return 0
	}
	return share(strings.TrimSpace(string(q)), strings.TrimSpace(string(p)))
}

func share(quota, period string) float64 {
	q, err1 := strconv.ParseFloat(quota, 64) // "max" and -1 are no limit
	p, err2 := strconv.ParseFloat(period, 64)
	if err1 != nil || err2 != nil || q <= 0 || p <= 0 {
		return 0
	}
	return q / p
}
