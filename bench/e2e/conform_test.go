//go:build e2e

package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var rewrite = flag.Bool("rewrite", false, "write the sheet over testdata/conform.txt")

// TestConform: the link sheet of our own server, word for word. A change of behaviour shows here as a line that
// changes; when it is meant, run make build and
//
//	go test -tags e2e -run 'TestConform$' ./bench/e2e -rewrite
func TestConform(t *testing.T) {
	c := startCarrier(t)
	n := newNode(t, c.port)
	files := catalog([]int{c.port})
	write(t, filepath.Join(filepath.Dir(n.config), "catalog/clients.yaml"), strings.Replace(files["clients.yaml"], "    plan:", "    broadcast: \"4999001\"\n    plan:", 1))
	write(t, filepath.Join(filepath.Dir(n.config), "catalog/carriers.yaml"), strings.Replace(files["carriers.yaml"], "        bind:", "        version: \"5.0\"\n        bind:", 1))
	n.up().linked(linkSessions)
	args := []string{"conform", n.smpp, "--system-id", "demo", "--password", "secret", "--to", "491510000001"}
	code, out, errs := run(t, 2*time.Minute, program(t, "smsbench"), args...)
	if code != 0 {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	compareSheet(t, "testdata/conform.txt", out)

	code, out, errs = run(t, time.Minute, program(t, "smsbench"), "conform", n.smpp, "--system-id", "demo", "--password", "secret", "--json")
	var sheet struct {
		Messages int
		Counts   map[string]int
		Sections []struct{ Name string }
	}
	if err := json.Unmarshal([]byte(out), &sheet); code != 0 || err != nil {
		t.Fatalf("without a number: exit %d, %v: %s%s", code, err, out, errs)
	}
	if sheet.Messages != 0 || sheet.Counts["ok"] < 20 || len(sheet.Sections) < 4 {
		t.Errorf("without a number: %+v", sheet)
	}
	n.proven()
	n.stop()
}

// TestConformOfOthers: the link sheet of a server that is not ours, npm smpp, which takes nearly everything.
func TestConformOfOthers(t *testing.T) {
	port := freePort(t)
	server := start(t, "node", "node/carrier.js", fmt.Sprint(port))
	eventually(t, patience, "the npm carrier listens", func() bool { return strings.Contains(server.stdout.String(), "listening") })
	code, out, errs := run(t, 2*time.Minute, program(t, "smsbench"), "conform", loopback(port), "--to", "491510000001", "--timeout", "600ms")
	if code != 0 {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	compareSheet(t, "testdata/conform-npm.txt", out)
}

// compareSheet compares a sheet with the one of before, word for word but for times.
func compareSheet(t *testing.T, file, sheet string) {
	t.Helper()
	got := sheetToCompare(sheet)
	if *rewrite {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the sheet differs from %s:\n%s", file, difference(string(want), got))
	}
}

var (
	sheetHead = regexp.MustCompile(`^SMPP link sheet of .*\n`)
	sheetTime = regexp.MustCompile(`(?m)^(  (?:connect and bind|.*, median) +\w+ ).*$`)
)

// sheetToCompare is a sheet without what differs from run to run.
func sheetToCompare(s string) string {
	return sheetTime.ReplaceAllString(sheetHead.ReplaceAllString(s, ""), "$1 …")
}

// difference lists lines that only one of two texts has.
func difference(want, got string) string {
	var b strings.Builder
	missing := func(mark, from, in string) {
		for line := range strings.Lines(from) {
			if !strings.Contains(in, line) {
				b.WriteString(mark + line)
			}
		}
	}
	missing("- ", want, got)
	missing("+ ", got, want)
	return b.String()
}
