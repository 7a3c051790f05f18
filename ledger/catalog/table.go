package catalog

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"smsplane/ledger"
	"smsplane/ledger/catalog/document"
)

// row is one line of a table, its fields by column.
type row struct {
	p      *parser
	file   string
	lines  document.Lines
	line   int
	index  map[string]int
	fields []string
}

// table reads a CSV file and hands every whole row to f. Columns may come in any order; each must be there once, but
// for those whose name ends in ?, and no others. Lines that begin with # are comments.
func (p *parser) table(file string, optional bool, columns []string, f func(r *row)) {
	b, ok := p.files[file]
	if !ok {
		if !optional {
			p.report.Add(Problem{File: file, Text: "is missing"})
		}
		return
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	r := &row{p: p, file: file, lines: document.SplitLines(b)}
	c := csv.NewReader(bytes.NewReader(b))
	c.FieldsPerRecord, c.Comment, c.ReuseRecord = -1, '#', true
	for {
		fields, err := c.Read()
		var syntax *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			if r.index == nil {
				p.report.Add(Problem{File: file, Text: "has no header"})
			}
			return
		case errors.As(err, &syntax):
			r.line = syntax.Line
			r.fail("does not parse: %v", syntax.Err)
			continue
		}
		r.line, _ = c.FieldPos(0)
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		if r.index == nil {
			if !r.header(fields, columns) {
				return
			}
			continue
		}
		if len(fields) != len(r.index) {
			r.fail("has %d fields, the header has %d", len(fields), len(r.index))
			continue
		}
		r.fields = fields
		f(r)
	}
}

// header maps columns to places; without all of them the rows mean nothing and are not read.
func (r *row) header(fields, columns []string) bool {
	index, good := map[string]int{}, true
	var known, must []string
	for _, c := range columns {
		name, optional := strings.CutSuffix(c, "?")
		if known = append(known, name); !optional {
			must = append(must, name)
		}
	}
	for i, f := range fields {
		if _, twice := index[f]; twice {
			r.fail("column %q stands twice", f)
			good = false
		}
		if !slices.Contains(known, f) {
			r.fail("%q is not a column here; they are %s", f, strings.Join(known, ","))
			good = false
		}
		index[f] = i
	}
	for _, c := range must {
		if _, ok := index[c]; !ok {
			r.fail("column %q is missing", c)
			good = false
		}
	}
	r.index = index
	return good
}

func (r *row) fail(format string, args ...any) {
	r.p.report.Add(Problem{File: r.file, Line: r.line, Text: fmt.Sprintf(format, args...), Excerpt: r.lines.At(r.line)})
}

// text is a field that may be empty.
func (r *row) text(column string) string {
	if i, ok := r.index[column]; ok {
		return r.fields[i]
	}
	return "" // an optional column
}

// need is a field that must not be empty and holds a name.
func (r *row) need(column string) string {
	s := r.text(column)
	switch {
	case s == "":
		r.fail("%s is empty", column)
	case len(s) > maxName || !printable(s):
		r.fail("%s: %q is not a name of printable ASCII, at most %d octets", column, s, maxName)
	}
	return s
}

// number reads a whole number in [lo, hi].
func (r *row) number(column string, lo, hi int) int {
	n, err := strconv.Atoi(r.text(column))
	if err != nil || n < lo || n > hi {
		r.fail("%s: %q is not a whole number from %d to %d", column, r.text(column), lo, hi)
		return lo
	}
	return n
}

// oneOf reads one of the words; -1 with a problem when it is another.
func (r *row) oneOf(column string, words []string) int {
	i := slices.Index(words, r.text(column))
	if i < 0 {
		r.fail("%s: %q is not one of %s", column, r.text(column), strings.Join(words, ", "))
	}
	return i
}

// prefix reads the leading digits of international numbers.
func (r *row) prefix() string {
	s := r.text("prefix")
	if s != "" && (!digits(s) || len(s) > 15 || s[0] == '0') {
		r.fail("prefix: %q is not 1 to 15 digits of an international number, without + or 00", s)
		return ""
	}
	return s
}

// network reads mcc and mnc.
func (r *row) network() (mcc, mnc string) {
	mcc, mnc = r.text("mcc"), r.text("mnc")
	switch {
	case mcc != "" && (len(mcc) != 3 || !digits(mcc)):
		r.fail("mcc: %q is not three digits", mcc)
	case mnc != "" && (len(mnc) < 2 || len(mnc) > 3 || !digits(mnc)):
		r.fail("mnc: %q is not two or three digits", mnc)
	case mnc != "" && mcc == "":
		r.fail("mnc %s without an mcc", mnc)
	default:
		return mcc, mnc
	}
	return "", ""
}

// match reads which numbers a row is for.
func (r *row) match() Match {
	m := Match{Prefix: r.prefix()}
	m.MCC, m.MNC = r.network()
	if m.Prefix != "" && m.MCC != "" {
		r.fail("names both a prefix and an mcc; a row matches by one of them")
		m.Prefix = ""
	}
	return m
}

// price reads a price per part.
func (r *row) price() ledger.Micro {
	v, err := ledger.ParseMicro(r.text("price"))
	switch {
	case err != nil:
		r.fail("price: %v", err)
	case v < 0:
		r.fail("price: %s is below zero", r.text("price"))
	}
	return v
}
