package book

import (
	"maps"
	"slices"

	"smsplane/ledger"
)

// Client is what one client account of this lane holds. Balance starts at zero and falls as the client
// spends; what it may still spend is its credit limit plus Balance.
type Client struct {
	Balance ledger.Micro
	Held    ledger.Micro
	Revenue ledger.Micro // the other side of what was charged
}

// Carrier is what this lane owes a carrier: Payable falls as Cost grows.
type Carrier struct {
	Payable ledger.Micro
	Cost    ledger.Micro
	Open    ledger.Micro // of Cost, what belongs to messages that have not ended
}

// accounts is double entry: every posting moves an amount between two places, so the sum stays zero.
type accounts struct {
	clients  map[uint32]*Client
	carriers map[uint16]*Carrier
}

func newAccounts() accounts {
	return accounts{clients: map[uint32]*Client{}, carriers: map[uint16]*Carrier{}}
}

func (a *accounts) client(n uint32) *Client {
	c := a.clients[n]
	if c == nil {
		c = &Client{}
		a.clients[n] = c
	}
	return c
}

func (a *accounts) carrier(n uint16) *Carrier {
	c := a.carriers[n]
	if c == nil {
		c = &Carrier{}
		a.carriers[n] = c
	}
	return c
}

// hold sets aside what a message may cost the client.
func (a *accounts) hold(client uint32, v ledger.Micro) {
	c := a.client(client)
	c.Balance -= v
	c.Held += v
}

// settle ends a hold: charge becomes revenue, the rest goes back.
func (a *accounts) settle(client uint32, hold, charge ledger.Micro) {
	c := a.client(client)
	c.Held -= hold
	c.Balance += hold - charge
	c.Revenue += charge
}

// owe posts what a carrier earns.
func (a *accounts) owe(carrier uint16, v ledger.Micro) {
	c := a.carrier(carrier)
	c.Payable -= v
	c.Cost += v
	c.Open += v
}

// close says that the message which cost v has ended.
func (a *accounts) close(carrier uint16, v ledger.Micro) {
	if v != 0 {
		a.carrier(carrier).Open -= v
	}
}

// sum adds every balance; it is zero, or the books are wrong.
func (a *accounts) sum() ledger.Micro {
	var s ledger.Micro
	for _, c := range a.clients {
		s += c.Balance + c.Held + c.Revenue
	}
	for _, c := range a.carriers {
		s += c.Payable + c.Cost
	}
	return s
}

func (a *accounts) append(b []byte) []byte {
	b = le.AppendUint32(b, uint32(len(a.clients)))
	for _, n := range slices.Sorted(maps.Keys(a.clients)) {
		c := a.clients[n]
		b = le.AppendUint32(b, n)
		b = le.AppendUint64(b, uint64(c.Balance))
		b = le.AppendUint64(b, uint64(c.Held))
		b = le.AppendUint64(b, uint64(c.Revenue))
	}
	b = le.AppendUint32(b, uint32(len(a.carriers)))
	for _, n := range slices.Sorted(maps.Keys(a.carriers)) {
		c := a.carriers[n]
		b = le.AppendUint16(b, n)
		b = le.AppendUint64(b, uint64(c.Payable))
		b = le.AppendUint64(b, uint64(c.Cost))
	}
	return b
}

func (a *accounts) read(r *reader) {
	for n := r.u32(); n > 0 && !r.bad; n-- {
		c := a.client(r.u32())
		c.Balance, c.Held, c.Revenue = ledger.Micro(r.u64()), ledger.Micro(r.u64()), ledger.Micro(r.u64())
	}
	for n := r.u32(); n > 0 && !r.bad; n-- {
		c := a.carrier(r.u16())
		c.Payable, c.Cost = ledger.Micro(r.u64()), ledger.Micro(r.u64())
	}
}
