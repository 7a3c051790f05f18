package router

import (
	"encoding/json"
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"smsplane/ledger"
	"smsplane/ledger/catalog"
)

var rewrite = flag.Bool("rewrite", false, "write what the tests get over testdata")

const (
	meter = uint32(1)
	north = uint16(1)
	south = uint16(2)

	telekom  = Number(4915112345678)
	vodafone = Number(4915212345678)
)

var contractIDs = ids{"client meter": uint32(meter), "carrier north": uint32(north), "carrier south": uint32(south)}

var present = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC).UnixNano()

func contract(t testing.TB) *Table {
	t.Helper()
	files, err := catalog.Read("testdata/contract")
	if err != nil {
		t.Fatal(err)
	}
	c, err := catalog.Parse(files)
	if err != nil {
		t.Fatal(err)
	}
	return Compile(c, 3, contractIDs)
}

func TestContract(t *testing.T) {
	table := contract(t)
	if net, ok := table.Network(telekom); !ok || net != (Network{"DE", "262", "01", "Telekom"}) {
		t.Errorf("network %+v %v", net, ok)
	}
	if net, ok := table.Network(493012345678); !ok || net != (Network{"DE", "262", "", ""}) {
		t.Errorf("network %+v %v", net, ok)
	}
	if net, ok := table.Network(33612345678); ok {
		t.Errorf("network %+v", net)
	}
	if price, row, ok := table.Sell(meter, telekom, present); price != 45000 || row != 3 || !ok {
		t.Errorf("sell %d row %d %v", price, row, ok)
	}
	if price, row, ok := table.Sell(meter, 33612345678, present); price != 12000 || row != 2 || !ok {
		t.Errorf("sell %d row %d %v", price, row, ok)
	}
	if _, _, ok := table.Sell(meter, telekom, time.Date(2025, 12, 31, 23, 59, 59, 999999999, time.UTC).UnixNano()); ok {
		t.Error("a price before its first day")
	}
	if _, _, ok := table.Sell(99, telekom, present); ok {
		t.Error("a price for nobody")
	}
	if _, ok := table.Buy(99, telekom, present); ok {
		t.Error("a price of nobody")
	}
	var p ledger.Route
	if !table.Route(&p, meter, 33612345678, ledger.ClassBulk, 0, present, nil) || p.N != 2 || p.Catalog != 3 ||
		p.Targets[0] != (ledger.PlanTarget{Carrier: south, Tier: 1, Weight: 1, Buy: 9000, Row: 4}) ||
		p.Targets[1] != (ledger.PlanTarget{Carrier: north, Tier: 2, Weight: 1, Buy: 9500, Row: 5}) {
		t.Errorf("route %+v", p)
	}
	if table.Route(&p, 99, telekom, ledger.ClassBulk, 0, present, nil) || p.N != 0 || table.HasRoute(99, telekom, ledger.ClassBulk, present) {
		t.Errorf("a route for nobody: %+v", p)
	}
	if table.Route(&p, meter, telekom, ledger.ClassBulk, 0, 0, nil) {
		t.Errorf("a route without buy prices: %+v", p)
	}
	if table.Route(&p, meter, telekom, ledger.Class(9), 0, present, nil) {
		t.Error("a route for a class that does not exist")
	}
}

func TestAccounts(t *testing.T) {
	table := contract(t)
	if c := table.ClientOf(meter); c == nil || c.ID != "meter" || table.ClientOf(2) != nil {
		t.Errorf("client %+v", c)
	}
	if c := table.CarrierOf(south); c == nil || c.ID != "south" || table.CarrierOf(0) != nil || table.CarrierOf(60000) != nil {
		t.Errorf("carrier %+v", c)
	}
	if c, n, ok := table.ClientBySystemID("meter"); !ok || n != meter || c.ID != "meter" {
		t.Errorf("%+v %d %v", c, n, ok)
	}
	if c, _, ok := table.ClientBySystemID("nobody"); ok || c != nil {
		t.Errorf("%+v", c)
	}
	for _, tt := range []struct {
		carrier uint16
		to      string
		ok      bool
	}{{south, "12345", true}, {south, "+12345", true}, {north, "12345", false}, {south, "1234", false}, {south, "", false}} {
		if client, ok := table.MO(tt.carrier, []byte(tt.to), nil); ok != tt.ok || ok && client != meter {
			t.Errorf("%d %q: %d %v", tt.carrier, tt.to, client, ok)
		}
	}
}

