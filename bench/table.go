package bench

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"smsplane/bench/peer"
)

// table aligns rows of cells; the first column to the left, the others to the right.
type table struct{ rows [][]string }

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) print(w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	widest := 0
	for _, r := range t.rows {
		widest = max(widest, len(r[0]))
	}
	for _, r := range t.rows {
		fmt.Fprintf(tw, "  %-*s\t%s\t\n", widest, r[0], strings.Join(r[1:], "\t"))
	}
	tw.Flush() // what w cannot take, nobody can be told
}

// number writes 1234567 as "1,234,567".
func number[T int | int64 | uint64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// micros writes a time in the unit that suits it.
func micros(us float64) string {
	switch {
	case us <= 0:
		return "-"
	case us < 1000:
		return fmt.Sprintf("%.0f µs", us)
	case us < 1e6:
		return fmt.Sprintf("%.1f ms", us/1e3)
	}
	return fmt.Sprintf("%.2f s", us/1e6)
}

// PrintReport writes what a client saw, for people.
func PrintReport(w io.Writer, r *peer.Report) {
	var t table
	t.row("sent", number(r.Sent))
	t.row("accepted", number(r.Accepted), fmt.Sprintf("%.0f/s", r.TPS))
	t.row("refused", number(r.Refused), statuses(r.Statuses))
	t.row("throttled", number(r.Throttled), "sent again")
	t.row("unanswered", number(r.Unanswered))
	if n := r.Receipts; n.Expected > 0 {
		t.row("receipts", number(n.Matched), fmt.Sprintf("%s delivered, %s failed", number(n.Delivered), number(n.Failed)))
		t.row("  missing", number(n.Missing))
		t.row("  duplicate", number(n.Duplicate))
		t.row("  mismatched", number(n.Mismatched+n.Unknown+n.Malformed))
	}
	t.print(w)
	printLatency(w, r)
}

func statuses(m map[string]int64) string {
	var out []string
	for name, n := range m {
		out = append(out, fmt.Sprintf("%s %s", number(n), name))
	}
	return strings.Join(out, ", ")
}

func printLatency(w io.Writer, r *peer.Report) {
	var t table
	t.row("latency", "p50", "p99", "p99.9", "max")
	for _, l := range []struct {
		name string
		l    peer.Latency
	}{{"submit to resp", r.Resp}, {"  from the write", r.Service}, {"submit to carrier", r.Arrival}, {"submit to receipt", r.Receipt}} {
		if l.l.Count > 0 {
			t.row(l.name, micros(l.l.P50US), micros(l.l.P99US), micros(l.l.P999US), micros(l.l.MaxUS))
		}
	}
	t.print(w)
}

// Print writes the result for people.
func (r *PathResult) Print(w io.Writer) {
	fmt.Fprintf(w, "path  %s → %s   commit %s   %d × %s\n", r.Options.Client.Address, strings.Join(r.Options.Carriers, ", "),
		r.Commit, r.Machine.Cores, r.Machine.CPU)
	PrintReport(w, &r.Report)
	var t table
	t.row("carrier", "binds", "taken", "throttled", "refused", "receipts")
	for _, c := range r.Carriers {
		t.row(c.Address, number(c.Binds), number(c.Taken), number(c.Throttled), number(c.Refused), number(c.Receipts))
	}
	t.row("arrived", "", number(r.Account.Arrived), fmt.Sprintf("%.0f/s", r.Report.ArrivedTPS), "", "")
	t.print(w)
	printAccount(w, &r.Account)
	PrintProblems(w, r.Problems)
	if r.File != "" {
		fmt.Fprintf(w, "  written to %s\n", r.File)
	}
}

func printAccount(w io.Writer, a *peer.Account) {
	fmt.Fprintf(w, "  lost %s   duplicated %s   ended without a carrier %s   digest %s\n", number(a.Lost), number(a.Duplicated), number(a.Ended), a.Digest)
}

// PrintProblems writes what went wrong, or that nothing did.
func PrintProblems(w io.Writer, problems []string) {
	if len(problems) == 0 {
		fmt.Fprintln(w, "  everything adds up")
	}
	for _, p := range problems {
		fmt.Fprintln(w, "  WRONG:", p)
	}
}
