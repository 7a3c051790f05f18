package catalog

import (
	"os"
	"testing"
)

func fuzz(f *testing.F, file string) {
	f.Add(contract(f)[file])
	if b, err := os.ReadFile("testdata/ten/" + file); err == nil {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		files := contract(t)
		files[file] = b
		c, err := Parse(files)
		if (c == nil) == (err == nil) {
			t.Fatalf("catalog %v with error %v", c, err)
		}
		if err != nil {
			return
		}
		if d := Diff(c, c); len(d) != 0 {
			t.Fatalf("a catalog differs from itself: %v", d)
		}
		for _, x := range c.Clients {
			if x.ID == "" || x.SystemID == "" || x.Plan == "" || x.Window < 1 || x.Billing.Currency == "" || x.Billing.Mode == 0 || x.Billing.Charge == 0 ||
				x.Validity[0].Default > x.Validity[0].Max || x.Validity[2].Default > x.Validity[2].Max || x.password == nil == (x.hash == nil) {
				t.Fatalf("accepted an incomplete client: %+v", x)
			}
		}
		for _, x := range c.Rates {
			if x.Price < 0 || x.From >= x.To || x.Kind == 0 || x.Party == "" {
				t.Fatalf("accepted a broken rate: %+v", x)
			}
		}
		for _, x := range c.Routes {
			if x.Tier == 0 || x.Weight == 0 || x.Plan == "" {
				t.Fatalf("accepted a broken route: %+v", x)
			}
		}
	})
}

func FuzzClients(f *testing.F)  { fuzz(f, ClientsFile) }
func FuzzCarriers(f *testing.F) { fuzz(f, CarriersFile) }
func FuzzRates(f *testing.F)    { fuzz(f, RatesFile) }
func FuzzRoutes(f *testing.F)   { fuzz(f, RoutesFile) }
func FuzzMO(f *testing.F)       { fuzz(f, MOFile) }
