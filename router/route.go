package router

import "smsplane/ledger"

// Route plans a message: it fills p.Targets, p.N and p.Catalog and leaves the rest of p alone. It reports
// whether there is a target. pick is a random number, which decides between the carriers of a tier.
//
// Targets without a buy price are skipped. Targets that lately only fail (Recent) stand behind all others,
// whatever their tier; once in a while one that would be first keeps its place, as a probe. r may be nil.
func (t *Table) Route(p *ledger.Route, client uint32, n Number, c ledger.Class, pick uint64, at int64, r *Recent) bool {
	p.Catalog, p.N = t.version, 0
	net := t.net(n)
	s := shuffle{rows: t.clients[client].plan.group(n, net, c), pick: pick}
	var failing [ledger.MaxTargets]ledger.PlanTarget
	behind := 0
	for int(p.N) < ledger.MaxTargets {
		i := s.draw()
		if i < 0 {
			break
		}
		row := &s.rows[i]
		buy, ok := t.buy(row.carrier, n, net, at)
		if !ok {
			continue
		}
		x := ledger.PlanTarget{Carrier: row.carrier, Tier: row.tier, Weight: row.weight, Buy: buy.micro, Row: row.row}
		switch {
		case r == nil, p.N == 0 && r.Usable(row.carrier, n, at), p.N > 0 && !r.Failing(row.carrier, n, at):
			p.Targets[p.N] = x
			p.N++
		case behind < len(failing):
			failing[behind] = x
			behind++
		}
	}
	for i := 0; i < behind && int(p.N) < ledger.MaxTargets; i++ {
		p.Targets[p.N] = failing[i]
		p.N++
	}
	return p.N > 0
}
