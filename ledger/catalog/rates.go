package catalog

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

var rateColumns = []string{"kind", "party", "prefix", "mcc", "mnc", "price", "currency", "effective_from", "effective_to"}

// openEnd is the To of a price without a last day.
const openEnd = math.MaxInt64

// rateKey says what a price is for; the same key may have one price a day.
type rateKey struct {
	kind  RateKind
	party string
	match Match
}

func (p *parser) rates() {
	prices := map[rateKey][]int{} // indexes into p.cat.Rates
	p.table(RatesFile, false, rateColumns, func(r *row) {
		before := p.report.Count()
		x := Rate{Kind: RateKind(r.oneOf("kind", kindWords) + 1), Party: r.need("party"), Match: r.match(),
			Price: r.price(), Currency: r.text("currency"), Line: r.line}
		if !isCurrency(x.Currency) {
			r.fail("currency: %q is not three capital letters", x.Currency)
		}
		x.From, x.To = r.period()
		if p.report.Count() == before { // a broken row would only lead to false alarms further on
			k := rateKey{x.Kind, x.Party, x.Match}
			prices[k] = append(prices[k], len(p.cat.Rates))
			p.cat.Rates = append(p.cat.Rates, x)
		}
	})
	for _, same := range prices {
		p.overlaps(same)
	}
}

// overlaps reports days that have two prices. Of two rows the later line is the mistake.
func (p *parser) overlaps(same []int) {
	slices.SortStableFunc(same, func(a, b int) int { return cmp.Compare(p.cat.Rates[a].From, p.cat.Rates[b].From) })
	last := same[0] // the one that reaches furthest
	for _, i := range same[1:] {
		a, b := &p.cat.Rates[last], &p.cat.Rates[i]
		if b.From < a.To {
			how := "overlaps"
			if a.From == b.From {
				how = "is equal to"
			}
			p.at(RatesFile, max(a.Line, b.Line), "%s %s, %s, from %s %s line %d", b.Kind, b.Party, b.Match, day(b.From), how, min(a.Line, b.Line))
		}
		if b.To > a.To {
			last = i
		}
	}
}

// at reports a problem on a line of a file that was read before.
func (p *parser) at(file string, line int, format string, args ...any) {
	p.report.Add(Problem{File: file, Line: line, Text: fmt.Sprintf(format, args...), Excerpt: p.excerpt(file, line)})
}

// period reads effective_from and effective_to, both days included, as [from, to) in unix ns.
func (r *row) period() (from, to int64) {
	start, ok := r.date("effective_from")
	to = openEnd
	if r.text("effective_to") == "" {
		return start.UnixNano(), to
	}
	end, also := r.date("effective_to")
	if ok && also && end.Before(start) {
		r.fail("effective_to %s is before effective_from %s", r.text("effective_to"), r.text("effective_from"))
	}
	return start.UnixNano(), end.AddDate(0, 0, 1).UnixNano()
}

// date reads a day in UTC. Far years would not fit unix nanoseconds.
func (r *row) date(column string) (time.Time, bool) {
	t, err := time.Parse(time.DateOnly, r.text(column))
	if err != nil || t.Year() < 1970 || t.Year() > 2200 {
		r.fail("%s: %q is not a day from 1970-01-01 to 2200-12-31", column, r.text(column))
		return time.Unix(0, 0), false
	}
	return t, true
}

func day(ns int64) string { return time.Unix(0, ns).UTC().Format(time.DateOnly) }
