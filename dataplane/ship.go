package dataplane

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"smsplane/dataplane/cluster"
	"smsplane/ledger/book"
	"smsplane/ledger/journal"
	"smsplane/ledger/replica"
)

// A lane goes to a host that the log cannot bring up to date: an Export of it here, an Import of it there,
// chunk by chunk, each acknowledged before the next is sent, so that messages go on between them.
//
//	size ─▶
//	begin, meta ─▶    ◀─ go on behind this key, or: my disk has not so much room
//	chunk ─▶          ◀─ staged                      … until there are no more
//	end ─▶            ◀─ the lane is opened on it, or why not
//
// A host whose own copy is damaged asks for that itself (spoil.go).
//
// A connection that breaks ends it; raft asks again, and what was staged is not sent twice as long as the
// exporter is the same. Who led the lane before may still send it, too: pieces do not say of which export they are, so those of the host that
// began last are taken, and a host sends another one lane once at a time.
const (
	shipBegin = iota + 1
	shipChunk
	shipEnd
	shipGoOn
	shipStaged
	shipOpened
	shipFailed
	shipWanted // to the host that leads the lane
	shipSize   // of what is going to begin; a build that does not know it takes whatever comes
)

const (
	chunkBytesShipped = 512 << 10
	shipEvery         = 8 * time.Millisecond // 64 MiB a second at most
	shipWait          = 30 * time.Second     // for an acknowledgment
	shipOpenWait      = 5 * time.Minute      // for a lane to be installed
	shipAgain         = time.Second          // after one that failed
)

// shipments are the exports and imports of this host.
type shipments struct {
	mu      sync.Mutex
	out     map[shipKey]chan []byte // who waits for answers
	imports map[uint16]landing
	sizes   map[shipKey]uint64 // of what a host is going to send, in octets
}

// landing is an import, and the host whose pieces belong to it.
type landing struct {
	*journal.Import
	from string
}

func newShipments() shipments {
	return shipments{out: map[shipKey]chan []byte{}, imports: map[uint16]landing{}, sizes: map[shipKey]uint64{}}
}

type shipKey struct {
	host string
	lane uint16
}

var errShip = errors.New("the other host did not take it")

// shipment is a lane on its way to a member: what it is sent next, by what it said last. Whoever runs it closes export.
type shipment struct {
	export *journal.Export
	octets int  // of a chunk, about
	want   byte // what the answer to the piece before has to be; 0: there was none
}

// piece is what a shipment sends next; one without op ends it: the other host has opened the lane.
type piece struct {
	op   byte
	body []byte
	wait time.Duration // for the answer
}

// newShipment begins an export, behind which the log is held until it has ended.
func (n *Node) newShipment(lane uint16, to uint64) (*shipment, error) {
	e, err := n.db.Export(lane, book.AppliedIn)
	if err != nil {
		return nil, err
	}
	n.x.call(func() { n.x.lanes[lane].rep.HoldFor(to, e.Meta.Index) })
	n.log.Info("a lane is sent to another host", "lane", lane, "to", n.members.name(to), "index", e.Meta.Index)
	return &shipment{export: e, octets: chunkBytesShipped}, nil
}

// next takes the answer to the piece before, nil for the first one.
func (s *shipment) next(answer []byte) (piece, error) {
	switch {
	case s.want == 0:
		s.want = shipGoOn
		return piece{shipBegin, s.export.Meta.Encode(), shipWait}, nil
	case len(answer) == 0 || answer[0] != s.want:
		return piece{}, fmt.Errorf("%w: %s", errShip, answer[min(1, len(answer)):])
	case s.want == shipOpened:
		return piece{}, nil
	}
	after := answer[1:]
	if len(after) == 0 {
		after = nil
	}
	chunk, err := s.export.Chunk(after, s.octets)
	if chunk == nil {
		s.want = shipOpened
		return piece{shipEnd, nil, shipOpenWait}, err
	}
	s.want = shipStaged
	return piece{shipChunk, chunk, shipWait}, err
}

// ship sends a lane to a member. It runs on a goroutine of its own. Where the lane is on its way there already, how that ends is
// what is reported, once. A failure is reported a while later, since raft asks again at once.
func (n *Node) ship(lane uint16, to uint64) {
	err := fmt.Errorf("no way to member %x", to)
	if p := (*n.members.ways.Load())[to]; p != nil {
		key := shipKey{p.Name, lane}
		answers := n.shipments.begin(key)
		if answers == nil {
			return
		}
		err = n.shipTo(p, lane, to, answers)
		if err != nil {
			n.rest(shipAgain)
		}
		n.shipments.end(key)
	}
	n.x.call(func() { n.x.lanes[lane].rep.ReportSnapshot(to, err == nil) })
}

// begin notes who waits for the answers to a shipment; nil: it is under way.
func (s *shipments) begin(key shipKey) chan []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out[key] != nil {
		return nil
	}
	answers := make(chan []byte, 4)
	s.out[key] = answers
	return answers
}

func (s *shipments) end(key shipKey) {
	s.mu.Lock()
	delete(s.out, key)
	s.mu.Unlock()
}

// rest waits, unless the node stops.
func (n *Node) rest(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-n.x.done:
	}
}

func (n *Node) shipTo(p *cluster.Peer, lane uint16, to uint64, answers <-chan []byte) (err error) {
	defer func() {
		if err != nil {
			n.log.Warn("a lane was not sent whole", "lane", lane, "to", p.Name, "err", err)
		}
	}()
	way, err := n.newShipment(lane, to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, way.export.Close()) }()
	if !p.Send(cluster.Chunk, lane, []byte{shipSize}, be.AppendUint64(nil, n.db.SizeOf(&way.export.Meta))) {
		return errShip
	}
	pace := time.NewTicker(shipEvery)
	defer pace.Stop()
	for answer := []byte(nil); ; <-pace.C {
		v, err := way.next(answer)
		if err != nil || v.op == 0 {
			return err
		}
		if !p.Send(cluster.Chunk, lane, []byte{v.op}, v.body) {
			return errShip
		}
		if answer, err = n.awaitTaken(answers, v.wait); err != nil {
			return err
		}
	}
}

