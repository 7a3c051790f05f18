package catalog

import (
	"bytes"

	"smsplane/ledger"
)

var routeColumns = []string{"plan", "prefix", "mcc", "mnc", "class", "tier", "weight", "carrier", "as_class?"}

// routeGroup names the rows that compete for one message.
type routeGroup struct {
	plan  string
	match Match
	class string
}

// groupRows are the rows of a group so far: how many, and the last by its place in the catalog.
type groupRows struct{ n, last int32 }

func (p *parser) routes() {
	lines := bytes.Count(p.files[RoutesFile], []byte{'\n'})
	groups := make(map[routeGroup]groupRows, lines)
	before := make([]int32, 0, lines) // by a row's place: the one before it in its group
	p.cat.Routes = make([]Route, 0, lines)
	p.table(RoutesFile, false, routeColumns, func(r *row) {
		problems := p.report.Count()
		x := Route{Plan: r.need("plan"), Match: r.match(), AnyClass: r.text("class") == "", Line: r.line,
			Tier: uint8(r.number("tier", 1, maxTier)), Weight: uint16(r.number("weight", 1, maxWeight)), Carrier: r.need("carrier")}
		if !x.AnyClass {
			x.Class = ledger.Class(max(0, r.oneOf("class", classWords)))
		}
		if as := r.text("as_class"); as != "" {
			x.Lowers, x.As = true, ledger.Class(max(0, r.oneOf("as_class", classWords)))
			if !x.AnyClass {
				r.fail("as_class is for rows that name no class")
			}
		}
		if p.report.Count() != problems {
			return
		}
		g := routeGroup{x.Plan, x.Match, x.ClassText()}
		rows := groups[g]
		if rows.n >= MaxGroup {
			if rows.n == MaxGroup {
				r.fail("plan %s, %s has more than %d rows for one class", x.Plan, x.Match, MaxGroup)
			}
			groups[g] = groupRows{MaxGroup + 1, rows.last}
			return
		}
		for i, at := int32(0), rows.last; i < rows.n; i, at = i+1, before[at] {
			o := &p.cat.Routes[at]
			if o.Tier == x.Tier && o.Carrier == x.Carrier {
				r.fail("plan %s, %s, carrier %s in tier %d is equal to line %d", x.Plan, x.Match, x.Carrier, x.Tier, o.Line)
				return
			}
			if o.Lowers != x.Lowers || o.As != x.As {
				r.fail("plan %s, %s has another as_class in line %d", x.Plan, x.Match, o.Line)
				return
			}
		}
		before = append(before, rows.last)
		groups[g] = groupRows{rows.n + 1, int32(len(p.cat.Routes))}
		p.cat.Routes = append(p.cat.Routes, x)
	})
}
