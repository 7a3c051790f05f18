package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// Origin says where and from what a result comes.
type Origin struct {
	Suite   string    `json:"suite"`
	Commit  string    `json:"commit"` // "+" at its end: with changes; "?": what is checked out, not necessarily what was built
	When    time.Time `json:"when"`
	Machine Machine   `json:"machine"`
}

// Machine is what the figures depend on.
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"` // usable by this process
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
}

func newOrigin(suite string) Origin {
	return Origin{
		Suite: suite, Commit: commit(), When: time.Now().UTC().Truncate(time.Second),
		Machine: Machine{CPU: cpuName(), Cores: runtime.NumCPU(), Kernel: firstLine("/proc/sys/kernel/osrelease"), Go: runtime.Version()},
	}
}

func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	name, changed := "unknown", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			name = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "+"
		}
	}
	if name == "unknown" {
		return checkout()
	}
	return name + changed
}

// checkout asks git about the folder this program is in: `make build` puts it there, but a program built without version
// control may be older than what is checked out, so the name ends in "?".
func checkout() string {
	own, err := os.Executable()
	if err != nil {
		return "unknown"
	}
	out, err := exec.Command("git", "-C", filepath.Dir(own), "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out)) + "?"
}

func firstLine(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return line
}

func cpuName() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// save writes a result into dir under a name made of suite, time and commit, and returns the file.
func save[T any](dir string, o Origin, result T) (string, error) {
	b, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	file := filepath.Join(dir, fmt.Sprintf("%s-%s-%s.json", o.Suite, o.When.Format("20060102T150405Z"), strings.TrimSuffix(o.Commit, "?")))
	return file, os.WriteFile(file, append(b, '\n'), 0o644)
}
