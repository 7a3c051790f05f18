//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// samples are the folders that scripts outside the project rely on, copied word for word.
const samples = "testdata/contract"

// TestSampleFolders: the sample folders check, start on their own ports, and stop.
func TestSampleFolders(t *testing.T) {
	for _, name := range []string{"single", "reference"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(samples)); err != nil {
				t.Fatal(err)
			}
			n := &node{t: t, config: filepath.Join(dir, name, "smsplane.yaml"), smpp: "127.0.0.1:2775", admin: "127.0.0.1:8080"}
			mustBeFree(t, n.smpp, n.admin)
			if code, out, errs := n.command("check"); code != 0 {
				t.Fatalf("check: exit %d\n%s%s", code, out, errs)
			}
			n.up()
			if got := n.status(); got.Node != "a" || len(got.Layers) != 8 {
				t.Errorf("status: node %q, %d layers; want a and 8", got.Node, len(got.Layers))
			}
			n.proven()
			n.stop()
		})
	}
}

// TestSamplesAreTheOriginals holds wherever the originals are beside the checkout.
func TestSamplesAreTheOriginals(t *testing.T) {
	originals := filepath.Join(top, "..", "shared", "contract")
	if _, err := os.Stat(originals); err != nil {
		return // a clone elsewhere has only the copies
	}
	files, err := filepath.Glob(filepath.Join(samples, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob(filepath.Join(samples, "single", "catalog", "*"))
	if err != nil || len(more) != 6 {
		t.Fatalf("%d catalog files, %v", len(more), err)
	}
	for _, f := range append(files, more...) {
		rel, err := filepath.Rel(samples, f)
		if err != nil {
			t.Fatal(err)
		}
		if st, err := os.Stat(f); err != nil || st.IsDir() {
			continue
		}
		ours, err1 := os.ReadFile(f)
		theirs, err2 := os.ReadFile(filepath.Join(originals, rel))
		if err1 != nil || err2 != nil || string(ours) != string(theirs) {
			t.Errorf("%s differs from the original (%v, %v)", rel, err1, err2)
		}
	}
}

// TestTenMistakes: all are told at once, each at its file and line.
func TestTenMistakes(t *testing.T) {
	n := newNode(t, 3775)
	dir := filepath.Join(filepath.Dir(n.config), "catalog")
	edits := []struct{ file, old, new string }{
		{"clients.yaml", "class: transactional", "class: fast"},
		{"clients.yaml", "charge: sent", "charge: sometimes"},
		{"clients.yaml", "    tps: unlimited\n", ""},
		{"clients.yaml", "plan: standard", "colour: red\n    plan: standard"},
		{"carriers.yaml", "bind: transceiver", "bind: sideways"},
		{"carriers.yaml", "cost: sent", "cost: never"},
		{"carriers.yaml", "receipt_wait: 72h", "receipt_wait: soon"},
		{"rates.csv", "0.0310", "0.0310001"},
		{"rates.csv", "sell,demo,44,,,0.0450,EUR,2026-01-01,", "sell,demo,44,,,0.0450,EUR,01.01.2026,"},
		{"routes.csv", "standard,33,,,,1,1,c0", "standard,33,,,,1,1,nobody"},
	}
	files := map[string]bool{}
	for _, e := range edits {
		file := filepath.Join(dir, e.file)
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), e.old) {
			t.Fatalf("%s has no %q", e.file, e.old)
		}
		write(t, file, strings.Replace(string(b), e.old, e.new, 1))
		files[e.file] = true
	}
	code, out, errs := n.command("check")
	if code != 1 {
		t.Errorf("exit %d; want 1", code)
	}
	at := map[string]bool{}
	for _, m := range regexp.MustCompile(`(\w+\.(?:yaml|csv)):\d+`).FindAllStringSubmatch(out+errs, -1) {
		at[m[0]] = true
		delete(files, m[1])
	}
	if len(at) < len(edits) || len(files) != 0 {
		t.Errorf("told at %d places, none in %v; want %d:\n%s%s", len(at), files, len(edits), out, errs)
	}
	if code, _, errs := run(t, time.Minute, program(t, "smsplane"), "serve", "--config", n.config); code != 1 || errs == "" {
		t.Errorf("serve with mistakes: exit %d, %q", code, errs)
	}
}

// TestRunOnce is `make run ONCE=1`: the table adds up, and what it leaves behind can be looked at.
func TestRunOnce(t *testing.T) {
	mustBeFree(t, "127.0.0.1:2775", "127.0.0.1:8080", "127.0.0.1:3775", "127.0.0.1:3776")
	dir := filepath.Join(t.TempDir(), "demo")
	code, out, errs := run(t, 2*time.Minute, program(t, "smsbench"), "run", "--dir", dir, "--once")
	if code != 0 {
		t.Fatalf("exit %d\n%s%s", code, last(out), last(errs))
	}
	for _, want := range []string{"entry", "router", "verifier", "egress", "billing", "10000"} {
		if !strings.Contains(strings.NewReplacer(",", "", "\u202f", "").Replace(out), want) {
			t.Errorf("the table does not tell %q:\n%s", want, out)
		}
	}
	n := &node{t: t, config: filepath.Join(dir, "smsplane.yaml")}
	if b := n.status().Books; b.Accepted != 10_000 || b.Delivered+b.Failed != 10_000 {
		t.Errorf("books after the run: %+v", b)
	}
	n.proven()
}

// TestInitWritesAFolderThatChecks: what init writes for one's own client and carrier is valid, and it
// never overwrites.
func TestInitWritesAFolderThatChecks(t *testing.T) {
	for _, args := range [][]string{{}, {"--demo"}} {
		t.Run(fmt.Sprint(args), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "new")
			init := append([]string{"init", dir}, args...)
			if code, out, errs := run(t, time.Minute, program(t, "smsplane"), init...); code != 0 {
				t.Fatalf("init: exit %d\n%s%s", code, out, errs)
			}
			config := filepath.Join(dir, "smsplane.yaml")
			if code, out, errs := run(t, time.Minute, program(t, "smsplane"), "check", "--config", config); code != 0 {
				t.Fatalf("check: exit %d\n%s%s", code, out, errs)
			}
			if code, _, _ := run(t, time.Minute, program(t, "smsplane"), init...); code != 1 {
				t.Errorf("a second init: exit %d; want 1", code)
			}
		})
	}
}

func mustBeFree(t *testing.T, addrs ...string) {
	t.Helper()
	for _, a := range addrs {
		l, err := net.Listen("tcp", a)
		if err != nil {
			t.Fatalf("the sample folders listen at %s, and somebody is there: %v", a, err)
		}
		l.Close()
	}
}
