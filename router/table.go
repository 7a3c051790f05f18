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

// Network is what the number plan says about a number.
type Network struct {
	Country, MCC, MNC, Name string
}

// Table is one catalog version, compiled. Immutable.
type Table struct{ version uint32 }

// Compile builds the table. A client or carrier that n does not know is left out.
func Compile(c *catalog.Catalog, version uint32, n Numbers) *Table { return &Table{version: version} }

// Version is the catalog version that the table was compiled from.
func (t *Table) Version() uint32 { return t.version }

// Network finds the network of a number by its longest prefix.
func (t *Table) Network(n Number) (Network, bool) { return Network{}, false }

// Sell is what the client pays per part at the instant at, and the line of the row.
func (t *Table) Sell(client uint32, n Number, at int64) (price ledger.Micro, row uint32, ok bool) {
	return 0, 0, false
}

// Buy is what the carrier charges per part at the instant at.
func (t *Table) Buy(carrier uint16, n Number, at int64) (ledger.Micro, bool) { return 0, false }

// HasRoute reports whether Route would find a target.
func (t *Table) HasRoute(client uint32, n Number, c ledger.Class, at int64) bool { return false }

// Route plans a message.
func (t *Table) Route(p *ledger.Route, client uint32, n Number, c ledger.Class, pick uint64, at int64, r *Recent) bool {
	return false
}

// ClientOf and CarrierOf give the declaration behind an account number; nil when the version has none.
func (t *Table) ClientOf(number uint32) *catalog.Client   { return nil }
func (t *Table) CarrierOf(number uint16) *catalog.Carrier { return nil }

// ClientBySystemID finds the client that binds under a system_id.
func (t *Table) ClientBySystemID(s string) (c *catalog.Client, number uint32, ok bool) {
	return nil, 0, false
}

// MO finds the client that a message from a carrier to an inbound number is for.
func (t *Table) MO(carrier uint16, to []byte) (client uint32, ok bool) { return 0, false }
