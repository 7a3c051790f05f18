package session

import "smsplane/pdu"

// Feed takes octets as they were read, any number of them. Whole PDUs are handled where they lie in b; only
// the head of a PDU whose rest has not come is copied. An error means that the session is Closed: flush Out
// and close the connection. After Done, octets are dropped and the error, if any, repeated.
func (s *Session) Feed(now int64, b []byte) error {
	if s.state == Closed {
		return s.err
	}
	if len(b) == 0 {
		return nil
	}
	s.enter("Feed")
	s.heard, s.enquiry = now, 0 // whatever it is, it proves that the peer lives
	err := s.feed(now, b)
	s.busy = false
	if s.state == Closed {
		s.dropCarry()
	}
	return err
}

func (s *Session) feed(now int64, b []byte) error {
	if s.carry != nil {
		rest, err := s.fill(now, b)
		if err != nil || s.carry != nil || s.state == Closed {
			return err
		}
		b = rest
	}
	for len(b) >= pdu.HeaderLen {
		n, st := pdu.Frame(b, s.config.MaxPDU)
		if st != pdu.ROK {
			return s.badLength(b)
		}
		if n == 0 {
			break
		}
		s.dispatch(now, b[:n:n])
		if s.state == Closed {
			return s.err
		}
		b = b[n:]
	}
	if len(b) > 0 {
		s.carry = carryPool.Get()
		s.carry.B = append(s.carry.B[:0], b...)
		s.carriedAt = now
	}
	return nil
}

// fill completes the carried PDU from b, handles it, and returns what follows it. The header is filled
// first, alone, so that a bad command_length is met with all 16 octets at hand however the stream was cut.
func (s *Session) fill(now int64, b []byte) (rest []byte, err error) {
	b = s.fillTo(pdu.HeaderLen, b)
	if len(s.carry.B) < pdu.HeaderLen {
		return nil, nil
	}
	n, st := pdu.Frame(s.carry.B, s.config.MaxPDU)
	if st != pdu.ROK {
		return nil, s.badLength(s.carry.B)
	}
	if n == 0 {
		want := int(pdu.ParseHeader(s.carry.B).Length)
		if b = s.fillTo(want, b); len(s.carry.B) < want {
			return nil, nil
		}
		n = want
	}
	s.dispatch(now, s.carry.B[:n:n])
	s.dropCarry()
	return b, nil
}

// fillTo moves octets of b to the carry until it holds n.
func (s *Session) fillTo(n int, b []byte) []byte {
	if missing := n - len(s.carry.B); missing > 0 {
		missing = min(missing, len(b))
		s.carry.B = append(s.carry.B, b[:missing]...)
		b = b[missing:]
	}
	return b
}

// badLength ends a session whose stream cannot be cut into PDUs any more. b holds at least a header, whose
// sequence_number is as good as any to tell the peer which PDU it was (SMPP 3.4 §4.3).
func (s *Session) badLength(b []byte) error {
	h := pdu.ParseHeader(b)
	s.counters.Framing++
	s.plain(pdu.GenericNack, pdu.RInvCmdLen, h.Sequence)
	return s.fail(ErrCommandLength, " (%d octets, at most %d)", h.Length, s.config.MaxPDU)
}
