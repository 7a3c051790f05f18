package bench

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"smsplane/bench/peer"
)

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func freeAddress(t *testing.T) string {
	t.Helper()
	a, err := peer.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// With nothing between the peers a run is their own ceiling; it goes through everything but an appliance.
func TestPathDirect(t *testing.T) {
	at := freeAddress(t)
	r, err := Path(within(t), PathOptions{
		Client: peer.ClientOptions{Address: at, SystemID: "direct", Password: "secret", Connections: 2}, Carriers: []string{at}, Binds: -1,
		Load: peer.Load{Count: 2000, Receipts: true}, Treat: peer.Behaviour{Receipts: "asked", FailingPercent: 10}, Out: t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Problems) != 0 || r.Account.Arrived != 2000 || r.Report.Arrival.Count != 2000 || r.Report.Receipts.Failed == 0 || r.Report.ArrivedTPS <= 0 {
		t.Errorf("problems %q, account %+v, report %+v", r.Problems, r.Account, r.Report)
	}
	b, err := os.ReadFile(r.File)
	if err != nil {
		t.Fatal(err)
	}
	var read PathResult
	if err := json.Unmarshal(b, &read); err != nil {
		t.Fatal(err)
	}
	if read.Account != r.Account || read.Commit == "" || read.Machine.Cores < 1 || strings.Contains(string(b), "secret") {
		t.Errorf("the file says %s", b)
	}
	var out strings.Builder
	r.Print(&out)
	for _, want := range []string{"everything adds up", "submit to carrier", "submit to receipt", "2,000", r.Account.Digest} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

// A client that reaches another carrier than the ones played has lost everything, and the result says so.
func TestPathSeesLoss(t *testing.T) {
	elsewhere, err := peer.StartCarrier(peer.CarrierOptions{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	r, err := Path(within(t), PathOptions{Client: peer.ClientOptions{Address: elsewhere.Addr(), SystemID: "lost"},
		Carriers: []string{"127.0.0.1:0"}, Binds: -1, Load: peer.Load{Count: 10}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Account.Lost != 10 || len(r.Problems) == 0 {
		t.Errorf("lost %d, problems %q", r.Account.Lost, r.Problems)
	}
}

func TestPathWithoutAppliance(t *testing.T) {
	_, err := Path(within(t), PathOptions{Carriers: []string{"127.0.0.1:0"}, BindWait: 20 * time.Millisecond, Load: peer.Load{Count: 1}})
	if err == nil || !strings.Contains(err.Error(), "0 of 1 binds") {
		t.Errorf("%v", err)
	}
}

func TestNumber(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567", 10000000: "10,000,000"} {
		if got := number(n); got != want {
			t.Errorf("%d reads %s", n, got)
		}
	}
}
