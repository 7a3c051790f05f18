package dataplane

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"time"

	"smsplane/dataplane/admin"
	"smsplane/dataplane/config"
	"smsplane/dataplane/gate"
	"smsplane/dataplane/transport"
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/catalog"
	"smsplane/ledger/journal"
	"smsplane/pdu"
	"smsplane/router"
)

// Stepped is a whole host that has no thread, socket or clock of its own: executor, lanes, loop, desk and sessions
// are those of a node, and whoever holds it does their work turn by turn, does the journal's work with the
// store's Step and Sync, and stands in for connections. A simulation runs hosts so. All of it belongs to one
// goroutine; after an error of Failed, or when the store's Fatal was called, the host is dead and only Store's Abandon
// is left.
//
// What stands in for keepers of links dials by itself and hands what is bound to Carrier; what stands in for
// the lobby calls Client.
type Stepped struct {
	n     *Node
	links map[linkKey]*keptLink
	wake  bool // the loop's ring has events
	f     *Fellows
	out   map[shipPlace]*steppedShip // lanes on their way to other hosts
}

// Surroundings are what a Stepped host gets from outside.
type Surroundings struct {
	Store journal.Options // Stepped is set
	Clock func() int64    // unix nanoseconds
	Seed  uint64          // of the host's own dice
	Wait  func()          // recovery waits for the journal: step and sync the store, which Opened has told
	// Opened hands over the store before anything is recovered from it.
	Opened func(*journal.DB)

	Fellows *Fellows // the other hosts of its cluster; nil: none
}

// Wire is a connection as the host writes to it.
type Wire = wire

// OpenStepped brings a single host up from its store until its lanes lead.
func OpenStepped(cfg *config.Node, o Surroundings) (*Stepped, error) {
	n, err := openNode(cfg, &o)
	if err != nil {
		return nil, err
	}
	return n.step(&o, nil)
}

// openNode opens the store.
func openNode(cfg *config.Node, o *Surroundings) (n *Node, err error) {
	n = &Node{cfg: cfg, log: o.Store.Logger, clock: o.Clock, started: time.Unix(0, o.Clock())}
	n.state.Store(stateStarting)
	o.Store.Stepped, o.Store.Clock = true, o.Clock
	if n.db, err = journal.Open(o.Store); err == nil {
		o.Opened(n.db)
	}
	return n, err
}

// step brings a host up from its open store; among are its cluster's, nil for a single host, whose lanes lead afterwards.
func (n *Node) step(o *Surroundings, among func(s *Stepped) *fellows) (*Stepped, error) {
	s := &Stepped{n: n, links: map[linkKey]*keptLink{}, out: map[shipPlace]*steppedShip{}}
	if err := n.formed(); err != nil {
		return nil, err
	}
	n.x = n.executor()
	n.x.stepped = true
	n.x.rand = rand.New(rand.NewPCG(o.Seed, 1))
	if among != nil {
		n.x.fellows = among(s)
	}
	if err := n.recover(o.Wait); err != nil {
		return nil, err
	}
	s.join()
	if n.x.fellows == nil {
		n.lead()
	}
	n.ready.Store(true)
	n.state.Store(stateServing)
	return s, s.Failed()
}

// join makes the loop and what a node's transport would be told.
func (s *Stepped) join() {
	n := s.n
	n.gate = gate.New(gate.Options{MaxConnections: n.cfg.SMPP.MaxConnections, MaxPerSource: n.cfg.SMPP.MaxPerSource, BindTimeout: n.cfg.SMPP.BindTimeout})
	n.makeLoops(1)
	n.loops[0].hurry = func() {}
	n.links = &links{log: n.log, x: n.x, loops: n.loops, ids: &n.ids, clock: n.clock, keep: map[linkKey]*keptLink{}} // keeps none
	n.x.wakeUp = func(int) { s.wake = true }
	n.x.onOrder = func(book.LinkName, ledger.Verb, string, ledger.Verb) {}
	n.x.onCatalog = s.declare
	n.binder = &binder{cfg: n.cfg, gate: n.gate, x: n.x, loops: n.loops, ids: &n.ids, ready: &n.ready, clock: n.clock}
}

