package dataplane

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"smsplane/dataplane/config"
	"smsplane/ledger/catalog"
	"smsplane/ledger/journal"
)

// newTestNode is a node on a folder of its own, opened and running, with the catalog of its folder in force. Nobody
// listens: what is tested is what operators and the executor do.
func newTestNode(t *testing.T) *Node {
	t.Helper()
	n, _ := startTestNode(t, testNodeFile(t))
	return n
}

func testNodeFile(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range testCatalog(1) {
		file := filepath.Join(dir, "catalog", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "smsplane.yaml")
	if err := os.WriteFile(file, []byte("node: t\ndata: ./data\nsmpp: {listen: [\"127.0.0.1:0\"]}\nadmin: {listen: \"127.0.0.1:0\"}\ncatalog: ./catalog\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// testLog tells errors alone: a node that cannot go on ends the test process, which must say why.
var testLog = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))

func startTestNode(t *testing.T, file string) (n *Node, stop func()) {
	t.Helper()
	return startTestNodeAt(t, file, 0)
}

// startTestNodeAt starts it with a clock that is off.
func startTestNodeAt(t *testing.T, file string, off time.Duration) (n *Node, stop func()) {
	t.Helper()
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	clock := monotonic()
	n = &Node{cfg: cfg, log: testLog, clock: func() int64 { return clock() + int64(off) }}
	n.state.Store(stateStarting)
	if err := n.open(); err != nil {
		t.Fatal(err)
	}
	go n.x.run()
	stop = sync.OnceFunc(n.halt)
	t.Cleanup(stop) // also of a test that failed before it stops the node itself: its store is removed next
	if err := n.firstCatalog(); err != nil {
		t.Fatal(err)
	}
	n.state.Store(stateServing)
	return n, stop
}

// testCatalog is one client and one carrier that nobody answers for; credit tells one catalog from another.
func testCatalog(credit int) map[string][]byte {
	return map[string][]byte{
		"carriers.yaml": []byte(`carriers:
  - id: north
    party: north
    currency: EUR
    cost: sent
    receipts: always
    links:
      - {address: "127.0.0.1:1", system_id: smsplane, password: secret, bind: transceiver, sessions: 1, window: 10, tps: unlimited}
`),
		"clients.yaml": fmt.Appendf(nil, `clients:
  - id: acme
    party: acme
    system_id: acme
    password: secret
    plan: standard
    class: transactional
    tps: unlimited
    billing: {mode: postpaid, currency: EUR, credit_limit: %d, charge: sent}
`, credit),
		"networks.csv": []byte("prefix,country,mcc,mnc,network\n49,DE,262,,\n"),
		"rates.csv": []byte("kind,party,prefix,mcc,mnc,price,currency,effective_from,effective_to\n" +
			"sell,acme,49,,,0.0450,EUR,2020-01-01,\nbuy,north,49,,,0.0310,EUR,2020-01-01,\n"),
		"routes.csv": []byte("plan,prefix,mcc,mnc,class,tier,weight,carrier\nstandard,49,,,,1,1,north\n"),
	}
}

// Operators who apply catalogs at the same time get one version each, or are told to wait: two records of the same
// version would stop the node, and every start after it.
func TestAppliesAtTheSameTime(t *testing.T) {
	n := newTestNode(t)
	const operators = 8
	errs := make(chan error, operators)
	for i := range operators {
		go func() {
			_, err := n.applyCatalog(testCatalog(10+i), false, "test")
			errs <- err
		}()
	}
	for range operators {
		if err := <-errs; err != nil {
			t.Errorf("apply: %v", err)
		}
	}
	select {
	case err := <-n.x.failed:
		t.Fatalf("the node stopped: %v", err)
	default:
	}
	if v := n.x.shared.Load().Version(); v != 1+operators {
		t.Errorf("%d applies after the first catalog left version %d", operators, v)
	}
}

// A catalog whose record is still on its way keeps the next one out.
func TestApplyBehindOneOnItsWay(t *testing.T) {
	n := newTestNode(t)
	var first, second bool
	n.x.call(func() {
		for i, taken := range []*bool{&first, &second} {
			files := testCatalog(20 + i)
			c, err := catalog.Parse(files)
			if err != nil {
				t.Error(err)
				return
			}
			*taken = n.x.apply(c, files, "test", n.x.now)
		}
	})
	if !first || second {
		t.Errorf("apply took the first: %v, and one before that was committed: %v", first, second)
	}
}

// What an operator applies was parsed when it was checked, and is not parsed again where traffic waits for it.
func TestAppliedCatalogIsParsedOnce(t *testing.T) {
	n := newTestNode(t)
	files := testCatalog(20)
	c, err := catalog.Parse(files)
	if err != nil {
		t.Fatal(err)
	}
	before := n.x.shared.Load().Version()
	n.x.call(func() { n.x.apply(c, files, "test", n.x.now) })
	until(t.Context(), func() bool { return n.x.shared.Load().Version() > before })
	if n.x.shared.Load().Catalog() != c {
		t.Error("the catalog in force was parsed anew")
	}
}

// A node file with another lane count than the store's must not start: accounts would name lanes that nobody leads.
func TestLaneCountIsFixed(t *testing.T) {
	n, stop := startTestNode(t, testNodeFile(t))
	until(t.Context(), func() bool { // folded and on disk
		v, err := n.db.Get(journal.Key(journal.Fold, 0))
		return err != nil || v != nil
	})
	stop()
	for lanes, ok := range map[int]bool{4: false, 9: false, 8: true} {
		cfg := *n.cfg
		cfg.Lanes = lanes
		again := &Node{cfg: &cfg, log: n.log, clock: monotonic()}
		err := again.open()
		if ok != (err == nil) {
			t.Errorf("a store of 8 lanes opened with lanes: %d: %v", lanes, err)
		}
		if err == nil {
			go again.x.run()
			again.halt()
		} else if cerr := again.db.Close(); cerr != nil {
			t.Error(cerr)
		}
	}
}
