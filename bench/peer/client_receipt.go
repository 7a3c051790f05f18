package peer

import (
	"bytes"
	"fmt"

	"smsplane/pdu"
)

// deliver takes one deliver_sm: a receipt, or an MO message, which is only counted. The result is what to answer.
func (s *session) deliver(now int64, p []byte) pdu.Status {
	m, n := &s.message, &s.c.n
	if st := m.Parse(p); st != pdu.ROK {
		n.complain("deliver_sm does not parse: %v", st)
		n.malformed.Add(1)
		return st
	}
	if !m.IsReceipt() {
		n.mo.Add(1)
		return pdu.ROK
	}
	var r pdu.Receipt
	if !pdu.ParseReceipt(m, &r) || len(r.ID) == 0 {
		n.complain("receipt cannot be read: %q", m.UserData())
		n.malformed.Add(1)
		return pdu.ROK
	}
	if id := textField(m.UserData(), "id:"); id != nil && !bytes.Equal(id, r.ID) {
		n.complain("receipt names %q in its TLV and %q in its text", r.ID, id)
		n.mismatched.Add(1)
		return pdu.ROK
	}
	if !r.State.Final() {
		n.interim.Add(1)
		return pdu.ROK
	}
	e := earlyReceipt{at: now, src: indexOf(m.SrcAddr()), dst: indexOf(m.DstAddr()), state: uint8(r.State)}
	if i, ok := s.c.ids.find(r.ID, e); ok {
		s.settle(i, e)
	}
	return pdu.ROK
}

// settle books a final receipt for message i. It must come from the address that very message went to.
func (s *session) settle(i uint32, r earlyReceipt) {
	n, e := &s.c.n, s.c.book.at(i)
	if r.src != i {
		n.complain("receipt for message %d comes from the address of %d", i, int32(r.src))
		n.mismatched.Add(1)
		return
	}
	if e.receipts.Load() > 0 && e.final.CompareAndSwap(uint32(pdu.StateUnknown)+1, uint32(r.state)+1) && pdu.State(r.state) != pdu.StateUnknown {
		n.resolved.Add(1)
		return
	}
	if e.receipts.Add(1) > 1 {
		n.complain("message %d has a second final receipt", i)
		n.duplicate.Add(1)
		return
	}
	e.final.Store(uint32(r.state) + 1)
	if pdu.State(r.state) == pdu.StateDelivered {
		n.delivered.Add(1)
	} else {
		n.failed.Add(1)
	}
	s.receipt.Record(r.at - e.due.Load())
	n.matched.Add(1) // last: a run that misses none is over
}

// textField is the value behind key in a receipt's text, up to a space; nil when there is none.
func textField(text []byte, key string) []byte {
	at := bytes.Index(text, []byte(key))
	if at < 0 {
		return nil
	}
	v := text[at+len(key):]
	if n := bytes.IndexByte(v, ' '); n >= 0 {
		v = v[:n]
	}
	return v
}

// complain keeps the first thing found wrong, for the report.
func (n *clientCounters) complain(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.sample == "" {
		n.sample = fmt.Sprintf(format, args...)
	}
}
