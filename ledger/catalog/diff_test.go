package catalog

import (
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	old := parse(t, contract(t))
	if d := Diff(old, parse(t, contract(t))); len(d) != 0 {
		t.Errorf("equal catalogs differ: %v", d)
	}
	files := with(t, ClientsFile, "tps: unlimited", "tps: 100", "password: meter", "password: other", "max_binds: {tx: 200", "max_binds: {tx: 100")
	files[CarriersFile] = with(t, CarriersFile, "  - id: south", "  - id: east\n    currency: EUR\n    cost: sent\n    links: []\n  - id: south",
		"password: secret", "password: private", "sessions: 2", "sessions: 3", "default: resend", "otp: hold")[CarriersFile]
	files[RatesFile] = with(t, RatesFile, "0.0450", "0.0500", "buy,north,,,,0.0095,EUR,2026-01-01,", "buy,north,,,,0.0095,EUR,2026-01-01,2026-12-31",
		"buy,south,49,,,0.0330,EUR,2026-01-01,\n", "")[RatesFile]
	files[RoutesFile] = with(t, RoutesFile, "1,1,north", "1,3,north", "standard,,,,,2,1,north", "standard,,262,01,otp,2,1,east")[RoutesFile]
	files[NetworksFile] = with(t, NetworksFile, "Vodafone", "Vodafone DE")[NetworksFile]
	delete(files, MOFile)
	var lines []string
	for _, c := range Diff(old, parse(t, files)) {
		lines = append(lines, c.String())
	}
	all := strings.Join(lines, "\n") + "\n"
	for _, secret := range []string{"other", "private", "secret"} {
		if strings.Contains(all, secret) {
			t.Errorf("a password is shown: %s", secret)
		}
	}
	golden(t, "testdata/diff.txt", all)
	if n := len(Diff(nil, old)); n != 1+2+4+6+4+1 {
		t.Errorf("the first version is %d additions", n)
	}
}
