package sim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mutant is a fault that the judge must see.
type mutant struct {
	name, what, caught string
	test, from         string // that sees it, from that seed on
	edits              []edit
}

// edit changes one place of one file.
type edit struct{ file, old, new string }

// mutantSwitch is added to every package that has a mutant in it.
const mutantSwitch = `package %s

import "os"

var mutantName = os.Getenv("SMSPLANE_MUTANT")

func mutant(name string) bool { return name == mutantName }
`

// readMutants reads testdata/mutants.txt.
func readMutants(t *testing.T, file string) (all []*mutant) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	form := regexp.MustCompile(`^(\S+): (.*)\ncaught: (.*)\n(?:by: (\w+) from (\d+)\n)?`)
	place := regexp.MustCompile(`(?ms)^file (\S+)\n--- old\n(.*?)\n--- new\n(.*?)\n---$`)
	for _, part := range regexp.MustCompile(`(?m)^mutant `).Split(string(b), -1)[1:] {
		m := form.FindStringSubmatch(part)
		if m == nil {
			t.Fatalf("%s: %.60q is no mutant", file, part)
		}
		mu := &mutant{name: m[1], what: m[2], caught: m[3], test: cmp.Or(m[4], "TestSeeds"), from: cmp.Or(m[5], "1")}
		for _, e := range place.FindAllStringSubmatch(part, -1) {
			mu.edits = append(mu.edits, edit{e[1], e[2], e[3]})
		}
		if len(mu.edits) == 0 {
			t.Fatalf("%s: mutant %s changes nothing", file, mu.name)
		}
		all = append(all, mu)
	}
	return all
}

// overlay writes the files with all mutants in them and what `go build -overlay` wants to know.
func overlay(t *testing.T, all []*mutant) string {
	t.Helper()
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir, text, replace := t.TempDir(), map[string]string{}, map[string]string{}
	for _, m := range all {
		for _, e := range m.edits {
			if text[e.file] == "" {
				b, err := os.ReadFile(filepath.Join(top, e.file))
				if err != nil {
					t.Fatal(err)
				}
				text[e.file] = string(b)
			}
			if n := strings.Count(text[e.file], e.old); n != 1 {
				t.Errorf("mutant %s is out of date: its old text is %d times in %s:\n%s", m.name, n, e.file, e.old)
			}
			text[e.file] = strings.Replace(text[e.file], e.old, e.new, 1)
		}
	}
	put := func(file, text string) {
		at := filepath.Join(dir, strings.ReplaceAll(file, "/", "+"))
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(top, file)] = at
	}
	for file, text := range text {
		put(file, text)
		put(path.Join(path.Dir(file), "mutant_switch.go"), fmt.Sprintf(mutantSwitch, path.Base(path.Dir(file))))
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestMutants: each fault is seen, for what it is, within a few hundred seeds.
func TestMutants(t *testing.T) {
	if testing.Short() {
		return // it builds the appliance anew
	}
	all := readMutants(t, "testdata/mutants.txt")
	list := overlay(t, all)
	if t.Failed() {
		return
	}
	bin := filepath.Join(t.TempDir(), "sim.test")
	if out, err := exec.Command("go", "test", "-c", "-vet=off", "-overlay", list, "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, m := range all {
		t.Run(m.name, func(t *testing.T) {
			run := exec.Command(bin, "-test.run", "^"+m.test+"$", "-test.timeout", "5m", "-seeds", "400", "-from", m.from)
			run.Env = append(os.Environ(), "SMSPLANE_MUTANT="+m.name)
			out, err := run.CombinedOutput()
			seed := regexp.MustCompile(`seed \d+: .*`).Find(out)
			switch {
			case err == nil:
				t.Errorf("nobody saw that %s", m.what)
			case !regexp.MustCompile(m.caught).Match(seed):
				t.Errorf("seen otherwise than by %q:\n%s", m.caught, out)
			default:
				t.Logf("%s: %s", m.what, seed)
			}
		})
	}
}
