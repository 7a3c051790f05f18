package sim

import (
	"time"
)

// storm lets something go wrong now and then until the weather clears.
func (w *world) storm() {
	if w.calm {
		return
	}
	w.fault()
	w.after(w.between(10*time.Millisecond, w.gap), w.storm)
}

// fault is one thing that goes wrong.
func (w *world) fault() {
	if w.net != nil && w.chance(3) {
		w.clusterFault()
		return
	}
	h := w.hosts[w.rng.IntN(len(w.hosts))]
	c := w.carriers[w.rng.IntN(len(w.carriers))]
	k := w.clients[w.rng.IntN(len(w.clients))]
	switch w.rng.IntN(14) {
	case 0, 1:
		if h.alive {
			h.die("kill -9", h.disk.killed(), false)
		}
	case 2, 3:
		if h.alive {
			h.die("power loss", h.disk.cut([]int{0, 30, 100}[w.rng.IntN(3)], w.rng), w.chance(2))
		}
	case 4:
		if h.alive && w.chance(4) { // each costs a store that is never closed
			w.tell("the disk of %s begins to fail", h.name)
			h.failing = true
		}
	case 5, 6:
		h.stalled = w.now + int64(w.between(0, 1500*time.Millisecond))
		w.faults["slow disk"]++
	case 7:
		if k.end != nil {
			w.faults["client reset"]++
			k.end.Abort()
		}
	case 8, 9:
		if len(c.sessions) > 0 {
			w.faults["link reset"]++
			c.sessions[w.rng.IntN(len(c.sessions))].end.Abort()
		}
	case 10:
		c.down = true
		if w.orderly { // what it does not read comes once more
			for _, s := range c.sessions {
				s.end.Abort()
			}
		}
		w.faults["carrier down"]++
		w.after(w.between(0, 8*time.Second), c.up)
	case 11, 12:
		c.drift()
	case 13:
		if h.alive && h.s != nil && h.s.Version() > 0 && h.leadsFirst() {
			w.versions++
			_ = h.s.Apply(w.catalog(w.versions), "sim") // refused while another is on its way
			h.warm()
			w.faults["catalog"]++
		}
	}
}

// clusterFault is one thing that goes wrong between hosts, or with several at once.
func (w *world) clusterFault() {
	switch w.rng.IntN(8) {
	case 0, 1:
		w.severed()
	case 7:
		w.hosts[w.rng.IntN(len(w.hosts))].pace()
	case 6:
		w.stray()
	case 2:
		w.net.loss, w.net.twice = w.rng.IntN(30), w.rng.IntN(30)
	case 3:
		w.net.loss, w.net.twice = 0, 0
	default: // some of them, or all, at the same moment
		which, power := 1+w.rng.IntN(1<<len(w.hosts)-1), w.chance(2)
		for i, h := range w.hosts {
			switch {
			case which&(1<<i) == 0 || !h.alive:
			case power:
				h.die("power loss of several", h.disk.cut([]int{0, 30, 100}[w.rng.IntN(3)], w.rng), w.chance(2))
			default:
				h.die("kill -9 of several", h.disk.killed(), false)
			}
		}
	}
}

// stray gives one lane to another host than the one that leads the rest.
func (w *world) stray() {
	h, to := w.hosts[w.rng.IntN(len(w.hosts))], w.hosts[w.rng.IntN(len(w.hosts))]
	if h.alive && h.s != nil && to != h {
		h.s.Hand(uint16(w.rng.IntN(h.lanes)), to.id(h))
		h.warm()
		w.faults["lane handed over"]++
	}
}

// clear ends the storm: everybody is up and polite from here on.
func (w *world) clear() {
	w.tell("the weather clears")
	w.calm = true
	for _, c := range w.carriers {
		c.up()
	}
	if w.net != nil {
		clear(w.net.cut)
		w.net.loss, w.net.twice = 0, 0
	}
	for _, h := range w.hosts {
		h.stalled = 0
		if h.alive && h.failing {
			h.die("disk replaced", h.disk.cut(0, w.rng), false)
		}
		if !h.alive && !h.spare {
			h.start()
		}
	}
}
