//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var loopsOf = regexp.MustCompile(`loops=(\d+)`)

// The loops go before the process's other threads, or the log says that they do not.
func TestPriorityOfThreads(t *testing.T) {
	n := newNode(t, freePort(t)).up()
	eventually(t, patience, "an urgent thread for each loop, or a line that says why not", func() bool {
		log := n.proc.stderr.String()
		m := loopsOf.FindStringSubmatch(log)
		if m == nil {
			return false
		}
		loops, err := strconv.Atoi(m[1])
		return err == nil && urgent(t, n.proc.cmd.Process.Pid) == loops || strings.Contains(log, "have no priority")
	})
	n.stop()
}

// urgent counts the threads of a process with a nice value below 0 (proc(5): field 19 of stat, the 17th behind the name).
func urgent(t *testing.T, pid int) (n int) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil { // the thread has ended
			continue
		}
		if v := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:]); len(v) > 16 && v[16][0] == '-' {
			n++
		}
	}
	return n
}
