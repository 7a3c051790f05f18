package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// table prints columns for a human. The first error of writing is kept for flush.
type table struct {
	w   *tabwriter.Writer
	err error
}

func newTable(w io.Writer) *table { return &table{w: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)} }

func (t *table) row(cells ...string) {
	for i, c := range cells {
		if c == "" {
			c = "-"
		}
		cells[i] = strings.NewReplacer("\t", " ", "\n", " ", "\v", " ", "\f", " ").Replace(c)
	}
	t.line(strings.Join(cells, "\t"))
}

// line prints text outside the columns of the rows around it.
func (t *table) line(text string) {
	if _, err := fmt.Fprintln(t.w, text); t.err == nil {
		t.err = err
	}
}

func (t *table) flush() error {
	if err := t.w.Flush(); t.err == nil {
		t.err = err
	}
	return t.err
}

func count[N int | int64 | uint16 | uint32 | uint64](n N) string { return fmt.Sprint(n) }

func rate(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

// limit prints a bound where 0 means none.
func limit(v float64) string {
	if v == 0 {
		return "unlimited"
	}
	return rate(v)
}

// millis prints a latency; 0 is one that was not measured.
func millis(v float64) string {
	if v == 0 {
		return ""
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// core prints where a thread runs; below 0 the kernel decides.
func core(n int) string {
	if n < 0 {
		return "any"
	}
	return count(n)
}

// share prints a part of one; below 0 it was not measured.
func share(v float64) string {
	if v < 0 {
		return ""
	}
	return strconv.FormatFloat(100*v, 'f', 1, 64) + " %"
}

// clock prints a time in UTC to the microsecond, in which records are kept.
func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000Z")
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
