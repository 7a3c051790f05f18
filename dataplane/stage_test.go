package dataplane_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"smsplane/dataplane"
	"smsplane/pdu"
)

// patience bounds a wait for something that should take milliseconds: it ends a test that hangs, on whatever machine.
const patience = time.Minute

// stage is an appliance in this process, one carrier that it binds to, and a folder of its own.
type stage struct {
	t       *testing.T
	dir     string
	config  string
	smpp    string
	admin   string
	carrier *smsc
	stop    func()
	n       atomic.Int64 // numbers given out

	// answer is how binds from here on answer deliver_sm; nil is ESME_ROK.
	answer func(m *pdu.Message) (st pdu.Status, ok bool)
}

// play is what a test changes of the plain stage.
type play struct {
	node, smpp string         // keys of the node file and of its smpp section
	client     string         // keys of the client
	clients    string         // further clients
	mo         string         // mo.yaml
	carrier    string         // keys of the carrier
	link       string         // keys of its link
	before     func(s *stage) // changes the folder before the start
	bindless   bool           // the carrier does not listen: everything accepted waits
}

// newStage starts an appliance and waits until it takes binds and, unless it has no carrier, is bound to it.
func newStage(t *testing.T, p play) *stage {
	t.Helper()
	s := &stage{t: t, dir: t.TempDir(), smpp: freeAddress(t), admin: freeAddress(t), carrier: newSMSC(t)}
	s.config = filepath.Join(s.dir, "smsplane.yaml")
	s.write("smsplane.yaml", fmt.Sprintf("node: stage\ndata: ./data\n%s\nlanes: 2\nsmpp:\n  listen: [%q]\n%s\nadmin:\n  listen: %q\ncatalog: ./catalog\n",
		p.node, s.smpp, p.smpp, s.admin))
	s.catalog(p)
	if p.before != nil {
		p.before(s)
	}
	s.start()
	if !p.bindless {
		s.carrier.open()
		eventually(t, "the appliance binds to its carrier", func() bool { return s.carrier.bound() > 0 })
	}
	return s
}

// start runs the appliance of the folder.
func (s *stage) start() {
	s.t.Helper()
	drain, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	log := slog.New(slog.NewTextHandler(s.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	go func() {
		ended <- dataplane.Serve(drain, context.Background(), s.config, log)
		close(ended)
	}()
	stopped := false
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("the appliance ended with %v", err)
		}
	}
	s.t.Cleanup(s.stop)
	eventually(s.t, "the appliance takes binds", func() bool {
		select {
		case err := <-ended:
			s.t.Fatalf("the appliance did not start: %v", err)
		default:
		}
		return s.isReady()
	})
}

func (s *stage) isReady() bool {
	resp, err := http.Get("http://" + s.admin + "/readyz")
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func (s *stage) write(name, text string) {
	s.t.Helper()
	file := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// catalog writes one client, esme, that pays 0.01 a part, and one carrier.
func (s *stage) catalog(p play) {
	s.write("catalog/clients.yaml", "clients:\n"+clientEntry("esme", p.client)+p.clients)
	s.write("catalog/carriers.yaml", fmt.Sprintf(`carriers:
  - id: north
    currency: EUR
    cost: sent
%s    links:
      - address: %q
        system_id: smsplane
        password: secret
        tps: unlimited
%s`, p.carrier, s.carrier.address, p.link))
	s.write("catalog/rates.csv", "kind,party,prefix,mcc,mnc,price,currency,effective_from,effective_to\n"+
		"sell,esme,,,,0.01,EUR,2020-01-01,\nbuy,north,,,,0.005,EUR,2020-01-01,\n")
	if p.mo != "" {
		s.write("catalog/mo.yaml", p.mo)
	}
	s.write("catalog/routes.csv", "plan,prefix,mcc,mnc,class,tier,weight,carrier\nstandard,,,,,1,1,north\n")
}

func clientEntry(id, keys string) string {
	return fmt.Sprintf(`  - id: %[1]s
    party: esme
    system_id: %[1]s
    password: secret
    plan: standard
    class: transactional
    tps: %[3]s
    billing: {mode: postpaid, currency: EUR, credit_limit: 100, charge: sent}
%[2]s`, id, strings.ReplaceAll(keys, "tps: 20\n", ""), map[bool]string{true: "20", false: "unlimited"}[strings.Contains(keys, "tps: 20\n")])
}

// number is a destination that no other message has.
func (s *stage) number() string { return fmt.Sprintf("4915%08d", s.n.Add(1)) }

// get asks the appliance.
func (s *stage) get(path string, v any) {
	s.t.Helper()
	resp, err := http.Get("http://" + s.admin + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		s.t.Fatalf("%s: %v", path, err)
	}
}

// depth is how much waits in the queues of one name.
func (s *stage) depth(queue string) (n int) {
	s.t.Helper()
	var qs []struct {
		Queue string
		Depth int
	}
	s.get("/api/v1/queues", &qs)
	for _, q := range qs {
		if q.Queue == queue {
			n += q.Depth
		}
	}
	return n
}

// books must prove at any time.
type books struct {
	Accepted, Delivered, Failed, Expired, Sent, Unknown uint64
	InFlight                                            uint64 `json:"in_flight"`
	ReceiptsReturned                                    uint64 `json:"receipts_returned"`
	ReceiptsParked                                      uint64 `json:"receipts_parked"`
}

func (s *stage) books() books {
	s.t.Helper()
	var r struct {
		OK    bool
		Lines []string
		Books books
	}
	s.get("/api/v1/audit", &r)
	if !r.OK {
		s.t.Errorf("the audit does not prove: %v", r.Lines)
	}
	return r.Books
}

// freeAddress is one nobody listens on, below the ports that outgoing connections are given.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		if ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(20000))); err == nil {
			defer ln.Close()
			return ln.Addr().String()
		}
	}
	t.Fatal("a hundred ports below 30000 are taken")
	return ""
}

// eventually polls ok until it holds, and fails the test by what was awaited.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}
