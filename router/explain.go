package router

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"smsplane/ledger"
	"smsplane/ledger/catalog"
	"smsplane/pdu"
)

// Explain is what the router would do with a message, and why.
type Explain struct {
	Client        string       `json:"client"`
	Plan          string       `json:"plan"`
	From          string       `json:"from"`
	Number        string       `json:"number"`  // E.164 digits
	Network       string       `json:"network"` // its name in networks.csv; empty when unknown
	Country       string       `json:"country"`
	MCC           string       `json:"mcc"`
	MNC           string       `json:"mnc"`
	Class         string       `json:"class"`
	SellMicro     int64        `json:"sell_micro"` // per part
	SellCurrency  string       `json:"sell_currency"`
	SellRow       string       `json:"sell_row"` // "rates.csv:3"; empty without a price
	Targets       []Target     `json:"targets"`
	Refused       string       `json:"refused,omitempty"` // the status that entry would answer
	RefusedReason string       `json:"refused_reason,omitempty"`
	Considered    []Considered `json:"considered"`
}

// Target is one carrier, in the order they would be tried. Inside a tier the order of messages varies by
// weight; here the heaviest stands first.
type Target struct {
	Carrier     string      `json:"carrier"`
	Tier        uint8       `json:"tier"`
	Weight      uint16      `json:"weight"`
	BuyMicro    int64       `json:"buy_micro"` // per part
	BuyCurrency string      `json:"buy_currency"`
	Row         string      `json:"row"` // "routes.csv:2"
	Recent      RecentCount `json:"recent"`
}

// Considered is one row of the plan, and what became of it.
type Considered struct {
	Row     string `json:"row"` // "routes.csv:2"
	Match   string `json:"match"`
	Class   string `json:"class"`              // empty: every class
	As      string `json:"as_class,omitempty"` // that its messages take, if below their own
	Tier    uint8  `json:"tier"`
	Weight  uint16 `json:"weight"`
	Carrier string `json:"carrier"`
	Reason  string `json:"reason"`
}

// maxStrangers bounds how many rows for other numbers are listed.
const maxStrangers = 100

// Explain plans a message on paper: it takes no probe and counts nothing. Number 0 stands for a destination
// that is no number. r may be nil.
func (t *Table) Explain(client uint32, from []byte, n Number, c ledger.Class, at int64, r *Recent) Explain {
	e := Explain{From: string(from), Number: n.String(), Class: c.String(), Targets: []Target{}, Considered: []Considered{}}
	x := t.clients[client]
	if x.decl == nil {
		e.Refused, e.RefusedReason = pdu.RInvSysID.String(), "no such client in this version of the catalog"
		return e
	}
	e.Client, e.Plan = x.decl.ID, x.decl.Plan
	if n == 0 {
		e.Refused, e.RefusedReason = pdu.RInvDstAdr.String(), "the destination is not an international number of 1 to 15 digits"
		return e
	}
	network, _ := t.Network(n)
	e.Country, e.MCC, e.MNC, e.Network = network.Country, network.MCC, network.MNC, network.Name
	t.explainTargets(&e, x, n, c, at, r)
	t.explainRows(&e, x, n, c)
	if sell, ok := x.sell.at(n, t.net(n), at); ok {
		e.SellMicro, e.SellCurrency, e.SellRow = int64(sell.micro), x.decl.Billing.Currency, place(catalog.RatesFile, int(sell.row))
	} else {
		e.Refused, e.RefusedReason = x.decl.Statuses.NoPrice.String(), "no sell row is in effect for this number"
	}
	if len(e.Targets) == 0 {
		e.Refused, e.RefusedReason = x.decl.Statuses.NoRoute.String(), "no row of the plan leads to a carrier with a price"
	}
	return e
}

func place(file string, line int) string { return fmt.Sprintf("%s:%d", file, line) }

