package dataplane

import (
	"context"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"smsplane/dataplane/cluster"
	"smsplane/ledger/journal"
	"smsplane/ledger/replica"
)

// join opens the store and waits until it belongs to a cluster; false when drain ends first.
func (n *Node) join(drain context.Context, ln net.Listener) (formed bool, err error) {
	if err = n.openStore(); err != nil {
		return false, err
	}
	if n.members, err = joinHosts(n.cfg, n.log, n.db, ln); err != nil {
		return false, err
	}
	if n.members.await(drain) {
		return true, n.begin()
	}
	n.members.close()
	return false, n.db.Close()
}

// begin makes the lanes that a store brought into the cluster groups of this member alone, which the others join. After a
// crash in between it is done again; a store that joined, or was formed empty, has nothing that needs it.
func (n *Node) begin() error {
	t := n.members.table()
	me := t.Find(n.cfg.Name)
	if me == nil || t.Brought != me.Name || me.Incarnation != 1 {
		return nil
	}
	return alone(n.db, func(g *replica.Group) bool { return g != nil && g.Has(me.Raft()) }, me.Raft())
}

// alone makes the group of every lane in a store one of this member alone, but where it may stay as it is. The lanes are not open.
func alone(db *journal.DB, stays func(g *replica.Group) bool, id uint64) error {
	lanes, err := db.Lanes()
	if err != nil {
		return err
	}
	for _, i := range lanes {
		log, err := db.Log(i)
		if err != nil {
			return fmt.Errorf("lane %d: %w", i, err)
		}
		var g *replica.Group
		if b := log.Group(); b != nil {
			v, err := replica.DecodeGroup(b)
			if err != nil {
				return fmt.Errorf("lane %d: %w", i, err)
			}
			g = &v
		}
		if stays(g) {
			continue
		}
		done := make(chan struct{})
		replica.Alone(db, log, id, func() { close(done) })
		<-done
	}
	return nil
}

// fellows is the executor's side of the cluster; nil on a single host.
func (n *Node) fellows() *fellows {
	if n.members == nil {
		return nil
	}
	f := &fellows{hold: n.cfg.Cluster.Keep, ship: func(lane uint16, to uint64) { go n.ship(lane, to) }, want: n.want, clock: boottime, name: n.members.name, send: n.members.send, unreached: map[uint64]bool{},
		link: n.sayLink, ranked: n.ranked, spread: spread{agreed: n.members.spreads, settle: int64(n.cfg.Cluster.Settle), pins: n.pins}, rooms: n.members.rooms.Load, own: n.own, lose: n.lose, rose: n.rose, quorum: n.quorum, leader: n.led}
	if n.cfg.Cluster.Relay {
		n.relays = &relays{reach: n.members.takesClients, open: map[*relay]struct{}{}}
	}
	n.shipments = newShipments()
	t := n.members.table()
	f.group = groupOf(t)
	f.fence = newFence(f.clock, n.cfg.Lanes)
	f.me = t.Find(n.cfg.Name).Raft()
	n.members.listen(func(from *cluster.Peer, k cluster.Kind, lane uint16, payload []byte) {
		switch k {
		case cluster.Raft:
			if f.inbox.put(letter{lane: lane, data: payload}) {
				n.x.wake()
			}
		case cluster.Link:
			if m := n.members.table().Find(from.Name); m != nil && f.inbox.put(letter{data: payload, from: m.Raft()}) {
				n.x.wake()
			}
		case cluster.Chunk:
			n.shipped(from.Name, lane, payload, func(op byte, body []byte) { from.Send(cluster.Taken, lane, []byte{op}, body) })
		case cluster.Taken:
			n.taken(from, lane, payload)
		case cluster.Leave:
			for _, l := range n.loops {
				n.engine.Post(l.index, func() { l.dismissRelayed(from.Name, n.clock()) })
			}
		}
	}, func(id uint64) {
		f.inbox.miss(id)
		n.shipments.broken(n.members.name(id))
	})
	return f
}

// groupOf is the raft group that a store joins which knows nothing of it yet: who joins learns first.
func groupOf(t *cluster.Table) (g replica.Group) {
	for i := range t.Members {
		if m := &t.Members[i]; m.Joining {
			g.Learners = append(g.Learners, m.Raft())
		} else {
			g.Voters = append(g.Voters, m.Raft())
		}
	}
	return g
}

