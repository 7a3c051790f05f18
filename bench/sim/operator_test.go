package sim

import (
	"context"
	"fmt"
	"time"

	"smsplane/dataplane/admin"
	"smsplane/dataplane/cluster"
)

// order is what an operator wants of the members until it has come about.
type order struct {
	verb string // add, remove, replace; or nothing: an old store is looked at
	h    *host
}

// reshape lets somebody come, go, or come back with nothing, now and then. One at a time: a group of three bears one that is gone.
func (w *world) reshape() {
	if w.calm {
		return
	}
	w.after(w.between(10*time.Millisecond, time.Second), w.reshape)
	l := w.first()
	if w.order != nil || l == nil || !w.whole(l) {
		return
	}
	h := w.hosts[w.rng.IntN(len(w.hosts))]
	switch {
	case h.spare:
		w.order = &order{verb: "add", h: h}
		h.spare, h.cfg.Cluster.Members = false, w.members
		h.start()
	case w.chance(2) && h.old != nil:
		w.revive(h)
	case w.chance(3) && w.mayLeave(h):
		w.order = &order{verb: "remove", h: h}
	case w.mayLose(h):
		w.order = &order{verb: "replace", h: h}
		h.old = h.disk.killed()
		if h.witness() {
			w.faults["a witness's store is lost"]++
		} else {
			w.faults["a data host's store is lost"]++
		}
		h.die("its store is lost", newDisk(), w.chance(2))
		h.store = cluster.ID{}
	}
}

// first is the host that leads lane 0, nil for none.
func (w *world) first() *host {
	for _, h := range w.hosts {
		if h.alive && h.s != nil && h.s.Leads(0) {
			return h
		}
	}
	return nil
}

// whole says that every member runs, votes in every lane and is no other's successor that is still known.
func (w *world) whole(l *host) bool {
	t := l.m.Table()
	for i := range t.Members {
		m := &t.Members[i]
		if h := w.host(m.Name); m.Joining || !h.alive || h.failing {
			return false
		}
	}
	return w.grouped(l)
}

// grouped says that the groups of all lanes are what the table of members says.
func (w *world) grouped(l *host) bool {
	t := l.m.Table()
	for lane := range uint16(l.lanes) {
		g := l.s.Group(lane)
		if g.Joint() || len(g.Learners) > 0 || len(g.Voters) != len(t.Members) {
			return false
		}
		for _, id := range g.Voters {
			if t.ByRaft(id) == nil {
				return false
			}
		}
	}
	return true
}

// mayLeave says that enough are left without the host.
func (w *world) mayLeave(h *host) bool {
	members, data := 0, 0
	for _, o := range w.hosts {
		members += btoi(!o.spare)
		data += btoi(!o.spare && !o.witness() && o != h)
	}
	return !h.spare && members > 3 && data >= 2
}

// mayLose says that a host's store can go: a witness's always, a data host's while whoever leads a lane says that what it
// has acknowledged does not rest on one copy.
func (w *world) mayLose(h *host) bool {
	if h.witness() {
		return true
	}
	for lane := range uint16(h.lanes) {
		safe := false
		for _, o := range w.hosts {
			safe = safe || o.alive && o.s != nil && o.s.Leads(lane) && !o.s.SingleCopy(lane)
		}
		if !safe {
			return false
		}
	}
	return true
}

// operate gives the order where lane 0 is led, until it has come about as far as that host knows. Who took it may die with it.
func (w *world) operate() {
	w.after(w.between(20*time.Millisecond, 300*time.Millisecond), w.operate)
	c, l := w.order, w.first()
	if c == nil || c.verb == "" || l == nil {
		return
	}
	m := l.m.Table().Find(c.h.name)
	switch there := m != nil && m.Store == c.h.store; {
	case there == (c.verb == "remove") && l != c.h:
		l.ordered(c)
	case there == (c.verb == "remove"): // it cannot say that of itself: another is to lead first
		o := w.hosts[w.rng.IntN(len(w.hosts))]
		if m := l.m.Table().Find(o.name); m != nil {
			l.s.Hand(0, m.Raft())
			l.warm()
		}
	case !(there && m.Joining) && w.grouped(l):
		w.tell("%s %s has come about", c.verb, c.h.name)
		w.faults["done: "+c.verb]++
		w.order = nil
		if c.verb == "remove" {
			c.h.leave()
		}
	}
}

// ordered gives the host an order.
func (h *host) ordered(c *order) {
	h.mortal(func() {
		r, err := h.s.Source().ClusterOrder(context.Background(), admin.ClusterOrder{Verb: c.verb, Name: c.h.name, Address: "127.0.0.1:7004", Author: "sim"})
		if err == nil && r.OK {
			h.w.tell("%s is told: %s %s", h.name, c.verb, c.h.name)
			h.w.faults["order: "+c.verb]++
		}
	})
}

// leave ends a host that is no member any more; its disk is emptied.
func (h *host) leave() {
	if h.alive {
		h.die("it has left", newDisk(), false)
	}
	h.disk, h.spare, h.old = newDisk(), true, nil
}

// revive puts the store back for a while that a host had before it was replaced: nobody may take it for a member.
func (w *world) revive(h *host) {
	w.order = &order{h: h}
	now, old := h.disk.killed(), h.old
	h.old = nil
	h.die("its old store is put in", old, false)
	w.after(w.between(3*time.Second, 6*time.Second), func() {
		if h.alive {
			h.die("its new store is put in again", now, false)
		} else {
			h.disk = now
		}
		w.order = nil
	})
}

// id is the member's in raft groups, as another host knows it; 0 for none.
func (h *host) id(o *host) uint64 {
	if m := o.m.Table().Find(h.name); m != nil {
		return m.Raft()
	}
	return 0
}

// members says how a host sees them.
func (h *host) members() string {
	if h.m == nil {
		return fmt.Sprintf("%s: alive %v, spare %v\n", h.name, h.alive, h.spare)
	}
	text := fmt.Sprintf("%s: store %v, members %s", h.name, h.store, h.m.Table().Encode())
	for lane := range uint16(h.lanes) {
		if h.s != nil {
			text += fmt.Sprintf(", lane %d of %+v applied %d", lane, h.s.Group(lane), h.s.Applied(lane))
		}
	}
	return text + "\n"
}
