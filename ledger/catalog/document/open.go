package document

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// source is what all mappings of one document share.
type source struct {
	file   string
	lines  Lines
	report *Report
}

func (s *source) add(line int, format string, args ...any) {
	s.report.Add(Problem{File: s.file, Line: line, Text: fmt.Sprintf(format, args...), Excerpt: s.lines.At(line)})
}

// Open parses a document whose top is a mapping. It returns nil, with the reason in the report, when there
// is nothing to read; a document that does not parse has one problem, where the parser gave up.
func Open(file string, b []byte, report *Report) *Map {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	s := &source{file: file, lines: SplitLines(b), report: report}
	// Keys said twice are our own to report: the parser would stop at the first.
	f, err := parser.ParseBytes(b, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		s.syntax(err)
		return nil
	}
	docs := f.Docs
	switch {
	case len(docs) == 0 || docs[0].Body == nil:
		s.add(0, "is empty")
		return nil
	case len(docs) > 1:
		s.add(line(docs[1].Body), "only one document is read from a file")
	}
	return s.mapping(docs[0].Body, "the file")
}

func (s *source) syntax(err error) {
	var y yaml.Error
	if !errors.As(err, &y) {
		s.add(0, "does not parse: %v", err)
		return
	}
	at := 0
	if tk := y.GetToken(); tk != nil && tk.Position != nil {
		at = tk.Position.Line
	}
	s.add(at, "does not parse: %s", y.GetMessage())
}

// line of a node; 0 when the parser gave it none.
func line(n ast.Node) int {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 0
	}
	return n.GetToken().Position.Line
}

// mapping opens a node as a mapping; nil with a problem when it is something else.
func (s *source) mapping(n ast.Node, what string) *Map {
	m := &Map{source: s, line: line(n)}
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		s.add(line(n), "%s should be a mapping of keys, not %s", what, kind(n))
		return nil
	}
	for i, v := range values {
		key, ok := scalar(v.Key)
		if !ok || v.Key.IsMergeKey() {
			s.add(line(v.Key), "a key should be a plain word, not %s", kind(v.Key))
			continue
		}
		if i == 0 {
			m.line = line(v.Key) // the token of a mapping is its first colon
		}
		if first := m.find(key); first != nil {
			s.add(line(v.Key), "%s is said twice, first on line %d", key, first.line)
			continue
		}
		m.entries = append(m.entries, entry{key: key, line: line(v.Key), node: v.Value})
	}
	return m
}

// scalar is the text of a single value, as written.
func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// kind names a node for people.
func kind(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode, nil:
		return "nothing"
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		return "an anchor or alias"
	case *ast.TagNode:
		return "a tagged value"
	}
	return "a single value"
}