// declared builds a table from routes; every carrier but "unpriced" has a price.
func declared(routes ...catalog.Route) *Table {
	c := &catalog.Catalog{Clients: []catalog.Client{{ID: "meter", Plan: "p", Party: "m"}}, Routes: routes}
	id := ids{"client meter": meter}
	for i := range routes {
		routes[i].Plan, routes[i].AnyClass, routes[i].Line = "p", true, i+2
		name := routes[i].Carrier
		if _, known := id["carrier "+name]; known {
			continue
		}
		id["carrier "+name] = uint32(len(id))
		c.Carriers = append(c.Carriers, catalog.Carrier{ID: name, Party: name})
		if name != "unpriced" {
			c.Rates = append(c.Rates, catalog.Rate{Kind: catalog.Buy, Party: name, Price: 1, To: math.MaxInt64})
		}
	}
	c.Rates = append(c.Rates, catalog.Rate{Kind: catalog.Sell, Party: "m", Price: 2, To: math.MaxInt64, Line: 9})
	return Compile(c, 1, id)
}

func TestWeights(t *testing.T) {
	table := declared(catalog.Route{Carrier: "a", Tier: 1, Weight: 1}, catalog.Route{Carrier: "unpriced", Tier: 1, Weight: 50},
		catalog.Route{Carrier: "b", Tier: 1, Weight: 2}, catalog.Route{Carrier: "c", Tier: 1, Weight: 7}, catalog.Route{Carrier: "d", Tier: 2, Weight: 1})
	const messages = 20000
	first := map[string]int{}
	second := map[string]int{} // behind c
	rng := rand.New(rand.NewPCG(5, 5))
	for range messages {
		var p ledger.Route
		if !table.Route(&p, meter, telekom, ledger.ClassBulk, rng.Uint64(), 0, nil) || p.N != 4 || table.CarrierOf(p.Targets[3].Carrier).ID != "d" {
			t.Fatalf("%+v", p)
		}
		lead := table.CarrierOf(p.Targets[0].Carrier).ID
		first[lead]++
		if lead == "c" {
			second[table.CarrierOf(p.Targets[1].Carrier).ID]++
		}
	}
	for name, weight := range map[string]float64{"a": 1, "b": 2, "c": 7} {
		if share := float64(first[name]) / messages; math.Abs(share-weight/10) > 0.02 {
			t.Errorf("%s leads %.3f of the messages, want %.1f", name, share, weight/10)
		}
	}
	if share := float64(second["b"]) / float64(first["c"]); math.Abs(share-2.0/3) > 0.02 {
		t.Errorf("b follows c in %.3f of the messages, want 2/3", share)
	}
}

// More carriers than a plan holds: the best stay, and those that fail give way to the others.
func TestMoreCarriersThanTargets(t *testing.T) {
	var routes []catalog.Route
	for i := range catalog.MaxGroup {
		routes = append(routes, catalog.Route{Carrier: string(rune('A' + i)), Tier: uint8(1 + i/8), Weight: 1})
	}
	table := declared(routes...)
	var p ledger.Route
	if !table.Route(&p, meter, telekom, ledger.ClassOTP, 12345, 0, nil) || p.N != ledger.MaxTargets {
		t.Fatalf("%+v", p)
	}
	for _, g := range p.Targets {
		if g.Tier != 1 {
			t.Errorf("a carrier of tier %d takes the place of one of tier 1", g.Tier)
		}
	}
	r := NewRecent()
	for i := range 8 {
		for range runLong {
			r.Refused(uint16(1+i), telekom, present)
		}
	}
	if table.Route(&p, meter, telekom, ledger.ClassOTP, 12345, present+1, r); p.N != ledger.MaxTargets {
		t.Fatalf("%+v", p)
	}
	for _, g := range p.Targets {
		if g.Tier != 2 {
			t.Errorf("a carrier of tier %d is tried, want the healthy ones of tier 2", g.Tier)
		}
	}
	e := table.Explain(meter, nil, telekom, ledger.ClassOTP, present+1, r)
	if len(e.Targets) != ledger.MaxTargets || e.Targets[0].Tier != 2 || len(e.Considered) != len(routes) {
		t.Errorf("%+v", e.Targets)
	}
}

