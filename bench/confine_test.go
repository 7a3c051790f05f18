package bench

import (
	"os"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// What is started behind confine has the cores given and nothing else of this program keeps one of them, if others are left;
// a stand without cores gives all back.
func TestConfine(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	whole, err := wholeSet()
	if err != nil {
		t.Fatal(err)
	}
	first := 0
	for !whole.IsSet(first) {
		first++
	}
	restore, err := confine([]int{first})
	if err != nil {
		t.Fatal(err)
	}
	if set := affinity(t, 0); set.Count() != 1 || !set.IsSet(first) {
		t.Errorf("what is started may use %v", set)
	}
	restore()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err != nil {
			t.Fatal(err)
		}
		if set := affinity(t, tid); whole.Count() > 1 && set.IsSet(first) {
			t.Errorf("thread %d of the generator is on the appliance's core", tid)
		}
	}
	if _, err := confine(nil); err != nil {
		t.Fatal(err)
	}
	if set := affinity(t, 0); set != whole {
		t.Errorf("not all given back: %v", set)
	}
	if _, err := confine([]int{1 << 20}); err == nil {
		t.Error("a core that is not there")
	}
}

// affinity is where a thread may run; one that ended meanwhile may run nowhere.
func affinity(t *testing.T, tid int) (set unix.CPUSet) {
	t.Helper()
	if err := unix.SchedGetaffinity(tid, &set); err != nil && err != unix.ESRCH {
		t.Fatal(err)
	}
	return set
}