// explainTargets orders the rows as Route does when every draw falls on the heaviest.
func (t *Table) explainTargets(e *Explain, x client, n Number, c ledger.Class, at int64, r *Recent) {
	net := t.net(n)
	rows := slices.Clone(x.plan.group(n, net, c))
	slices.SortStableFunc(rows, func(a, b planRow) int {
		return cmp.Or(cmp.Compare(a.tier, b.tier), cmp.Compare(b.weight, a.weight))
	})
	var failing []Target
	for _, row := range rows {
		buy, ok := t.buy(row.carrier, n, net, at)
		if !ok {
			continue
		}
		decl := t.carriers[row.carrier].decl
		g := Target{Carrier: decl.ID, Tier: row.tier, Weight: row.weight, BuyMicro: int64(buy.micro), BuyCurrency: decl.Currency,
			Row: place(catalog.RoutesFile, int(row.row)), Recent: RecentCount{Usable: true}}
		if r != nil {
			g.Recent = r.Count(row.carrier, n, at)
		}
		if g.Recent.Usable {
			e.Targets = append(e.Targets, g)
		} else {
			failing = append(failing, g)
		}
	}
	e.Targets = append(e.Targets, failing...)
	e.Targets = e.Targets[:min(len(e.Targets), ledger.MaxTargets)]
}

// explainRows gives every row of the plan a reason, by a scan that shares nothing with the compiled table.
func (t *Table) explainRows(e *Explain, x client, n Number, c ledger.Class) {
	best, named := t.bestMatch(x.decl.Plan, n, c)
	digits, strangers := n.String(), 0
	network, _ := t.Network(n)
	for i := range t.catalog.Routes {
		row := &t.catalog.Routes[i]
		if row.Plan != x.decl.Plan {
			continue
		}
		k := Considered{Row: place(catalog.RoutesFile, row.Line), Match: row.Match.String(), Class: row.ClassText(), As: row.AsText(),
			Tier: row.Tier, Weight: row.Weight, Carrier: row.Carrier}
		switch {
		case !fits(row.Match, digits, network):
			if strangers++; strangers > maxStrangers {
				continue
			}
			k.Reason = "is for other numbers"
		case !row.Serves(c):
			k.Reason = fmt.Sprintf("is for %s, this message is %s", row.Class, c)
		case row.Match != best:
			k.Reason = best.String() + " is more exact"
		case row.AnyClass && named:
			k.Reason = "rows that name the class " + c.String() + " come first"
		default:
			k.Reason = t.chosenReason(e, row)
		}
		e.Considered = append(e.Considered, k)
	}
}

// chosenReason is for rows of the group that serves the message.
func (t *Table) chosenReason(e *Explain, row *catalog.Route) string {
	for i, g := range e.Targets {
		if g.Carrier != row.Carrier {
			continue
		}
		switch {
		case g.Tier != row.Tier:
			return fmt.Sprintf("its carrier is tried in tier %d already", g.Tier)
		case !g.Recent.Usable:
			return fmt.Sprintf("target %d: behind the others, it only failed lately", i+1)
		}
		return fmt.Sprintf("target %d", i+1)
	}
	switch known := slices.ContainsFunc(t.carriers, func(c carrier) bool { return c.decl != nil && c.decl.ID == row.Carrier }); {
	case !known:
		return "its carrier has no account yet"
	case len(e.Targets) == ledger.MaxTargets:
		return fmt.Sprintf("left out: a plan holds %d targets, or no buy row is in effect", ledger.MaxTargets)
	}
	return "skipped: no buy row is in effect"
}

// bestMatch is the most exact match of the plan with a row for the class, and whether one names it.
func (t *Table) bestMatch(plan string, n Number, c ledger.Class) (best catalog.Match, named bool) {
	digits, exact := n.String(), -1
	network, _ := t.Network(n)
	for i := range t.catalog.Routes {
		row := &t.catalog.Routes[i]
		if row.Plan != plan || !row.Serves(c) || !fits(row.Match, digits, network) {
			continue
		}
		if x := exactness(row.Match); x > exact {
			exact, best, named = x, row.Match, false
		}
		named = named || row.Match == best && !row.AnyClass
	}
	return best, named
}

// fits reports whether a match takes a number in.
func fits(m catalog.Match, digits string, network Network) bool {
	switch {
	case m.MNC != "":
		return m.MCC == network.MCC && m.MNC == network.MNC
	case m.MCC != "":
		return m.MCC == network.MCC
	}
	return strings.HasPrefix(digits, m.Prefix)
}

// exactness orders the matches that take one number in.
func exactness(m catalog.Match) int {
	switch {
	case m.MNC != "":
		return maxDigits + 2
	case m.MCC != "":
		return maxDigits + 1
	}
	return len(m.Prefix)
}