// boottime is the time since the machine was started, suspended or not: leases must not outlive a suspend.
func boottime() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic("dataplane: CLOCK_BOOTTIME: " + err.Error())
	}
	return t.Nano()
}

// own begins to keep the links to carriers; the catalog says which.
func (n *Node) own() {
	if t := n.x.table; t.Version() > 0 {
		n.links.set(numbersOf(n.x.lanes[0].book.System), t.Catalog())
	}
}

// lose gives the links up at once: another host is about to bind them.
func (n *Node) lose() { n.links.disown() }

// ranked says whether binds are served here: some lane is led, and there is a catalog.
func (n *Node) ranked() {
	n.ready.Store(n.x.leadsAny() && n.x.table.Version() > 0 && !n.x.fellows.ceding)
}

// pins are who shall lead which lane by an operator's word.
func (n *Node) pins() map[uint16]uint64 {
	t := n.members.table()
	pins := map[uint16]uint64{}
	for lane, name := range t.Leads {
		if m := t.Find(name); m != nil && !m.Witness && !m.Joining {
			pins[lane] = m.Raft()
		}
	}
	return pins
}

// rose does what a node does when a lane begins to lead.
func (n *Node) rose(l *lane) {
	if l.n == 0 && l.book.System.Version == 0 && n.cfg.Catalog != "" {
		go func() {
			if err := n.firstCatalog(); err != nil {
				n.log.Error("the first catalog is not applied", "folder", n.cfg.Catalog, "err", err)
			}
		}()
	}
}

// quorum hears whether the cluster can decide anything. Without a majority nobody could be answered: clients are
// sent away, and a closed port tells them to use their other address.
func (n *Node) quorum(there bool) {
	n.quorate.Store(there)
	if !there {
		n.log.Error("no quorum: no leader is known; clients are unbound and no more are received")
	} else {
		n.log.Warn("there is a quorum again; clients are received")
	}
	go func() {
		switch open, err := n.doors.heed(n.quorate.Load); {
		case err != nil:
			n.x.fail(err)
			return
		case open:
			return
		}
		if n.relays != nil {
			n.relays.end()
		}
		for _, l := range n.loops {
			n.engine.Post(l.index, func() { l.dismissAll(n.clock()) })
		}
	}()
}

// led hears who leads a lane now: clients that are relayed to another host come again.
func (n *Node) led(lane uint16, id uint64) {
	if n.relays != nil && id != 0 {
		n.relays.moved(lane, id)
	}
}

// passes says that binds are accepted here although lane 0 is led elsewhere: they are relayed.
func (n *Node) passes() bool {
	r := n.passage.Load()
	return r != nil && r.reach(n.x.lanes[0].ledBy.Load()) != nil
}

// dismissRelayed has the other hosts unbind the clients that are relayed to them, and waits until they have left.
func (n *Node) dismissRelayed(kill context.Context) {
	if n.relays == nil {
		return
	}
	n.passage.Store(nil)
	n.relays.stop()
	for _, p := range n.members.mesh.Peers() {
		p.Send(cluster.Leave, 0)
	}
	limit, cancel := context.WithTimeout(kill, unbindGrace)
	defer cancel()
	until(limit, func() bool { return n.relays.count() == 0 })
	n.relays.end()
}

// cede gives the lanes that are led here to other hosts before the node stops: carriers' answers are awaited
// first, so that nothing comes in doubt, and clients are served until a moment before the other host leads; in
// that moment they are told to come again.
func (n *Node) cede(kill context.Context) {
	if n.members == nil {
		return
	}
	heirs := false
	n.x.call(func() { heirs = n.x.heirs() })
	if !heirs {
		return
	}
	n.ready.Store(false)
	n.x.call(func() { n.x.fellows.ceding, n.x.senders.paused = true, true })
	limit, cancel := context.WithTimeout(kill, n.cfg.Drain)
	defer cancel()
	until(limit, func() bool { return n.unanswered() == 0 })
	n.links.close(kill)
	n.tellLoops(kill, func(l *loop) { l.desk.Ceding = true })
	until(limit, func() bool { return n.uncommitted() == 0 })
	leave, end := context.WithTimeout(kill, cedeFor)
	defer end()
	until(leave, func() (gone bool) {
		n.x.call(func() { gone = n.x.transferAll() })
		return gone
	})
}

// cedeFor bounds how long a node that stops waits until others lead.
const cedeFor = 3 * time.Second
