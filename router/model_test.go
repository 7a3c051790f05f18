package router

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"smsplane/ledger"
	"smsplane/ledger/catalog"
)

// ids numbers clients and carriers by name; a name that is absent has no account.
type ids map[string]uint32

func (m ids) Client(id string) (uint32, bool)  { v, ok := m["client "+id]; return v, ok }
func (m ids) Carrier(id string) (uint16, bool) { v, ok := m["carrier "+id]; return uint16(v), ok }

// model answers by linear scans over the catalog, written from the contract's rules and nothing else.
type model struct {
	c  *catalog.Catalog
	id ids
}

func (m *model) network(n Number) Network {
	var best catalog.Network
	for _, x := range m.c.Networks {
		if strings.HasPrefix(n.String(), x.Prefix) && len(x.Prefix) > len(best.Prefix) {
			best = x
		}
	}
	return Network{best.Country, best.MCC, best.MNC, best.Name}
}

// rank is how exact a match is for a number; -1 when it is not for it.
func (m *model) rank(x catalog.Match, n Number) int {
	net := m.network(n)
	switch {
	case x.MNC != "" && x.MCC == net.MCC && x.MNC == net.MNC:
		return 1000
	case x.MNC == "" && x.MCC != "" && x.MCC == net.MCC:
		return 999
	case x.MCC == "" && strings.HasPrefix(n.String(), x.Prefix):
		return len(x.Prefix)
	}
	return -1
}

func (m *model) price(kind catalog.RateKind, party string, n Number, at int64) (catalog.Rate, bool) {
	best, rank := catalog.Rate{}, -1
	for _, x := range m.c.Rates {
		if r := m.rank(x.Match, n); x.Kind == kind && x.Party == party && r > rank && x.From <= at && at < x.To {
			best, rank = x, r
		}
	}
	return best, rank >= 0
}

// targets is the set of rows that may serve, by tier.
func (m *model) targets(plan string, n Number, c ledger.Class, at int64) []catalog.Route {
	var rows []catalog.Route
	rank := -1
	for _, x := range m.c.Routes {
		if x.Plan == plan && x.Serves(c) {
			rank = max(rank, m.rank(x.Match, n))
		}
	}
	named := false
	for _, x := range m.c.Routes {
		if x.Plan == plan && x.Serves(c) && rank >= 0 && m.rank(x.Match, n) == rank {
			rows = append(rows, x)
			named = named || !x.AnyClass
		}
	}
	rows = slices.DeleteFunc(rows, func(x catalog.Route) bool {
		carrier := m.c.Carriers[slices.IndexFunc(m.c.Carriers, func(y catalog.Carrier) bool { return y.ID == x.Carrier })]
		_, priced := m.price(catalog.Buy, carrier.Party, n, at)
		_, known := m.id.Carrier(x.Carrier)
		return x.AnyClass == named || !priced || !known
	})
	slices.SortStableFunc(rows, func(a, b catalog.Route) int { return cmp.Compare(a.Tier, b.Tier) })
	seen := map[string]bool{}
	return slices.DeleteFunc(rows, func(x catalog.Route) bool {
		again := seen[x.Carrier]
		seen[x.Carrier] = true
		return again
	})
}

