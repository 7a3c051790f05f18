package bench

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Vitals are what the kernel says of a process.
type Vitals struct {
	CPU     time.Duration `json:"cpu_ns"` // user and system, to 10 ms
	RSS     int64         `json:"rss_bytes"`
	FDs     int           `json:"fds"`
	Threads int           `json:"threads"`
}

const ticksPerSecond = 100 // of /proc/PID/stat on every Linux that Go runs on

// vitals reads /proc.
func vitals(pid int) (v Vitals, err error) {
	dir := fmt.Sprintf("/proc/%d", pid)
	b, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return v, err
	}
	// The name of the program, in parentheses, may hold blanks.
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if len(f) < 22 {
		return v, fmt.Errorf("%s/stat has %d fields", dir, len(f))
	}
	field := func(i int) int64 {
		n, perr := strconv.ParseInt(f[i], 10, 64)
		if perr != nil {
			err = fmt.Errorf("%s/stat: %w", dir, perr)
		}
		return n
	}
	v.CPU = time.Duration(field(11)+field(12)) * time.Second / ticksPerSecond
	v.Threads = int(field(17))
	v.RSS = field(21) * int64(os.Getpagesize())
	if err != nil {
		return v, err
	}
	fds, err := os.ReadDir(dir + "/fd")
	v.FDs = len(fds)
	return v, err
}

// stolen is the time for which this machine's cores wanted to run and its host ran others, since the machine began; proc_stat(5).
func stolen() (time.Duration, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	const steal = 8 // behind the word and user, nice, system, idle, iowait, irq, softirq
	f := strings.Fields(line)
	if len(f) <= steal {
		return 0, fmt.Errorf("/proc/stat begins with %q", line)
	}
	n, err := strconv.ParseInt(f[steal], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("/proc/stat: %w", err)
	}
	return time.Duration(n) * time.Second / ticksPerSecond, nil
}

// used is the CPU time, user and system, of both sides since their starts.
type used struct{ appliance, peers time.Duration }

// used reads it: client and carriers are this process.
func (s *stand) used() (u used, err error) {
	v, err := vitals(s.appliance.pid())
	if err != nil {
		return u, err
	}
	u.appliance = v.CPU
	v, err = vitals(os.Getpid())
	u.peers = v.CPU
	return u, err
}

// wholeSet is what this program was allowed to run on when it began.
var wholeSet = sync.OnceValues(func() (set unix.CPUSet, err error) {
	return set, unix.SchedGetaffinity(0, &set)
})

// confine lets what this thread starts use only the cores given, until restore is called; all else of this program, the
// generator and the carriers, gets the other cores, so that neither takes the other's time. Where none would be left, or none
// are given, it keeps all. The caller is locked to its thread.
func confine(cores []int) (restore func(), err error) {
	whole, err := wholeSet()
	if err != nil {
		return nil, fmt.Errorf("ask for the cores: %w", err)
	}
	var set unix.CPUSet
	rest := whole
	for _, c := range cores {
		if c < 0 || c >= runtime.NumCPU() || !whole.IsSet(c) {
			return nil, fmt.Errorf("there is no core %d to confine the appliance to", c)
		}
		set.Set(c)
		rest.Clear(c)
	}
	if rest.Count() == 0 {
		rest = whole
	}
	if err := moveAll(&rest); err != nil {
		return nil, err
	}
	if len(cores) == 0 {
		return func() {}, nil
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("confine to cores %v: %w", cores, err)
	}
	return func() { _ = unix.SchedSetaffinity(0, &rest) }, nil
}

// moveAll moves every thread of this program; threads that begin later take after the one that begins them.
func moveAll(set *unix.CPUSet) error {
	for range 2 { // one may have begun another behind our back
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("list the threads: %w", err)
		}
		for _, t := range tasks {
			tid, err := strconv.Atoi(t.Name())
			if err != nil {
				return fmt.Errorf("list the threads: %w", err)
			}
			if err := unix.SchedSetaffinity(tid, set); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("move thread %d to other cores: %w", tid, err)
			}
		}
	}
	return nil
}
