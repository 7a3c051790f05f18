package dataplane

import (
	"errors"
	"fmt"
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
	"smsplane/ledger/replica"
	"smsplane/pdu"
	"smsplane/ring"
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

// Fellows are the hosts of a cluster that was formed, as a Stepped host sees them.
type Fellows struct {
	Me     uint64                                        // its own id in raft groups
	Voters []uint64                                      // of every lane, itself among them
	Clock  func() int64                                  // of leases; it never leaps
	Send   func(to uint64, lane uint16, msg []byte) bool // false: lost, and known to be; msg is valid during the call
	Link   func(to uint64, frame []byte) bool            // tells another host about the links; false: lost. In order, or not at all
	Spread bool                                          // lanes are led by several hosts
	Rooms  func() *map[uint64]replica.Room               // whose disk has no room, as its own guard and the others tell; another pointer with each change. nil: nobody tells
	Settle int64                                         // how long all must have been quiet before a lane is handed over, ns
	Own    func()                                        // the links to carriers are this host's from now on,
	Lose   func()                                        // and not any more: their connections end at once
}

// Wire is a connection as the host writes to it.
type Wire = wire

// OpenStepped brings a host up from its store until its lanes lead.
func OpenStepped(cfg *config.Node, o Surroundings) (s *Stepped, err error) {
	s = &Stepped{links: map[linkKey]*keptLink{}}
	n := &Node{cfg: cfg, log: o.Store.Logger, clock: o.Clock, started: time.Unix(0, o.Clock())}
	n.state.Store(stateStarting)
	o.Store.Stepped, o.Store.Clock = true, o.Clock
	if n.db, err = journal.Open(o.Store); err != nil {
		return nil, err
	}
	o.Opened(n.db)
	if err := n.formed(); err != nil {
		return nil, err
	}
	n.x = n.executor()
	n.x.stepped = true
	n.x.rand = rand.New(rand.NewPCG(o.Seed, 1))
	if f := o.Fellows; f != nil {
		n.x.fellows = &fellows{me: f.Me, group: replica.Group{Voters: f.Voters}, clock: f.Clock, send: f.Send, own: func() { s.own(f) }, lose: f.Lose, unreached: map[uint64]bool{},
			name: func(id uint64) string { return fmt.Sprint(id) }, rose: func(*lane) {}, quorum: s.quorum, leader: func(uint16, uint64) {},
			link: f.Link, ranked: func() {}, spread: spread{agreed: func() bool { return f.Spread }, settle: f.Settle, pins: func() map[uint16]uint64 { return nil }},
			rooms: f.Rooms, fence: newFence(f.Clock, cfg.Lanes)}
	}
	if err := n.recover(o.Wait); err != nil {
		return nil, err
	}
	s.n = n
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

// own takes the links over, and what the catalog in force says of them.
func (s *Stepped) own(f *Fellows) {
	if x := s.n.x; x.table.Version() > 0 {
		s.declare(numbers{x.lanes[0].book.System}, x.table.Catalog())
	}
	f.Own()
}

// quorum sends clients away when there is none.
func (s *Stepped) quorum(there bool) {
	if !there {
		s.n.loops[0].dismissAll(s.n.clock())
	}
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
	return x.turn(x.now)
}

// Hear hands over what another host's Send gave out for a lane; the slice is the host's from then on.
func (s *Stepped) Hear(lane uint16, msg []byte) {
	s.n.x.fellows.inbox.put(letter{lane: lane, data: msg})
}

// HearLink hands over what another host's Link gave out; the slice is the host's from then on.
func (s *Stepped) HearLink(from uint64, frame []byte) {
	s.n.x.fellows.inbox.put(letter{data: frame, from: from})
}

// ForGuests is how many messages went out over this host's links that other hosts decided about.
func (s *Stepped) ForGuests() uint64 { return s.n.x.counts.forGuests }

// Leads says that the host leads a lane to work.
func (s *Stepped) Leads(lane uint16) bool { return s.n.x.lanes[lane].leading }

// Hand asks another host to lead one lane, whoever leads the others.
func (s *Stepped) Hand(lane uint16, to uint64) { _ = s.n.x.lanes[lane].rep.Transfer(to) } // refused where it does not lead

// Term is that of a lane's replica.
func (s *Stepped) Term(lane uint16) uint64 { return s.n.x.lanes[lane].rep.Term() }

// Applied is the index of the last block in a lane's book.
func (s *Stepped) Applied(lane uint16) uint64 { return s.n.x.lanes[lane].book.Applied() }

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
	n, _ := numbers{s.n.x.lanes[0].book.System}.Client(client)
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

// SteppedWitness is a witness without threads, sockets and clock.
type SteppedWitness struct {
	w     *witness
	db    *journal.DB
	clock func() int64
}

// OpenSteppedWitness opens the witness of a formed cluster.
func OpenSteppedWitness(lanes int, o Surroundings) (*SteppedWitness, error) {
	o.Store.Stepped, o.Store.Clock = true, o.Clock
	db, err := journal.Open(o.Store)
	if err != nil {
		return nil, err
	}
	o.Opened(db)
	w := &witness{bell: ring.NewBell()}
	for i := range uint16(lanes) {
		if err := w.lane(replica.Config{DB: db, Lane: i, ID: o.Fellows.Me, Group: replica.Group{Voters: o.Fellows.Voters}, Clock: o.Fellows.Clock, Logger: o.Store.Logger,
			Send: func(to uint64, msg []byte) { o.Fellows.Send(to, i, msg) }}); err != nil {
			return nil, err
		}
	}
	return &SteppedWitness{w: w, db: db, clock: o.Clock}, nil
}

// Hear hands over what another host said about a lane.
func (s *SteppedWitness) Hear(lane uint16, msg []byte) { s.w.inbox.put(letter{lane: lane, data: msg}) }

// Work is one turn.
func (s *SteppedWitness) Work() error {
	_, err := s.w.turn(s.clock())
	return err
}
