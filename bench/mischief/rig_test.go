package mischief

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"smsplane/bench/peer"
	"smsplane/dataplane"
	"smsplane/dataplane/admin"
)

// carrier is one simulated carrier and what the catalog says of it.
type carrier struct {
	id        string
	behaviour peer.Behaviour
	tier      int    // 0 is 1
	also      string // more keys of the carrier, one a line
	links     string // more keys of its link
	several   int    // links; 0 is 1
	plan      string // of the route to it; "standard" when empty. A plan with a client's name is that client's
	prefix    string // of the numbers that go there; empty: any
}

// rig is a running appliance between carriers and whoever binds.
type rig struct {
	t        testing.TB
	clients  *observers
	dir      string
	smpp     string
	config   string
	admin    *admin.Client
	carriers map[string]*peer.Carrier
	stop     func() error
}

// classes are the clients of every rig, each with all rights up to its class.
var classes = []string{"otp", "transactional", "bulk"}

func free(t testing.TB) string {
	t.Helper()
	a, err := peer.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// start runs an appliance with these carriers and waits until it serves.
func start(t testing.TB, cs ...carrier) *rig {
	t.Helper()
	r := &rig{t: t, clients: &observers{}, dir: t.TempDir(), smpp: free(t), carriers: map[string]*peer.Carrier{}}
	r.config = filepath.Join(r.dir, "smsplane.yaml")
	adminAddr := free(t)
	write(t, r.config, fmt.Sprintf("node: a\ndata: ./data\nsmpp: {listen: [%q]}\nadmin: {listen: %q}\ncatalog: ./catalog\nlanes: 3\ndrain_seconds: 1\n",
		r.smpp, adminAddr))
	var carriers, routes, rates strings.Builder
	routes.WriteString("plan,prefix,mcc,mnc,class,tier,weight,carrier\n")
	rates.WriteString("kind,party,prefix,mcc,mnc,price,currency,effective_from,effective_to\n")
	carriers.WriteString("carriers:\n")
	plans := map[string]bool{}
	for i := range cs {
		c := &cs[i]
		p, err := peer.StartCarrier(peer.CarrierOptions{Listen: "127.0.0.1:0", Name: c.id, Seed: uint64(i), Behaviour: c.behaviour,
			Observe: r.clients.observe})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		r.carriers[c.id] = p
		fmt.Fprintf(&carriers, "  - id: %s\n    currency: EUR\n    cost: sent\n%s    links:\n", c.id, indent(c.also, 4))
		for range max(1, c.several) {
			fmt.Fprintf(&carriers, "      - address: %q\n        system_id: us\n        password: x\n%s", p.Addr(), indent(linkKeys(c.links), 8))
		}
		plan := c.plan
		if plan == "" {
			plan = "standard"
		}
		plans[plan] = true
		fmt.Fprintf(&routes, "%s,%s,,,,%d,1,%s\n", plan, c.prefix, max(1, c.tier), c.id)
		fmt.Fprintf(&rates, "buy,%s,,,,0.01,EUR,2020-01-01,\n", c.id)
	}
	clients := "clients:\n"
	for _, c := range classes {
		plan := "standard"
		if plans[c] {
			plan = c
		}
		if !plans[plan] {
			continue
		}
		clients += fmt.Sprintf("  - {id: %s, system_id: %s, password: x, plan: %s, class: %s, window: 5000, deliver_window: 1000, tps: unlimited, "+
			"billing: {mode: postpaid, currency: EUR, credit_limit: 1000000, charge: sent}}\n", c, c, plan, c)
		fmt.Fprintf(&rates, "sell,%s,,,,0.05,EUR,2020-01-01,\n", c)
	}
	for name, text := range map[string]string{"clients.yaml": clients, "carriers.yaml": carriers.String(), "routes.csv": routes.String(), "rates.csv": rates.String()} {
		write(t, filepath.Join(r.dir, "catalog", name), text)
	}
	r.serve()
	var err error
	await(t, 20*time.Second, "the appliance answers", func() bool {
		r.admin, err = admin.Dial(context.Background(), adminAddr)
		return err == nil && r.admin.Ready()
	})
	return r
}

// linkKeys are those given, and a window of 50 and quick timers unless they are named.
func linkKeys(keys string) string {
	for _, d := range [...]string{"window: 50", "tps: unlimited", "response_timeout: 60s", "enquire_link: 30s"} {
		name, _, _ := strings.Cut(d, ":")
		if !strings.Contains(keys, name+":") {
			keys += "\n" + d
		}
	}
	return keys
}

func indent(lines string, n int) (out string) {
	for _, l := range strings.Split(lines, "\n") {
		if l = strings.TrimSpace(l); l != "" {
			out += strings.Repeat(" ", n) + l + "\n"
		}
	}
	return out
}

// serve runs the node; it is stopped at the end of the test, or by stop.
func (r *rig) serve() {
	drain, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- dataplane.Serve(drain, context.Background(), r.config, logger()) }()
	var ended bool
	r.stop = func() error {
		if ended {
			return nil
		}
		ended = true
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(30 * time.Second):
			return fmt.Errorf("the appliance did not stop")
		}
	}
	r.t.Cleanup(func() {
		if err := r.stop(); err != nil {
			r.t.Error(err)
		}
	})
}

