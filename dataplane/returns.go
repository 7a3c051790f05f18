package dataplane

import (
	"time"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
)

// returns is what an account has to get: receipts, and messages from carriers. They wait here, durably,
// while no bind of the client receives.
type returns struct {
	account uint32
	list    book.List
	binds   []*clientSession
	next    int
}

// clientSession is the executor's side of a client's bind.
type clientSession struct {
	id      uint32
	account uint32
	lane    *lane
	loop    int
	credit  int // deliver_sm that may still be sent
}

func (l *lane) returnsOf(account uint32) *returns {
	r := l.returns[account]
	if r == nil {
		r = &returns{account: account}
		l.returns[account] = r
	}
	return r
}

// ended follows a committed FINAL: the hold goes back to the credit, the receipt to the client.
func (l *lane) ended(r *ledger.Record, m *book.Msg) error {
	x := l.x
	x.billers.messages++
	var f ledger.Final
	r.Final(&f)
	x.billers.latency.Add(x.now - m.Ended)
	if !l.leading {
		return nil // the credit is set from the books when all of the log is applied
	}
	if a := x.accounts[m.Account]; a != nil {
		a.Credit.Add(int64(f.Hold - f.Charge))
	}
	if m.Return {
		l.toReturning(m, false)
	}
	return nil
}

// wantsReceipt reads registered_delivery (3.4 §5.2.17): 1 always, 2 on failure, 3 on success (5.0).
func (l *lane) wantsReceipt(m *book.Msg, end ledger.End) bool {
	if m.MO || !l.read(m) {
		return false
	}
	switch l.view.RegisteredDelivery() & 3 {
	case 1:
		return true
	case 2:
		return end != ledger.EndDelivered && end != ledger.EndSent
	case 3:
		return end == ledger.EndDelivered
	}
	return false
}

func (l *lane) toReturning(m *book.Msg, front bool) {
	r := l.returnsOf(m.Account)
	m.Phase = phaseReturning
	if front {
		l.book.PushFront(&r.list, m)
	} else {
		l.book.Push(&r.list, m)
	}
	l.give(r)
}

// give sends what waits to binds that have credit, in turn.
func (l *lane) give(r *returns) {
	for r.list.Len() > 0 {
		s := r.bind()
		if s == nil {
			return
		}
		m := l.book.Pop(&r.list)
		p := l.deliver(m)
		if p == nil {
			return
		}
		s.credit--
		m.Phase, m.With = phaseReturned, s.id
		l.x.ports[s.loop].push(event{kind: evDeliver, session: s.id, id: m.ID, data: p})
	}
}

func (r *returns) bind() *clientSession {
	for range r.binds {
		if r.next++; r.next >= len(r.binds) {
			r.next = 0
		}
		if r.binds[r.next].credit > 0 {
			return r.binds[r.next]
		}
	}
	return nil
}

// deliver makes the deliver_sm: a message from a carrier as it came, or a receipt with source and destination
// swapped (3.4 Appendix B), the addresses as the client wrote them.
func (l *lane) deliver(m *book.Msg) []byte {
	p, err := l.book.PDU(m)
	if err != nil {
		l.x.fail(err)
		return nil
	}
	if m.MO {
		return p
	}
	l.view.Parse(p)
	v := &l.view
	l.idText = m.ID.Append(l.idText[:0])
	dlvrd := 0
	if m.End == ledger.EndDelivered {
		dlvrd = int(m.Parts)
	}
	done := m.ReceiptDone
	if done == 0 {
		done = m.Ended
	}
	state := stateOf(m)
	r := pdu.Receipt{ID: l.idText, State: state, Err: m.Err(), SubmitDate: m.Accepted, DoneDate: done, Sub: int(m.Parts), Dlvrd: dlvrd,
		Text: v.ShortMessage()}
	l.scratch = pdu.AppendReceiptText(l.scratch[:0], &r)
	l.tlvs = pdu.AppendTLV(l.tlvs[:0], pdu.TagReceiptedMessageID, append(l.idText, 0))
	l.tlvs = pdu.AppendTLV(l.tlvs, pdu.TagMessageState, []byte{byte(state)})
	s := pdu.Submit{Command: pdu.DeliverSM, SrcTON: v.DstTON(), SrcNPI: v.DstNPI(), Src: v.DstAddr(), DstTON: v.SrcTON(), DstNPI: v.SrcNPI(),
		Dst: v.SrcAddr(), ESMClass: pdu.ESMReceipt, Text: l.scratch, TLVs: l.tlvs}
	if len(l.paper) < 1024 {
		l.paper = make([]byte, arenaBytes)
	}
	out := s.Append(l.paper[:0], 0)
	if len(out) <= len(l.paper) {
		l.paper = l.paper[len(out):]
	}
	return out[:len(out):len(out)]
}

// stateOf is the message_state that the client is told.
func stateOf(m *book.Msg) pdu.State {
	switch m.End {
	case ledger.EndDelivered:
		return pdu.StateDelivered
	case ledger.EndExpired:
		return pdu.StateExpired
	case ledger.EndSent:
		return pdu.StateAccepted
	case ledger.EndUnknown:
		return pdu.StateUnknown
	}
	if m.Reason == ledger.ReasonReceipt {
		if s := pdu.State(m.ReceiptState); s == pdu.StateDeleted || s == pdu.StateRejected || s == pdu.StateUndeliverable {
			return s
		}
		return pdu.StateUndeliverable
	}
	return pdu.StateRejected
}

// returnRest is how long a client that cannot take a receipt just now is left alone.
const returnRest = 5 * time.Second

// maxReturns is how often a receipt is offered to a client that answers with an error of its own.
const maxReturns = 3

// returned is a client's answer to a deliver_sm.
func (l *lane) returned(s *clientSession, e *event, now int64) {
	m := l.book.Get(e.id)
	if s != nil {
		s.credit++
	}
	if m == nil || m.Phase != phaseReturned || m.With != e.session {
		return
	}
	switch st := pdu.Status(e.status); st {
	case pdu.ROK, pdu.RXPAppn, pdu.RXRAppn:
		l.release(m, st, now)
	case pdu.RSysErr, pdu.RMsgQFul, pdu.RThrottled, pdu.RXTAppn:
		l.rest(m, phaseReturnRest, now+int64(returnRest))
	default:
		if m.Fails++; m.Fails >= maxReturns {
			l.release(m, st, now)
		} else {
			l.rest(m, phaseReturnRest, now+int64(returnRest))
		}
	}
	l.give(l.returnsOf(m.Account))
}

// release proposes that the client has had its receipt, or has refused it for good.
func (l *lane) release(m *book.Msg, st pdu.Status, now int64) {
	m.Phase = phaseReleasing
	l.begin()
	l.open = ledger.AppendReturn(l.open, l.x.billers.worker(), m.ID, now, &ledger.Return{Session: m.With, Status: uint32(st)})
	l.recorded(now)
}

// unreturned is a deliver_sm whose answer will not come: another bind gets it. The client may see it twice.
func (l *lane) unreturned(s *clientSession, e *event, now int64) {
	if s != nil {
		s.credit++
	}
	m := l.book.Get(e.id)
	if m != nil && m.Phase == phaseReturned && m.With == e.session {
		l.rest(m, phaseReturnRest, now+int64(time.Second)/10)
	}
}