func TestExplain(t *testing.T) {
	table := contract(t)
	r := NewRecent()
	for i := range int64(10) {
		r.Refused(north, telekom, present+i)
		r.Taken(south, telekom, present+i)
		r.Delivered(south, telekom, present+i, 1_500_000_000)
	}
	out := map[string]Explain{
		"1 plain":          table.Explain(meter, []byte("Bank"), 33612345678, ledger.ClassBulk, present, nil),
		"2 north fails":    table.Explain(meter, []byte("Bank"), telekom, ledger.ClassOTP, present+20, r),
		"3 no number":      table.Explain(meter, nil, 0, ledger.ClassBulk, present, r),
		"4 before prices":  table.Explain(meter, nil, telekom, ledger.ClassBulk, 0, r),
		"5 unknown client": table.Explain(7, nil, telekom, ledger.ClassBulk, present, r),
	}
	got, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	const path = "testdata/explain.json"
	if *rewrite {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s differs; got\n%s", path, got)
	}
}

// Looking does not change what is looked at: no probe is taken.
func TestExplainTakesNoProbe(t *testing.T) {
	table, r := contract(t), NewRecent()
	for range runLong {
		r.Refused(north, telekom, present)
	}
	later := present + probeEvery
	before := slices.Clone(r.entries)
	table.Explain(meter, nil, telekom, ledger.ClassBulk, later, r)
	if !slices.Equal(before, r.entries) {
		t.Error("explaining changed the record")
	}
	if !r.Usable(north, telekom, later) {
		t.Error("the probe is gone")
	}
}

func TestLookupsAllocateNothing(t *testing.T) {
	table, r := contract(t), NewRecent()
	for range runLong {
		r.Refused(north, telekom, present)
	}
	to := []byte("12345")
	var p ledger.Route
	pick := uint64(1)
	for name, f := range map[string]func(){
		"route":    func() { pick = mix(pick); table.Route(&p, meter, telekom, ledger.ClassOTP, pick, present+1, r) },
		"hasroute": func() { table.HasRoute(meter, telekom, ledger.ClassOTP, present) },
		"sell":     func() { table.Sell(meter, telekom, present) },
		"buy":      func() { table.Buy(north, telekom, present) },
		"network":  func() { table.Network(telekom) },
		"mo":       func() { table.MO(south, to, to) },
		"taken":    func() { r.Taken(south, Number(pick%1e9+1), present) },
		"usable":   func() { r.Usable(north, telekom, present) },
	} {
		if n := testing.AllocsPerRun(200, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkRoute(b *testing.B) {
	table, r := contract(b), NewRecent()
	var p ledger.Route
	pick, sum := uint64(1), uint64(0)
	for b.Loop() {
		pick = mix(pick)
		table.Route(&p, meter, telekom+Number(pick%1000), ledger.ClassOTP, pick, present, r)
		sum += uint64(p.Targets[0].Carrier)
	}
	b.ReportMetric(float64(sum)/float64(b.N), "carrier")
}

// A row can lower the class of the messages that it serves, never raise it; rows that name the message's class, or fit
// its number better, come before it.
func TestClassOfARoute(t *testing.T) {
	row := func(prefix string, class ledger.Class, anyClass bool, as ledger.Class, lowers bool) catalog.Route {
		return catalog.Route{Plan: "p", Match: catalog.Match{Prefix: prefix}, Class: class, AnyClass: anyClass, As: as, Lowers: lowers, Tier: 1, Weight: 1, Carrier: "a"}
	}
	c := &catalog.Catalog{Clients: []catalog.Client{{ID: "meter", Plan: "p", Party: "m"}}, Carriers: []catalog.Carrier{{ID: "a", Party: "a"}},
		Rates: []catalog.Rate{{Kind: catalog.Buy, Party: "a", Price: 1, To: math.MaxInt64}, {Kind: catalog.Sell, Party: "m", Price: 2, To: math.MaxInt64}},
		Routes: []catalog.Route{row("", 0, true, 0, false), row("49151", 0, true, ledger.ClassBulk, true), row("49151", ledger.ClassOTP, false, 0, false),
			row("49176", 0, true, ledger.ClassTransactional, true)}}
	table := Compile(c, 1, ids{"client meter": meter, "carrier a": 1})
	for _, c := range []struct {
		number    Number
		has, want ledger.Class
	}{
		{33612345678, ledger.ClassTransactional, ledger.ClassTransactional},
		{4915112345678, ledger.ClassTransactional, ledger.ClassBulk},
		{4915112345678, ledger.ClassOTP, ledger.ClassOTP},
		{4917612345678, ledger.ClassOTP, ledger.ClassTransactional},
		{4917612345678, ledger.ClassBulk, ledger.ClassBulk},
	} {
		got := table.ClassOf(meter, c.number, c.has)
		if got != c.want || !table.HasRoute(meter, c.number, got, 0) {
			t.Errorf("%v to %d travels as %v, want %v", c.has, c.number, got, c.want)
		}
	}
}
