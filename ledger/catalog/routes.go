package catalog

import "smsplane/ledger"

var routeColumns = []string{"plan", "prefix", "mcc", "mnc", "class", "tier", "weight", "carrier", "as_class?"}

// routeGroup names the rows that compete for one message.
type routeGroup struct {
	plan  string
	match Match
	class string
}

// routeKey is what no two rows may share.
type routeKey struct {
	group   routeGroup
	tier    uint8
	carrier string
}

func (p *parser) routes() {
	first := map[routeKey]int{} // line
	rows := map[routeGroup]int{}
	casts := map[routeGroup]Route{}
	p.table(RoutesFile, false, routeColumns, func(r *row) {
		before := p.report.Count()
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
		if p.report.Count() != before {
			return
		}
		g := routeGroup{x.Plan, x.Match, x.ClassText()}
		k := routeKey{g, x.Tier, x.Carrier}
		if at, twice := first[k]; twice {
			r.fail("plan %s, %s, carrier %s in tier %d is equal to line %d", x.Plan, x.Match, x.Carrier, x.Tier, at)
			return
		}
		first[k] = r.line
		if o, other := casts[g]; other && (o.Lowers != x.Lowers || o.As != x.As) {
			r.fail("plan %s, %s has another as_class in line %d", x.Plan, x.Match, o.Line)
			return
		}
		casts[g] = x
		if rows[g]++; rows[g] == MaxGroup+1 {
			r.fail("plan %s, %s has more than %d rows for one class", x.Plan, x.Match, MaxGroup)
		}
		p.cat.Routes = append(p.cat.Routes, x)
	})
}
