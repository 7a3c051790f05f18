package gate

import "fmt"

// BindType is one of the three bind operations (SMPP 3.4, 4.1).
type BindType uint8

const (
	Transmitter BindType = iota
	Receiver
	Transceiver
	bindTypes
)

func (t BindType) String() string {
	switch t {
	case Transmitter:
		return "transmitter"
	case Receiver:
		return "receiver"
	case Transceiver:
		return "transceiver"
	}
	return fmt.Sprintf("bind type %d", uint8(t))
}

type bindCount [bindTypes]int

// Bind asks for a bind of an account; false when limit binds of that type are open. True takes the bind, and Unbind must give
// it back. The limit comes with the call because it belongs to the catalog, which changes while binds are open.
func (g *Gate) Bind(account uint32, t BindType, limit int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.binds[account]
	if c == nil {
		if limit <= 0 {
			return false
		}
		c = new(bindCount)
		g.binds[account] = c
	}
	if c[t] >= limit {
		return false
	}
	c[t]++
	return true
}

// Unbind gives back what Bind took, once per bind.
func (g *Gate) Unbind(account uint32, t BindType) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.binds[account]
	if c == nil || c[t] <= 0 {
		panic(fmt.Sprintf("gate: unbind of account %d as %v that holds no such bind", account, t))
	}
	c[t]--
	if *c == (bindCount{}) {
		delete(g.binds, account)
	}
}

// Binds is the number of open binds of an account by type: transmitter, receiver, transceiver.
func (g *Gate) Binds(account uint32) [3]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.binds[account]; c != nil {
		return *c
	}
	return [3]int{}
}
