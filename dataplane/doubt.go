package dataplane

import (
	"slices"
	"time"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
	"smsplane/router"
)

// poisonAfter is how many sessions may end while they have one message unanswered; it is held then, for an operator:
// a message that kills whoever carries it must not go round for ever. Sessions that ended with our own process do not
// count, nor those that ended with our lease: that is no fault of the message, and what was promised must arrive however often the process was killed. One
// that ends the process by a panic is quarantined (crash.go).
const poisonAfter = 3

// doubts finds what is in doubt by whom a receipt would be about. A message is in it from the moment its answer is
// lost until it is dispatched again, resolved or ended (noteDoubt).
type doubts map[party][]ledger.MsgID

// party is one number at one carrier.
type party struct {
	carrier uint16
	number  uint64
}

func (x *executor) inDoubt(m *book.Msg) {
	if m.Note&noteDoubt != 0 {
		return
	}
	m.Note |= noteDoubt
	k := party{m.Carrier, m.Number}
	x.doubts[k] = append(x.doubts[k], m.ID)
}

func (x *executor) undoubt(m *book.Msg) {
	if m.Note&noteDoubt == 0 {
		return
	}
	m.Note &^= noteDoubt
	k := party{m.Carrier, m.Number}
	ids := slices.DeleteFunc(x.doubts[k], func(id ledger.MsgID) bool { return id == m.ID })
	if x.doubts[k] = ids; len(ids) == 0 {
		delete(x.doubts, k)
	}
}

// lost is a message that was written to a session and never answered: whether the carrier has it, nobody knows. The
// policy of its carrier and class decides about the doubt: resend goes once more to the same carrier, then once to
// each further target of the plan; after that, or when it took poisonAfter sessions with it, the message is held.
func (l *lane) lost(m *book.Msg, ended bool, now int64) {
	policy, target := l.doubtPolicy(m), m.Target
	switch {
	case policy != ledger.PolicyResend:
	case m.Losses >= max(m.N, 1) || ended && m.Losses >= poisonAfter-1:
		policy = ledger.PolicyHold
		l.x.counts.quarantined++
	case m.Losses > 0 && !l.stays(m):
		target = (m.Target + 1) % max(m.N, 1)
	}
	m.Losses = min(m.Losses, poisonAfter) + 1 // both bounds lie below
	l.doubtful(m, policy, target, now)
}

// died is a message that was with a carrier when the process died, or lost its right to send. It goes to the same carrier
// once more, and as often as that happens.
func (l *lane) died(m *book.Msg, now int64) { l.doubtful(m, l.doubtPolicy(m), m.Target, now) }

func (l *lane) doubtPolicy(m *book.Msg) ledger.Policy {
	if m.Once {
		return ledger.PolicyExpire
	}
	if c := l.x.table.CarrierOf(m.Carrier); c != nil {
		return c.InDoubt[m.Class]
	}
	return ledger.PolicyResend
}

// doubtful journals that a message is in doubt and begins what is done about it.
func (l *lane) doubtful(m *book.Msg, policy ledger.Policy, target uint8, now int64) {
	l.begin()
	l.open = ledger.AppendDoubt(l.open, m.EgressWorker, m.ID, now, policy, target)
	l.recorded(now)
	m.Policy, m.Target, m.Due = policy, target, 0
	l.x.inDoubt(m)
	if l.x.revealed(l, m, now) {
		return
	}
	l.doubt(m, now)
}

// doubt does what the policy says about a message in doubt.
func (l *lane) doubt(m *book.Msg, now int64) {
	if m.Held {
		l.keep(m)
		return
	}
	switch m.Policy {
	case ledger.PolicyHold:
		m.Phase = phaseKept
	case ledger.PolicyExpire:
		l.final(m, ledger.Final{End: ledger.EndUnknown, Reason: ledger.ReasonUnresolved}, now)
	default:
		l.enqueue(m, now)
	}
}

// open says that the doubt about the last dispatch of a message still stands: it is kept, or waits to be sent again.
func open(m *book.Msg) bool {
	return m.Note&noteDoubt != 0 && (m.Phase == phaseKept || m.Phase == phaseQueued || m.Phase == phaseOperator)
}

// late is an answer after its time: if the doubt about that very dispatch still stands, it is resolved. Of a text that is sent
// in parts, and was sent again, it may be the answer to another part.
func (l *lane) late(m *book.Msg, e *event, now int64) {
	if m == nil || m.Link != e.session || !open(m) || m.Part > 0 && m.Resends > 0 {
		l.x.counts.strayAnswers++
		return
	}
	borne := l.borne(m, open)
	l.together(len(borne), now)
	for _, o := range borne {
		l.unlist(o)
		l.x.undoubt(o)
		l.decide(o, nil, pdu.Status(e.status), nil, now)
	}
	l.unlist(m)
	l.x.undoubt(m)
	l.x.counts.lateAnswers++
	l.decide(m, nil, pdu.Status(e.status), e.data, now)
}

// infer finds the one message in doubt that a receipt with an id nobody knows must be about: of that carrier, to the
// number and from the sender that the receipt names, and sent when it says. Two candidates are none.
func (x *executor) infer(carrier uint16, now int64) (l *lane, m *book.Msg) {
	if len(x.doubts) == 0 && len(x.doubted) == 0 {
		return nil, nil
	}
	n, ok := router.Normalize(x.view.SrcAddr(), x.view.SrcTON(), x.view.SrcNPI(), "")
	if !ok {
		return nil, nil
	}
	for _, id := range x.doubtful(party{carrier, uint64(n)}) {
		in := x.lanes[id.Lane()]
		c := in.book.Get(id)
		if c.Of > 0 { // which part of it?
			return nil, nil
		}
		if !in.sentBy(c, x.view.DstAddr()) || !sentAt(c.Dispatched, x.receipt.SubmitDate, now) {
			continue
		}
		if m != nil {
			return nil, nil
		}
		l, m = in, c
	}
	return l, m
}

// sentBy says whether a message has that sender.
func (l *lane) sentBy(m *book.Msg, sender []byte) bool {
	return l.read(m) && string(l.view.SrcAddr()) == string(sender)
}

// sentAt says whether a receipt of now can be about a message dispatched then. A submit date has whole minutes, of a
// clock that may run a little off, in whatever zone the carrier lives: zones are whole quarters of an hour, at most
// 14 hours away.
func sentAt(dispatched, submit, now int64) bool {
	const quarter, slack = int64(15 * time.Minute), int64(2 * time.Minute)
	if dispatched > now {
		return false
	}
	if submit == 0 {
		return true
	}
	off := submit - dispatched
	if off < -int64(14*time.Hour)-slack || off > int64(14*time.Hour)+slack {
		return false
	}
	rest := ((off % quarter) + quarter) % quarter
	return rest <= slack || rest >= quarter-slack
}

// inferred ends the doubt about a message with the receipt that can only be about it.
func (l *lane) inferred(m *book.Msg, r *pdu.Receipt, reply *ack, now int64) {
	l.unlist(m)
	l.x.undoubt(m)
	l.x.counts.inferred++
	l.book.SetCarrierID(m, m.Carrier, r.ID)
	m.Note |= noteTaken
	m.Answered = now
	l.leaveQueue(m)
	m.Phase = phaseAwaiting
	l.heard(m, r, true, reply, now)
}
