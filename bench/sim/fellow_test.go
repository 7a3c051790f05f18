package sim

import (
	"bytes"
	"time"

	"smsplane/dataplane"
	"smsplane/ledger/replica"
	"smsplane/pdu"
)

// network is what hosts of a cluster say to each other over: it loses, delays, doubles and reorders, and can be cut
// in one direction.
type network struct {
	cut   map[[2]*host]bool  // from, to
	loss  int                // percent
	twice int                // percent
	delay time.Duration      // the longest
	links map[[2]*host]int64 // arrival of the newest frame about links
}

// newCluster makes two data hosts and a witness, or three data hosts.
func (w *world) newCluster(lanes int, retainAll, witness bool) {
	w.net = &network{cut: map[[2]*host]bool{}, links: map[[2]*host]int64{}, delay: w.between(200*time.Microsecond, 8*time.Millisecond)}
	for i, name := range []string{"a", "b", "c"} {
		h := w.newHost(name, lanes, retainAll)
		h.id = replica.MakeID(uint16(i+1), 1, witness && i == 2)
		h.clock = 0.95 + 0.1*w.rng.Float64() // at most ten percent apart
		w.voters = append(w.voters, h.id)
	}
}

func (h *host) witness() bool { return h.id != 0 && replica.IsWitness(h.id) }

// fellows is the cluster as the process of one life sees it.
func (h *host) fellows() *dataplane.Fellows {
	life := h.life
	return &dataplane.Fellows{Me: h.id, Voters: h.w.voters, Clock: h.now, Send: h.send, Link: h.sendLink, Spread: h.w.spread, Settle: int64(300 * time.Millisecond), Rooms: func() *map[uint64]replica.Room { return h.w.rooms },
		Own: func() {
			h.owning = h.w.ownings + 1
			h.w.ownings++
			h.w.tell("%s owns the links", h.name)
			mine := h.owning
			h.w.after(0, func() {
				if h.alive && h.life == life && h.owning == mine {
					h.w.keepLinks(h)
				}
			})
		},
		Lose: func() {
			h.owning = 0
			h.w.tell("%s loses the links", h.name)
			for _, e := range h.ends {
				if e.link {
					e.Abort()
				}
			}
		}}
}

// send gives a message to the network; that it is lost is told sometimes.
func (h *host) send(to uint64, lane uint16, msg []byte) bool {
	w, n := h.w, h.w.net
	for _, o := range w.hosts {
		if o.id != to {
			continue
		}
		if n.cut[[2]*host{h, o}] || w.rng.IntN(100) < n.loss || !o.alive {
			return w.chance(2)
		}
		data := bytes.Clone(msg)
		for range 1 + btoi(w.rng.IntN(100) < n.twice) {
			w.after(time.Duration(10e3+w.rng.Int64N(int64(n.delay))), func() {
				if o.alive && !n.cut[[2]*host{h, o}] {
					o.hear(lane, bytes.Clone(data))
				}
			})
		}
	}
	return true
}

// sendLink gives a frame about links to the network, which is a stream there: it arrives in order, and what is lost is lost with
// the stream, whose next frames may arrive.
func (h *host) sendLink(to uint64, frame []byte) bool {
	w, n := h.w, h.w.net
	for _, o := range w.hosts {
		if o.id != to {
			continue
		}
		if n.cut[[2]*host{h, o}] || w.rng.IntN(1000) < n.loss || !o.alive {
			return w.chance(2)
		}
		data, life, way := bytes.Clone(frame), o.life, [2]*host{h, o}
		n.links[way] = max(n.links[way], w.now+10e3+w.rng.Int64N(int64(n.delay)))
		w.schedule(n.links[way], func() {
			if o.s != nil && o.life == life && !n.cut[way] {
				o.warm()
				o.s.HearLink(h.id, data)
			}
		})
	}
	return true
}

func (h *host) hear(lane uint16, msg []byte) {
	h.warm()
	switch {
	case h.wit != nil:
		h.wit.Hear(lane, msg)
	case h.s != nil:
		h.s.Hear(lane, msg)
	}
}

