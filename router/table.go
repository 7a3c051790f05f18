package router

import (
	"smsplane/ledger"
	"smsplane/ledger/catalog"
)

// Numbers gives the account numbers that the ledger assigned to catalog ids.
type Numbers interface {
	Client(id string) (uint32, bool)
	Carrier(id string) (uint16, bool)
}

// Network is what the number plan says about a number. Fields may be empty.
type Network struct {
	Country, MCC, MNC, Name string
}

// Table is one catalog version, compiled. Immutable.
type Table struct {
	version        uint32
	catalog        *catalog.Catalog
	clients        map[uint32]client
	carriers       []carrier // by number; decl is nil where there is none
	systems        map[string]uint32
	carrierSystems map[string]uint16 // of carriers that bind to us
	networks       prefixes
	names          []Network // by value of networks
	nets           []netID   // likewise
	inbound        []inbound
}

type client struct {
	decl *catalog.Client
	plan *plan
	sell *rates
}

type carrier struct {
	decl *catalog.Carrier
	buy  *rates
}

// Compile builds the table. A client or carrier that n does not know is left out.
func Compile(c *catalog.Catalog, version uint32, n Numbers) *Table {
	t := &Table{version: version, catalog: c, clients: map[uint32]client{}, systems: map[string]uint32{}, carrierSystems: map[string]uint16{}}
	rates, plans := compileRates(c.Rates), compilePlans(c, n)
	for i := range c.Clients {
		x := &c.Clients[i]
		if number, ok := n.Client(x.ID); ok {
			t.clients[number] = client{x, plans[x.Plan], rates[party{catalog.Sell, x.Party}]}
			t.systems[x.SystemID] = number
		}
	}
	for i := range c.Carriers {
		x := &c.Carriers[i]
		number, ok := n.Carrier(x.ID)
		if !ok {
			continue
		}
		for len(t.carriers) <= int(number) {
			t.carriers = append(t.carriers, carrier{})
		}
		if x.Inbound != nil {
			t.carrierSystems[x.Inbound.SystemID] = number
		}
		t.carriers[number] = carrier{x, rates[party{catalog.Buy, x.Party}]}
	}
	t.compileNetworks(c.Networks)
	t.compileMO(c.MO, n)
	return t
}

func (t *Table) compileNetworks(rows []catalog.Network) {
	var list []prefixValue
	for i := range rows {
		x := &rows[i]
		list = append(list, prefixValue{x.Prefix, int32(i)})
		t.names = append(t.names, Network{x.Country, x.MCC, x.MNC, x.Name})
		t.nets = append(t.nets, packNet(x.MCC, x.MNC))
	}
	t.networks = newPrefixes(list)
}

// Version is the catalog version that the table was compiled from; Catalog is that version.
func (t *Table) Version() uint32           { return t.version }
func (t *Table) Catalog() *catalog.Catalog { return t.catalog }

// Network finds the network of a number by its longest prefix.
func (t *Table) Network(n Number) (Network, bool) {
	node := t.networks.longest(n)
	if node == none {
		return Network{}, false
	}
	return t.names[t.networks.nodes[node].value], true
}

func (t *Table) net(n Number) netID {
	node := t.networks.longest(n)
	if node == none {
		return 0
	}
	return t.nets[t.networks.nodes[node].value]
}

// Sell is what the client pays per part at the instant at, and the line of the row in rates.csv.
func (t *Table) Sell(client uint32, n Number, at int64) (micro ledger.Micro, row uint32, ok bool) {
	p, ok := t.clients[client].sell.at(n, t.net(n), at)
	return p.micro, p.row, ok
}

// Buy is what the carrier charges per part at the instant at.
func (t *Table) Buy(carrier uint16, n Number, at int64) (ledger.Micro, bool) {
	p, ok := t.buy(carrier, n, t.net(n), at)
	return p.micro, ok
}

func (t *Table) buy(carrier uint16, n Number, net netID, at int64) (price, bool) {
	if int(carrier) >= len(t.carriers) {
		return price{}, false
	}
	return t.carriers[carrier].buy.at(n, net, at)
}

// HasRoute reports whether Route would find a target: a row of the client's plan whose carrier has a price.
func (t *Table) HasRoute(client uint32, n Number, c ledger.Class, at int64) bool {
	net := t.net(n)
	for _, r := range t.clients[client].plan.group(n, net, c) {
		if _, ok := t.buy(r.carrier, n, net, at); ok {
			return true
		}
	}
	return false
}

// ClassOf is the class that a client's message to a number travels as: its own, unless the rows that serve it have a
// lower one for it. All rows of a group have the same.
func (t *Table) ClassOf(client uint32, n Number, c ledger.Class) ledger.Class {
	p := t.clients[client].plan
	if p == nil || !p.lowers {
		return c
	}
	if g := p.group(n, t.net(n), c); len(g) > 0 && g[0].as > 0 {
		return min(c, ledger.Class(g[0].as-1))
	}
	return c
}

// ClientOf and CarrierOf give the declaration behind an account number; nil when the version has none.
func (t *Table) ClientOf(number uint32) *catalog.Client { return t.clients[number].decl }

func (t *Table) CarrierOf(number uint16) *catalog.Carrier {
	if int(number) >= len(t.carriers) {
		return nil
	}
	return t.carriers[number].decl
}

// ClientBySystemID finds the client that binds under a system_id.
func (t *Table) ClientBySystemID(s string) (c *catalog.Client, number uint32, ok bool) {
	number, ok = t.systems[s]
	return t.clients[number].decl, number, ok
}

// CarrierBySystemID finds the carrier that binds to us under a system_id.
func (t *Table) CarrierBySystemID(s string) (c *catalog.Carrier, number uint16, ok bool) {
	if number, ok = t.carrierSystems[s]; !ok {
		return nil, 0, false
	}
	return t.carriers[number].decl, number, true
}
