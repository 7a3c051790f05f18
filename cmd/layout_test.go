// Package cmd holds only this check of the whole checkout: what the house asks of every file, each rule
// with what to write instead. The commands are in the folders below.
package cmd

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "smsplane"

// levels is the house from the ground up: a package imports only packages of a lower line. A new package
// gets a place here first; if none fits, the border is in the wrong place.
var levels = [][]string{
	{"ledger", "pdu", "ring"},
	{"pdu/text", "ledger/journal", "ledger/catalog/document"},
	{"pdu/profile"},
	{"pdu/session", "ledger/catalog", "ledger/replica", "ledger/book"},
	{"router", "ledger/crash", "ledger/measure"},
	{"router/verifier", "egress", "dataplane/gate", "dataplane/config", "dataplane/admin", "dataplane/cluster"},
	{"dataplane/transport"},
	{"dataplane/entry"},
	{"dataplane"},
	{"bench/peer", "bench/conform"},
	{"bench", "bench/codec", "bench/codec/client", "bench/ring", "bench/e2e", "bench/sim", "bench/mischief", "bench/power", "bench/failover"},
	{"cmd/smsplane", "cmd/smsbench"},
}

// rooms are the only places where a third-party world may be imported: replacing it touches one folder.
var rooms = []struct{ world, room string }{
	{"github.com/panjf2000/gnet", "dataplane/transport"},
	{"github.com/cockroachdb/pebble", "ledger"},
	{"go.etcd.io/raft", "ledger/replica"},
	{"net/http", "dataplane/admin"},
	{"github.com/prometheus", "dataplane/admin"},
	{"github.com/spf13/cobra", "cmd"},
}

// words that must not be in a source, each with what to write instead. They are joined here so that this
// file does not contain them.
var words = []struct{ word, instead string }{
	{"TO" + "DO", "do it now, or open an issue and say in a comment what holds today"},
	{"FIX" + "ME", "mend it, or open an issue and say in a comment what holds today"},
	{"XX" + "X", "say in words what is odd here"},
	{"t.Sk" + "ip", "make the test run everywhere, or fail and name what is missing"},
	{"not imple" + "mented", "leave out what is not built: absent, not pretended"},
	{"time.Sl" + "eep(", "in code a timer that a context can end; in tests a bounded wait for the condition, or an injected clock"},
	{"math/ra" + "nd\"", "math/rand/v2, seeded by who needs the run repeated"},
}

// drawers are names that say nothing about what is inside.
var drawers = []string{"util", "utils", "common", "helper", "helpers", "misc", "manager", "types", "base", "shared"}

const maxLines = 600

type source struct {
	path string // slash-separated, from the checkout's top
	text []byte
	ast  *ast.File
}

func (s *source) dir() string  { return path.Dir(s.path) }
func (s *source) name() string { return path.Base(s.path) }
func (s *source) test() bool   { return strings.HasSuffix(s.path, "_test.go") }

// sources parses every Go file of the checkout.
func sources(t *testing.T) []*source {
	t.Helper()
	var all []*source
	set := token.NewFileSet()
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && file != ".." && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata" || name == "demo") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel("..", file)
		if err != nil {
			return err
		}
		tree, err := parser.ParseFile(set, file, text, parser.ParseComments)
		if err != nil {
			t.Errorf("%v", err)
			return nil
		}
		all = append(all, &source{filepath.ToSlash(rel), text, tree})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Fatalf("only %d Go files found: is this the checkout?", len(all))
	}
	return all
}

func level(dir string) int {
	return slices.IndexFunc(levels, func(l []string) bool { return slices.Contains(l, dir) })
}

func TestImportsGoDown(t *testing.T) {
	for _, s := range sources(t) {
		if s.dir() == "cmd" {
			continue
		}
		from := level(s.dir())
		if from < 0 {
			t.Errorf("%s: %s has no place in levels (cmd/layout_test.go); give it the lowest line above all it imports", s.path, s.dir())
			continue
		}
		for _, spec := range s.ast.Imports {
			target, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			dir, ours := strings.CutPrefix(target, module+"/")
			// An external test package may look at its own package, and a test at a peer of its level.
			if !ours || s.test() && (dir == s.dir() || level(dir) == from) {
				continue
			}
			if to := level(dir); to >= from {
				t.Errorf("%s imports %s, which is not below it; declare a small interface here and let the level above pass the other in", s.path, target)
			}
		}
	}
}

