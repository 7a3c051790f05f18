package sim

import (
	"fmt"
	"slices"
	"time"

	"smsplane/ledger"
)

// lease is a time in which a process believes that messages of a lane may be sent to carriers, in the world's time. It
// outlives the process and its leading: what it gave to the owner of the links may still be sent.
type lease struct {
	h           *host
	life        int
	from, until int64
}

// holds notes what a host believes now, and that no two hosts believe it of one lane at a time, however their clocks go.
func (w *world) holds(h *host) {
	for lane := range uint16(h.lanes) {
		from, until := h.s.Lease(lane)
		all := slices.DeleteFunc(w.leases[lane], func(v lease) bool { return v.until+int64(late) <= w.now || until > 0 && v.h == h && v.life == h.life })
		if until > 0 {
			v := lease{h, h.life, h.worldTime(from), h.worldTime(until)}
			for _, o := range all {
				if v.from <= w.now && v.until > w.now && o.from <= w.now && o.until > w.now {
					w.fail("%s and %s both hold a lease of lane %d: from %d ms ago for %d ms more, and %d ms more", h.name, o.h.name, lane,
						(w.now-v.from)/1e6, (v.until-w.now)/1e6, (o.until-w.now)/1e6)
				}
			}
			all = append(all, v)
		}
		w.leases[lane] = all
	}
}

// late is how long after its end a lease may be used: between the look at it and the end of the loop's turn, when octets leave. It is
// little of the time that passes between two leases.
const late = 5 * time.Millisecond

// leased: what a host sends to a carrier is of a lane of which somebody holds a lease now.
func (w *world) leased(h *host, m *message) {
	lane, known := w.laneOf(m.client)
	if !known {
		return
	}
	w.holds(h)
	if !slices.ContainsFunc(w.leases[lane], func(v lease) bool { return v.from <= w.now && w.now < v.until+int64(late) }) {
		w.fail("%s sends message %d of lane %d, and nobody holds a lease of that: %s", h.name, m.n, lane, w.believed(lane))
	}
}

// laneOf is the lane of a client's messages, known once one was accepted.
func (w *world) laneOf(c *client) (uint16, bool) {
	for _, m := range c.sent {
		if m.id != "" {
			id, err := ledger.ParseMsgID([]byte(m.id))
			must(err)
			return id.Lane(), true
		}
	}
	return 0, false
}

// believed lists the leases of a lane.
func (w *world) believed(lane uint16) (text string) {
	for _, v := range w.leases[lane] {
		text += fmt.Sprintf("%s from %d to %d ms from now; ", v.h.name, (v.from-w.now)/1e6, (v.until-w.now)/1e6)
	}
	for _, h := range w.hosts {
		if h.s != nil {
			text += fmt.Sprintf("%s leads %v; ", h.name, h.s.Leads(lane))
		}
	}
	return text
}
