package dataplane

import (
	"bytes"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
)

// A broadcast_sm is a message of the ledger like any other, with three things of its own: only sessions of 5.0 can be given
// it, its end is the carrier's answer, and that answer is the client's. It has ended then, so that a query_broadcast_sm
// or cancel_broadcast_sm finds carrier and id in its EDR, and goes on to a session of that carrier.

// broadcasts says whether a broadcast_sm can go over a session: we are the ESME of it, and both speak 5.0.
func (s *linkSession) broadcasts() bool {
	return s.version >= pdu.Version50 && s.link.index >= 0 && s.link.decl.Sends()
}

// broadcastRest is how long a broadcast waits for a session that has neither place nor rate for it just then.
const broadcastRest = 10 * 1e6

// broadcaster finds the session for a broadcast, of the carrier of the one that it was given. When that has none, the next
// target is tried, and behind the last the broadcast ends; nil says that it is not sent now.
func (l *lane) broadcaster(m *book.Msg, given *linkSession, now int64) *linkSession {
	if given.far != 0 && given.broadcasts() { // the place was lent there
		return given
	}
	c, busy := given.carrier, false
	for _, s := range c.sessions {
		switch {
		case !s.broadcasts():
		case c.takes(s, m.Class, now):
			return s
		default:
			busy = true
		}
	}
	switch {
	case busy:
		m.Due = now + broadcastRest
		m.Note |= noteServed
		l.enqueue(m, now)
	case m.Target+1 < m.N:
		l.elsewhere(m, ledger.Next, 0, now)
	default:
		l.final(m, ledger.Final{End: ledger.EndFailed, Reason: ledger.ReasonNoRoute}, now)
	}
	return nil
}

// broadcastAnswered takes the carrier's id from its answer, and keeps what that says of single areas for the client.
func (l *lane) broadcastAnswered(m *book.Msg, p []byte) (id []byte) {
	if len(p) < pdu.HeaderLen {
		return nil // a generic_nack
	}
	if areas := pdu.AppendTLVs(nil, pdu.ResponseTLVs(p), ofAreas); len(areas) > 0 {
		l.x.areas[m.ID] = areas
	}
	if id, ok := pdu.MessageID(p); ok && pdu.ParseHeader(p).Status == pdu.ROK {
		return id
	}
	return nil
}

// ofAreas are the TLVs in which a broadcast_sm_resp tells of areas that failed, one of each for each (5.0 §4.4.1.2).
func ofAreas(t pdu.Tag) bool {
	return t == pdu.TagBroadcastAreaIdentifier || t == pdu.TagBroadcastErrorStatus
}

// broadcasted is what the answer to a broadcast_sm says of its end.
func broadcasted(m *book.Msg) pdu.Status {
	switch {
	case m.End == ledger.EndSent:
		return pdu.ROK
	case m.Reason == ledger.ReasonRefused && m.FinalStatus != 0:
		return pdu.Status(m.FinalStatus)
	}
	return pdu.RBcastFail
}

// errandTag marks the tags of requests that are no message: lanes, the upper octets of an id, do not come near it.
const errandTag = 1 << 63

// errand is a request of a client that a carrier is asked about.
type errand struct {
	l   *lane
	o   *order
	far bool   // over another host's link
	g   *guest // a guest asks, by a tag of its own
	tag ledger.MsgID
}

// awaits notes a request whose answer is awaited, and returns the tag of it.
func (x *executor) awaits(r errand) ledger.MsgID {
	x.errand++
	tag := ledger.MsgID(errandTag | x.errand)
	x.errands[tag] = r
	return tag
}