// randomCatalog is small and dense, so that all rules meet: few digits, networks, days.
func randomCatalog(rng *rand.Rand) (*catalog.Catalog, ids) {
	c, id := &catalog.Catalog{}, ids{}
	digits := func(most int) string {
		s := ""
		for range rng.IntN(most + 1) {
			s += string(rune('1' + rng.IntN(3)))
		}
		return s
	}
	match := func() catalog.Match {
		switch rng.IntN(4) {
		case 0:
			return catalog.Match{MCC: fmt.Sprintf("%03d", rng.IntN(3)), MNC: []string{"01", "001", "02"}[rng.IntN(3)]}
		case 1:
			return catalog.Match{MCC: fmt.Sprintf("%03d", rng.IntN(3))}
		}
		return catalog.Match{Prefix: digits(5)}
	}
	for i := range 3 {
		name := fmt.Sprint("c", i)
		c.Clients = append(c.Clients, catalog.Client{ID: name, SystemID: name, Party: fmt.Sprint("p", i/2), Plan: fmt.Sprint("plan", i%2)})
		id["client "+name] = uint32(10 + i)
	}
	for i := range 6 {
		name := fmt.Sprint("k", i)
		c.Carriers = append(c.Carriers, catalog.Carrier{ID: name, Party: fmt.Sprint("q", i/2)})
		if i < 5 { // the last has no account
			id["carrier "+name] = uint32(1 + 70*i)
		}
	}
	seen := map[string]bool{}
	once := func(key string) bool { old := seen[key]; seen[key] = true; return !old }
	for range rng.IntN(20) {
		x := catalog.Network{Prefix: digits(5), MCC: fmt.Sprintf("%03d", rng.IntN(3)), MNC: []string{"", "01", "001"}[rng.IntN(3)]}
		if x.Prefix != "" && once("n"+x.Prefix) {
			c.Networks = append(c.Networks, x)
		}
	}
	for i := range rng.IntN(60) {
		x := catalog.Rate{Kind: catalog.RateKind(1 + rng.IntN(2)), Match: match(), Price: ledger.Micro(i), From: 0, To: math.MaxInt64, Line: i}
		x.Party = fmt.Sprint(map[catalog.RateKind]string{catalog.Sell: "p", catalog.Buy: "q"}[x.Kind], rng.IntN(3))
		switch rng.IntN(3) {
		case 0:
			x.To = 100
		case 1:
			x.From = 100
		}
		key := fmt.Sprint("r", x.Kind, x.Party, x.Match)
		if x.From == 0 && x.To == math.MaxInt64 && !seen[key+"early"] && !seen[key+"late"] || x.From == 0 && x.To == 100 && !seen[key+"early"] || x.From == 100 && !seen[key+"late"] {
			seen[key+"early"], seen[key+"late"] = seen[key+"early"] || x.From == 0, seen[key+"late"] || x.To > 100
			c.Rates = append(c.Rates, x)
		}
	}
	for i := range rng.IntN(60) {
		x := catalog.Route{Plan: fmt.Sprint("plan", rng.IntN(2)), Match: match(), AnyClass: rng.IntN(2) == 0, Tier: uint8(1 + rng.IntN(3)),
			Weight: uint16(1 + rng.IntN(5)), Carrier: fmt.Sprint("k", rng.IntN(6)), Line: i}
		if !x.AnyClass {
			x.Class = ledger.Class(rng.IntN(ledger.Classes))
		}
		if once(fmt.Sprint("t", x.Plan, x.Match, x.ClassText(), x.Tier, x.Carrier)) {
			c.Routes = append(c.Routes, x)
		}
	}
	return c, id
}

func randomNumber(rng *rand.Rand) Number {
	n := Number(0)
	for range 1 + rng.IntN(7) {
		n = n*10 + Number(rng.IntN(4))
	}
	return max(n, 1)
}

func TestTableAgainstModel(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 7))
		c, id := randomCatalog(rng)
		table, m := Compile(c, 9, id), &model{c, id}
		for range 60 {
			n, at, class := randomNumber(rng), []int64{0, 99, 100, 200}[rng.IntN(4)], ledger.Class(rng.IntN(ledger.Classes))
			if net, _ := table.Network(n); net != m.network(n) {
				t.Fatalf("seed %d number %d: network %v, want %v", seed, n, net, m.network(n))
			}
			for i := range c.Carriers {
				k := &c.Carriers[i]
				number, known := id.Carrier(k.ID)
				if !known {
					continue
				}
				want, ok := m.price(catalog.Buy, k.Party, n, at)
				if got, gotOK := table.Buy(number, n, at); got != want.Price || gotOK != ok {
					t.Fatalf("seed %d number %d at %d: %s buys at %d %v, want %d %v", seed, n, at, k.ID, got, gotOK, want.Price, ok)
				}
			}
			for i := range c.Clients {
				x := &c.Clients[i]
				client, _ := id.Client(x.ID)
				want, ok := m.price(catalog.Sell, x.Party, n, at)
				if got, row, gotOK := table.Sell(client, n, at); got != want.Price || gotOK != ok || ok && int(row) != want.Line {
					t.Fatalf("seed %d number %d at %d: %s pays %d of row %d %v, want %d of %d %v", seed, n, at, x.ID, got, row, gotOK, want.Price, want.Line, ok)
				}
				checkRoute(t, table, m, x, client, n, class, at, rng.Uint64(), seed)
			}
		}
	}
}

