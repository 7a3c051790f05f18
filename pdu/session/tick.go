package session

import (
	"time"

	"smsplane/pdu"
)

// A gap between two Ticks of ResponseTimeout/stallShare or more is a stall.
const stallShare = 4

// Tick runs the timers; call it a few times a second. It costs O(1) plus the requests that time out. An
// error means that the session is Closed: flush Out and close the connection.
//
// A Tick that comes a quarter of ResponseTimeout after the one before, or later, only notes the time: our own
// loop stood still, and the answers may lie unread in the socket. Killing a link for that is our bug. The
// Tick after it acts, whatever the gap.
func (s *Session) Tick(now int64) error {
	if s.state == Closed {
		return s.err
	}
	s.stalled = !s.stalled && past(now, s.ticked, s.config.ResponseTimeout/stallShare)
	s.ticked = now
	if s.stalled {
		return nil
	}
	s.enter("Tick")
	err := s.tick(now)
	s.busy = false
	if s.state == Closed {
		s.dropCarry()
	}
	return err
}

func (s *Session) tick(now int64) error {
	s.restOut()
	s.timeouts(now)
	s.settle()
	s.tickUnbind(now)
	if s.state == Closed {
		return s.err
	}
	if s.carry != nil && past(now, s.carriedAt, s.config.PDUTimeout) {
		return s.partial()
	}
	if s.enquiry != 0 && past(now, s.enquired, s.config.ResponseTimeout) {
		return s.fail(ErrNoAnswer, ", silent for %v", time.Duration(now-s.heard).Round(time.Millisecond))
	}
	if past(now, s.heard, s.config.InactivityTimeout) {
		s.Unbind(now)
	}
	if past(now, s.heard, s.config.EnquireEvery) {
		s.Enquire(now)
	}
	return nil
}

// Enquire sends an enquire_link unless one is unanswered already: is the peer still there? Heard tells.
func (s *Session) Enquire(now int64) {
	if s.enquiry != 0 || s.state > Draining {
		return
	}
	s.enquiry, s.enquired = s.nextSequence(), now
	s.counters.EnquiresOut++
	s.plain(pdu.EnquireLink, pdu.ROK, s.enquiry)
}

// timeouts gives up the requests whose answer is overdue, oldest first.
func (s *Session) timeouts(now int64) {
	for s.window.first != none && past(now, s.window.slots[s.window.first].sentAt, s.config.ResponseTimeout) {
		r := s.window.take(s.window.first)
		s.lates.remember(r)
		s.counters.Timeouts++
		s.handler.Lost(s, now, r.tag, LostTimeout)
	}
}

// tickUnbind ends the waits of an unbind.
func (s *Session) tickUnbind(now int64) {
	switch {
	case s.state == Unbinding && now >= s.closeBy:
		s.state = Closed
	case (s.state == Draining || s.state == PeerUnbinding) && now >= s.unbindBy:
		s.stepUnbind()
	}
}

// partial ends a session that stopped in the middle of a PDU. When what is there says a command_length that
// cannot be, the peer is told, under sequence_number 0 as the header is not whole.
func (s *Session) partial() error {
	if _, st := pdu.Frame(s.carry.B, s.config.MaxPDU); st != pdu.ROK {
		s.counters.Framing++
		s.plain(pdu.GenericNack, pdu.RInvCmdLen, 0)
		return s.fail(ErrCommandLength, " (header of %d octets)", len(s.carry.B))
	}
	return s.fail(ErrPartialPDU, " (%d octets of it here)", len(s.carry.B))
}
