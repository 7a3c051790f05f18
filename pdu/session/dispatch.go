package session

import "smsplane/pdu"

// dispatch handles one whole PDU of the peer.
func (s *Session) dispatch(now int64, p []byte) {
	h := pdu.ParseHeader(p)
	if h.Command.IsResp() {
		s.response(now, h, p)
	} else {
		s.request(now, h, p)
	}
	s.settle()
}

func (s *Session) request(now int64, h pdu.Header, p []byte) {
	switch h.Command {
	case pdu.EnquireLink: // answered whatever else is going on, and outside the window
		s.counters.EnquiresIn++
		s.plain(pdu.EnquireLinkResp, pdu.ROK, h.Sequence)
		return
	case pdu.Unbind:
		s.peerUnbinds(now, h.Sequence)
		return
	}
	switch v := judge(s.config.Role, s.config.Bind, s.config.Version, h.Command); {
	case v == unknown:
		s.counters.Unknown++
		if h.Command.Resp().Known() { // of a newer version: the peer understands its own response better than a nack
			s.plain(h.Command.Resp(), pdu.RInvCmdID, h.Sequence)
			return
		}
		s.plain(pdu.GenericNack, pdu.RInvCmdID, h.Sequence)
	case v == refused:
		s.refuse(h, s.statusOfRefusal(h.Command))
	case s.state != Bound:
		s.refuse(h, s.refusal())
	case !answered(h.Command):
		s.counters.Requests++
		s.handler.Request(s, now, h, p)
	case s.peer >= s.config.PeerWindow:
		s.counters.Throttled++
		s.answer(h.Command, pdu.RThrottled, h.Sequence, nil)
	default:
		s.peer++
		s.counters.Requests++
		s.handler.Request(s, now, h, p)
	}
}

// refuse answers a request that the session may not carry, if SMPP has an answer to it.
func (s *Session) refuse(h pdu.Header, st pdu.Status) {
	s.counters.Refused++
	if answered(h.Command) {
		s.answer(h.Command, st, h.Sequence, nil)
	}
}

// statusOfRefusal tells a second bind from other requests out of place (SMPP 3.4 §5.1.3).
func (s *Session) statusOfRefusal(c pdu.Command) pdu.Status {
	switch c {
	case pdu.BindReceiver, pdu.BindTransmitter, pdu.BindTransceiver:
		return pdu.RAlyBnd
	}
	return pdu.RInvBndSts
}

// response finds the request that p answers. Responses come in any order; the pair of sequence_number and
// type decides, and what fits nothing is counted and otherwise ignored.
func (s *Session) response(now int64, h pdu.Header, p []byte) {
	nack := h.Command == pdu.GenericNack
	if nack {
		s.counters.Nacks++
		if h.Status == pdu.ROK {
			h.Status = pdu.RUnknownErr // whatever the peer means, it has not taken the request
		}
	}
	if i, ok := s.window.find(h.Sequence); ok {
		if !nack && s.window.slots[i].command.Resp() != h.Command {
			s.counters.Mismatched++
			return
		}
		r := s.window.take(i)
		s.counters.Responses++
		d, away := now-r.sentAt, now-r.sentAt
		if s.looked != 0 {
			away = max(0, s.looked-r.sentAt)
		}
		if s.trip == 0 {
			s.trip, s.away = d, away
		} else {
			s.trip += (d - s.trip) / 8
			s.away += (away - s.away) / 8
		}
		s.handler.Response(s, now, r.tag, h, p)
		return
	}
	switch {
	case s.unbind != 0 && h.Sequence == s.unbind && s.state == Unbinding:
		// A peer that knows no unbind and says so has heard it all the same.
		if nack || h.Command == pdu.UnbindResp {
			s.state = Closed
			return
		}
		s.counters.Mismatched++
	case h.Command == pdu.EnquireLinkResp: // its arrival has proved life already
	default:
		s.lateResponse(now, h, p, nack)
	}
}

// lateResponse handles what answers no request that still waits.
func (s *Session) lateResponse(now int64, h pdu.Header, p []byte, nack bool) {
	r := s.lates.find(h.Sequence)
	switch {
	case r == nil:
		s.counters.Stray++
	case !nack && r.command.Resp() != h.Command:
		s.counters.Mismatched++
	default:
		tag := r.tag
		*r = lateSlot{}
		s.counters.Late++
		if s.late != nil {
			s.late.Late(s, now, tag, h, p)
		}
	}
}
