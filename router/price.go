package router

import (
	"smsplane/ledger"
	"smsplane/ledger/catalog"
)

// rates is what one party pays or asks, by match and day.
type rates struct {
	matcher
	prices [][]price // by the matcher's value
}

type price struct {
	from, to int64 // unix ns, [from, to)
	micro    ledger.Micro
	row      uint32
}

// at is the price per part for a number. A row that is not in effect is as if it were not there: the next
// less exact one is asked.
func (r *rates) at(n Number, net netID, at int64) (price, bool) {
	if r == nil {
		return price{}, false
	}
	for c := r.walk(n, net); ; {
		v := c.next()
		if v == none {
			return price{}, false
		}
		for _, p := range r.prices[v] {
			if p.from <= at && at < p.to {
				return p, true
			}
		}
	}
}

// party names one side's rates.
type party struct {
	kind catalog.RateKind
	name string
}

// compileRates sorts rows by party. The catalog made sure that no two are in effect at once.
func compileRates(rows []catalog.Rate) map[party]*rates {
	indexes := map[party]*matchIndex{}
	all := map[party]*rates{}
	for i := range rows {
		x := &rows[i]
		k := party{x.Kind, x.Party}
		if all[k] == nil {
			all[k], indexes[k] = &rates{}, newMatchIndex(0)
		}
		r, v := all[k], indexes[k].value(x.Match)
		if int(v) == len(r.prices) {
			r.prices = append(r.prices, nil)
		}
		r.prices[v] = append(r.prices[v], price{x.From, x.To, x.Price, uint32(x.Line)})
	}
	for k, r := range all {
		r.matcher = indexes[k].matcher()
	}
	return all
}
