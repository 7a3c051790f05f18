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
	s.answered++
	st := pdu.Status(e.status)
	l.x.answers.Add(now - m.Dispatched)
	if st != pdu.ROK {
		s.refused++
		l.x.counts.refusedByCarriers++
	}
	switch egress.Decide(st) {
	case egress.Take:
		l.taken(m, st, e.data, now)
	case egress.Slow:
		s.restTil = now + int64(egress.SlowDelay)
		l.again(m, st, now+int64(egress.SlowDelay), now)
	case egress.Requeue:
		l.again(m, st, now+int64(egress.Delay(0)), now)
	case egress.Reject:
		l.x.recent.Refused(m.Carrier, router.Number(m.Number), now)
		l.refused(m, st, now)
	case egress.Elsewhere:
		l.x.recent.Refused(m.Carrier, router.Number(m.Number), now)
		l.elsewhere(m, ledger.Next, st, now)
	}
}

// taken notes that a carrier has the message; what remains is its receipt.
func (l *lane) taken(m *book.Msg, st pdu.Status, id []byte, now int64) {
	x := l.x
	a := ledger.Answer{Status: uint32(st), Outcome: ledger.Taken, Target: m.Target, CarrierID: id}
	c := x.table.CarrierOf(m.Carrier)
	if c == nil || c.Cost == catalog.ChargeSent {
		a.Cost = m.Buy * ledger.Micro(m.Parts)
	}
	x.recent.Taken(m.Carrier, router.Number(m.Number), now)
	l.answer(m, &a, now)
	l.book.SetCarrierID(m, m.Carrier, id)
	m.Note |= noteTaken
	m.Answered = now
	l.leaveQueue(m)
	m.Phase = phaseAwaiting
	if c != nil && c.Receipts == catalog.ReceiptsAsked && m.Registered&3 == 0 {
		l.final(m, ledger.Final{End: ledger.EndSent, Reason: ledger.ReasonNoReceiptDue}, now)
		return
	}
	if o := x.orphan(m.Carrier, id); o != nil {
		x.adopt(l, m, o, now)
	}
}

func (l *lane) answer(m *book.Msg, a *ledger.Answer, now int64) {
	l.begin()
	l.open = ledger.AppendAnswer(l.open, m.EgressWorker, m.ID, now, a)
	l.recorded(now)
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
	a := ledger.Answer{Status: uint32(st), Outcome: o, Target: m.Target + 1}
	if a.Target >= m.N {
		a.Target, a.Outcome = 0, ledger.Retry
		a.Due = now + int64(egress.Delay(int(m.Fails)/max(1, int(m.N))-1))
	}
	m.Target, m.Due = a.Target, a.Due
	l.answer(m, &a, now)
	l.enqueue(m, now)
}

// lost is a message that was written to a session and never answered: whether the carrier has it, nobody
// knows. The policy of its carrier and class decides what is done about the doubt.
func (l *lane) lost(m *book.Msg, now int64) {
	policy := ledger.PolicyResend
	if c := l.x.table.CarrierOf(m.Carrier); c != nil {
		policy = c.InDoubt[m.Class]
	}
	target := m.Target
	if m.Resends > 0 {
		target = (m.Target + 1) % max(m.N, 1)
	}
	l.begin()
	l.open = ledger.AppendDoubt(l.open, m.EgressWorker, m.ID, now, policy, target)
	l.recorded(now)
	m.Policy, m.Target, m.Due = policy, target, 0
	l.doubt(m, now)
}

// maxResends bounds the copies of one message that doubt may cause.
const maxResends = 8

// doubt does what the policy says about a message in doubt.
func (l *lane) doubt(m *book.Msg, now int64) {
	switch {
	case m.Policy == ledger.PolicyHold:
		m.Phase = phaseKept
	case m.Policy == ledger.PolicyExpire || m.Resends >= maxResends:
		l.final(m, ledger.Final{End: ledger.EndUnknown, Reason: ledger.ReasonUnresolved}, now)
	default:
		l.enqueue(m, now)
	}
}

// late is an answer after its time: if the doubt about that very dispatch is still open, it is resolved.
func (l *lane) late(m *book.Msg, e *event, now int64) {
	if m == nil || m.Link != e.session || pdu.Status(e.status) != pdu.ROK ||
		m.Phase != phaseKept && !((m.Phase == phaseQueued || m.Phase == phaseOperator) && m.Policy != 0) {
		l.x.counts.strayAnswers++
		return
	}
	l.unlist(m)
	l.taken(m, pdu.ROK, e.data, now)
}