// askBroadcast looks for the broadcast that a query_broadcast_sm or cancel_broadcast_sm is about. Cancelling all broadcasts
// from an address, which leaves message_id out, is not passed on: at the carrier all clients are one.
func (l *lane) askBroadcast(o *order) {
	name := o.p.Field("message_id").Octets
	id, ok := l.named(name)
	switch {
	case len(name) == 0:
		l.tell(o, broadcastRefusal(o), nil)
	case !ok || l.book.Get(id) != nil: // one that has not ended has told nobody its id
		l.tell(o, pdu.RInvMsgID, nil)
	default:
		l.lookBack(o, id, func(e *book.EDR) { l.relayBroadcast(o, e) })
	}
}

// broadcastRefusal is the status that says of such a request that it failed.
func broadcastRefusal(o *order) pdu.Status {
	if o.p.Command == pdu.QueryBroadcastSM {
		return pdu.RBcastQueryFail
	}
	return pdu.RBcastCancelFail
}

// relayBroadcast asks the carrier that took a broadcast.
func (l *lane) relayBroadcast(o *order, e *book.EDR) {
	switch {
	case e == nil || e.Account != o.account || !e.Broadcast:
		l.tell(o, pdu.RInvMsgID, nil)
		return
	case e.End != ledger.EndSent || len(e.CarrierID) == 0 || !bytes.Equal(e.Src, o.p.Field("source_addr").Octets):
		l.tell(o, broadcastRefusal(o), nil)
		return
	}
	x := l.x
	for _, s := range x.carrier(e.Carrier).sessions {
		if s.broadcasts() {
			r := *o.p
			r.Fields = append([]pdu.Field(nil), o.p.Fields...)
			tag := x.awaits(errand{l: l, o: o, far: s.far != 0})
			v := event{kind: evErrand, session: s.id, id: tag, data: r.Set("message_id", e.CarrierID).Append(nil)}
			if s.far != 0 {
				v.session = s.far
				x.tellOwner(v)
				return
			}
			x.ports[s.loop].push(v)
			return
		}
	}
	l.tell(o, broadcastRefusal(o), nil)
}

// errandDone passes on what a carrier answered, under our id; without an answer, that the request failed.
func (x *executor) errandDone(e *event) {
	r, ok := x.errands[e.id]
	if !ok {
		return
	}
	delete(x.errands, e.id)
	if r.g != nil {
		r.g.say(event{kind: evErrandDone, id: r.tag, status: e.status, data: e.data})
		return
	}
	o, st := r.o, pdu.Status(e.status)
	p, bad := pdu.Decode(e.data)
	switch {
	case bad != pdu.ROK || p.Command != o.p.Command.Resp() || len(p.Fields) == 0 && st == pdu.ROK && p.Command == pdu.QueryBroadcastSMResp:
		r.l.tell(o, broadcastRefusal(o), nil)
	case st != pdu.ROK || p.Command == pdu.CancelBroadcastSMResp:
		r.l.tell(o, st, nil)
	default:
		p.Sequence, p.Tail = o.seq, nil
		p.TLVs = pdu.AppendTLVs(nil, p.TLVs, func(t pdu.Tag) bool { return t != pdu.TagCongestionState }) // which is between it and us
		r.l.tell(o, pdu.ROK, p.Set("message_id", o.p.Field("message_id").Octets).Append(nil))
	}
}

// errandFor asks a carrier for a guest.
func (x *executor) errandFor(g *guest, e *event) {
	s := x.links[e.session]
	if s == nil || !s.up {
		g.say(event{kind: evErrandDone, id: e.id})
		return
	}
	tag := x.awaits(errand{g: g, tag: e.id})
	x.ports[s.loop].push(event{kind: evErrand, session: s.id, id: tag, data: e.data})
}

// run asks a carrier something that is no message; what finds no room is as good as unanswered.
func (k *linkPort) run(e *event, now int64) {
	if !k.sess.Send(now, e.data, uint64(e.id)) {
		k.errandLost(uint64(e.id))
		return
	}
	k.touch()
}

func (k *linkPort) errandLost(tag uint64) {
	k.loop.up.push(event{kind: evErrandDone, session: k.id, id: ledger.MsgID(tag)})
}