// sends holds hosts to one owner of the links at a time: once the next one has begun to send messages, whoever owned them
// before sends none, whatever it believes and however its clock goes.
func (w *world) sends(e *end, b []byte) {
	own := e.own
	for ; len(b) >= pdu.HeaderLen; b = b[pdu.ParseHeader(b).Length:] {
		if pdu.ParseHeader(b).Command != pdu.SubmitSM {
			continue
		}
		e.carrier.paced(w.now)
		if own < w.sender {
			w.fail("a host that owned the links for the %d. time sends after the %d. owner has begun to: both believe in a lease", own, w.sender)
		}
		w.sender = own
	}
}

// doWitness is what do is to a data host.
func (h *host) doWitness(what int) {
	switch what {
	case 0:
		h.journal()
	case 1:
		h.tickAt = h.w.now + int64(10*time.Millisecond)
		if err := h.wit.Work(); err != nil {
			h.w.fail("%s gives up: %v", h.name, err)
		}
	}
}

// found applies the catalog where there is none yet and this host leads lane 0; and no two hosts lead a lane in one term.
func (h *host) found() {
	w := h.w
	if h.id == 0 {
		return
	}
	for lane := range uint16(h.lanes) {
		if !h.s.Leads(lane) {
			continue
		}
		at := leadership{lane, h.s.Term(lane)}
		if o := w.leaders[at]; o != nil && o != h {
			w.fail("%s and %s both lead lane %d in term %d", o.name, h.name, lane, at.term)
		}
		w.leaders[at] = h
	}
	if h.s.Leads(0) && h.s.Version() == 0 && w.now > w.founding {
		w.founding = w.now + int64(time.Second)
		_ = h.s.Apply(w.catalog(1), "sim") // refused while another is on its way
	}
}

// leadership is a lane in a term.
type leadership struct {
	lane uint16
	term uint64
}

// leader is the host that leads lane 0 when every lane is led: by it, unless they are spread. nil for none.
func (w *world) leader() (first *host) {
	led := map[uint16]bool{}
	for _, h := range w.hosts {
		if !h.alive || h.s == nil {
			continue
		}
		if h.s.Leads(0) {
			first = h
		}
		if !w.spread && h.leadsAll() {
			return h
		}
		for lane := range uint16(h.lanes) {
			led[lane] = led[lane] || h.s.Leads(lane)
		}
	}
	if !w.spread || first == nil || len(led) < first.lanes {
		return nil
	}
	for _, ok := range led {
		if !ok {
			return nil
		}
	}
	return first
}

func (h *host) leadsAll() bool {
	for lane := range uint16(h.lanes) {
		if h.id != 0 && !h.s.Leads(lane) {
			return false
		}
	}
	return true
}

// leadsFirst says that the host leads lane 0, where catalogs are applied.
func (h *host) leadsFirst() bool { return h.id == 0 || h.s.Leads(0) }

// agree says that all data hosts have applied the same.
func (w *world) agree() bool {
	var first *host
	for _, h := range w.hosts {
		switch {
		case !h.alive:
			return false
		case h.witness():
		case first == nil:
			first = h
		default:
			for lane := range uint16(h.lanes) {
				if h.s.Applied(lane) != first.s.Applied(lane) {
					return false
				}
			}
		}
	}
	return true
}

// severed cuts the network somewhere for a while.
func (w *world) severed() {
	n := w.net
	a, b := w.hosts[w.rng.IntN(3)], w.hosts[w.rng.IntN(3)]
	w.faults["partition"]++
	for _, o := range w.hosts {
		switch {
		case o == a:
		case w.chance(2): // a from all others
			n.cut[[2]*host{a, o}], n.cut[[2]*host{o, a}] = true, true
		case o == b: // one way only
			n.cut[[2]*host{a, o}] = true
		}
	}
	w.after(w.between(50*time.Millisecond, 4*time.Second), func() { clear(n.cut) })
}
