package router

import (
	"cmp"
	"math/bits"
	"slices"

	"smsplane/ledger"
	"smsplane/ledger/catalog"
)

// plan is the rows of routes.csv under one name.
type plan struct {
	matcher
	lowers bool                        // some row gives messages another class
	groups [][ledger.Classes][]planRow // by the matcher's value and class; by tier, then line; nil: no row serves it
}

type planRow struct {
	carrier uint16
	weight  uint16
	tier    uint8
	as      uint8  // class that its messages take, if below their own, plus one; 0: they keep it
	row     uint32 // line in routes.csv
}

// group is the rows that serve a number and class: the most exact match that has any.
func (p *plan) group(n Number, net netID, c ledger.Class) []planRow {
	if p == nil || int(c) >= ledger.Classes {
		return nil
	}
	for w := p.walk(n, net); ; {
		v := w.next()
		if v == none {
			return nil
		}
		if g := p.groups[v][c]; g != nil {
			return g
		}
	}
}

// compilePlans groups rows by plan. Rows of carriers without an account number take part in choosing the
// group, so that a carrier too new for the ledger does not send its numbers down a less exact row.
func compilePlans(c *catalog.Catalog, n Numbers) map[string]*plan {
	type making struct {
		plan
		index *matchIndex
		rows  [][]*catalog.Route
	}
	size := map[string]int{}
	for i := range c.Routes {
		size[c.Routes[i].Plan]++
	}
	all := map[string]*making{}
	for i := range c.Routes {
		r := &c.Routes[i]
		p := all[r.Plan]
		if p == nil {
			p = &making{index: newMatchIndex(size[r.Plan])}
			all[r.Plan] = p
		}
		v := p.index.value(r.Match)
		if int(v) == len(p.rows) {
			p.rows = append(p.rows, nil)
		}
		p.rows[v] = append(p.rows[v], r)
		p.lowers = p.lowers || r.Lowers
	}
	plans := map[string]*plan{}
	for name, p := range all {
		p.matcher = p.index.matcher()
		p.groups = make([][ledger.Classes][]planRow, len(p.rows))
		for i, l := range p.rows {
			for class := range p.groups[i] {
				p.groups[i][class] = compileGroup(l, ledger.Class(class), n)
			}
		}
		made := p.plan
		plans[name] = &made
	}
	return plans
}

// compileGroup picks the rows of one match for a class: those that name it before those that name none.
func compileGroup(rows []*catalog.Route, class ledger.Class, n Numbers) []planRow {
	named := slices.ContainsFunc(rows, func(r *catalog.Route) bool { return !r.AnyClass && r.Class == class })
	var g []planRow
	for _, r := range rows {
		if r.AnyClass == named || !r.Serves(class) {
			continue
		}
		if g == nil {
			g = []planRow{}
		}
		if number, ok := n.Carrier(r.Carrier); ok {
			row := planRow{carrier: number, weight: r.Weight, tier: r.Tier, row: uint32(r.Line)}
			if r.Lowers {
				row.as = uint8(r.As) + 1
			}
			g = append(g, row)
		}
	}
	if len(g) < 2 {
		return g
	}
	slices.SortStableFunc(g, func(a, b planRow) int { return cmp.Compare(a.tier, b.tier) })
	seen := map[uint16]bool{} // a carrier that is tried in one tier is not tried again in a later one
	return slices.DeleteFunc(g, func(r planRow) bool {
		again := seen[r.carrier]
		seen[r.carrier] = true
		return again
	})
}

// shuffle hands out the rows of a group in the order they are tried: tier by tier, and inside a tier at
// random in proportion to weight. A row is drawn once.
type shuffle struct {
	rows []planRow // the group; at most catalog.MaxGroup
	next int       // first row of the next tier
	at   int       // first row of the current tier
	left uint64    // rows of the current tier not yet drawn, by place behind at
	sum  uint64    // their weight
	pick uint64
}

// draw is the index of the next row; -1 at the end.
func (s *shuffle) draw() int {
	if s.left == 0 && !s.tier() {
		return -1
	}
	if s.left&(s.left-1) == 0 { // one is left: no choice
		i := bits.TrailingZeros64(s.left)
		s.left = 0
		return s.at + i
	}
	x, _ := bits.Mul64(s.pick, s.sum) // pick as a fraction of 2^64, of the sum
	s.pick = mix(s.pick)
	for m := s.left; ; m &= m - 1 {
		i := bits.TrailingZeros64(m)
		w := uint64(s.rows[s.at+i].weight)
		if x < w {
			s.left &^= 1 << i
			s.sum -= w
			return s.at + i
		}
		x -= w
	}
}

// tier opens the next tier.
func (s *shuffle) tier() bool {
	if s.next == len(s.rows) {
		return false
	}
	s.at, s.left, s.sum = s.next, 0, 0
	for s.next < len(s.rows) && s.rows[s.next].tier == s.rows[s.at].tier {
		s.left |= 1 << (s.next - s.at)
		s.sum += uint64(s.rows[s.next].weight)
		s.next++
	}
	return true
}

// mix derives the next random number from one (the finalizer of splitmix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
