package gate

import (
	"net/netip"
	"sync"
	"time"
)

// Options of a Gate. The zero value admits everyone within the default limits.
type Options struct {
	Allow []netip.Prefix // networks that may connect; empty: all
	Deny  []netip.Prefix // networks that may not, stronger than Allow

	MaxConnections int // connections in all, bound or not; 0: 10,000
	MaxPerSource   int // connections of one source; 0: 1,000

	BindTimeout time.Duration // from accept to a bind PDU; 0: 10 s

	FailDelay    time.Duration // the answer to the first failed bind of a source is held back so long; 0: 100 ms
	MaxFailDelay time.Duration // each further failure doubles the delay up to this; 0: 10 s
	FailDecay    time.Duration // quiet time that forgives one failure; 0: 10 s
}

func (o Options) withDefaults() Options {
	setInt := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	setTime := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	setInt(&o.MaxConnections, 10_000)
	setInt(&o.MaxPerSource, 1_000)
	setTime(&o.BindTimeout, 10*time.Second)
	setTime(&o.FailDelay, 100*time.Millisecond)
	setTime(&o.MaxFailDelay, 10*time.Second)
	setTime(&o.FailDecay, 10*time.Second)
	return o
}

// Gate holds the lists, the counts and the memory of failures. Safe for many goroutines.
type Gate struct {
	mu        sync.Mutex
	opts      Options
	total     int
	sources   map[netip.Addr]int // open connections by source
	penalties penalties
	binds     map[uint32]*bindCount // by account
}

// New makes a gate.
func New(o Options) *Gate {
	o = o.withDefaults()
	return &Gate{
		opts:      o,
		sources:   make(map[netip.Addr]int),
		penalties: newPenalties(o),
		binds:     make(map[uint32]*bindCount),
	}
}

// SetNetworks replaces the lists. Connections that are open stay.
func (g *Gate) SetNetworks(allow, deny []netip.Prefix) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.opts.Allow, g.opts.Deny = allow, deny
}

// BindTimeout is the time a connection has from accept to its bind PDU.
func (g *Gate) BindTimeout() time.Duration { return g.opts.BindTimeout }

// Source is the unit that limits count by: the address itself for IPv4 (also when it comes mapped into IPv6), the /64 for
// IPv6.
func Source(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64)
		return p.Addr()
	}
	return a
}
