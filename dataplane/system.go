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

// numbers is the account table of lane 0 as the compiler reads it.
type numbers struct{ sys *book.System }

func (n numbers) Client(id string) (uint32, bool) {
	a, ok := n.sys.Number(ledger.PartyClient, id)
	return a.Number, ok
}

func (n numbers) Carrier(id string) (uint16, bool) {
	a, ok := n.sys.Number(ledger.PartyCarrier, id)
	return uint16(a.Number), ok
}

// install compiles the catalog that lane 0 holds and puts it in force: one pointer for the loops, the
// executor's own, accounts with their credit, and whoever keeps the links.
func (x *executor) install() error {
	sys := x.lanes[0].book.System
	c := x.coming.catalog
	if c == nil || !bytes.Equal(x.coming.files, sys.Files) {
		files, err := ledger.DecodeFiles(sys.Files)
		if err != nil {
			return err
		}
		if c, err = catalog.Parse(files); err != nil {
			return fmt.Errorf("catalog version %d no longer loads: %w", sys.Version, err)
		}
	}
	x.coming = parsedCatalog{}
	n := numbers{sys}
	t := router.Compile(c, sys.Version, n)
	x.facts = verifier.NewFacts(c, sys.Version, n)
	accounts := maps.Clone(x.accounts)
	x.adapt.clients, x.calling = false, false
	for i := range c.Clients {
		x.account(accounts, &c.Clients[i])
		x.calling = x.calling || c.Clients[i].Call != nil && x.onWanted != nil
		x.adapt.clients = x.adapt.clients || c.Clients[i].Profile != nil
	}
	x.table = t
	for n, car := range x.carriers {
		car.bound(t.CarrierOf(n))
	}
	x.accounts = accounts
	x.sharedAccounts.Store(&accounts)
	x.shared.Store(t)
	x.onCatalog(n, c)
	x.reroute(x.now)
	return nil
}

// parsedCatalog is the one that was proposed last: a large one takes seconds to parse, for which traffic would stand still.
type parsedCatalog struct {
	catalog *catalog.Catalog
	files   []byte // encoded
}

// account brings a client's account up to date: its credit moves by as much as its limit did.
func (x *executor) account(accounts map[uint32]*entry.Account, c *catalog.Client) {
	row, ok := x.lanes[0].book.System.Number(ledger.PartyClient, c.ID)
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
