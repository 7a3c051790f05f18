package catalog

import (
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"smsplane/ledger"
	"smsplane/pdu"
)

var rewrite = flag.Bool("rewrite", false, "write what the tests get over testdata")

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got\n%s", path, got)
	}
}

func contract(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := Read("testdata/contract")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func parse(t testing.TB, files map[string][]byte) *Catalog {
	t.Helper()
	c, err := Parse(files)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestContract(t *testing.T) {
	c := parse(t, contract(t))
	if len(c.Clients) != 1 || len(c.Carriers) != 2 || len(c.Networks) != 4 || len(c.Rates) != 6 || len(c.Routes) != 4 || len(c.MO) != 1 {
		t.Fatalf("%+v", c)
	}
	meter := c.Clients[0]
	want := Client{ID: "meter", Party: "meter", SystemID: "meter", Plan: "standard", Class: ledger.ClassTransactional,
		Window: 5000, DeliverWindow: 1000, MaxBinds: Binds{200, 200, 200},
		Statuses: Statuses{pdu.RSubmitFail, pdu.RSubmitFail, pdu.RSubmitFail},
		Validity: [ledger.Classes]Validity{{defaultValidity, defaultValidityMax}, {defaultValidity, defaultValidityMax}, {defaultValidity, defaultValidityMax}},
		OverRate: Throttle, ReceiptKeep: defaultReceiptKeep,
		Billing:  Billing{Postpaid, "EUR", 1_000_000_000_000, ChargeSent},
		password: []byte("meter"), line: 2}
	if !reflect.DeepEqual(meter, want) {
		t.Errorf("got  %+v\nwant %+v", meter, want)
	}
	north := c.Carriers[0]
	link := Link{Addresses: []string{"127.0.0.1:3775"}, SystemID: "smsplane", Password: "secret", Bind: pdu.BindTransceiver, Version: 0x34,
		Sessions: 2, Window: 1000, DeliverWindow: 1000, EnquireEvery: defaultEnquireLink, ResponseTimeout: defaultResponseTimeout, BindTimeout: defaultBindTimeout, PDUTimeout: defaultPDUTimeout, line: 10}
	wantCarrier := Carrier{ID: "north", Party: "north", Currency: "EUR", Cost: ChargeSent, Receipts: ReceiptsAlways, ReceiptWait: 72 * time.Hour,
		InDoubt: [ledger.Classes]ledger.Policy{ledger.PolicyResend, ledger.PolicyResend, ledger.PolicyResend}, Links: []Link{link}, line: 2}
	if !reflect.DeepEqual(north, wantCarrier) {
		t.Errorf("got  %+v\nwant %+v", north, wantCarrier)
	}
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	if r := c.Rates[1]; r != (Rate{Sell, "meter", Match{Prefix: "49"}, 45000, "EUR", from, openEnd, 3}) {
		t.Errorf("rate %+v", r)
	}
	if r := c.Routes[3]; r != (Route{Plan: "standard", AnyClass: true, Tier: 2, Weight: 1, Carrier: "north", Line: 5}) {
		t.Errorf("route %+v", r)
	}
	if n := c.Networks[1]; n != (Network{"49151", "DE", "262", "01", "Telekom", 3}) {
		t.Errorf("network %+v", n)
	}
	if r := c.MO[0]; r != (MORule{Carrier: "south", To: "12345", Client: "meter", Line: 2}) {
		t.Errorf("mo rule %+v", r)
	}
}

// The folder here is a copy; where the original is at hand it must be the same.
func TestContractCopy(t *testing.T) {
	entries, err := os.ReadDir("../../../shared/contract/single/catalog")
	if err != nil {
		t.Logf("no original to compare with: %v", err)
		return
	}
	for _, e := range entries {
		want, _ := os.ReadFile(filepath.Join("../../../shared/contract/single/catalog", e.Name()))
		got, err := os.ReadFile(filepath.Join("testdata/contract", e.Name()))
		if err != nil || string(got) != string(want) {
			t.Errorf("%s differs from the contract: %v", e.Name(), err)
		}
	}
}

func TestTenMistakes(t *testing.T) {
	files, err := Read("testdata/ten")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Parse(files)
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatalf("%T: %v", err, err)
	}
	for _, secret := range []string{"hunter", "$2a$"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the report shows the secret %s", secret)
		}
	}
	golden(t, "testdata/ten/expected.txt", err.Error()+"\n")
}

