package dataplane

import (
	"time"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
)

// returns is what an account has to get: receipts, and messages from carriers. They wait here, durably,
// while no bind of the client receives.
//
// What piled up while the client had no receiving bind is its backlog; what comes while it has one is fresh.
// As long as both wait they take turns, so that a backlog of days does not delay the news of today by more
// than half. What the client refused for reasons of its own three times is set aside: it stands in nobody's
// way, and is listed until its time is over.
type returns struct {
	account uint32
	fresh   book.List
	backlog book.List
	aside   book.List
	binds   []*clientSession
	next    int
	turn    bool // the backlog's
	tired   bool // among lane.tired

	givenUp int   // receipts for want of room, since that was told
	tellAt  int64 // when it is told again at the earliest
}

// clientSession is the executor's side of a client's bind.
type clientSession struct {
	id      uint32
	account uint32
	lane    *lane
	loop    int
	credit  int   // deliver_sm that may still be sent
	noTLVs  bool  // bound as SMPP 3.3
	restTil int64 // the client could not take one just then
	fails   int   // times in a row
}

func (l *lane) returnsOf(account uint32) *returns {
	r := l.returns[account]
	if r == nil {
		r = &returns{account: account}
		l.returns[account] = r
	}
	return r
}

// joined and left follow the client's receiving binds.
func (l *lane) joined(r *returns, s *clientSession) {
	r.binds = append(r.binds, s)
	l.give(r)
}

func (l *lane) left(r *returns, s *clientSession) {
	for i, b := range r.binds {
		if b == s {
			r.binds = append(r.binds[:i], r.binds[i+1:]...)
			break
		}
	}
	if len(r.binds) == 0 {
		l.book.Join(&r.backlog, &r.fresh, func(m *book.Msg) { m.Phase = phaseBacklog })
	}
}

// ended follows a committed FINAL: the hold goes back to the credit, the receipt to the client.
func (l *lane) ended(r *ledger.Record, m *book.Msg) error {
	if !l.leading {
		return nil // the credit is set from the books when all of the log is applied
	}
	x := l.x
	var f ledger.Final
	r.Final(&f)
	x.billers.messages++
	x.billers.latency.Add(x.now - m.Ended)
	if a := x.accounts[m.Account]; a != nil {
		a.Credit.Add(int64(f.Hold - f.Charge))
	}
	if m.Transact {
		st, why := transacted(m)
		x.ports[l.loop].push(event{kind: evEnded, id: m.ID, status: uint32(st), seq: uint32(why), data: x.areas[m.ID]})
		delete(x.areas, m.ID)
	}
	if m.Return {
		m.Fails = 0
		l.toReturning(m, false)
	}
	return nil
}

// transacted is what the answer in transaction mode says of a message's end (3.4 §5.3.2.33).
func transacted(m *book.Msg) (st pdu.Status, reason uint8) {
	const unavailable, invalid, permanent, temporary = 0, 1, 2, 3
	switch {
	case m.Broadcast:
		return broadcasted(m), 0
	case m.End == ledger.EndDelivered || m.End == ledger.EndSent:
		return pdu.ROK, 0
	case m.End == ledger.EndExpired || m.End == ledger.EndUnknown:
		return pdu.RDeliveryFailure, unavailable
	case m.FinalStatus == uint32(pdu.RInvDstAdr):
		return pdu.RDeliveryFailure, invalid
	case m.Reason == ledger.ReasonReceipt:
		return pdu.RDeliveryFailure, permanent
	}
	return pdu.RDeliveryFailure, temporary
}

// wantsReceipt reads registered_delivery (3.4 §5.2.17): 1 always, 2 on failure, 3 on success (5.0).
func wantsReceipt(registered uint8, end ledger.End) bool {
	switch registered & 3 {
	case 1:
		return true
	case 2:
		return end != ledger.EndDelivered && end != ledger.EndSent
	case 3:
		return end == ledger.EndDelivered
	}
	return false
}

// toReturning puts what the client has to get into line; again is for what it was offered before.
func (l *lane) toReturning(m *book.Msg, again bool) {
	if m.Account == nobody {
		l.setAside(m)
		return
	}
	r := l.returnsOf(m.Account)
	list := &r.fresh
	if m.Phase = phaseReturning; len(r.binds) == 0 {
		list, m.Phase = &r.backlog, phaseBacklog
	}
	if again {
		l.book.PushFront(list, m)
	} else {
		l.book.Push(list, m)
	}
	l.give(r)
	if !again {
		l.makeRoom(r, m, l.x.now)
	}
}

// give sends what waits to binds that have credit, in turn.
func (l *lane) give(r *returns) {
	for {
		list := r.list()
		if list == nil {
			return
		}
		m := l.book.Front(list)
		s := r.bind(m.With, l.x.now)
		if s == nil {
			if !r.tired && r.resting(l.x.now) {
				r.tired = true
				l.tired = append(l.tired, r)
			}
			return
		}
		l.x.doing = step{inReturns, m.ID}
		if l.inParts(list, m, s) {
			continue
		}
		p, ok := l.deliver(m, s)
		if !ok {
			return // the store cannot be read: the node ends
		}
		l.book.Remove(list, m)
		if p == nil {
			l.setAside(m)
			continue
		}
		r.turn = list == &r.fresh
		s.credit--
		m.Phase, m.With = phaseReturned, s.id
		l.x.ports[s.loop].push(event{kind: evDeliver, session: s.id, id: m.ID, data: p})
	}
}

// list is whose turn it is, nil when nothing waits.
func (r *returns) list() *book.List {
	switch {
	case r.fresh.Len() == 0 && r.backlog.Len() == 0:
		return nil
	case r.backlog.Len() == 0:
		return &r.fresh
	case r.fresh.Len() == 0:
		return &r.backlog
	}
	if r.turn {
		return &r.backlog
	}
	return &r.fresh
}

