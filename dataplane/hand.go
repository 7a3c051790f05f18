package dataplane

import (
	"bytes"
	"encoding/json"
	"maps"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
	"smsplane/pdu/profile"
	"smsplane/router"
)

// What a carrier sends us is about a lane, and only who leads that can journal it. The owner of the links finds out which lane,
// and where a guest leads it, hands it over: evGiven with a number, the guest's word about it in evTook. The carrier is answered,
// and a receipt that waited is taken from those that do, when the guest has committed it. What is not taken, because the lane has
// another leader by then or the stay ends, the carrier is asked for again, and what waited waits on.
//
// evGiven: seq: its number, status: what it is, id: message or account, lane: part of the message, number: carrier and link, data.

// What is handed over, in evGiven.
const (
	givenReceipt  = 1 + iota // the message is known by the carrier's id
	givenInferred            // it can only be about that message, which is in doubt
	givenEnded               // of a message that has ended
	givenPast                // the same, out of the archive; data: pastReceipts
	givenMobile              // a message for an account
)

// tookNot is the answer to what the guest finds to be about another message, in evTook.
const tookNot = 1 << 31

// handed is something that a guest has and has not answered for.
type handed struct {
	lane    uint16
	what    uint32
	id      ledger.MsgID
	part    uint8
	carrier uint16
	link    *link // nil: not known any more
	data    []byte
	reply   *ack         // to the carrier; nil: it had its answer, and the receipt waits among the early ones
	aside   ledger.MsgID // it was for nobody, and stands in lane 0
}

// linkCode is a link in evGiven; its inverse is dialect.
func linkCode(carrier uint16, k *link) router.Number {
	if k == nil {
		return router.Number(carrier)
	}
	return router.Number(carrier) | router.Number(k.index+2)<<16
}

func (x *executor) dialect(code router.Number) *profile.Link {
	_, d := x.declared(linkPlace{uint16(code), int(code>>16) - 2})
	if d == nil {
		return nil
	}
	return d.Profile
}

// reaches says that whoever leads a lane can be given what is about it: it is led here, or by a guest.
func (x *executor) reaches(lane uint16) bool {
	return x.lanes[lane].leading || x.guests != nil && x.guests.lanes[lane] != nil
}

// reachesAll says so of every lane.
func (x *executor) reachesAll() bool {
	for _, l := range x.lanes {
		if !x.reaches(l.n) {
			return false
		}
	}
	return true
}

// hand gives something to the guest that leads its lane; without one the carrier is asked for it again.
func (x *executor) hand(h *handed) {
	var g *guest
	if x.guests != nil {
		g = x.guests.lanes[h.lane]
	}
	if g == nil {
		x.notTaken(h)
		return
	}
	g.token++
	g.handed[g.token] = h
	g.say(event{kind: evGiven, seq: g.token, status: h.what, id: h.id, lane: uint16(h.part), number: linkCode(h.carrier, h.link), data: h.data})
}

// handReceipt hands over a receipt for a message; reply is nil for one that waited.
func (x *executor) handReceipt(what uint32, id ledger.MsgID, part uint8, carrier uint16, k *link, p []byte, reply *ack) {
	x.hand(&handed{lane: id.Lane(), what: what, id: id, part: part, carrier: carrier, link: k, data: bytes.Clone(p), reply: reply.kept()})
}

// kept is a copy to keep: the caller's stays off the heap, for all that is not handed over.
func (a *ack) kept() *ack {
	if a == nil {
		return nil
	}
	k := *a
	return &k
}

// took is a guest's word about what it was given.
func (x *executor) took(g *guest, e *event, now int64) {
	h := g.handed[e.seq]
	if h == nil {
		return
	}
	delete(g.handed, e.seq)
	switch {
	case e.status == uint32(pdu.ROK):
		x.taken(h, now)
	case e.status == tookNot:
		x.tookNot(h, now)
	default:
		x.notTaken(h)
	}
}

// tookNot keeps a receipt that the guest finds to be about another message.
func (x *executor) tookNot(h *handed, now int64) {
	maps.DeleteFunc(x.guests.named, func(_ strayKey, v passedOn) bool { return v.id == h.id })
	switch {
	case h.what == givenPast || h.link == nil || !x.parsed(h):
		x.notTaken(h)
	case h.reply != nil:
		x.seek.link = h.link
		x.orphaned(h.carrier, h.data, h.reply, now)
		x.belated.add(h.carrier, h.link, x.receipt.ID)
		fallthrough
	default:
		x.strays.add(h.carrier, h.link, x.receipt.ID, h.data, now)
	}
}

