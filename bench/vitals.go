package bench

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
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

// confine lets what this thread starts use only the cores given, until restore is called. The caller is locked to its
// thread.
func confine(cores []int) (restore func(), err error) {
	if len(cores) == 0 {
		return func() {}, nil
	}
	var before, set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return nil, fmt.Errorf("ask for the cores: %w", err)
	}
	for _, c := range cores {
		if c < 0 || c >= runtime.NumCPU() || !before.IsSet(c) {
			return nil, fmt.Errorf("there is no core %d to confine the appliance to", c)
		}
		set.Set(c)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("confine to cores %v: %w", cores, err)
	}
	return func() { _ = unix.SchedSetaffinity(0, &before) }, nil
}
