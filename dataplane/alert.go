package dataplane

import (
	"smsplane/dataplane/admin"
	"smsplane/ledger"
	"smsplane/pdu"
)

// An alert_notification says that a phone can be reached again (3.4 §4.12). It has no answer, so its carrier keeps none and
// nobody could say that one arrived: it is worth something to who is bound at that moment, and is not stored. It goes to the
// client that the mo rules name for its esme_addr, over one of the binds that receive.

// Nothing slows a carrier that sends too many: above maxAlerts of them between a loop and the executor, either way, they
// are dropped.
const maxAlerts = ringSize / 4

// fromMobileAlert hands an alert to the loop of a bind of its client.
func (x *executor) fromMobileAlert(s *linkSession, e *event) {
	p, st := pdu.Decode(e.data)
	if st != pdu.ROK {
		x.alerts.Dropped++
		return
	}
	account, ok := x.table.MO(s.carrier.n, p.Field("esme_addr").Octets, nil)
	if !ok {
		x.alerts.Unrouted++
		return
	}
	x.alert(account, e.data)
}

// alert hands one to a bind of its client, here or at the guest that leads the client's lane.
func (x *executor) alert(account uint32, p []byte) {
	a := x.accounts[account]
	if a == nil {
		x.alerts.Unrouted++
		return
	}
	if x.guests != nil && x.guests.lanes[a.Lane] != nil {
		if g := x.guests.lanes[a.Lane]; len(g.queue) >= maxAlerts {
			x.alerts.Dropped++
		} else {
			g.say(event{kind: evAlert, id: ledger.MsgID(account), data: p})
		}
		return
	}
	c := x.lanes[a.Lane].returns[account].listener()
	switch {
	case c == nil:
		x.alerts.Unbound++
	case len(x.ports[c.loop].waiting) >= maxAlerts:
		x.alerts.Dropped++
	default:
		x.ports[c.loop].push(event{kind: evAlert, session: c.id, data: p})
	}
}

// listener is the next bind that can carry an alert: none that is bound as 3.3, which has none. r may be nil.
func (r *returns) listener() *clientSession {
	if r == nil {
		return nil
	}
	for range r.binds {
		if r.next++; r.next >= len(r.binds) {
			r.next = 0
		}
		if s := r.binds[r.next]; !s.noTLVs {
			return s
		}
	}
	return nil
}

// alerted passes an alert of a carrier on to the executor.
func (l *loop) alerted(session uint32, p []byte) {
	if len(l.up.waiting) >= maxAlerts {
		l.alerts.Dropped++
		return
	}
	l.up.push(event{kind: evAlert, session: session, data: l.arena.copy(p)})
}

// alert writes one to a client, whose bind may be gone or may not keep up.
func (l *loop) alert(e *event) {
	c := l.clients[e.session]
	switch {
	case c == nil:
		l.alerts.Unbound++
	case c.conn.Congested() || !c.bind.Alert(e.data):
		l.alerts.Dropped++
	default:
		l.alerts.Relayed++
	}
}

// addAlerts sums what was counted at two places.
func addAlerts(a, b admin.Alerts) admin.Alerts {
	return admin.Alerts{Relayed: a.Relayed + b.Relayed, Unrouted: a.Unrouted + b.Unrouted, Unbound: a.Unbound + b.Unbound, Dropped: a.Dropped + b.Dropped}
}
