package document

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one mistake.
type Problem struct {
	File    string
	Line    int // from 1; 0 when it concerns the whole file
	Text    string
	Excerpt string // the line as it stands in the file, secrets left out; may be empty
}

// String is "file:line: text", one line without the excerpt.
func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// Problems is every mistake found, by file and line.
type Problems []Problem

// Error prints every problem, each followed by the line it is about.
func (ps Problems) Error() string {
	var b strings.Builder
	for i, p := range ps {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.String())
		if p.Excerpt != "" {
			fmt.Fprintf(&b, "\n%6d | %s", p.Line, p.Excerpt)
		}
	}
	return b.String()
}

// Strings is one line per problem, without excerpts.
func (ps Problems) Strings() []string {
	s := make([]string, len(ps))
	for i, p := range ps {
		s[i] = p.String()
	}
	return s
}

// maxProblems bounds a report: a rate sheet with the wrong column order has a mistake on every line.
const maxProblems = 500

// Report collects problems over several files. The zero Report is empty and ready.
type Report struct {
	list    Problems
	dropped int
}

// Add keeps a problem; past the bound it is only counted.
func (r *Report) Add(p Problem) {
	if len(r.list) == maxProblems {
		r.dropped++
		return
	}
	r.list = append(r.list, p)
}

// Count is how many problems were added.
func (r *Report) Count() int { return len(r.list) + r.dropped }

// Err is nil or Problems, sorted by file and line.
func (r *Report) Err() error {
	if r.Count() == 0 {
		return nil
	}
	slices.SortStableFunc(r.list, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	if r.dropped == 0 {
		return r.list
	}
	last := r.list[len(r.list)-1]
	return append(r.list, Problem{File: last.File, Text: fmt.Sprintf("and %d more problems that are not listed", r.dropped)})
}
