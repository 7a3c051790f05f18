package dataplane

import (
	"context"
	"net"

	"golang.org/x/sys/unix"
)

// join opens the store and waits until it belongs to a cluster; false when drain ends first.
func (n *Node) join(drain context.Context, ln net.Listener) (formed bool, err error) {
	if n.db, err = openStore(n.cfg, n.log, n.clock); err != nil {
		return false, err
	}
	if n.members, err = joinHosts(n.cfg, n.log, n.db, ln); err != nil {
		return false, err
	}
	if n.members.await(drain) {
		return true, nil
	}
	n.members.close()
	return false, n.db.Close()
}

// fellows is the executor's side of the cluster; nil on a single host.
func (n *Node) fellows() *fellows {
	if n.members == nil {
		return nil
	}
	f := &fellows{clock: boottime, name: n.members.name, send: n.members.send, unreached: map[uint64]bool{},
		own: n.own, lose: n.lose, rose: n.rose}
	t := n.members.table()
	for i := range t.Members {
		f.voters = append(f.voters, t.Members[i].Raft())
	}
	f.me = t.Find(n.cfg.Name).Raft()
	n.members.listen(func(l letter) {
		if f.inbox.put(l) {
			n.x.wake()
		}
	}, f.inbox.miss)
	return f
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
		n.links.set(numbers{n.x.lanes[0].book.System}, t.Catalog())
		n.ready.Store(true)
	}
}

// lose gives the links up at once: another host is about to bind them.
func (n *Node) lose() {
	n.ready.Store(false)
	n.links.disown()
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