func TestEachWorldHasOneRoom(t *testing.T) {
	for _, s := range sources(t) {
		if s.test() {
			continue
		}
		for _, spec := range s.ast.Imports {
			target, _ := strconv.Unquote(spec.Path.Value)
			for _, r := range rooms {
				if inside(target, r.world) && !inside(s.dir(), r.room) {
					t.Errorf("%s imports %s; only %s may: use what that package exports, or export what is missing there", s.path, target, r.room)
				}
			}
		}
	}
}

func inside(p, root string) bool { return p == root || strings.HasPrefix(p, root+"/") }

func TestFormatted(t *testing.T) {
	for _, s := range sources(t) {
		if want, err := format.Source(s.text); err != nil || !bytes.Equal(want, s.text) {
			t.Errorf("%s is not as gofmt writes it (%v); run gofmt -w %s", s.path, err, s.path)
		}
	}
}

func TestEachPackageExplainsItself(t *testing.T) {
	docs, seen := map[string]bool{}, map[string]string{}
	for _, s := range sources(t) {
		if !s.test() {
			seen[s.dir()] = s.ast.Name.Name
		}
		if s.name() == "doc.go" && s.ast.Doc != nil {
			text := s.ast.Doc.Text()
			pkg := s.ast.Name.Name
			command := "Command " + path.Base(s.dir())
			docs[s.dir()] = strings.HasPrefix(text, "Package "+pkg+" ") || pkg == "main" && strings.HasPrefix(text, command+" ")
		}
	}
	for dir, pkg := range seen {
		if !docs[dir] {
			t.Errorf("%s has no doc.go that begins \"Package %s ...\" (a command: \"Command %s ...\"); write purpose, invariants, which goroutine may call it, how long a returned slice lives", dir, pkg, path.Base(dir))
		}
	}
}

func TestEachPackageIsTested(t *testing.T) {
	tested, seen := map[string]bool{}, map[string]bool{}
	for _, s := range sources(t) {
		if s.test() {
			tested[s.dir()] = true
		} else if s.name() != "doc.go" {
			seen[s.dir()] = true
		}
	}
	for dir := range seen {
		if !tested[dir] && !tested[path.Dir(dir)] {
			t.Errorf("%s has no test; write one that fails when its promise is broken", dir)
		}
	}
}

func TestNoForbiddenWords(t *testing.T) {
	for _, s := range sources(t) {
		for i, line := range bytes.Split(s.text, []byte("\n")) {
			for _, w := range words {
				if bytes.Contains(line, []byte(w.word)) {
					t.Errorf("%s:%d: %q; %s", s.path, i+1, w.word, w.instead)
				}
			}
		}
	}
}

// TestNoPathOfOneMachine: a path of the machine it was written on helps nobody else.
func TestNoPathOfOneMachine(t *testing.T) {
	top, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	here := filepath.Dir(top) + "/"
	if here == "//" {
		return
	}
	for _, s := range sources(t) {
		if bytes.Contains(s.text, []byte(here)) {
			t.Errorf("%s names %s; use a path relative to the checkout", s.path, here)
		}
	}
}

func TestFilesHoldOneNoun(t *testing.T) {
	for _, s := range sources(t) {
		if n := bytes.Count(s.text, []byte("\n")); n > maxLines && !s.test() {
			t.Errorf("%s has %d lines, more than %d; split it by noun", s.path, n, maxLines)
		}
		noun := strings.TrimSuffix(strings.TrimSuffix(s.name(), ".go"), "_test")
		if noun == "" || strings.ToLower(noun) != noun || slices.Contains(drawers, noun) || slices.Contains(drawers, path.Base(s.dir())) {
			t.Errorf("%s: the name says nothing about what is inside; name the noun, in lower case", s.path)
		}
	}
}

// TestTestsAreInTestFiles: a Test function outside a _test.go file never runs, and ships.
func TestTestsAreInTestFiles(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.ast.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || s.test() || f.Recv != nil {
				continue
			}
			for _, kind := range []string{"Test", "Fuzz", "Benchmark"} {
				if strings.HasPrefix(f.Name.Name, kind) && takesTesting(f) {
					t.Errorf("%s: %s never runs here; move it to a file that ends in _test.go", s.path, f.Name.Name)
				}
			}
		}
	}
}

func takesTesting(f *ast.FuncDecl) bool {
	if len(f.Type.Params.List) != 1 {
		return false
	}
	star, ok := f.Type.Params.List[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	sel, ok := star.X.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == "testing"
}
