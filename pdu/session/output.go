package session

import (
	"fmt"

	"github.com/valyala/bytebufferpool"

	"smsplane/pdu"
)

// Pools of their own, as each learns the usual size of what passes through it.
var outPool, carryPool bytebufferpool.Pool

// Out is what to write to the peer, in order. It grows until ResetOut.
func (s *Session) Out() []byte {
	if s.out == nil {
		return nil
	}
	return s.out.B
}

// largeOut is the size from which on a mostly empty output is not kept; idleOut is for how many Ticks an empty
// one is.
const (
	largeOut = 256 << 10
	idleOut  = 8
)

// ResetOut drops Out after it was written. The memory stays for the next turn: a session in traffic needs
// about the same again. After a burst it goes back, and restOut takes it when the traffic rests.
func (s *Session) ResetOut() {
	if s.out == nil {
		return
	}
	if used := len(s.out.B); used > 0 {
		s.outIdle = 0
		if size := cap(s.out.B); size > largeOut && used < size/4 {
			s.dropOut()
			return
		}
	}
	s.out.Reset()
}

// restOut gives back an output that was empty for some Ticks.
func (s *Session) restOut() {
	if s.out == nil || len(s.out.B) > 0 {
		return
	}
	if s.outIdle++; s.outIdle > idleOut {
		s.dropOut()
	}
}

func (s *Session) dropOut() {
	outPool.Put(s.out)
	s.out = nil
}

func (s *Session) output() *bytebufferpool.ByteBuffer {
	if s.out == nil {
		s.out, s.outIdle = outPool.Get(), 0
	}
	return s.out
}

func (s *Session) dropCarry() {
	if s.carry != nil {
		carryPool.Put(s.carry)
		s.carry = nil
	}
}

// Room is how many requests may be sent now: the window less what is unanswered, 0 when not bound or when
// this bind carries no requests of ours.
func (s *Session) Room() int {
	if s.state != Bound {
		return 0
	}
	return s.room - s.window.used
}

// Send writes the request p, a whole PDU, under the next sequence number. It copies p and takes the window
// slot, or does neither and returns false when there is no Room.
func (s *Session) Send(now int64, p []byte, tag uint64) bool {
	if s.Room() <= 0 {
		return false
	}
	h := pdu.ParseHeader(p)
	if h.Command.IsResp() || int(h.Length) != len(p) {
		panic(fmt.Sprintf("session: Send of %v, command_length %d in %d octets", h.Command, h.Length, len(p)))
	}
	s.window.reserve()
	q := s.nextSequence()
	o := s.output()
	at := len(o.B)
	o.B = append(o.B, p...)
	pdu.SetSequence(o.B[at:], q)
	s.sent(slot{tag: tag, sentAt: now, sequence: q, command: h.Command})
	return true
}

// Tell writes p, a whole PDU that SMPP has no answer to (alert_notification), under the next sequence number. It takes no
// place in the window. It is false when the session is not bound, or this bind or its version carries no such thing.
func (s *Session) Tell(p []byte) bool {
	h := pdu.ParseHeader(p)
	if h.Command.IsResp() || answered(h.Command) || int(h.Length) != len(p) {
		panic(fmt.Sprintf("session: Tell of %v, command_length %d in %d octets", h.Command, h.Length, len(p)))
	}
	if s.state != Bound || !maySend(s.config.Role, s.config.Bind) || s.config.Version < h.Command.Since() {
		return false
	}
	o := s.output()
	at := len(o.B)
	o.B = append(o.B, p...)
	pdu.SetSequence(o.B[at:], s.nextSequence())
	s.counters.Told++
	return true
}

// SendForward is Send of the hop copy of m (pdu.AppendForward), made right in Out. It sets h.Sequence.
func (s *Session) SendForward(now int64, m *pdu.Message, h *pdu.Hop, tag uint64) bool {
	if s.Room() <= 0 {
		return false
	}
	s.window.reserve()
	h.Sequence = s.nextSequence()
	o := s.output()
	at := len(o.B)
	o.B = pdu.AppendForward(o.B, m, h)
	c := pdu.ParseHeader(o.B[at:]).Command
	s.sent(slot{tag: tag, sentAt: now, sequence: h.Sequence, command: c})
	return true
}

func (s *Session) sent(r slot) {
	s.window.add(r)
	s.counters.Sent++
}

// nextSequence gives out a number that no unanswered request of ours has, in order, 1 following 0x7FFFFFFF.
func (s *Session) nextSequence() uint32 {
	for {
		q := s.sequence
		if s.sequence++; s.sequence > maxSequence {
			s.sequence = 1
		}
		if s.window.free(q) && q != s.enquiry {
			s.lates.forget(q)
			return q
		}
	}
}

// Reply answers the peer's request c with sequence seq and frees its place in the peer's window. id is the
// message_id of a submit_sm_resp or data_sm_resp, else nil. It may be the last that an unbind waited for, so
// look at Done after it. After the session's end it does nothing.
//
// It panics when the peer awaits no answer, and on a status 0 for a command whose response has a body that
// this package cannot know (query_sm, submit_multi, query_broadcast_sm).
func (s *Session) Reply(c pdu.Command, st pdu.Status, seq uint32, id []byte) {
	if s.state == Closed {
		return
	}
	if s.peer == 0 {
		panic(fmt.Sprintf("session: %s: Reply to %v %d, which nobody asked", s.config.Name, c, seq))
	}
	s.peer--
	s.counters.Replies++
	s.answer(c, st, seq, id)
	s.settle()
}

// ReplyPDU answers a request of the peer with p, its whole response: for those that carry more than a message_id
// (query_sm_resp, submit_multi_resp, TLVs). p names the peer's sequence_number. Otherwise it is as Reply.
func (s *Session) ReplyPDU(p []byte) {
	if s.state == Closed {
		return
	}
	h := pdu.ParseHeader(p)
	if s.peer == 0 || !h.Command.IsResp() || int(h.Length) != len(p) {
		panic(fmt.Sprintf("session: %s: ReplyPDU of %v %d with %d unanswered, command_length %d in %d octets", s.config.Name, h.Command, h.Sequence,
			s.peer, h.Length, len(p)))
	}
	s.peer--
	s.counters.Replies++
	o := s.output()
	o.B = append(o.B, p...)
	s.settle()
}

// answer writes the response to a request of type c.
func (s *Session) answer(c pdu.Command, st pdu.Status, seq uint32, id []byte) {
	switch c {
	case pdu.SubmitSM, pdu.DeliverSM, pdu.DataSM, pdu.BroadcastSM:
		o := s.output()
		o.B = pdu.AppendMessageResp(o.B, c, st, seq, id)
		return
	case pdu.QuerySM, pdu.SubmitMulti, pdu.QueryBroadcastSM:
		if st == pdu.ROK {
			panic(fmt.Sprintf("session: %v answered ESME_ROK without a body", c))
		}
	}
	s.plain(c.Resp(), st, seq)
}

func (s *Session) plain(c pdu.Command, st pdu.Status, seq uint32) {
	o := s.output()
	o.B = pdu.AppendPlain(o.B, c, st, seq)
}