// taken ends what the owner kept for something that is committed elsewhere.
func (x *executor) taken(h *handed, now int64) {
	switch {
	case h.reply != nil:
		x.reply(h.reply.session, h.reply.command, h.reply.seq, pdu.ROK)
	case h.aside != 0:
		x.lanes[0].release(x.lanes[0].book.Get(h.aside), 0, pdu.ROK, now)
	case h.what != givenPast && x.parsed(h):
		x.claim(h.carrier, h.data, &x.receipt)
	}
}

// notTaken asks for something again, or lets it wait on.
func (x *executor) notTaken(h *handed) {
	switch {
	case h.reply != nil:
		x.reply(h.reply.session, h.reply.command, h.reply.seq, pdu.RXTAppn)
	case h.aside != 0:
		if l := x.lanes[0]; l.leading {
			l.setAside(l.book.Get(h.aside))
			x.guests.again = true
		}
	case h.link != nil && h.what != givenPast && x.parsed(h):
		x.strays.add(h.carrier, h.link, x.receipt.ID, h.data, x.now)
		x.strays.stirred = true
	}
}

// parsed reads the receipt that was handed over into the executor's view.
func (x *executor) parsed(h *handed) bool {
	var p *profile.Link
	if h.link != nil {
		p = h.link.decl.Profile
	}
	return x.view.Parse(h.data) == pdu.ROK && p.ParseReceipt(&x.view, &x.receipt)
}

// given takes what the owner hands over. Its word goes back when what was made of it is committed.
func (x *executor) given(e *event, now int64) {
	reply := ack{stay: x.far.stay, seq: e.seq}
	no := func(st uint32) { x.tellOwner(event{kind: evTook, seq: e.seq, status: st}) }
	if e.status == givenMobile {
		a := x.accounts[uint32(e.id)]
		if a == nil || !x.lanes[a.Lane].leading {
			no(uint32(pdu.RXTAppn))
			return
		}
		if !x.lanes[a.Lane].mayPark(a.Number) {
			x.refuseMobile(&reply)
			return
		}
		l := x.addMO(a.Number, uint16(e.number), e.data, now)
		l.acks = append(l.acks, reply)
		l.recorded(now)
		return
	}
	l := x.lanes[e.id.Lane()]
	if !l.leading {
		no(uint32(pdu.RXTAppn))
		return
	}
	if e.status == givenPast {
		l.takePast(e.data, x.dialect(e.number), &reply, now)
		return
	}
	r := &x.receipt
	if x.view.Parse(e.data) != pdu.ROK || !x.dialect(e.number).ParseReceipt(&x.view, r) {
		no(tookNot)
		return
	}
	m := l.book.Get(e.id)
	switch {
	case e.status == givenInferred && (m == nil || !open(m)):
		no(tookNot)
	case e.status == givenInferred:
		l.inferred(m, r, &reply, now)
	case e.status == givenEnded || m == nil:
		l.repeated(e.id, r, &reply, now)
	case m.Phase != phaseAwaiting && m.State != book.StateEnded && m.Phase != phaseEnding: // its answer was about another copy
		no(tookNot)
	default:
		l.received(m, uint8(e.lane), r, &reply, now)
	}
}

// pastReceipts are receipts for a message of the archive, as they are handed over: with what is to be known of it.
type pastReceipts struct {
	ID                                uint64
	Account                           uint32
	Carrier                           uint16
	Registered, Parts, Behind, Ending uint8
	Short, Told                       bool
	Accepted                          int64
	Src, Dst                          []byte
	Receipts                          [][]byte
}

func (x *executor) handPast(v *past, k *link, all [][]byte) {
	e := v.edr
	b, err := json.Marshal(pastReceipts{uint64(e.ID), e.Account, e.Carrier, e.Registered, e.Parts, e.Behind, uint8(e.End), e.ShortID, v.told, e.Accepted, e.Src, e.Dst, all})
	if err != nil {
		x.fail(err)
		return
	}
	x.hand(&handed{lane: e.ID.Lane(), what: givenPast, id: e.ID, carrier: e.Carrier, link: k, data: b})
}

// takePast notes them with the message.
func (l *lane) takePast(b []byte, p *profile.Link, reply *ack, now int64) {
	var v pastReceipts
	if json.Unmarshal(b, &v) == nil {
		e := &book.EDR{ID: ledger.MsgID(v.ID), Account: v.Account, Carrier: v.Carrier, Registered: v.Registered, Parts: v.Parts, Behind: v.Behind,
			End: ledger.End(v.Ending), ShortID: v.Short, Accepted: v.Accepted, Src: v.Src, Dst: v.Dst}
		if l.remember(&past{edr: e, told: v.Told}, p, v.Receipts, reply, now) {
			return
		}
	}
	l.x.tellOwner(event{kind: evTook, seq: reply.seq, status: tookNot})
}