// bind is the next bind with credit; the one that failed last only when no other can take it.
func (r *returns) bind(failed uint32, now int64) (last *clientSession) {
	for range r.binds {
		if r.next++; r.next >= len(r.binds) {
			r.next = 0
		}
		s := r.binds[r.next]
		switch {
		case s.credit <= 0 || s.restTil > now:
		case s.id == failed:
			last = s
		default:
			return s
		}
	}
	return last
}

// resting says that a bind will take something again by itself.
func (r *returns) resting(now int64) bool {
	for _, s := range r.binds {
		if s.credit > 0 && s.restTil > now {
			return true
		}
	}
	return false
}

// rouse looks whether binds that rested can go on.
func (l *lane) rouse() {
	tired := l.tired
	l.tired = nil
	for _, r := range tired {
		r.tired = false
		l.give(r)
	}
}

// setAside takes what the client will not have out of everybody's way.
func (l *lane) setAside(m *book.Msg) {
	m.Phase = phaseAside
	l.book.Push(&l.returnsOf(m.Account).aside, m)
}

// stateOf is the message_state that the client is told.
func stateOf(m *book.Msg) pdu.State { return stateAt(m.End, m.Reason, m.ReceiptState) }

func stateAt(end ledger.End, why ledger.Reason, receipt uint8) pdu.State {
	switch end {
	case ledger.EndDelivered:
		return pdu.StateDelivered
	case ledger.EndExpired:
		return pdu.StateExpired
	case ledger.EndSent:
		return pdu.StateAccepted
	case ledger.EndUnknown:
		return pdu.StateUnknown
	}
	switch why {
	case ledger.ReasonCancelled, ledger.ReasonReplaced:
		return pdu.StateDeleted
	case ledger.ReasonReceipt, ledger.ReasonDerived, ledger.ReasonReceiptWait:
		if s := pdu.State(receipt); s == pdu.StateDeleted || s == pdu.StateRejected || s == pdu.StateUndeliverable {
			return s
		}
		return pdu.StateUndeliverable
	}
	return pdu.StateRejected
}

// returnRests is how long something rests before it is offered again, by how often the client could not take it;
// bindRest is the first rest of the bind that said so, and maxBindRest the longest.
var returnRests = [...]time.Duration{time.Second, 5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute}

const (
	bindRest    = time.Second
	maxBindRest = 15 * time.Second
)

// maxReturns is how often a receipt is offered to a client that answers with an error of its own.
const maxReturns = 3

// returned is a client's answer to a deliver_sm.
func (l *lane) returned(s *clientSession, e *event, now int64) {
	st := pdu.Status(e.status)
	later := st == pdu.RSysErr || st == pdu.RMsgQFul || st == pdu.RThrottled || st == pdu.RXTAppn
	if s != nil {
		s.credit++
		s.answered(later, now)
	}
	m := l.book.Get(e.id)
	if m == nil || m.Phase != phaseReturned || m.With != e.session {
		return
	}
	switch {
	case st == pdu.ROK || st == pdu.RXPAppn || st == pdu.RXRAppn:
		l.release(m, e.session, st, now)
	case later:
		l.restReturn(m, now)
	default:
		if m.Fails++; m.Fails >= maxReturns {
			l.setAside(m)
		} else {
			l.restReturn(m, now)
		}
	}
	l.give(l.returnsOf(m.Account))
}

// answered lets a bind rest whose client cannot take anything just now.
func (s *clientSession) answered(later bool, now int64) {
	if !later {
		s.fails = 0
		return
	}
	if now >= s.restTil { // else it is the answer to something sent before the rest began
		s.restTil = now + int64(min(bindRest<<min(s.fails, 8), maxBindRest))
		s.fails++
	}
}

// restReturn offers something again later, by another bind if there is one.
func (l *lane) restReturn(m *book.Msg, now int64) {
	d := returnRests[min(int(m.Tries), len(returnRests)-1)]
	if m.Tries < 255 {
		m.Tries++
	}
	l.rest(m, phaseReturnRest, now+int64(d))
}

// release proposes that the client has had its receipt, has refused it for good, or (session 0) never took it.
func (l *lane) release(m *book.Msg, session uint32, st pdu.Status, now int64) {
	m.Phase = phaseReleasing
	l.begin()
	l.open = ledger.AppendReturn(l.open, l.x.billers.worker(), m.ID, now, &ledger.Return{Session: session, Status: uint32(st)})
	l.noted(now)
}

// unreturned is a deliver_sm whose answer will not come: another bind gets it. The client may see it twice.
func (l *lane) unreturned(s *clientSession, e *event, now int64) {
	silent := e.status != 0
	if s != nil {
		s.credit++
		if silent {
			s.answered(true, now)
		}
	}
	m := l.book.Get(e.id)
	if m == nil || m.Phase != phaseReturned || m.With != e.session {
		return
	}
	if silent {
		l.restReturn(m, now)
	} else {
		l.rest(m, phaseReturnRest, now+int64(time.Second)/10)
	}
}

// giveUp ends the wait for a client that does not take what it has to get.
func (l *lane) giveUp(m *book.Msg, now int64) {
	keep := defaultKeep
	if c := l.x.table.ClientOf(m.Account); c != nil {
		keep = c.ReceiptKeep
	}
	if now < max(m.Ended, m.Accepted)+int64(keep) || now < l.x.spareUntil {
		return
	}
	l.unlist(m)
	l.release(m, 0, pdu.ROK, now)
}

// defaultKeep is for accounts that left the catalog.
const defaultKeep = 7 * 24 * time.Hour
