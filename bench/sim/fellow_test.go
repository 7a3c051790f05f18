package sim

import (
	"fmt"
	"time"

	"smsplane/dataplane"
	"smsplane/dataplane/config"
	"smsplane/pdu"
)

// newCluster makes two data hosts and a witness, or three data hosts; spares are hosts that may be added later.
func (w *world) newCluster(lanes int, retainAll, witness bool, spares int) {
	w.net = &network{cut: map[way]bool{}, talks: map[way]*talk{}, delay: w.between(200*time.Microsecond, 8*time.Millisecond)}
	var all []config.Member
	for i, name := range []string{"a", "b", "c", "d"}[:3+spares] {
		all = append(all, config.Member{Name: name, Address: fmt.Sprintf("127.0.0.1:%d", 7001+i), Witness: witness && i == 2})
	}
	w.members = all
	hold := []int64{0, 32 << 10}[w.rng.IntN(2)]
	for i := range all {
		h := w.newHost(all[i].Name, lanes, retainAll)
		h.spare, h.hold = i >= 3, hold
		h.cfg.Cluster = &config.Cluster{Members: all[:max(3, i+1)], Spread: w.spread}
		h.pace()
	}
}

// pace gives a host's clock another rate: any two are at most a tenth apart from true time, each its own way.
func (h *host) pace() {
	h.clockAt, h.clockSince, h.clock = h.now(), h.w.now, 0.9+0.2*h.w.rng.Float64()
}

// worldTime is when, by the world's clock, the host's shows t, if its rate stays.
func (h *host) worldTime(t int64) int64 {
	return h.clockSince + int64(float64(t-h.clockAt)/h.clock)
}

func (h *host) witness() bool { return h.cfg.Cluster != nil && h.cfg.Witness() }

// host is the one of that name.
func (w *world) host(name string) *host {
	for _, h := range w.hosts {
		if h.name == name {
			return h
		}
	}
	w.fail("there is no host %s", name)
	return nil
}

// fellows is the cluster as the process of one life sees it.
func (h *host) fellows() *dataplane.Fellows {
	life, w := h.life, h.w
	return &dataplane.Fellows{Announce: h.announce, Clock: h.now, Send: h.send, Link: h.sendLink, Ship: h.ship, Settle: int64(300 * time.Millisecond), Hold: h.hold, Chunk: 4 << 10, Free: h.free,
		Own: func() {
			h.owning = w.ownings + 1
			w.ownings++
			w.tell("%s owns the links", h.name)
			mine := h.owning
			w.after(0, func() {
				if h.alive && h.life == life && h.owning == mine {
					w.keepLinks(h)
				}
			})
		},
		Lose: func() {
			h.owning = 0
			w.tell("%s loses the links", h.name)
			for _, e := range h.ends {
				if e.link {
					e.Abort()
				}
			}
		}}
}

// serve begins what a member is there for, once it is one.
func (h *host) serve() {
	if h.m.Table() == nil || h.s != nil || h.wit != nil {
		return
	}
	var err error
	if h.witness() {
		h.wit, err = h.m.Witness()
	} else {
		h.s, err = h.m.Serve()
	}
	if err != nil {
		h.w.fail("%s does not start: %v", h.name, err)
	}
	h.warm()
}

// sends holds hosts to one owner of the links at a time: once the next one has begun to send messages, whoever owned them
// before sends none, whatever it believes and however its clock goes. And to the leases of lanes.
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
		w.leased(e.host, e.carrier.read(b[:pdu.ParseHeader(b).Length]))
	}
}

// doWitness is what doData is to a data host. A host that is no member yet does nothing.
func (h *host) doWitness() {
	h.tickAt = h.w.now + int64(10*time.Millisecond)
	if h.wit == nil {
		return
	}
	if err := h.wit.Work(); err != nil {
		h.w.fail("%s gives up: %v", h.name, err)
	}
}

// found applies the catalog where there is none yet and this host leads lane 0; and no two hosts lead a lane in one term.
func (h *host) found() {
	w := h.w
	if w.net == nil {
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
		if h.w.net != nil && !h.s.Leads(lane) {
			return false
		}
	}
	return true
}

// leadsFirst says that the host leads lane 0, where catalogs are applied.
func (h *host) leadsFirst() bool { return h.w.net == nil || h.s.Leads(0) }

// agree says that all data hosts have applied the same, and nobody is about to come or go.
func (w *world) agree() bool {
	if w.order != nil {
		return false
	}
	var first *host
	for _, h := range w.hosts {
		switch {
		case h.spare:
		case !h.alive || h.s == nil && h.wit == nil:
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
