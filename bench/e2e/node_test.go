//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// node is one appliance with a folder of its own, started and killed as often as a test likes.
type node struct {
	t      *testing.T
	config string
	smpp   string // host:port
	admin  string
	proc   *process
}

// newNode writes a node file and a catalog on free ports; the carriers are named c0, c1 ... by port.
func newNode(t *testing.T, carrierPorts ...int) *node {
	t.Helper()
	dir := t.TempDir()
	n := &node{
		t: t, config: filepath.Join(dir, "smsplane.yaml"),
		smpp: loopback(freePort(t)), admin: loopback(freePort(t)),
	}
	write(t, n.config, fmt.Sprintf(nodeFile, n.smpp, n.admin))
	for name, text := range catalog(carrierPorts) {
		write(t, filepath.Join(dir, "catalog", name), text)
	}
	return n
}

const nodeFile = `node: e2e
data: ./data
smpp:
  listen: [%q]
admin:
  listen: %q
catalog: ./catalog
`

// catalog: 49 has routes over all carriers, a price and a buy price; 33 has a route and no price; 44 has a
// price and no route. The client poor can pay for one message.
func catalog(carrierPorts []int) map[string]string {
	var carriers, rates, routes strings.Builder
	carriers.WriteString("carriers:\n")
	rates.WriteString("kind,party,prefix,mcc,mnc,price,currency,effective_from,effective_to\n")
	for _, client := range []string{"demo", "poor"} {
		for _, prefix := range []string{"49", "44"} {
			fmt.Fprintf(&rates, "sell,%s,%s,,,0.0450,EUR,2026-01-01,\n", client, prefix)
		}
	}
	routes.WriteString("plan,prefix,mcc,mnc,class,tier,weight,carrier\n")
	for i, port := range carrierPorts {
		fmt.Fprintf(&carriers, `  - id: c%d
    party: c%d
    currency: EUR
    cost: sent
    receipts: always
    receipt_wait: 72h
    in_doubt: {default: resend}
    links:
      - address: "127.0.0.1:%d"
        system_id: smsplane
        password: secret
        bind: transceiver
        sessions: %d
        window: %d
        tps: unlimited
`, i, i, port, linkSessions, linkWindow)
		fmt.Fprintf(&rates, "buy,c%d,,,,0.0310,EUR,2026-01-01,\n", i)
		for _, prefix := range []string{"49", "33"} {
			fmt.Fprintf(&routes, "standard,%s,,,,1,1,c%d\n", prefix, i)
		}
	}
	return map[string]string{
		"carriers.yaml": carriers.String(), "rates.csv": rates.String(), "routes.csv": routes.String(),
		"networks.csv": "prefix,country,mcc,mnc,network\n49,DE,262,,\n49151,DE,262,01,Telekom\n49152,DE,262,02,Vodafone\n",
		"clients.yaml": "clients:" + client("demo", "1000000") + client("poor", "0.05"),
	}
}

const (
	linkSessions = 2
	linkWindow   = 100
)

func client(id, credit string) string {
	return fmt.Sprintf(`
  - id: %[1]s
    party: %[1]s
    system_id: %[1]s
    password: secret
    plan: standard
    class: transactional
    window: 1000
    deliver_window: 1000
    max_binds: {tx: 30, rx: 30, trx: 30}
    tps: unlimited
    billing: {mode: postpaid, currency: EUR, credit_limit: %[2]s, charge: sent}
`, id, credit)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// up starts the appliance and waits until it takes binds.
func (n *node) up() *node {
	n.t.Helper()
	n.proc = start(n.t, program(n.t, "smsplane"), "serve", "--config", n.config)
	eventually(n.t, time.Minute, "/readyz answers 200", func() bool {
		if !n.proc.running() {
			n.t.Fatalf("smsplane ended while starting:\n%s", n.proc.stderr.String())
		}
		return n.ready()
	})
	return n
}

func (n *node) ready() bool { return n.readiness() == http.StatusOK }

// readiness is the status of /readyz, 0 when nobody answers.
func (n *node) readiness() int {
	resp, err := (&http.Client{Timeout: patience}).Get("http://" + n.admin + "/readyz")
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// linked waits until the carriers' links are bound.
func (n *node) linked(sessions int) *node {
	n.t.Helper()
	eventually(n.t, time.Minute, fmt.Sprintf("%d sessions to carriers bound", sessions), func() bool {
		bound := 0
		for _, l := range ask[[]struct{ State string }](n, "link", "list") {
			if l.State == "bound" {
				bound++
			}
		}
		return bound >= sessions
	})
	return n
}

// stop sends SIGTERM once and demands a clean end.
func (n *node) stop() {
	n.t.Helper()
	n.proc.signal(syscall.SIGTERM)
	if code := n.proc.exit(n.t, time.Minute); code != 0 {
		n.t.Fatalf("smsplane exited with %d after SIGTERM:\n%s", code, n.proc.stderr.String())
	}
}

// command runs an operator's command against this node.
func (n *node) command(args ...string) (code int, stdout, stderr string) {
	n.t.Helper()
	return run(n.t, time.Minute, program(n.t, "smsplane"), append(args, "--config", n.config)...)
}

// ask runs a command with --json and demands exit 0.
func ask[T any](n *node, args ...string) T {
	n.t.Helper()
	code, out, errs := n.command(append(args, "--json")...)
	if code != 0 {
		n.t.Fatalf("smsplane %v: exit %d\n%s%s", args, code, out, errs)
	}
	var v T
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		n.t.Fatalf("smsplane %v: %v\n%s", args, err, out)
	}
	return v
}

// books as the interfaces document them, spelled here a second time on purpose.
type books struct {
	Accepted, Delivered, Failed, Expired, Sent, Unknown uint64
	InFlight                                            uint64 `json:"in_flight"`
	InDoubt                                             uint64 `json:"in_doubt"`
	Resent                                              uint64
	ReceiptsReturned                                    uint64 `json:"receipts_returned"`
	ReceiptsParked                                      uint64 `json:"receipts_parked"`
	Sum                                                 int64  `json:"ledger_sum_micro"`
}

type status struct {
	Node   string
	Layers []struct {
		Name     string
		Workers  int
		Messages uint64
	}
	Books books
}

func (n *node) status() status {
	n.t.Helper()
	st := ask[status](n, "status")
	b := st.Books
	if sum := b.Delivered + b.Failed + b.Expired + b.Sent + b.Unknown + b.InFlight + b.InDoubt; b.Accepted != sum || b.Sum != 0 {
		n.t.Errorf("the books do not add up: %+v", b)
	}
	return st
}

// proven demands that the audit proves and the store is sound.
func (n *node) proven() {
	n.t.Helper()
	for _, args := range [][]string{{"audit"}, {"store", "check"}} {
		if code, out, errs := n.command(args...); code != 0 {
			n.t.Errorf("smsplane %v: exit %d\n%s%s", args, code, out, errs)
		}
	}
}