func TestMissingFiles(t *testing.T) {
	for _, optional := range []string{NetworksFile, MOFile} {
		files := contract(t)
		delete(files, optional)
		parse(t, files)
	}
	_, err := Parse(nil)
	want := "carriers.yaml: is missing\nclients.yaml: is missing\nrates.csv: is missing\nroutes.csv: is missing"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if _, err := Read("testdata/nowhere"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing folder: %v", err)
	}
}

// with replaces text in one file of the contract's catalog; each old must be there.
func with(t testing.TB, file string, pairs ...string) map[string][]byte {
	files := contract(t)
	s := string(files[file])
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(s, pairs[i]) {
			t.Fatalf("%s has no %q", file, pairs[i])
		}
		s = strings.Replace(s, pairs[i], pairs[i+1], 1)
	}
	files[file] = []byte(s)
	return files
}

func TestOneMistake(t *testing.T) {
	sixty5 := "standard,49,,,,1,1,north\n"
	for i := range MaxGroup {
		sixty5 += "standard,49,,,," + string(rune('1'+i/32)) + ",1,c" + string(rune('A'+i%32)) + "\n"
	}
	tests := []struct {
		name  string
		files map[string][]byte
		want  string
	}{
		{"tps unsaid", with(t, ClientsFile, "tps: unlimited", "# nothing"), `clients.yaml:2: client "meter": tps is missing`},
		{"link tps unsaid", with(t, CarriersFile, "tps: unlimited", "# nothing"), `carriers.yaml:10: carrier "north" link 1: tps is missing`},
		{"no password", with(t, ClientsFile, "password: meter", "# nothing"), `clients.yaml:2: client "meter": password, password_hash or password_file is missing`},
		{"hash as password", with(t, ClientsFile, "password: meter", "password: $2a$04$7EqJtq98hPqEX7fNZaFWoOhi5Q6FTo7k5vP6hmoZQCuX1C1o1fnlq"), "password: looks like a bcrypt hash"},
		{"password is a number", with(t, ClientsFile, "password: meter", "password: 012"), ""},
		{"postpaid without limit", with(t, ClientsFile, "credit_limit: 1000000, ", ""), `client "meter": billing: credit_limit is missing`},
		{"prepaid without limit", with(t, ClientsFile, "postpaid", "prepaid", "credit_limit: 1000000, ", ""), ""},
		{"negative limit", with(t, ClientsFile, "1000000", "-1"), "credit_limit: -1 is below zero"},
		{"negative window", with(t, ClientsFile, "window: 5000", "window: -1"), "window: \"-1\" is not a whole number from 1 to 65535"},
		{"no billing", with(t, ClientsFile, "billing:", "# billing:"), "billing is missing"},
		{"short maximum", with(t, ClientsFile, "plan:", "validity_max: 1h\n    plan:"), ""},
		{"currency of clients", with(t, ClientsFile, "EUR", "USD"), "rates.csv:2: the price is in EUR, the account of client meter in USD"},
		{"currency of carriers", with(t, CarriersFile, "currency: EUR", "currency: GBP"), "rates.csv:4: the price is in EUR, the account of carrier north in GBP"},
		{"six decimals", with(t, RatesFile, "0.0120", "0.012345"), ""},
		{"seven decimals", with(t, RatesFile, "0.0120", "0.0123456"), "rates.csv:2: price: \"0.0123456\": not an amount with at most six decimals"},
		{"adjacent days", with(t, RatesFile, "sell,meter,,,,0.0120,EUR,2026-01-01,", "sell,meter,,,,0.0120,EUR,2026-01-01,2026-01-31\nsell,meter,,,,0.0130,EUR,2026-02-01,"), ""},
		{"one day twice", with(t, RatesFile, "sell,meter,,,,0.0120,EUR,2026-01-01,", "sell,meter,,,,0.0120,EUR,2026-01-01,2026-02-01\nsell,meter,,,,0.0130,EUR,2026-02-01,"), "rates.csv:3: sell meter, any number, from 2026-02-01 overlaps line 2"},
		{"overlap over a neighbour", with(t, RatesFile, "sell,meter,,,,0.0120,EUR,2026-01-01,", "sell,meter,,,,0.0120,EUR,2026-01-01,2026-12-31\nsell,meter,,,,1,EUR,2026-02-01,2026-02-02\nsell,meter,,,,2,EUR,2026-03-01,2026-03-02"), "rates.csv:4: sell meter, any number, from 2026-03-01 overlaps line 2"},
		{"column order", with(t, RatesFile, "kind,party", "party,kind", "sell,meter", "meter,sell", "sell,meter", "meter,sell", "buy,north", "north,buy", "buy,south", "south,buy", "buy,south", "south,buy", "buy,north", "north,buy"), ""},
		{"column unknown", with(t, RatesFile, "price", "prize"), "rates.csv:1: \"prize\" is not a column here"},
		{"column missing", with(t, RatesFile, ",effective_to", ""), "rates.csv:1: column \"effective_to\" is missing"},
		{"class of a route", with(t, RoutesFile, "weight,carrier", "weight,carrier,as_class", "1,1,north\n", "1,1,north,bulk\n", "1,1,south\n", "1,1,south,bulk\n", "1,1,south\n", "1,1,south,\n", "2,1,north\n", "2,1,north,\n"), ""},
		{"two classes of one route", with(t, RoutesFile, "weight,carrier", "weight,carrier,as_class", "1,1,north\n", "1,1,north,bulk\n", "1,1,south\n", "1,1,south,\n", "1,1,south\n", "1,1,south,\n", "2,1,north\n", "2,1,north,\n"), "has another as_class in line 2"},
		{"class of a route for a class", with(t, RoutesFile, "weight,carrier", "weight,carrier,as_class", "49,,,,1,1,north\n", "49,,,otp,1,1,north,bulk\n", "1,1,south\n", "1,1,south,\n", "1,1,south\n", "1,1,south,\n", "2,1,north\n", "2,1,north,\n"), "routes.csv:2: as_class is for rows that name no class"},
		{"bounds of a carrier", with(t, CarriersFile, "receipts: always", "receipts: always\n    tps: 100\n    window: 50"), ""},
		{"no tps of a carrier", with(t, CarriersFile, "receipts: always", "receipts: always\n    tps: 0"), `carrier "north": tps: "0" is neither unlimited nor a number`},
		{"comment and blank line in a table", with(t, RoutesFile, "standard,49", "# the German networks\n\nstandard,49"), ""},
		{"windows line ends", with(t, RoutesFile, "carrier\n", "carrier\r\n"), ""},
		{"byte order mark", with(t, RoutesFile, "plan", "\ufeffplan"), ""},
		{"plan without rows", with(t, ClientsFile, "plan: standard", "plan: gold"), `clients.yaml:2: client "meter": plan "gold" has no row in routes.csv`},
		{"unknown carrier", with(t, RoutesFile, "1,1,north", "1,1,nrth"), `routes.csv:2: no carrier has the id "nrth"`},
		{"same carrier in two tiers", with(t, RoutesFile, "standard,49,,,,1,1,south", "standard,49,,,,2,1,north"), ""},
		{"equal rows of two classes", with(t, RoutesFile, "standard,49,,,,1,1,south", "standard,49,,,otp,1,1,north"), ""},
		{"group too large", with(t, RoutesFile, "standard,49,,,,1,1,north\n", sixty5), "has more than 64 rows for one class"},
		{"unknown MO client", with(t, MOFile, "client: meter", "client: metre"), `mo.yaml:2: no client has the id "metre"`},
		{"unknown MO carrier", with(t, MOFile, "south", "sooth"), `mo.yaml:2: no carrier has the id "sooth"`},
		{"carrier by hash", with(t, CarriersFile, "password: secret", "password_hash: x"), "password_hash: a carrier wants the password itself"},
		{"transceiver of 3.3", with(t, CarriersFile, "bind: transceiver", "bind: transceiver\n        version: 3.3"), "SMPP 3.3 has no transceiver"},
		{"not yaml", with(t, ClientsFile, "clients:", "clients: ["), "clients.yaml:1: does not parse"},
		{"list where a mapping belongs", with(t, ClientsFile, "max_binds: {tx: 200, rx: 200, trx: 200}", "max_binds: [200]"), `client "meter": max_binds should be a mapping`},
		{"mapping where a list belongs", with(t, ClientsFile, "  - id", "    id"), "clients: should be a list, not a mapping"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Parse(tt.files)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.want == "" && c == nil, tt.want != "" && c != nil:
				t.Error("a catalog and an error exclude one another")
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestEverythingSaid(t *testing.T) {
	files := with(t, ClientsFile, "    plan: standard", `    plan: standard
    country: 49
    allow: [127.0.0.1, "2001:db8::/32"]
    statuses: {no_route: ESME_RINVDSTADR, no_price: 69, no_credit: 0x401}
    validity_default: 24h
    validity_max: 48h
    classes: {otp: {validity_max: 5m}, bulk: {validity_default: 1h}}
    in_order: true
    over_rate: pace
    receipt_keep: 72h
    bind_error_body: true`, "max_binds: {tx: 200, rx: 200, trx: 200}", "max_binds: {trx: 4}", "tps: unlimited", "tps: 250")
	files[CarriersFile] = []byte(strings.Replace(string(with(t, CarriersFile, `address: "127.0.0.1:3775"`, `address: [smsc.example.net:2775, "[::1]:2775"]
        system_type: VMA
        version: 5.0
        source: 127.0.0.9
        deliver_window: 250
        enquire_link: 20s
        response_timeout: 15s
        bind_timeout: 3s
        pdu_timeout: 4s
        inactivity_timeout: 5m`, "bind: transceiver", "bind: transmitter", "in_doubt: {default: resend}", "in_doubt: {default: hold, otp: expire}",
		"receipts: always", "receipts: asked\n    validity_max: 24h", "cost: sent", "cost: delivered")[CarriersFile]), "tps: unlimited", "tps: 100", 1))
	c := parse(t, files)
	x := c.Clients[0]
	if x.Country != "49" || x.Statuses != (Statuses{pdu.RInvDstAdr, 69, 0x401}) || x.MaxBinds != (Binds{TRX: 4}) || x.TPS != 250 ||
		x.Validity != [ledger.Classes]Validity{{time.Hour, 48 * time.Hour}, {24 * time.Hour, 48 * time.Hour}, {5 * time.Minute, 5 * time.Minute}} || !x.InOrder || x.Allow[0] != netip.MustParsePrefix("127.0.0.1/32") || len(x.Allow) != 2 {
		t.Errorf("client %+v", x)
	}
	if x.OverRate != Pace || x.ReceiptKeep != 72*time.Hour || !x.BindErrorBody {
		t.Errorf("client %+v", x)
	}
	if d := parse(t, contract(t)).Carriers[0].Links[0]; d.DeliverWindow != 1000 {
		t.Errorf("link of the contract %+v", d)
	}
	if d := parse(t, contract(t)).Clients[0]; d.OverRate != Throttle || d.ReceiptKeep != 168*time.Hour || d.BindErrorBody {
		t.Errorf("client of the contract %+v", d)
	}
	y := c.Carriers[0]
	if y.InDoubt != [ledger.Classes]ledger.Policy{ledger.ClassBulk: ledger.PolicyHold, ledger.ClassTransactional: ledger.PolicyHold, ledger.ClassOTP: ledger.PolicyExpire} ||
		y.Receipts != ReceiptsAsked || y.ValidityMax != 24*time.Hour || y.Cost != ChargeDelivered {
		t.Errorf("carrier %+v", y)
	}
	l := y.Links[0]
	if !slices.Equal(l.Addresses, []string{"smsc.example.net:2775", "[::1]:2775"}) || l.SystemType != "VMA" || l.Version != 0x50 || l.Source.String() != "127.0.0.9" ||
		l.EnquireEvery != 20*time.Second || l.ResponseTimeout != 15*time.Second || l.BindTimeout != 3*time.Second || l.PDUTimeout != 4*time.Second || l.InactivityTimeout != 5*time.Minute || l.Bind != pdu.BindTransmitter || l.DeliverWindow != 250 || l.TPS != 100 || !l.Sends() {
		t.Errorf("link %+v", l)
	}
}

// A sheet with its columns mixed up has a mistake on every line; the report stays readable and bounded.
func TestManyMistakes(t *testing.T) {
	files := contract(t)
	files[RatesFile] = []byte("kind,party,prefix,mcc,mnc,price,currency,effective_from,effective_to\n" + strings.Repeat("sell,meter,49,,,EUR,0.01,2026-01-01,\n", 20000))
	_, err := Parse(files)
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 501 || !strings.HasSuffix(err.Error(), "and 39500 more problems that are not listed") {
		t.Errorf("%d problems, the last %v", len(problems), problems[max(0, len(problems)-1):])
	}
}
