package entry

import (
	"smsplane/pdu"
)

// paced holds the messages of a bind that came above its client's rate, in order. The session's peer window
// bounds them; what is beyond it was answered ESME_RTHROTTLED already.
type paced struct {
	octets []byte // whole PDUs, one behind the other
	at     int    // those before it are done
	listed bool   // the desk looks after this session
}

func (p *paced) empty() bool { return p.at == len(p.octets) }

// hold puts a message aside until the rate allows it.
func (d *Desk) hold(s *Session, p []byte) {
	if s.late.at > 0 && s.late.empty() {
		s.late.octets, s.late.at = s.late.octets[:0], 0
	}
	s.late.octets = append(s.late.octets, p...)
	if !s.late.listed {
		s.late.listed = true
		d.pacing = append(d.pacing, s)
	}
}

// Pacing says that messages wait for their client's rate: Pace must be called a hundred times a second.
func (d *Desk) Pacing() bool { return len(d.pacing) > 0 }

// Pace takes in what waited and may come now.
func (d *Desk) Pace(now int64) {
	keep := d.pacing[:0]
	for _, s := range d.pacing {
		if s.late.listed = !s.gone && !d.release(s, now); s.late.listed {
			keep = append(keep, s)
			continue
		}
		s.late = paced{}
	}
	clear(d.pacing[len(keep):])
	d.pacing = keep
}

// release takes in what the rate allows; true when nothing waits any more.
func (d *Desk) release(s *Session, now int64) bool {
	for !s.late.empty() {
		c := d.table().ClientOf(s.Account.Number)
		if c != nil && !s.Account.take(now, c.TPS) {
			return false
		}
		p := s.late.octets[s.late.at:]
		h := pdu.ParseHeader(p)
		p = p[:h.Length:h.Length]
		s.late.at += len(p)
		if st := d.submitNow(s, c, h, p, now); st != pdu.ROK {
			s.reply(h.Command, st, h.Sequence, nil)
		}
		if s.gone {
			return true
		}
	}
	return true
}
