package dataplane

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"smsplane/dataplane/config"
)

func cores(n int) (cs []int) {
	for c := range n {
		cs = append(cs, c)
	}
	return cs
}

func TestPlanOfThreads(t *testing.T) {
	even, odd := []int{0, 2, 4, 6, 8, 10, 12, 14}, []int{1, 3, 5, 7, 9, 11, 13, 15}
	for _, c := range []struct {
		name   string
		h      host
		pin    config.Pin
		loops  int
		pinned bool
		cores  []int
		fails  bool
	}{
		{"one core", host{allowed: cores(1), procs: 1}, config.PinAuto, 1, false, nil, false},
		{"two cores", host{allowed: cores(2), procs: 2}, config.PinAuto, 1, false, nil, false},
		{"four cores", host{allowed: cores(4), procs: 4}, config.PinAuto, 2, false, nil, false},
		{"seven cores", host{allowed: cores(7), procs: 7}, config.PinAuto, 3, false, nil, false},
		{"eight cores", host{allowed: cores(8), procs: 8}, config.PinAuto, 3, true, []int{7, 6, 5, 4}, false},
		{"eight cores, off", host{allowed: cores(8), procs: 8}, config.PinOff, 3, false, nil, false},
		{"isolated cores first", host{allowed: cores(8), procs: 8, isolated: []int{2, 3, 99}}, config.PinAuto, 3, true, []int{2, 3, 7, 6}, false},
		{"all on one node", host{allowed: cores(16), procs: 16, nodes: [][]int{even, odd}}, config.PinAuto, 5, true, []int{15, 13, 11, 9, 7, 5}, false},
		{"the node that has isolated cores", host{allowed: cores(16), procs: 16, nodes: [][]int{even, odd}, isolated: []int{4, 6}}, config.PinAuto, 5, true,
			[]int{4, 6, 14, 12, 10, 8}, false},
		{"the node that has room", host{allowed: cores(16), procs: 16, nodes: [][]int{cores(9), {9, 10, 11, 12}, {13, 14}}, isolated: []int{9}}, config.PinAuto, 5, true,
			[]int{8, 7, 6, 5, 4, 3}, false},
		{"no node has room", host{allowed: cores(8), procs: 8, nodes: [][]int{{0, 1}, {2, 3, 4}, {5, 6}}}, config.PinAuto, 3, true, []int{4, 3, 2, 1}, false},
		{"a quota of three on sixteen", host{allowed: cores(16), procs: 16, quota: 3}, config.PinAuto, 1, false, nil, false},
		{"a broken quota", host{allowed: cores(16), procs: 16, quota: 9.5}, config.PinAuto, 4, false, nil, false},
		{"strict on four", host{allowed: cores(5), procs: 5}, config.PinStrict, 2, true, []int{4, 3, 2}, false},
		{"strict on two", host{allowed: cores(2), procs: 2}, config.PinStrict, 1, false, nil, true},
		{"strict on a broken quota", host{allowed: cores(16), procs: 16, quota: 8.5}, config.PinStrict, 0, false, nil, true},
	} {
		p, err := threads(c.h, c.pin, 5)
		if (err != nil) != c.fails {
			t.Errorf("%s: %v", c.name, err)
		}
		if err == nil && (p.loops != c.loops || p.pinned != c.pinned || !slices.Equal(p.cores, c.cores)) {
			t.Errorf("%s: %d loops, pinned %v to %v; want %d, %v to %v (%s)", c.name, p.loops, p.pinned, p.cores, c.loops, c.pinned, c.cores, p)
		}
	}
}

// On few cores these threads have a processor of the runtime each, beyond one for each core; whoever plans a second time in the same
// process, or says how many there are, gets no more.
func TestProcessorsOfTheRuntime(t *testing.T) {
	for _, c := range []struct {
		h     host
		procs int
	}{
		{host{allowed: cores(1), procs: 1}, 3},
		{host{allowed: cores(2), procs: 2}, 4},
		{host{allowed: cores(2), procs: 4}, 4},
		{host{allowed: cores(2), procs: 1, fixed: true}, 0},
		{host{allowed: cores(7), procs: 7}, 11},
		{host{allowed: cores(8), procs: 8}, 0},
		{host{allowed: cores(16), procs: 16, quota: 3}, 0},
	} {
		for _, pin := range []config.Pin{config.PinAuto, config.PinOff} {
			if p, err := threads(c.h, pin, 5); err != nil || p.procs != c.procs {
				t.Errorf("%+v, %v: GOMAXPROCS %d, %v; want %d", c.h, pin, p.procs, err, c.procs)
			}
		}
	}
}

// As many loops as there are entry workers, however many cores; the executor's core is the one behind theirs.
func TestNoLoopWithoutAWorker(t *testing.T) {
	p, err := threads(host{allowed: cores(16), procs: 16}, config.PinAuto, 2)
	if err != nil || p.loops != 2 || !slices.Equal(p.cores, []int{15, 14, 13}) {
		t.Errorf("%s, %v", p, err)
	}
}

func TestNUMANodes(t *testing.T) {
	dir := t.TempDir()
	for node, list := range map[string]string{"node0": "0-3,8-11\n", "node1": "4-7\n", "possible": "0-1\n"} {
		if err := os.Mkdir(filepath.Join(dir, node), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, node, "cpulist"), []byte(list), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	nodes := numaNodes(dir)
	if len(nodes) != 2 || !slices.Equal(nodes[0], []int{0, 1, 2, 3, 8, 9, 10, 11}) || !slices.Equal(nodes[1], []int{4, 5, 6, 7}) {
		t.Errorf("read %v", nodes)
	}
	if n := numaNodes(filepath.Join(dir, "none")); len(n) != 0 {
		t.Errorf("nothing reads as %v", n)
	}
}

func TestCoreList(t *testing.T) {
	if got := coreList("2-4,8,x,10-"); !slices.Equal(got, []int{2, 3, 4, 8}) {
		t.Errorf("read %v", got)
	}
	if got := coreList(""); len(got) != 0 {
		t.Errorf("nothing reads as %v", got)
	}
}

// The tightest limit of the whole tree counts, in both versions of the hierarchy.
func TestQuotaOfTheTree(t *testing.T) {
	dir := t.TempDir()
	write := func(text string, path ...string) {
		p := filepath.Join(append([]string{dir}, path...)...)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("0::/a/b\n", "v2")
	write("max 100000\n", "m", "a", "b", "cpu.max")
	write("250000 100000\n", "m", "a", "cpu.max")
	if q := cgroupQuota(filepath.Join(dir, "v2"), filepath.Join(dir, "m")); q != 2.5 {
		t.Errorf("version 2: %g cores, the parent grants 2.5", q)
	}
	write("5:memory:/x\n4:cpu,cpuacct:/x\n", "v1")
	write("150000\n", "m1", "cpu,cpuacct", "x", "cpu.cfs_quota_us")
	write("100000\n", "m1", "cpu,cpuacct", "x", "cpu.cfs_period_us")
	write("-1\n", "m1", "cpu,cpuacct", "cpu.cfs_quota_us")
	write("100000\n", "m1", "cpu,cpuacct", "cpu.cfs_period_us")
	if q := cgroupQuota(filepath.Join(dir, "v1"), filepath.Join(dir, "m1")); q != 1.5 {
		t.Errorf("version 1: %g cores, the leaf grants 1.5", q)
	}
	if q := cgroupQuota(filepath.Join(dir, "none"), dir); q != 0 {
		t.Errorf("no cgroup file: %g cores", q)
	}
}