func checkRoute(t *testing.T, table *Table, m *model, x *catalog.Client, client uint32, n Number, class ledger.Class, at int64, pick uint64, seed uint64) {
	t.Helper()
	want := m.targets(x.Plan, n, class, at)
	var p ledger.Route
	ok := table.Route(&p, client, n, class, pick, at, nil)
	where := fmt.Sprintf("seed %d client %s number %d class %s at %d", seed, x.ID, n, class, at)
	if ok != (len(want) > 0) || ok != table.HasRoute(client, n, class, at) || int(p.N) != min(len(want), ledger.MaxTargets) || p.Catalog != 9 {
		t.Fatalf("%s: %v with %d targets of version %d, want %d", where, ok, p.N, p.Catalog, len(want))
	}
	for i, got := range p.Targets[:p.N] {
		if got.Tier != want[i].Tier {
			t.Fatalf("%s: target %d is of tier %d, want %d", where, i, got.Tier, want[i].Tier)
		}
		k := slices.IndexFunc(want, func(r catalog.Route) bool { return r.Line == int(got.Row) })
		if k < 0 {
			t.Fatalf("%s: row %d does not serve", where, got.Row)
		}
		carrier, _ := m.id.Carrier(want[k].Carrier)
		buy, _ := table.Buy(carrier, n, at)
		if got.Carrier != carrier || got.Weight != want[k].Weight || got.Buy != buy {
			t.Fatalf("%s: target %+v, want row %+v at %d", where, got, want[k], buy)
		}
	}
	e := table.Explain(client, nil, n, class, at, nil)
	if len(e.Targets) != int(p.N) || (e.Refused == "") != (ok && e.SellRow != "") {
		t.Fatalf("%s: explained with %d targets, refused %q; routed with %d", where, len(e.Targets), e.Refused, p.N)
	}
	for i, g := range e.Targets {
		if g.Tier != p.Targets[i].Tier {
			t.Fatalf("%s: explained target %d is of tier %d, routed of %d", where, i, g.Tier, p.Targets[i].Tier)
		}
		reason := fmt.Sprintf("target %d", i+1)
		if !slices.ContainsFunc(e.Considered, func(c Considered) bool { return c.Row == g.Row && c.Reason == reason }) {
			t.Fatalf("%s: target %d, %s, is not among the rows considered: %+v", where, i+1, g.Row, e.Considered)
		}
	}
	for _, k := range e.Considered {
		if strings.HasPrefix(k.Reason, "target") && !slices.ContainsFunc(e.Targets, func(g Target) bool { return g.Row == k.Row }) {
			t.Fatalf("%s: row %s says %q and is no target", where, k.Row, k.Reason)
		}
	}
}

func TestPrefixesAgainstScan(t *testing.T) {
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 3))
		seen, list := map[string]bool{}, []prefixValue(nil)
		for range rng.IntN(40) {
			s := ""
			if rng.IntN(10) > 0 {
				s = randomNumber(rng).String()
			}
			if rng.IntN(8) == 0 {
				s += strings.Repeat("0", rng.IntN(maxDigits+1-len(s)))
			}
			if !seen[s] {
				seen[s] = true
				list = append(list, prefixValue{s, int32(len(list))})
			}
		}
		p := newPrefixes(list)
		for range 200 {
			n := randomNumber(rng)
			if rng.IntN(5) == 0 {
				n *= Number(pow10[rng.IntN(maxDigits+1-n.Digits())])
			}
			// Every prefix of n, longest first, is what the chain must visit.
			var want []int32
			for k := len(n.String()); k >= 0; k-- {
				for _, x := range list {
					if x.text == n.String()[:k] {
						want = append(want, x.value)
					}
				}
			}
			var got []int32
			for node := p.longest(n); node != none; node = p.nodes[node].up {
				got = append(got, p.nodes[node].value)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d number %d: %v, want %v", seed, n, got, want)
			}
		}
	}
	p := newPrefixes(nil)
	if p.longest(1) != none || p.longest(0) != none || p.longest(math.MaxUint64) != none {
		t.Error("an empty table finds something")
	}
}
