package dataplane

import (
	"smsplane/dataplane/cluster"
	"smsplane/dataplane/config"
	"smsplane/ledger/replica"
	"smsplane/ring"
)

// Fellows are the other hosts of a Stepped host's cluster, and how what it says gets to them.
type Fellows struct {
	Announce func()                                                       // says Hello to every host again
	Clock    func() int64                                                 // of leases; it never leaps
	Send     func(to uint64, lane uint16, msg []byte) bool                // false: lost, and known to be; msg is valid during the call
	Link     func(to uint64, frame []byte) bool                           // tells another host about the links; false: lost. In order, or not at all
	Ship     func(to uint64, lane uint16, answer bool, piece []byte) bool // a lane on its way, and the answers; likewise
	Settle   int64                                                        // how long all must have been quiet before a lane is handed over, ns
	Hold     int64                                                        // octets of log kept for a member that is away; 0: the default
	Chunk    int                                                          // octets of a piece of a lane; 0: the default
	Free     func() uint64                                                // octets that the host's disk can still take; nil: any number
	Own      func()                                                       // the links to carriers are this host's from now on,
	Lose     func()                                                       // and not any more: their connections end at once
}

// SteppedMember is a Stepped host or witness among the hosts of its cluster: it hears who is a member and remembers that. Once
// a table names its store, Serve or Witness begins what it is there for; what they return belongs to the same goroutine.
type SteppedMember struct {
	n *Node
	o Surroundings
}

// OpenSteppedMember opens the store of a host whose node file has a cluster.
func OpenSteppedMember(cfg *config.Node, o Surroundings) (*SteppedMember, error) {
	n, err := openNode(cfg, &o)
	if err != nil {
		return nil, err
	}
	if n.members, err = newMembership(cfg, n.log, n.db); err != nil {
		return nil, err
	}
	n.members.announce = o.Fellows.Announce
	n.members.wait = func(done <-chan struct{}) {
		for {
			select {
			case <-done:
				return
			default:
				o.Wait()
			}
		}
	}
	if n.members.table() != nil {
		n.members.know()
	}
	return &SteppedMember{n, o}, nil
}

// Hello is what the host says of itself.
func (m *SteppedMember) Hello() *cluster.Hello { return m.n.members.hello() }

// Heard takes another host's Hello; an error is why the two cannot talk.
func (m *SteppedMember) Heard(h *cluster.Hello) error { return m.n.members.heard(h) }

// Table is who is a member; nil while the store belongs to no cluster.
func (m *SteppedMember) Table() *cluster.Table { return m.n.members.table() }

// me is the host's own id in raft groups.
func (m *SteppedMember) me() uint64 { return m.Table().Find(m.n.cfg.Name).Raft() }

// Serve brings a host up that stores messages. It does not ask others for a lane whose copy is damaged: it fails.
func (m *SteppedMember) Serve() (*Stepped, error) {
	return m.n.step(&m.o, func(s *Stepped) *fellows {
		n, f := m.n, m.o.Fellows
		s.f, n.shipments = f, newShipments()
		if f.Free != nil {
			n.guard = &guard{log: n.log, free: func() (uint64, error) { return f.Free(), nil }, reserve: uint64(n.cfg.Journal.Reserve)}
		}
		return &fellows{me: m.me(), group: groupOf(m.Table()), hold: f.Hold, clock: f.Clock, send: f.Send, link: f.Link, unreached: map[uint64]bool{},
			ship: func(lane uint16, to uint64) { n.x.post(func() { s.ship(lane, to) }) }, own: s.own, lose: f.Lose, quorum: s.quorum,
			name: n.members.name, rose: func(*lane) {}, leader: func(uint16, uint64) {}, ranked: func() {},
			spread: spread{agreed: n.members.spreads, settle: f.Settle, pins: n.pins}, rooms: n.members.rooms.Load, fence: newFence(f.Clock, n.cfg.Lanes)}
	})
}

// own takes the links over, and what the catalog in force says of them.
func (s *Stepped) own() {
	if x := s.n.x; x.table.Version() > 0 {
		s.declare(numbersOf(x.lanes[0].book.System), x.table.Catalog())
	}
	s.f.Own()
}

// quorum sends clients away when there is none.
func (s *Stepped) quorum(there bool) {
	if !there {
		s.n.loops[0].dismissAll(s.n.clock())
	}
}

// TellRoom tells the other hosts what this one's disk can still take.
func (s *Stepped) TellRoom(room replica.Room) { s.n.members.tellRoom(room) }

// Care brings the lanes' groups in line with the table of members; it is due once a second.
func (s *Stepped) Care() { s.n.takeCare() }

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

// Lease is from when until when the host believes, on Fellows.Clock, that messages of a lane may be sent to carriers; until is 0
// where it leads it not.
func (s *Stepped) Lease(lane uint16) (from, until int64) {
	l := s.n.x.lanes[lane]
	if !l.leading {
		return 0, 0
	}
	return l.rep.SendFrom(), s.n.x.fellows.fence.of(0, lane).Load()
}

// SingleCopy says of a lane that is led here that what it acknowledges may be on one data host alone.
func (s *Stepped) SingleCopy(lane uint16) bool { return s.n.x.lanes[lane].rep.SingleCopy() }

