package sim

import (
	"bytes"
	"time"

	"smsplane/dataplane/cluster"
)

// network is what hosts of a cluster say to each other over: it loses, delays, doubles and reorders, and can be cut
// in one direction. Nothing passes before both ends have said hello and found each other to be members.
type network struct {
	cut     map[way]bool
	loss    int           // percent
	twice   int           // percent
	delay   time.Duration // the longest
	talks   map[way]*talk
	refused int // hellos
}

// way is from one host to another.
type way struct{ from, to *host }

// talk is a stream that a host has dialled; it ends with either process.
type talk struct {
	way
	lives [2]int
	at    int64 // arrival of the newest that must not be overtaken
}

// talk is the stream that stands between two processes, nil for none. Who dialled may be dead: what it sent still arrives.
func (n *network) talk(v way) *talk {
	s := n.talks[v]
	if s == nil || !v.to.alive || s.lives != [2]int{v.from.life, v.to.life} {
		return nil
	}
	return s
}

// dial says hello to every host that is known and not spoken with, now and then, as long as the process lives.
func (w *world) dial(h *host) {
	life := h.life
	for _, o := range w.hosts {
		if v := (way{h, o}); o != h && o.alive && h.knows(o) && w.net.talk(v) == nil && !w.net.cut[v] && !w.net.cut[way{o, h}] {
			w.greet(v)
		}
		if !h.alive || h.life != life {
			return
		}
	}
	w.after(w.between(5*time.Millisecond, 100*time.Millisecond), func() {
		if h.alive && h.life == life {
			w.dial(h)
		}
	})
}

// knows says that a host has the other's address: by its node file, or by the table of members.
func (h *host) knows(o *host) bool {
	for _, m := range h.cfg.Cluster.Members {
		if m.Name == o.name {
			return true
		}
	}
	return h.m.Table().Find(o.name) != nil
}

// greet is a new stream: a hello each way.
func (w *world) greet(v way) {
	if v.to.heard(v.from, v.from.m.Hello()) && v.from.alive && v.to.alive && v.from.heard(v.to, v.to.m.Hello()) && v.to.alive {
		w.net.talks[v] = &talk{way: v, lives: [2]int{v.from.life, v.to.life}}
		if v.from.s != nil {
			v.from.s.Lost(v.to.id(v.from)) // the stream before this one had broken
		}
	}
}

// heard takes another host's hello, and says whether the two may talk.
func (h *host) heard(o *host, v *cluster.Hello) (ok bool) {
	v, err := cluster.ParseHello(v.Encode())
	must(err)
	h.warm()
	h.mortal(func() {
		if err := h.m.Heard(v); err != nil {
			h.w.net.refused++
			return
		}
		ok = true
		h.admits(o, v)
		h.serve()
	})
	return ok && h.alive
}

// admits: who may talk to a member is a member, with the store that the table names.
func (h *host) admits(o *host, v *cluster.Hello) {
	t := h.m.Table()
	if t == nil {
		return
	}
	if m := t.Find(o.name); m == nil || m.Store != v.Store || v.Table != nil && v.Table.Cluster != t.Cluster {
		h.w.fail("%s talks with %s, whose store is %v; it is no member as %s knows them: %s", h.name, o.name, v.Store, h.name, t.Encode())
	}
}

// announce says hello again over every stream. One that it gets lost on has broken.
func (h *host) announce() {
	if h.m == nil { // it is being opened
		return
	}
	hello, w := h.m.Hello(), h.w
	for _, o := range w.hosts {
		v := way{h, o}
		if s := w.net.talk(v); s != nil && !w.carry(s, true, func() {
			if !o.heard(h, hello) {
				delete(w.net.talks, v)
			}
		}) {
			delete(w.net.talks, v)
		}
	}
}

// say gives the network what a host has for the member with that id. Raft's messages are lost, doubled and overtaken
// one by one; the others are a stream: they arrive in order, and what is lost is lost with the stream, whose next ones may arrive. That something is
// lost is told sometimes.
func (h *host) say(to uint64, ordered bool, hear func(o *host)) bool {
	w := h.w
	m := h.m.Table().ByRaft(to)
	if m == nil {
		return false
	}
	o := w.host(m.Name)
	s := w.net.talk(way{h, o})
	return s != nil && (w.carry(s, ordered, func() {
		o.warm()
		o.mortal(func() { hear(o) })
	}) || w.chance(2))
}

// carry brings something to the other end of a stream, maybe.
func (w *world) carry(s *talk, ordered bool, hear func()) bool {
	n, of, twice := w.net, 100, 0
	if ordered {
		of = 1000
	} else {
		twice = btoi(w.rng.IntN(100) < n.twice)
	}
	if n.cut[s.way] || w.rng.IntN(of) < n.loss {
		return false
	}
	for range 1 + twice {
		at := w.now + 10e3 + w.rng.Int64N(int64(n.delay))
		if ordered {
			s.at = max(s.at, at)
			at = s.at
		}
		w.schedule(at, func() {
			if n.talk(s.way) == s && !n.cut[s.way] {
				hear()
			}
		})
	}
	return true
}

// send, sendLink and ship are a host's Fellows.
func (h *host) send(to uint64, lane uint16, msg []byte) bool {
	data := bytes.Clone(msg)
	return h.say(to, false, func(o *host) {
		switch data := bytes.Clone(data); {
		case o.wit != nil:
			o.wit.Hear(lane, data)
		case o.s != nil:
			o.s.Hear(lane, data)
		}
	})
}

func (h *host) sendLink(to uint64, frame []byte) bool {
	data := bytes.Clone(frame)
	return h.say(to, true, func(o *host) {
		if m := o.m.Table().Find(h.name); m != nil && o.s != nil {
			o.s.HearLink(m.Raft(), data)
		}
	})
}

func (h *host) ship(to uint64, lane uint16, answer bool, piece []byte) bool {
	return h.say(to, true, func(o *host) {
		if m := o.m.Table().Find(h.name); m != nil && o.s != nil {
			o.w.faults["pieces of lanes sent to a host"] += btoi(!answer)
			o.s.HearShip(m.Raft(), lane, answer, piece)
		}
	})
}

// severed cuts the network somewhere for a while.
func (w *world) severed() {
	n := w.net
	a, b := w.hosts[w.rng.IntN(len(w.hosts))], w.hosts[w.rng.IntN(len(w.hosts))]
	w.faults["partition"]++
	for _, o := range w.hosts {
		switch {
		case o == a:
		case w.chance(2): // a from all others
			n.cut[way{a, o}], n.cut[way{o, a}] = true, true
		case o == b: // one way only
			n.cut[way{a, o}] = true
		}
	}
	w.after(w.between(50*time.Millisecond, 4*time.Second), func() { clear(n.cut) })
}