// logger is silent unless somebody wants to see what happens.
func logger() *slog.Logger {
	if os.Getenv("MISCHIEF_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.Default()
}

// starved is how much longer than on a machine of one's own a wait may take before a test gives up.
const starved = 4

func await(t testing.TB, limit time.Duration, what string, done func() bool) {
	t.Helper()
	limit *= starved
	end := time.NewTimer(limit)
	defer end.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-end.C:
			t.Fatalf("after %v still not: %s", limit, what)
		case <-tick.C:
		}
	}
}

// bound waits until that many sessions are bound with a carrier.
func (r *rig) bound(id string, n int) {
	r.t.Helper()
	await(r.t, 20*time.Second, fmt.Sprintf("%d sessions with %s", n, id), func() bool { return r.carriers[id].Binds() >= n })
}

func (r *rig) books() admin.Books {
	r.t.Helper()
	st, err := r.admin.Status(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	return st.Books
}

// observers tell clients in this process when a carrier takes one of their messages.
type observers struct {
	mu  sync.RWMutex
	all []*peer.Client
}

func (o *observers) observe(run, index uint32, now int64) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	for _, c := range o.all {
		c.Observe(run, index, now)
	}
}

// dial binds as a client whose arrivals are timed.
func (r *rig) dial(system string) *peer.Client {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), starved*time.Minute)
	defer cancel()
	c, err := peer.NewClient(peer.ClientOptions{Address: r.smpp, SystemID: system, Password: "x", Window: 1000})
	if err != nil {
		r.t.Fatal(err)
	}
	r.clients.mu.Lock()
	r.clients.all = append(r.clients.all, c)
	r.clients.mu.Unlock()
	r.t.Cleanup(c.Close)
	if err := c.Dial(ctx); err != nil {
		r.t.Fatal(err)
	}
	return c
}

// send sends count messages as a client and waits until each has its answer; the receipts come as they come.
func (r *rig) send(system string, load peer.Load) *peer.Client {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), starved*time.Minute)
	defer cancel()
	c := r.dial(system)
	load.Receipts = true
	if err := c.Run(ctx, load); err != nil {
		r.t.Fatal(err)
	}
	return c
}

// settled waits until nothing is in flight and no receipt is parked, then proves the books.
func (r *rig) settled(limit time.Duration) admin.Books {
	r.t.Helper()
	var b admin.Books
	limit *= starved
	end := time.Now().Add(limit)
	for b = r.books(); b.InFlight > 0 || b.ReceiptsParked > 0; b = r.books() {
		if time.Now().After(end) {
			links, _ := r.admin.Links(context.Background())
			r.t.Fatalf("after %v still not settled: %+v\nlinks %+v", limit, b, links)
		}
		<-time.After(10 * time.Millisecond)
	}
	r.prove()
	return b
}

func (r *rig) prove() {
	r.t.Helper()
	report, err := r.admin.Audit(context.Background())
	if err != nil || !report.OK {
		r.t.Fatalf("the books do not prove: %v %+v", err, report)
	}
}

// want compares what matters of the books.
func (r *rig) want(got, want admin.Books) {
	r.t.Helper()
	if want.ReceiptsReturned == 0 {
		want.ReceiptsReturned = got.ReceiptsReturned
	}
	if got != want {
		r.t.Errorf("books\n%+v, want\n%+v", got, want)
	}
}

// tallies are those of all carriers.
func (r *rig) tallies() (all []peer.Tally) {
	for _, c := range r.carriers {
		all = append(all, c.Tally())
	}
	return all
}

func (r *rig) taken(id string) int64 { return r.carriers[id].Tally().Taken }