// declare makes the links of a catalog; those that are there keep what they have learned.
func (s *Stepped) declare(n router.Numbers, c *catalog.Catalog) {
	for i := range c.Carriers {
		car := &c.Carriers[i]
		number, _ := n.Carrier(car.ID)
		for j := range car.Links {
			if key := (linkKey{car.ID, j}); s.links[key] == nil {
				s.links[key] = newKeptLink(car, number, j, s.n.x.carrier(number).allowed)
			}
		}
	}
}

// Execute is one turn of the executor; it returns how much it did.
func (s *Stepped) Execute() int {
	x := s.n.x
	x.now = s.n.clock()
	s.overdue(x.now)
	return x.turn(x.now)
}

// Next is when the executor must turn even if nothing happens.
func (s *Stepped) Next() int64 { return s.n.x.next(s.n.clock()) }

// Turn is one turn of the loop, Tick its clock, due every 10 ms.
func (s *Stepped) Turn() {
	s.wake = false
	s.n.loops[0].Turn(s.n.clock())
}

// Tick implements what Turn says.
func (s *Stepped) Tick() { s.n.loops[0].Tick(s.n.clock()) }

// Store is the host's journal.
func (s *Stepped) Store() *journal.DB { return s.n.db }

// Failed is why the host cannot go on, once.
func (s *Stepped) Failed() error {
	select {
	case err := <-s.n.x.failed:
		return err
	default:
		return nil
	}
}

// Apply proposes a catalog; it is in force when Version has changed.
func (s *Stepped) Apply(files map[string][]byte, author string) error {
	c, err := catalog.Parse(files)
	if err != nil {
		return err
	}
	if !s.n.x.apply(c, files, author, s.n.clock()) {
		return errCatalogBusy
	}
	return nil
}

// Version is the catalog in force, 0 for none.
func (s *Stepped) Version() uint32 { return s.n.x.shared.Load().Version() }

// Source answers operators. Questions that wait for the journal need another goroutine to step it.
func (s *Stepped) Source() admin.Source { return s.n.source() }

// Books are the counts of every message ever accepted.
func (s *Stepped) Books() admin.Books { return s.n.x.books() }

// Account is the number of a client, 0 for none.
func (s *Stepped) Account(client string) uint32 {
	n, _ := numbersOf(s.n.x.lanes[0].book.System).Client(client)
	return n
}

// Attached is the host's end of a connection: what was read goes to Data, its end to Closed.
type Attached struct {
	s *Stepped
	h transport.ConnHandler
}

// Data hands over what was read; it may be overwritten.
func (a *Attached) Data(b []byte) { a.h.Data(nil, a.s.n.clock(), b) }

// Closed is last, once.
func (a *Attached) Closed(err error) { a.h.Closed(nil, a.s.n.clock(), err) }

// Client admits a bind as the lobby does; a status other than ROK is its refusal.
func (s *Stepped) Client(remote netip.AddrPort, p *pdu.Bind, seq uint32, w Wire) (*Attached, pdu.Status) {
	a := s.n.binder.admit(transport.Caller{Remote: remote}, p, seq)
	if a.Status != pdu.ROK {
		return nil, a.Status
	}
	switch h := a.Handler.(type) {
	case *clientPort:
		h.begin(w, s.n.clock())
	case *inboundPort:
		h.first = h.resp
		h.begin(w, s.n.clock())
	}
	return &Attached{s: s, h: a.Handler}, pdu.ROK
}

// errNoLink says that the catalog in force has no such link.
var errNoLink = errors.New("the catalog in force has no such link")

// Carrier hands over a connection that is bound with a carrier, whose interface_version is version.
func (s *Stepped) Carrier(carrier string, index int, version uint8, w Wire) (*Attached, error) {
	x := s.n.x
	k := s.links[linkKey{carrier, index}]
	if k == nil {
		return nil, errNoLink
	}
	id := s.n.ids.Add(1)
	p := newLinkPort(k.link, id, s.n.loops[0], version)
	p.opened, p.closed = func() {}, func(error) {}
	x.links[id] = newLinkSession(k.link, id, 0, x.carrier(k.number))
	x.links[id].end = func(pdu.Status) { w.Abort() }
	p.begin(w, s.n.clock())
	return &Attached{s: s, h: p}, nil
}
