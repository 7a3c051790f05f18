package dataplane

import (
	"smsplane/egress"
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/catalog"
	"smsplane/pdu"
	"smsplane/router"
)

// answered is a carrier's answer to a submit_sm.
func (l *lane) answered(m *book.Msg, s *linkSession, e *event, now int64) {
	l.x.answers.Add(now - m.Dispatched)
	s.whole += (now - m.Dispatched - s.whole) / wholeSmooth
	s.heard(l.x, e, now)
	if s.far != 0 { // its owner has heard so
		s = nil
	}
	id := e.data
	if m.Broadcast {
		id = l.broadcastAnswered(m, e.data)
	}
	l.decide(m, s, pdu.Status(e.status), id, now)
}

// heard notes what an answer tells of a session and its link.
func (s *linkSession) heard(x *executor, e *event, now int64) {
	s.answered++
	if pdu.Status(e.status) != pdu.ROK {
		s.refused++
		x.counts.refusedByCarriers++
	} else {
		s.link.taken++
	}
	if e.at > 0 {
		s.trip, s.theirs = e.at, int64(e.number)
	}
	if e.seq > 0 && s.link.adapt.Congestion(now, uint8(e.seq-1), s.link.rate.last(s.link.sent)) {
		s.link.adapted(now)
	}
}

// heed does with a session and its link what an answer means for them; s is nil when the session is gone, or another host's.
func (x *executor) heed(s *linkSession, action egress.Action, st pdu.Status, now int64) {
	switch {
	case s == nil:
	case action == egress.Slow:
		s.link.slower(now)
	case action == egress.Pause && s.up:
		x.retire(s, now)
		s.end(st)
	}
}

// ownStatuses are what the catalog says of a carrier's answers; nobody asks it about those that are ROK.
func (x *executor) ownStatuses(carrier uint16, st pdu.Status) map[pdu.Status]egress.Action {
	if st == pdu.ROK {
		return nil
	}
	if c := x.table.CarrierOf(carrier); c != nil {
		return c.Statuses
	}
	return nil
}

// wholeSmooth is how many answers it takes to change what is known of their time.
const wholeSmooth = 64

// decide does what an answer means for its message and, unless the session is gone (nil), for the link.
func (l *lane) decide(m *book.Msg, s *linkSession, st pdu.Status, id []byte, now int64) {
	x := l.x
	own := x.ownStatuses(m.Carrier, st)
	action := egress.Decide(own, st)
	if _, said := own[st]; action == egress.Slow && st == pdu.RMsgQFul && !said && m.N > 1 && m.Attempts >= egress.MaxFull {
		action = egress.Elsewhere
	}
	x.heed(s, action, st, now)
	if m.Once && action != egress.Take { // it is tried once
		action = egress.Reject
	}
	switch action {
	case egress.Take:
		l.taken(m, st, id, now)
	case egress.Slow, egress.Requeue, egress.Pause:
		l.again(m, st, now+int64(egress.SlowRest(int(m.Attempts))), now)
	case egress.Reject:
		x.recent.Refused(m.Carrier, router.Number(m.Number), now)
		l.refused(m, st, now)
	case egress.Elsewhere:
		x.recent.Refused(m.Carrier, router.Number(m.Number), now)
		l.elsewhere(m, ledger.Next, st, now)
	}
}

// taken notes that a carrier has the message; what remains is its receipt.
func (l *lane) taken(m *book.Msg, st pdu.Status, id []byte, now int64) {
	x := l.x
	a := ledger.Answer{Status: uint32(st), Outcome: ledger.Taken, Target: m.Target, CarrierID: id}
	c := x.table.CarrierOf(m.Carrier)
	if c == nil || c.Cost == catalog.ChargeSent || m.Broadcast {
		a.Cost = m.Buy * ledger.Micro(partsSent(m))
		m.Note |= noteOwed
	}
	x.recent.Taken(m.Carrier, router.Number(m.Number), now)
	if m.Of > 0 && !l.partTaken(m, &a, now) {
		return
	}
	if m.Of == 0 {
		l.answer(m, &a, now)
		l.book.SetCarrierID(m, m.Carrier, id)
	}
	m.Note |= noteTaken
	m.Answered = now
	l.leaveQueue(m)
	m.Phase = phaseAwaiting
	l.settles(m, now)
	if m.Broadcast || c != nil && c.Receipts == catalog.ReceiptsAsked && m.Registered&3 == 0 && !m.Transact {
		l.final(m, ledger.Final{End: ledger.EndSent, Reason: ledger.ReasonNoReceiptDue}, now)
		return
	}
	if len(x.strays.byID) > 0 {
		x.awaited(m.Carrier, id, now)
	}
	if m.Concat {
		l.joins(m, now)
	}
	if m.Of > 0 && m.Phase == phaseAwaiting {
		l.complete(m, now)
	}
}

func (l *lane) answer(m *book.Msg, a *ledger.Answer, now int64) {
	if a.Outcome != ledger.Moved {
		l.x.undoubt(m)
	}
	l.begin()
	l.open = ledger.AppendAnswer(l.open, m.EgressWorker, m.ID, now, a)
	l.noted(now)
}

// again tries the same target later; no attempt is counted against the message.
func (l *lane) again(m *book.Msg, st pdu.Status, due, now int64) {
	m.Due = due
	l.answer(m, &ledger.Answer{Status: uint32(st), Outcome: ledger.Retry, Target: m.Target, Due: due}, now)
	l.enqueue(m, now)
}

// unsent gives back a message that was dispatched to a session which closed before any byte was written.
func (l *lane) unsent(m *book.Msg, now int64) {
	m.Due = 0
	l.answer(m, &ledger.Answer{Outcome: ledger.Unsent, Target: m.Target}, now)
	l.enqueue(m, now)
}

// refused ends a message that no carrier would take.
func (l *lane) refused(m *book.Msg, st pdu.Status, now int64) {
	l.answer(m, &ledger.Answer{Status: uint32(st), Outcome: ledger.Refused, Target: m.Target}, now)
	l.final(m, ledger.Final{End: ledger.EndFailed, Reason: ledger.ReasonRefused, Status: uint32(st)}, now)
}

// elsewhere goes on to the plan's next target; behind the last comes the first again, after a rest that
// grows with each round, until the attempts or the validity are used up.
func (l *lane) elsewhere(m *book.Msg, o ledger.Outcome, st pdu.Status, now int64) {
	m.Fails++
	if m.Fails >= egress.MaxAttempts {
		l.refused(m, st, now)
		return
	}
	if l.stays(m) {
		l.stay(m, st, now)
		return
	}
	a := ledger.Answer{Status: uint32(st), Outcome: o, Target: m.Target + 1}
	if a.Target >= m.N {
		a.Target, a.Outcome = 0, ledger.Retry
		a.Due = now + int64(egress.Delay(int(m.Fails)/max(1, int(m.N))-1))
	}
	m.Target, m.Due = a.Target, a.Due
	l.draws(m)
	l.answer(m, &a, now)
	l.enqueue(m, now)
}
