package session

import (
	"time"

	"smsplane/pdu"
)

// unbindGrace is what a peer commonly waits for unbind_resp before it closes the connection, and so the
// most that we hold it back, or let our own unbind be waited for.
const unbindGrace = 5 * time.Second

// Unbind ends the session gracefully: no new request in either direction, unbind once both are settled,
// Done once it is answered. All of it takes ResponseTimeout at most, 10 s when there is none. Only the first
// call counts.
func (s *Session) Unbind(now int64) {
	if s.state != Bound {
		return
	}
	s.state = Draining
	bound := s.config.ResponseTimeout
	if bound == 0 {
		bound = 2 * unbindGrace
	}
	s.closeBy = now + int64(bound)
	s.unbindBy = s.closeBy - int64(min(bound/2, unbindGrace))
	s.settle()
}

// peerUnbinds takes the peer's unbind. Ours, when it is on its way already, crosses it: then the peer's is
// answered at once and ours still awaits its answer.
func (s *Session) peerUnbinds(now int64, seq uint32) {
	switch s.state {
	case Unbinding, PeerUnbinding:
		s.plain(pdu.UnbindResp, pdu.ROK, seq)
		return
	}
	s.state = PeerUnbinding
	s.unbindSeq = seq
	s.unbindBy = now + int64(unbindGrace)
	if t := s.config.ResponseTimeout; t > 0 && t < unbindGrace {
		s.unbindBy = now + int64(t)
	}
}

// settle goes on with an unbind when nothing is unanswered any more.
func (s *Session) settle() {
	if s.state != Bound && s.Idle() {
		s.stepUnbind()
	}
}

// stepUnbind sends what the unbind of the present state comes down to.
func (s *Session) stepUnbind() {
	switch s.state {
	case Draining:
		s.unbind = s.nextSequence()
		s.state = Unbinding
		s.plain(pdu.Unbind, pdu.ROK, s.unbind)
	case PeerUnbinding:
		s.plain(pdu.UnbindResp, pdu.ROK, s.unbindSeq)
		s.state = Closed
	}
}
