package gate

import (
	"net/netip"
)

// Verdict on a connection.
type Verdict uint8

const (
	Admitted      Verdict = iota
	DeniedNetwork         // the address is denied, or allowed by no list
	TooMany               // MaxConnections are open
	TooManySource         // MaxPerSource are open from this source
)

func (v Verdict) String() string {
	switch v {
	case Admitted:
		return "admitted"
	case DeniedNetwork:
		return "network denied"
	case TooMany:
		return "too many connections"
	case TooManySource:
		return "too many connections from this source"
	}
	return "unknown verdict"
}

// Connect asks for a connection slot. Admitted takes it, and Disconnect must give it back; any other verdict takes nothing.
func (g *Gate) Connect(from netip.Addr) Verdict {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.allowed(from.Unmap().WithZone("")) {
		return DeniedNetwork
	}
	source := Source(from)
	if g.total >= g.opts.MaxConnections {
		return TooMany
	}
	if g.sources[source] >= g.opts.MaxPerSource {
		return TooManySource
	}
	g.total++
	g.sources[source]++
	return Admitted
}

// Disconnect gives back what Connect took, once per Admitted.
func (g *Gate) Disconnect(from netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	source := Source(from)
	n := g.sources[source]
	if n <= 0 {
		panic("gate: disconnect of " + source.String() + " that holds no connection")
	}
	g.total--
	if n == 1 {
		delete(g.sources, source)
		return
	}
	g.sources[source] = n - 1
}

// Connections is the number of slots taken.
func (g *Gate) Connections() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.total
}

func (g *Gate) allowed(a netip.Addr) bool {
	for _, p := range g.opts.Deny {
		if p.Contains(a) {
			return false
		}
	}
	for _, p := range g.opts.Allow {
		if p.Contains(a) {
			return true
		}
	}
	return len(g.opts.Allow) == 0
}
