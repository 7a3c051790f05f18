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
//	begin, meta ─▶    ◀─ go on behind this key
//	chunk ─▶          ◀─ staged                      … until there are no more
//	end ─▶            ◀─ the lane is opened on it, or why not
//
// A host whose own copy is damaged asks for that itself (spoil.go).
//
// A connection that breaks ends it; raft asks again, and what was staged is not sent twice as long as the
// exporter is the same.
const (
	shipBegin = iota + 1
	shipChunk
	shipEnd
	shipGoOn
	shipStaged
	shipOpened
	shipFailed
	shipWanted // to the host that leads the lane
)

const (
	chunkBytesShipped = 512 << 10
	shipEvery         = 8 * time.Millisecond // 64 MiB a second at most
	shipWait          = 30 * time.Second     // for an acknowledgment
	shipOpenWait      = 5 * time.Minute      // for a lane to be installed
)

// shipments are the exports and imports of this host.
type shipments struct {
	mu      sync.Mutex
	out     map[shipKey]chan []byte
	imports map[uint16]*journal.Import
}

type shipKey struct {
	host string
	lane uint16
}

var (
	errShip     = errors.New("the other host did not take it")
	errShipping = errors.New("it is being sent already")
)

// ship sends a lane to a member. It runs on a goroutine of its own.
func (n *Node) ship(lane uint16, to uint64) {
	err := n.shipTo(lane, to)
	if err != nil {
		n.log.Warn("a lane was not sent whole", "lane", lane, "to", n.members.name(to), "err", err)
	}
	n.x.call(func() { n.x.lanes[lane].rep.ReportSnapshot(to, err == nil) })
}

func (n *Node) shipTo(lane uint16, to uint64) (err error) {
	p := (*n.members.ways.Load())[to]
	if p == nil {
		return fmt.Errorf("no way to member %x", to)
	}
	answers, key := make(chan []byte, 4), shipKey{p.Name, lane}
	s := &n.shipments
	s.mu.Lock()
	under := s.out[key] != nil
	if !under {
		s.out[key] = answers
	}
	s.mu.Unlock()
	if under {
		return errShipping
	}
	defer func() {
		s.mu.Lock()
		delete(s.out, key)
		s.mu.Unlock()
	}()
	e, err := n.db.Export(lane, book.AppliedIn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	n.x.call(func() { n.x.lanes[lane].rep.HoldFor(to, e.Meta.Index) })
	n.log.Info("a lane is sent to another host", "lane", lane, "to", p.Name, "index", e.Meta.Index)
	ask := func(op byte, body []byte, wait time.Duration, want byte) ([]byte, error) {
		if !p.Send(cluster.Chunk, lane, []byte{op}, body) {
			return nil, errShip
		}
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case a := <-answers:
			if a[0] != want {
				return nil, fmt.Errorf("%w: %s", errShip, a[1:])
			}
			return a[1:], nil
		case <-t.C:
			return nil, fmt.Errorf("%w: no answer for %v", errShip, wait)
		case <-n.x.done:
			return nil, errStopped
		}
	}
	after, err := ask(shipBegin, e.Meta.Encode(), shipWait, shipGoOn)
	if len(after) == 0 {
		after = nil
	}
	pace := time.NewTicker(shipEvery)
	defer pace.Stop()
	for err == nil {
		var chunk []byte
		if chunk, err = e.Chunk(after, chunkBytesShipped); err != nil || chunk == nil {
			break
		}
		after, err = ask(shipChunk, chunk, shipWait, shipStaged)
		<-pace.C
	}
	if err == nil {
		_, err = ask(shipEnd, nil, shipOpenWait, shipOpened)
	}
	return err
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

// shipped is a piece of a lane from another host.
func (n *Node) shipped(from *cluster.Peer, lane uint16, payload []byte) {
	answer := func(op byte, body []byte) { from.Send(cluster.Taken, lane, []byte{op}, body) }
	if len(payload) == 0 || int(lane) >= n.cfg.Lanes {
		return
	}
	if err := n.importPiece(from, lane, payload[0], payload[1:], answer); err != nil {
		n.log.Warn("a piece of a lane cannot be taken", "lane", lane, "from", from.Name, "err", err)
		answer(shipFailed, []byte(err.Error()))
	}
}

func (n *Node) importPiece(from *cluster.Peer, lane uint16, op byte, body []byte, answer func(op byte, body []byte)) error {
	s := &n.shipments
	s.mu.Lock()
	i := s.imports[lane]
	s.mu.Unlock()
	switch op {
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
		s.mu.Lock()
		s.imports[lane] = i
		s.mu.Unlock()
		answer(shipGoOn, i.After())
	case shipChunk:
		if i == nil {
			return errors.New("a chunk before its beginning")
		}
		return i.Add(body, func() { answer(shipStaged, i.After()) })
	case shipEnd:
		if i == nil {
			return errors.New("an end before its beginning")
		}
		s.mu.Lock()
		delete(s.imports, lane)
		s.mu.Unlock()
		n.x.post(func() { n.x.lanes[lane].replaceBy(i, answer) })
	case shipWanted:
		if m := n.members.table().Find(from.Name); m != nil {
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
	l.away, l.loading, l.readable = true, true, false
	l.book = l.newBook(&blocks{log: l.log})
	go func() {
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
	}()
}

// reopen begins the lane anew on what the store has of it; what says why.
func (l *lane) reopen(what string) (err error) {
	x := l.x
	l.clear()
	l.evictAt, l.sweepAt = 0, 0
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
