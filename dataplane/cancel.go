package dataplane

import (
	"bytes"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
)

// waits says that a message is with us, that no link has been given it, and that none ever had it without
// saying what became of it.
func waits(m *book.Msg) bool {
	switch m.Phase {
	case phaseRouting, phaseVerifying, phaseQueued, phaseResting, phaseHeld, phaseOperator, phaseBehind:
		return m.Policy == 0 && m.Part == 0 && !m.MO && m.State != book.StateEnded
	}
	return false
}

// cancel ends messages that wait: the one with an id, all of its submit_multi, or, without an id, all between
// two addresses (3.4 §4.9).
func (l *lane) cancel(o *order, now int64) {
	text := o.p.Field("message_id").Octets
	if len(text) == 0 {
		l.cancelBetween(o)
		return
	}
	id, ok := l.named(text)
	if !ok {
		l.tell(o, pdu.RInvMsgID, nil)
		return
	}
	known, done, later := false, false, false
	for i := range uint8(255) {
		m, ok := l.mine(o, id+ledger.MsgID(i))
		if m == nil {
			continue
		}
		if m.Behind != i {
			break
		}
		known = true
		later = later || m.Phase == phaseSpilling
		if ok && waits(m) {
			l.withdraw(m, ledger.ReasonCancelled, now)
			done = true
		}
	}
	switch {
	case done:
		l.tellDurably(o)
	case later:
		l.tell(o, pdu.RThrottled, nil)
	case known:
		l.tell(o, pdu.RCancelFail, nil)
	default:
		l.absent(o, id)
	}
}

// absent answers an order about a message that is not in memory. One that waits on disk, because memory has no room for
// it, is brought back for the order; else it has ended and its receipt is taken, or it never was.
func (l *lane) absent(o *order, id ledger.MsgID) {
	st := pdu.RReplaceFail
	if o.p.Command == pdu.CancelSM {
		st = pdu.RCancelFail
	}
	run, m, src := l.spilled(id)
	switch {
	case l.book.Get(id) != nil, m != nil && m.Account != o.account: // another account's
		st = pdu.RInvMsgID
	case m == nil, !bytes.Equal(src, o.p.Field("source_addr").Octets):
	case l.reworkFor(o, run):
		return
	default: // too much of that is going on
		st = pdu.RThrottled
	}
	l.tell(o, st, nil)
}

// withdraw ends a message that waits: its client does not want it any more.
func (l *lane) withdraw(m *book.Msg, why ledger.Reason, now int64) {
	l.unlist(m)
	l.final(m, ledger.Final{End: ledger.EndFailed, Reason: why}, now)
}
