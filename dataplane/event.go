package dataplane

import (
	"smsplane/ledger"
	"smsplane/ring"
	"smsplane/router"
)

// eventKind says what crosses between a loop and the executor.
type eventKind uint8

const (
	// From a loop up to the executor.
	evBlock       eventKind = iota + 1 // lane, data: a sealed block of accepted messages
	evAnswer                           // session (link), id, status, data: the carrier's id (a broadcast_sm_resp whole), at: round trip, ns, number: the part of it that was not ours, ns; seq: congestion_state + 1
	evLate                             // the same, after the answer's time was over
	evLost                             // session (link), id: written, and no answer will come; status: lostEnded or lostFenced when the session ended
	evUnsent                           // session (link), id: never written
	evFromCarrier                      // session (link), seq, status: command, data: deliver_sm or data_sm
	evReturned                         // session (client), id, status: the answer to a deliver_sm of ours
	evUnreturned                       // session (client), id: no answer will come; status: 1 if the client is silent
	evClientUp                         // session (client), id: account, seq: deliver window, status: receives, without
	evClientDown                       // session (client)
	evAsked                            // session (client), lane, seq, id: account, data: query_sm, cancel_sm, replace_sm, or one about a broadcast
	evErrandDone                       // session (link), id: tag, status, data: the answer to evErrand; without data there is none
	evLinkUp                           // session (link), status: interface_version
	evLinkDown                         // session (link)
	evForgotten                        // lane: nothing of it is on its way up any more
	evAlert                            // session (link), data: alert_notification; and down: session (client), data

	// From the executor down to a loop.
	evCommitted // lane: its oldest block is committed
	evSend      // session (link), id, number, data: PDU, at: end of validity, seq: priority, status: registered_delivery, lane: guest's place in the fence
	evReply     // session, seq, status, id: command of the request; data: the response, if it is more than a status
	evEnded     // id, status, seq: delivery_failure_reason, data: TLVs of a broadcast's areas: a message in transaction mode
	evErrand    // session (link), id: tag, data: a request that is no message
	evDeliver   // session (client), id, data: deliver_sm
	evDemoted   // lane: it is not led here any more
	evLed       // lane, id: the sequence for its next message
	evCramped   // lane, status: 1: what enters it would need a disk that is full; 0: not any more
	evRecall    // lane: guest's place in the fence, id: its lane: what waits for a window goes back unsent

	// Between hosts, besides those about messages, alerts and errands; see guest.go.
	evHold  // to the owner: lane, id: the term in which the guest leads it, 0: it does not; at: rest of its lease since the last stamp
	evWant  // to the owner: lane, session: claim, id: carrier, seq: class, at: count of egress.Demand
	evBack  // to the owner: lane, session, id: claim, seq: class, status: carrier: a place that is not used
	evTook  // to the owner: seq: number of what was handed over, status: the answer for the carrier, or tookNot
	evBeat  // to the owner: seq: version of the catalog
	evStamp // to the guest: at: the owner's clock
	evOpen  // to the guest: session, id: carrier, seq: link + 1, status: window, lane: version of SMPP
	evShut  // to the guest: session: nothing more is lent for it
	evOver  // to the guest: session: it has ended
	evClaim // to the guest: lane, id: number of its claim to it: its counts of that lane begin anew
	evLend  // to the guest: lane, id: claim, session, seq: class, at: carrier: a place for one message
	evGiven // to the guest: see hand.go

	evLast // none
)

// How a session ended with whose end a message was lost, in evLost; 0: its answer did not come in time.
const (
	lostEnded  = 1 + iota
	lostFenced // we ended it, because another host may own the links by now
)

// What a client's bind can carry, in evClientUp.
const (
	receives = 1 << iota // deliver_sm
	without              // no TLVs: it is bound as SMPP 3.3
)

// event is what rings carry: 64 octets; data aliases a block or an arena that nobody changes.
type event struct {
	kind    eventKind
	lane    uint16
	session uint32
	seq     uint32
	status  uint32
	id      ledger.MsgID
	at      int64
	number  router.Number
	data    []byte
}

const ringSize = 1 << 14

// outbox is the producer's end of a ring. What does not fit waits here, in order; its size is bounded by the
// windows and blocks whose events it carries. Its owner may sleep when some does not fit: it is woken when there is room.
type outbox struct {
	ring    *ring.Ring[event]
	waiting []event
}

func (o *outbox) push(e event) { o.waiting = append(o.waiting, e) }

// flush passes on what fits; it reports how many events it passed and whether all did.
func (o *outbox) flush() (n int, all bool) {
	for n < len(o.waiting) {
		slots := o.ring.Reserve(len(o.waiting) - n)
		if len(slots) == 0 {
			break
		}
		n += copy(slots, o.waiting[n:])
		o.ring.Commit(len(slots))
	}
	if n == len(o.waiting) {
		clear(o.waiting)
		o.waiting = o.waiting[:0]
		return n, true
	}
	rest := copy(o.waiting, o.waiting[n:])
	clear(o.waiting[rest:])
	o.waiting = o.waiting[:rest]
	return n, false
}

// stuck says that something waits for room in the ring and there is none; whoever takes from the ring will say so when there is.
func (o *outbox) stuck() bool { return len(o.waiting) > 0 && !o.ring.AwaitRoom() }

// aheadEvents is how many events are looked at together, so that what they are about is fetched together.
const aheadEvents = 16

// drain hands at most limit events to f; ahead sees each one shortly before.
func drain(r *ring.Ring[event], limit int, ahead, f func(e *event)) (n int) {
	for n < limit {
		es := r.Peek(limit - n)
		if len(es) == 0 {
			break
		}
		for i := range es {
			if i%aheadEvents == 0 {
				for j := range es[i:min(i+aheadEvents, len(es))] {
					ahead(&es[i+j])
				}
			}
			f(&es[i])
			es[i].data = nil
		}
		r.Release(len(es))
		n += len(es)
	}
	return n
}

// arena hands out copies of short byte strings from large pieces, so that a message costs no allocation.
type arena struct{ free []byte }

const arenaBytes = 64 << 10

func (a *arena) copy(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	if len(b) > len(a.free) {
		a.free = make([]byte, max(arenaBytes, len(b)))
	}
	n := copy(a.free, b)
	c := a.free[:n:n]
	a.free = a.free[n:]
	return c
}
