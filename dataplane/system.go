package dataplane

import (
	"bytes"
	"fmt"
	"maps"

	"smsplane/dataplane/entry"
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/catalog"
	"smsplane/router"
	"smsplane/router/verifier"
)

// numbers is the account table of lane 0 at one moment, as the compiler reads it: any goroutine may.
type numbers struct {
	clients  map[string]book.AccountRow
	carriers map[string]uint16
}

func numbersOf(sys *book.System) numbers {
	n := numbers{clients: map[string]book.AccountRow{}, carriers: map[string]uint16{}}
	for _, a := range sys.Accounts {
		if a.Party == ledger.PartyClient {
			n.clients[a.Name] = a
		} else {
			n.carriers[a.Name] = uint16(a.Number)
		}
	}
	return n
}

func (n numbers) Client(id string) (uint32, bool) {
	a, ok := n.clients[id]
	return a.Number, ok
}

func (n numbers) Carrier(id string) (uint16, bool) {
	number, ok := n.carriers[id]
	return number, ok
}

// edition is one version of the catalog on its way into force. What is read of lane 0 was there when it was begun: the rest is
// done by compile, which takes seconds for a million routes and may run beside the executor.
type edition struct {
	version uint32
	files   []byte // encoded
	coming  parsedCatalog
	numbers numbers

	catalog *catalog.Catalog
	table   *router.Table
	facts   *verifier.Facts
}

// parsedCatalog is the one that was proposed last: a large one takes seconds to parse, so it is not parsed twice.
type parsedCatalog struct {
	catalog *catalog.Catalog
	files   []byte // encoded
}

// edition begins with the catalog that lane 0 holds.
func (x *executor) edition() *edition {
	sys := x.lanes[0].book.System
	e := &edition{version: sys.Version, files: sys.Files, coming: x.coming, numbers: numbersOf(sys)}
	x.coming = parsedCatalog{}
	return e
}

func (e *edition) compile() error {
	if e.catalog = e.coming.catalog; e.catalog == nil || !bytes.Equal(e.coming.files, e.files) {
		files, err := ledger.DecodeFiles(e.files)
		if err != nil {
			return err
		}
		if e.catalog, err = catalog.Parse(files); err != nil {
			return fmt.Errorf("catalog version %d no longer loads: %w", e.version, err)
		}
	}
	e.table, e.facts = router.Compile(e.catalog, e.version, e.numbers), verifier.NewFacts(e.catalog, e.version, e.numbers)
	return nil
}

// install puts the catalog that lane 0 holds in force before anything else is done.
func (x *executor) install() error {
	e := x.edition()
	if err := e.compile(); err != nil {
		return err
	}
	x.enforce(e)
	return nil
}

// installBeside has it compiled while traffic goes on by the one before, and in a cluster heartbeats. Until it is in force no
// other lane begins to be led here (mayLead): its messages may be of clients that only the new one names.
func (x *executor) installBeside() {
	e := x.edition()
	x.beside(func() func() {
		err := e.compile()
		return func() {
			if err != nil {
				x.fail(err)
				return
			}
			x.arrived(e)
		}
	})
}

// arrived puts an edition in force that was compiled beside, unless a newer one comes, or it came into force otherwise meanwhile.
func (x *executor) arrived(e *edition) {
	if e.version == x.lanes[0].book.System.Version && e.version != x.table.Version() {
		x.enforce(e)
	}
}

// enforce puts an edition in force: one pointer for the loops, the executor's own, accounts with their credit, and whoever
// keeps the links.
func (x *executor) enforce(e *edition) {
	c := e.catalog
	x.facts = e.facts
	accounts := maps.Clone(x.accounts)
	x.adapt.clients, x.calling = false, false
	for i := range c.Clients {
		x.account(accounts, &c.Clients[i], e.numbers)
		x.calling = x.calling || c.Clients[i].Call != nil && x.onWanted != nil
		x.adapt.clients = x.adapt.clients || c.Clients[i].Profile != nil
	}
	x.table = e.table
	for n, car := range x.carriers {
		car.bound(e.table.CarrierOf(n))
	}
	x.accounts = accounts
	x.sharedAccounts.Store(&accounts)
	x.shared.Store(e.table)
	x.onCatalog(e.numbers, c)
	x.reroute(x.now)
}

// account brings a client's account up to date: its credit moves by as much as its limit did.
func (x *executor) account(accounts map[uint32]*entry.Account, c *catalog.Client, n numbers) {
	row, ok := n.clients[c.ID]
	if !ok {
		return
	}
	a := accounts[row.Number]
	if a == nil {
		a = &entry.Account{Number: row.Number, Lane: row.Lane, Limit: c.Billing.CreditLimit}
		a.Credit.Store(int64(c.Billing.CreditLimit + x.lanes[row.Lane].book.Client(row.Number).Balance))
		accounts[row.Number] = a
		return
	}
	a.Credit.Add(int64(c.Billing.CreditLimit - a.Limit))
	a.Limit = c.Billing.CreditLimit
}

// apply proposes a catalog in lane 0, with numbers for whoever has none yet. All of it is one block: it is
// in force as a whole or not at all. It is false while another catalog is on its way: versions and numbers
// follow those in the books.
func (x *executor) apply(c *catalog.Catalog, files map[string][]byte, author string, now int64) bool {
	l := x.lanes[0]
	sys := l.book.System
	if x.proposed > sys.Version {
		return false
	}
	x.proposed = sys.Version + 1
	l.cut(now, true)
	l.begin()
	next := map[ledger.Party]uint32{}
	for _, a := range sys.Accounts {
		next[a.Party] = max(next[a.Party], a.Number)
	}
	add := func(p ledger.Party, id string) {
		if _, ok := sys.Number(p, id); ok {
			return
		}
		next[p]++
		a := ledger.Account{Party: p, Number: next[p], Name: []byte(id)}
		if p == ledger.PartyClient {
			a.Lane = uint16(int(a.Number) % len(x.lanes))
		}
		l.open = ledger.AppendAccount(l.open, now, &a)
		l.records++
	}
	for i := range c.Clients {
		add(ledger.PartyClient, c.Clients[i].ID)
	}
	for i := range c.Carriers {
		add(ledger.PartyCarrier, c.Carriers[i].ID)
	}
	x.coming = parsedCatalog{c, ledger.EncodeFiles(files)}
	l.open = ledger.AppendCatalog(l.open, now, &ledger.Catalog{Version: x.proposed, Author: []byte(author), Files: x.coming.files})
	l.records++
	l.cut(now, true)
	return true
}

// noLinks keeps no links: the node does not run.
func noLinks(router.Numbers, *catalog.Catalog) {}
