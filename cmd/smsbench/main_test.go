package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"smsplane/bench"
	"smsplane/bench/peer"
	"smsplane/pdu"
)

// do runs one command and returns its exit code and what it wrote.
func do(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var o, e strings.Builder
	c := cli{out: &o, err: &e}
	code = c.run(ctx, args)
	return code, o.String(), e.String()
}

func carrier(t *testing.T) string {
	t.Helper()
	c, err := peer.StartCarrier(peer.CarrierOptions{Listen: "127.0.0.1:0", SystemID: "demo", Password: "demo",
		Behaviour: peer.Behaviour{Receipts: "asked", Refuse: []peer.Refusal{{Prefix: "49152", Status: pdu.RInvDstAdr}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.Addr()
}

func TestSend(t *testing.T) {
	addr := carrier(t)
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string // in what is written to either side
	}{
		{"id only", []string{"--to", "+491511"}, exitOK, ""},
		{"with receipt", []string{"--to", "491511", "--wait"}, exitOK, "DELIVRD"},
		{"json", []string{"--to", "491511", "--wait", "--json"}, exitOK, `"state": "DELIVRD"`},
		{"refused", []string{"--to", "491520"}, exitFinding, "ESME_RINVDSTADR"},
		{"wrong password", []string{"--to", "491511", "--password", "wrong"}, exitFinding, "ESME_RINVPASWD"},
		{"unknown client", []string{"--to", "491511", "--system-id", "who"}, exitFinding, "ESME_RINVSYSID"},
		{"nobody there", []string{"--to", "491511", "--addr", "127.0.0.1:1"}, exitFinding, "connection refused"},
		{"no destination", nil, exitUsage, `"to" not set`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, out, errs := do(t, append([]string{"send", "--addr", addr}, tt.args...)...)
			if code != tt.code || !strings.Contains(out+errs, tt.want) {
				t.Errorf("exit %d, %q %q; want %d, %q", code, out, errs, tt.code, tt.want)
			}
		})
	}
}

func TestSendTimesOut(t *testing.T) {
	c, err := peer.StartCarrier(peer.CarrierOptions{Listen: "127.0.0.1:0"}) // no receipts
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	code, _, errs := do(t, "send", "--addr", c.Addr(), "--to", "491511", "--wait", "--timeout", "50ms")
	if code != exitFinding || !strings.Contains(errs, "was accepted, but: no answer in time") {
		t.Errorf("exit %d, %q", code, errs)
	}
}

func TestClient(t *testing.T) {
	addr := carrier(t)
	code, out, errs := do(t, "client", "--addr", addr, "--count", "300", "--conns", "2", "--json")
	var r clientJSON
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitOK || r.Accepted != 300 || r.Receipts.Matched != 300 {
		t.Errorf("exit %d, %v, %s%s", code, err, out, errs)
	}
	code, out, _ = do(t, "client", "--addr", addr, "--count", "20", "--to", "49152")
	if code != exitOK || !strings.Contains(out, "20 ESME_RINVDSTADR") {
		t.Errorf("exit %d, %s", code, out)
	}
	if code, _, errs = do(t, "client", "--addr", addr, "--count", "0"); code != exitFinding || !strings.Contains(errs, "count 0") {
		t.Errorf("exit %d, %s", code, errs)
	}
}

func TestCarrierTellsAtItsEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out, errs strings.Builder
	c := cli{out: &out, err: &errs}
	code := c.run(ctx, []string{"carrier", "--listen", "127.0.0.1:0,127.0.0.1:0", "--refuse", "49151=8", "--json"})
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if code != exitOK || len(lines) != 2 {
		t.Fatalf("exit %d, %q %q", code, out.String(), errs.String())
	}
	for _, l := range lines {
		var told bench.TallyLine
		if err := json.Unmarshal([]byte(l), &told); err != nil || told.Listen == "" {
			t.Errorf("%v in %s", err, l)
		}
	}
}

func TestBadFlags(t *testing.T) {
	for _, args := range [][]string{
		{"carrier", "--refuse", "49151"}, {"carrier", "--error-status", "0"}, {"carrier", "surplus"}, {"client", "--rate", "fast"}, {"nonsense"},
	} {
		if code, _, errs := do(t, args...); code != exitUsage || errs == "" {
			t.Errorf("%v: exit %d, %q", args, code, errs)
		}
	}
	if code, _, errs := do(t, "carrier", "--listen", "127.0.0.1:0", "--receipts", "maybe"); code != exitFinding || !strings.Contains(errs, `"maybe"`) {
		t.Errorf("exit %d, %q", code, errs)
	}
}

// The suites are tested in package bench; here only that each can be called, and says what is missing.
func TestSuitesNeedTheAppliance(t *testing.T) {
	for _, name := range []string{"capacity", "ceiling", "latency", "soak", "scale", "profile"} {
		if code, _, errs := do(t, name, "--bin", t.TempDir()); code != exitFinding || !strings.Contains(errs, "no smsplane beside") {
			t.Errorf("%s: exit %d, %q", name, code, errs)
		}
		if code, _, _ := do(t, name, "--nonsense"); code != exitUsage {
			t.Errorf("%s --nonsense: exit %d", name, code)
		}
	}
}