func (n *Node) awaitTaken(answers <-chan []byte, wait time.Duration) ([]byte, error) {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case a := <-answers:
		return a, nil
	case <-t.C:
		return nil, fmt.Errorf("%w: no answer for %v", errShip, wait)
	case <-n.x.done:
		return nil, errStopped
	}
}

// broken gives up what is on its way to a host whose stream broke: it may have died with the answer.
func (s *shipments) broken(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, answers := range s.out {
		if key.host == host {
			select {
			case answers <- append([]byte{shipFailed}, "the stream broke"...):
			default: // it has others to read
			}
		}
	}
}

// taken is an acknowledgment of another host.
func (n *Node) taken(from *cluster.Peer, lane uint16, payload []byte) {
	s := &n.shipments
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.out[shipKey{from.Name, lane}]; c != nil && len(payload) > 0 {
		select {
		case c <- payload:
		default: // nobody waits for so many
		}
	}
}

// shipped is a piece of a lane from another host, whom answer tells what became of it.
func (n *Node) shipped(from string, lane uint16, payload []byte, answer func(op byte, body []byte)) {
	if len(payload) == 0 || int(lane) >= n.cfg.Lanes {
		return
	}
	if err := n.importPiece(from, lane, payload[0], payload[1:], answer); err != nil {
		n.log.Warn("a piece of a lane cannot be taken", "lane", lane, "from", from, "err", err)
		answer(shipFailed, []byte(err.Error()))
	}
}

func (n *Node) importPiece(from string, lane uint16, op byte, body []byte, answer func(op byte, body []byte)) error {
	s := &n.shipments
	s.mu.Lock()
	i := s.imports[lane].Import
	size, told := s.sizes[shipKey{from, lane}]
	if s.imports[lane].from != from {
		i = nil
	}
	s.mu.Unlock()
	switch op {
	case shipSize:
		if len(body) != 8 {
			return fmt.Errorf("a size of %d octets", len(body))
		}
		s.mu.Lock()
		s.sizes[shipKey{from, lane}] = be.Uint64(body)
		s.mu.Unlock()
	case shipBegin:
		meta, err := journal.DecodeMeta(body)
		if err != nil {
			return err
		}
		if meta.Lane != lane {
			return fmt.Errorf("lane %d came as lane %d", meta.Lane, lane)
		}
		if i, err = n.db.Import(meta); err != nil {
			return err
		}
		if told { // 0, too: what only the WAL has of it does not count, and must not fill a disk that is at its end
			if err := n.guard.takes(size, i.Bytes()); err != nil {
				i.Abort()
				return err
			}
		}
		s.mu.Lock()
		s.imports[lane] = landing{i, from}
		s.mu.Unlock()
		answer(shipGoOn, i.After())
	case shipChunk:
		if i == nil {
			return errors.New("a chunk before its beginning, or behind that of another host")
		}
		return i.Add(body, func() { answer(shipStaged, i.After()) })
	case shipEnd:
		if i == nil {
			return errors.New("an end before its beginning, or behind that of another host")
		}
		s.mu.Lock()
		delete(s.imports, lane)
		s.mu.Unlock()
		n.x.post(func() { n.x.lanes[lane].replaceBy(i, answer) })
	case shipWanted:
		if m := n.members.table().Find(from); m != nil {
			n.x.post(func() { n.x.lanes[lane].wanted(m.Raft()) })
		}
	}
	return nil
}

// replaceBy makes an import the lane: to its raft group this member is restarted on a newer log.
func (l *lane) replaceBy(i *journal.Import, answer func(op byte, body []byte)) {
	switch err := i.Needed(l.log); {
	case l.away:
		answer(shipFailed, []byte("the lane is being installed"))
		return
	case l.leading || l.rep.Leader():
		i.Abort()
		answer(shipFailed, []byte("the lane is led here"))
		return
	case err != nil && l.spoilt == nil: // the log has caught up meanwhile
		i.Abort()
		answer(shipOpened, nil)
		return
	}
	x := l.x
	install := i.Install
	if l.spoilt != nil {
		install = i.Renew
	}
	l.away = true
	l.unload()
	x.aside(func() {
		done := func() {
			x.post(func() {
				if err := l.reopen("a lane was installed from another host"); err != nil {
					x.fail(fmt.Errorf("lane %d: opening what was imported: %w", l.n, err))
					return
				}
				answer(shipOpened, nil)
			})
		}
		if err := install(done); err != nil {
			x.post(func() {
				l.away, l.readable = false, true
				answer(shipFailed, []byte(err.Error()))
			})
		}
	})
}

// reopen begins the lane anew on what the store has of it; what says why.
func (l *lane) reopen(what string) (err error) {
	x := l.x
	l.clear()
	l.evictAt, l.sweepAt, l.lowWater = 0, 0, 0
	if err := l.loadHere(); err != nil {
		return err
	}
	l.config.Log, l.config.Applied = l.log, l.book.Applied()
	if l.rep, err = replica.Open(l.config); err != nil {
		return err
	}
	if r := x.fellows.heeded; r != nil {
		l.rep.SetRooms(*r)
	}
	l.away, l.loading, l.spoilt = false, false, nil
	x.log.Info(what, "lane", l.n, "index", l.book.Applied())
	if l.n == 0 && l.book.System.Version > 0 {
		return x.install()
	}
	return nil
}
