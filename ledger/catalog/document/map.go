package document

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// Map is one mapping of a document. Reading a key takes it; Close reports what nobody took. Absent keys
// leave the caller's value alone, values that cannot be read do so too, with a problem.
type Map struct {
	*source
	label   string // put before every problem: `client "meter"`
	line    int
	entries []entry
	asked   []string // keys that the reader knows, in the order it asked
}

type entry struct {
	key   string
	line  int
	node  ast.Node
	taken bool
}

// Item is a value of a list or of an open mapping.
type Item struct {
	Key  string // of an open mapping
	Text string
	Line int
}

// Label names the mapping in every later problem.
func (m *Map) Label(s string) { m.label = s }

// Line is where the key stands; where the mapping begins if it is absent.
func (m *Map) Line(key string) int {
	if e := m.find(key); e != nil {
		return e.line
	}
	return m.line
}

// Has reports whether the key is there, whatever its value.
func (m *Map) Has(key string) bool { return m.find(key) != nil }

// Fail reports a problem with a key's value.
func (m *Map) Fail(key, format string, args ...any) {
	m.FailAt(m.Line(key), "%s: "+format, append([]any{key}, args...)...)
}

// FailAt reports a problem on a line of this document.
func (m *Map) FailAt(line int, format string, args ...any) {
	if m.label != "" {
		format, args = "%s: "+format, append([]any{m.label}, args...)
	}
	m.add(line, format, args...)
}

// Need reports each of the keys that is absent.
func (m *Map) Need(keys ...string) {
	for _, k := range keys {
		if !m.Has(k) {
			m.know(k)
			m.FailAt(m.line, "%s is missing", k)
		}
	}
}

// Close reports every key that nobody took. Its value is not shown: a misspelt key may hold a secret.
func (m *Map) Close() {
	for _, e := range m.entries {
		if e.taken {
			continue
		}
		text := fmt.Sprintf("%q is not a key here; known are %s", e.key, strings.Join(m.asked, ", "))
		if m.label != "" {
			text = m.label + ": " + text
		}
		shown, _, _ := strings.Cut(m.lines.At(e.line), e.key)
		m.report.Add(Problem{File: m.file, Line: e.line, Text: text, Excerpt: shown + e.key + ": …"})
	}
}

func (m *Map) find(key string) *entry {
	for i := range m.entries {
		if m.entries[i].key == key {
			return &m.entries[i]
		}
	}
	return nil
}

func (m *Map) know(key string) {
	if !slices.Contains(m.asked, key) {
		m.asked = append(m.asked, key)
	}
}

// take marks the key as known; nil when it is absent or has no value, which is a problem.
func (m *Map) take(key string) *entry {
	m.know(key)
	e := m.find(key)
	if e == nil {
		return nil
	}
	e.taken = true
	if _, null := e.node.(*ast.NullNode); null || e.node == nil {
		m.Fail(key, "has no value")
		return nil
	}
	return e
}

// Text reads one value as it is written. Never empty when ok.
func (m *Map) Text(key string) (string, bool) {
	e := m.take(key)
	if e == nil {
		return "", false
	}
	s, ok := scalar(e.node)
	switch {
	case !ok:
		m.Fail(key, "should be a single value, not %s", kind(e.node))
	case s == "":
		m.Fail(key, "is empty")
	default:
		return s, true
	}
	return "", false
}

// Int reads a whole number in [lo, hi].
func (m *Map) Int(key string, v *int, lo, hi int) {
	s, ok := m.Text(key)
	if !ok {
		return
	}
	n, err := strconv.Atoi(s)
	switch {
	case err == nil && lo <= n && n <= hi:
		*v = n
	case hi == math.MaxInt:
		m.Fail(key, "%q is not a whole number from %d up", s, lo)
	default:
		m.Fail(key, "%q is not a whole number from %d to %d", s, lo, hi)
	}
}

// Bool reads true or false.
func (m *Map) Bool(key string, v *bool) {
	if s, ok := m.Text(key); ok {
		switch s {
		case "true":
			*v = true
		case "false":
			*v = false
		default:
			m.Fail(key, "%q is neither true nor false", s)
		}
	}
}

// Duration reads a time such as 90s, 72h or 1h30m, in [lo, hi].
func (m *Map) Duration(key string, v *time.Duration, lo, hi time.Duration) {
	s, ok := m.Text(key)
	if !ok {
		return
	}
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		m.Fail(key, "%q is not a time such as 90s, 72h or 1h30m", s)
	case d < lo || d > hi:
		m.Fail(key, "%s is not between %s and %s", s, lo, hi)
	default:
		*v = d
	}
}

// OneOf reads one of the names and returns its index; -1 when absent or another word.
func (m *Map) OneOf(key string, names ...string) int {
	s, ok := m.Text(key)
	if !ok {
		return -1
	}
	i := slices.Index(names, s)
	if i < 0 {
		m.Fail(key, "%q is not one of %s", s, strings.Join(names, ", "))
	}
	return i
}

// Texts reads a list of single values; one value alone is a list of one.
func (m *Map) Texts(key string) []Item {
	e := m.take(key)
	if e == nil {
		return nil
	}
	nodes := []ast.Node{e.node}
	if l, ok := e.node.(*ast.SequenceNode); ok {
		nodes = l.Values
	}
	var items []Item
	for _, n := range nodes {
		if s, ok := scalar(n); ok && s != "" {
			items = append(items, Item{Text: s, Line: line(n)})
			continue
		}
		m.FailAt(lineOr(n, e.line), "%s: should list single values, not %s", key, kind(n))
	}
	return items
}

// Map reads a mapping; nil when absent.
func (m *Map) Map(key string) *Map {
	e := m.take(key)
	if e == nil {
		return nil
	}
	what := key
	if m.label != "" {
		what = m.label + ": " + key
	}
	sub := m.mapping(e.node, what)
	if sub != nil {
		sub.label = what
		if len(sub.entries) == 0 {
			sub.line = e.line
		}
	}
	return sub
}

// Maps reads a list of mappings.
func (m *Map) Maps(key string) []*Map {
	e := m.take(key)
	if e == nil {
		return nil
	}
	l, ok := e.node.(*ast.SequenceNode)
	if !ok {
		m.Fail(key, "should be a list, not %s", kind(e.node))
		return nil
	}
	var maps []*Map
	for _, n := range l.Values {
		if sub := m.mapping(n, "an entry of "+key); sub != nil {
			maps = append(maps, sub)
		}
	}
	return maps
}

// Items takes every key of an open mapping, each with a single value.
func (m *Map) Items() []Item {
	var items []Item
	for i := range m.entries {
		k := m.entries[i].key
		if s, ok := m.Text(k); ok {
			items = append(items, Item{Key: k, Text: s, Line: m.entries[i].line})
		}
	}
	return items
}

func lineOr(n ast.Node, or int) int {
	if l := line(n); l > 0 {
		return l
	}
	return or
}
