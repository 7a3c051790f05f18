package dataplane

import (
	"bytes"
	"fmt"
	"testing"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/catalog"
)

// The credit follows the limit of the catalog in force, also of a client that was out of it for a while.
func TestCreditFollowsTheLimit(t *testing.T) {
	n := newTestNode(t)
	apply := func(credit int, id string) {
		t.Helper()
		files := testCatalog(credit)
		for name, text := range files {
			files[name] = bytes.ReplaceAll(text, []byte("acme"), []byte(id))
		}
		if _, err := n.applyCatalog(files, false, "test"); err != nil {
			t.Fatal(err)
		}
	}
	want := func(limit ledger.Micro) {
		t.Helper()
		if got := ledger.Micro((*n.x.sharedAccounts.Load())[1].Credit.Load()); got != limit-5_000_000 {
			t.Errorf("credit %v after 5 of %v were spent", got, limit)
		}
	}
	apply(100, "acme")
	(*n.x.sharedAccounts.Load())[1].Credit.Add(-5_000_000)
	want(100_000_000)
	apply(40, "acme")
	want(40_000_000)
	apply(7, "other")
	apply(300, "acme")
	want(300_000_000)
}

func TestWhoPays(t *testing.T) {
	sent, delivered := &catalog.Client{}, &catalog.Client{}
	sent.Billing.Charge, delivered.Billing.Charge = catalog.ChargeSent, catalog.ChargeDelivered
	for _, c := range []struct {
		name   string
		client *catalog.Client
		taken  bool
		end    ledger.End
		pays   bool
	}{
		{"sent, nobody took it", sent, false, ledger.EndFailed, false},
		{"sent, taken and not delivered", sent, true, ledger.EndFailed, true},
		{"delivered, taken and not delivered", delivered, true, ledger.EndFailed, false},
		{"delivered", delivered, true, ledger.EndDelivered, true},
		{"left the catalog, delivered", nil, true, ledger.EndDelivered, true},
		{"left the catalog, taken and not delivered", nil, true, ledger.EndFailed, false},
	} {
		if got := charges(c.client, &book.Msg{WasTaken: c.taken}, c.end); got != c.pays {
			t.Errorf("%s: pays %v", c.name, got)
		}
	}
	for taken, pays := range map[bool]bool{true: true, false: false} { // of a broadcast nobody ever says that it was delivered
		if charges(delivered, &book.Msg{WasTaken: taken, Broadcast: true}, ledger.EndSent) != pays {
			t.Errorf("delivered, a broadcast, taken %v: pays %v", taken, !pays)
		}
	}
}

// A large catalog is compiled beside the executor: while lane 0 holds it already, what is asked of the executor is done by the
// one before. In a cluster that is the heartbeats, too.
func TestTrafficGoesOnWhileACatalogIsCompiled(t *testing.T) {
	n := newTestNode(t)
	files := testCatalog(20)
	routes := bytes.NewBuffer(files["routes.csv"])
	for i := range 100_000 {
		fmt.Fprintf(routes, "standard,49%07d,,,,1,1,north\n", i)
	}
	files["routes.csv"] = routes.Bytes()
	c, err := catalog.Parse(files)
	if err != nil {
		t.Fatal(err)
	}
	n.x.call(func() { n.x.apply(c, files, "test", n.x.now) })
	between := 0
	if !n.await(func() bool {
		if n.x.lanes[0].book.System.Version == 2 && n.x.table.Version() == 1 {
			between++
		}
		return n.x.table.Version() == 2
	}) {
		t.Fatal("the catalog does not come into force")
	}
	if between == 0 {
		t.Error("nothing was done between the commit of the catalog and its coming into force")
	}
	if n.x.shared.Load().Catalog() != c || n.x.facts == nil {
		t.Error("another catalog is in force")
	}
}

// What was compiled when a newer catalog was committed already, or came into force otherwise meanwhile, changes nothing.
func TestOvertakenEditionIsDropped(t *testing.T) {
	n := newTestNode(t)
	n.x.call(func() {
		sys, before := n.x.lanes[0].book.System, n.x.table
		e := n.x.edition()
		if err := e.compile(); err != nil {
			t.Error(err)
			return
		}
		if n.x.arrived(e); n.x.table != before {
			t.Error("the catalog in force was put in force again")
		}
		sys.Version++
		n.x.arrived(e)
		if sys.Version--; n.x.table != before {
			t.Error("an old catalog came into force behind a newer one")
		}
	})
}