// Hand asks another host to lead one lane, whoever leads the others.
func (s *Stepped) Hand(lane uint16, to uint64) { _ = s.n.x.lanes[lane].rep.Transfer(to) } // refused where it does not lead

// Term is that of a lane's replica.
func (s *Stepped) Term(lane uint16) uint64 { return s.n.x.lanes[lane].rep.Term() }

// Applied is the index of the last block in a lane's book.
func (s *Stepped) Applied(lane uint16) uint64 { return s.n.x.lanes[lane].book.Applied() }

// Refolded is how many entries of a lane's log were folded anew when it was deposed last.
func (s *Stepped) Refolded(lane uint16) uint64 { return s.n.x.lanes[lane].anew.entries }

// ReloadTurn sets how many octets of a lane's log are folded anew in a turn; with 0 its books are never through.
func (s *Stepped) ReloadTurn(octets int) { s.n.x.reloadTurn = octets }

// Group is who belongs to a lane's raft group, as far as this host has applied.
func (s *Stepped) Group(lane uint16) replica.Group { return s.n.x.lanes[lane].rep.Group() }

// SteppedWitness is a witness without threads, sockets and clock.
type SteppedWitness struct {
	w     *witness
	clock func() int64
}

// Witness opens the witness of every lane.
func (m *SteppedMember) Witness() (*SteppedWitness, error) {
	n, f, t := m.n, m.o.Fellows, m.Table()
	w := &witness{node: n, bell: ring.NewBell()}
	for i := range uint16(t.Lanes) {
		if err := w.lane(replica.Config{DB: n.db, Lane: i, ID: m.me(), Group: groupOf(t), Clock: f.Clock, Logger: n.log,
			Send: func(to uint64, msg []byte) { f.Send(to, i, msg) }}); err != nil {
			return nil, err
		}
	}
	return &SteppedWitness{w: w, clock: n.clock}, nil
}

// Hear hands over what another host said about a lane.
func (s *SteppedWitness) Hear(lane uint16, msg []byte) { s.w.inbox.put(letter{lane: lane, data: msg}) }

// Work is one turn.
func (s *SteppedWitness) Work() error {
	_, err := s.w.turn(s.clock())
	return err
}

// steppedShip is a lane on its way to another host.
type steppedShip struct {
	*shipment
	until int64 // an answer must have come
}

type shipPlace struct {
	to   uint64
	lane uint16
}

// ship begins to send a lane to a member, unless it is on its way there.
func (s *Stepped) ship(lane uint16, to uint64) {
	at := shipPlace{to, lane}
	if s.out[at] != nil {
		return
	}
	way, err := s.n.newShipment(lane, to)
	if err != nil {
		s.n.x.lanes[lane].rep.ReportSnapshot(to, false)
		return
	}
	if s.f.Chunk > 0 {
		way.octets = s.f.Chunk
	}
	s.out[at] = &steppedShip{shipment: way}
	if s.f.Free != nil && !s.f.Ship(to, lane, false, be.AppendUint64([]byte{shipSize}, s.n.db.SizeOf(&way.export.Meta))) {
		s.arrived(at, errShip)
		return
	}
	s.goOn(at, nil)
}

// goOn sends what follows an answer.
func (s *Stepped) goOn(at shipPlace, answer []byte) {
	way := s.out[at]
	v, err := way.next(answer)
	switch {
	case err != nil || v.op == 0:
		s.arrived(at, err)
	case !s.f.Ship(at.to, at.lane, false, append([]byte{v.op}, v.body...)):
		s.arrived(at, errShip)
	default:
		way.until = s.n.clock() + int64(v.wait)
	}
}

// arrived ends a shipment, if there is one.
func (s *Stepped) arrived(at shipPlace, err error) {
	if way := s.out[at]; way != nil {
		delete(s.out, at)
		_ = way.export.Close()
		s.n.x.lanes[at.lane].rep.ReportSnapshot(at.to, err == nil)
	}
}

// overdue gives up the shipments whose answer does not come.
func (s *Stepped) overdue(now int64) {
	for at, way := range s.out {
		if now >= way.until {
			s.arrived(at, errShip)
		}
	}
}

// Lost says that the stream to another host had broken: what was on its way there may be lost.
func (s *Stepped) Lost(to uint64) {
	s.n.x.fellows.inbox.miss(to)
	s.n.x.post(func() {
		for lane := range uint16(len(s.n.x.lanes)) {
			s.arrived(shipPlace{to, lane}, errShip)
		}
	})
}

// HearShip hands over what another host's Ship gave out.
func (s *Stepped) HearShip(from uint64, lane uint16, answer bool, piece []byte) {
	s.n.x.post(func() {
		switch at := (shipPlace{from, lane}); {
		case !answer:
			s.n.shipped(s.n.members.name(from), lane, piece, func(op byte, body []byte) { s.f.Ship(from, lane, true, append([]byte{op}, body...)) })
		case s.out[at] != nil:
			s.goOn(at, piece)
		}
	})
}

// Abandon lets go of the store as a process that is killed does.
func (s *Stepped) Abandon() error {
	for _, way := range s.out {
		_ = way.export.Close()
	}
	return s.n.db.Abandon()
}
