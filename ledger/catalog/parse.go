package catalog

import (
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"smsplane/ledger"
	"smsplane/ledger/catalog/document"
)

// Problem is one mistake in one file; Problems is all of them.
type (
	Problem  = document.Problem
	Problems = document.Problems
)

// parser gathers a catalog and what is wrong with it.
type parser struct {
	files  map[string][]byte
	lines  map[string]document.Lines // of files that cross-checks complained about
	report document.Report
	cat    Catalog
}

// Parse reads a catalog whole. The error, if any, is of type Problems and holds every mistake of every
// file, by file and line. Files are keyed as Read names them.
func Parse(files map[string][]byte) (*Catalog, error) {
	p := &parser{files: files}
	p.strangers()
	p.clients()
	p.carriers()
	p.networks()
	p.rates()
	p.routes()
	p.mo()
	p.check()
	if err := p.report.Err(); err != nil {
		return nil, err
	}
	return &p.cat, nil
}

// strangers reports tables that nobody reads: a misspelt network.csv would pass for an absent one.
func (p *parser) strangers() {
	known := []string{ClientsFile, CarriersFile, NetworksFile, RatesFile, RoutesFile, MOFile}
	for _, name := range slices.Sorted(maps.Keys(p.files)) {
		if tableLike(name) && !slices.Contains(known, name) {
			p.report.Add(Problem{File: name, Text: "is not a file of a catalog; those are " + strings.Join(known, ", ")})
		}
	}
}

func tableLike(name string) bool {
	ext := path.Ext(name)
	return !strings.ContainsAny(name, `/\`) && (ext == ".csv" || ext == ".yaml" || ext == ".yml")
}

// open finds a YAML file; nil when it is absent or cannot be read, with a problem unless it is optional.
func (p *parser) open(name string, optional bool) *document.Map {
	b, ok := p.files[name]
	if !ok {
		if !optional {
			p.report.Add(Problem{File: name, Text: "is missing"})
		}
		return nil
	}
	return document.Open(name, b, &p.report)
}

// name reads an id, a party, a plan or a system_id: what stands in tables, records and on screens.
func name(m *document.Map, key string, v *string) {
	s, ok := m.Text(key)
	switch {
	case !ok:
	case len(s) > maxName:
		m.Fail(key, "is longer than %d octets", maxName)
	case !printable(s):
		m.Fail(key, "%q holds characters other than printable ASCII", s)
	default:
		*v = s
	}
}

// printable is ASCII without controls, and no space at either end.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return strings.TrimSpace(s) == s
}

// tps reads a rate that must be said, if only as unlimited.
func tps(m *document.Map, v *int) {
	if !m.Has("tps") {
		m.Need("tps")
		return
	}
	rate(m, v)
}

// rate reads a tps that may be absent.
func rate(m *document.Map, v *int) {
	if s, ok := m.Text("tps"); ok && s != unlimited {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxTPS {
			m.Fail("tps", "%q is neither %s nor a number from 1 to %d", s, unlimited, maxTPS)
			return
		}
		*v = n
	}
}

// currency reads an ISO 4217 code.
func currency(m *document.Map, v *string) {
	if s, ok := m.Text("currency"); ok {
		if !isCurrency(s) {
			m.Fail("currency", "%q is not three capital letters", s)
			return
		}
		*v = s
	}
}

func isCurrency(s string) bool { return len(s) == 3 && capitals(s) }

func capitals(s string) bool {
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return true
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func class(m *document.Map, key string, v *ledger.Class) {
	if i := m.OneOf(key, classWords...); i >= 0 {
		*v = ledger.Class(i)
	}
}
