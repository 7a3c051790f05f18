package entry

import (
	"smsplane/pdu"
)

// paced holds the messages of a bind that came above its client's rate, in order. The session's peer window bounds their
// number, maxPaced their octets; what is beyond either is answered ESME_RTHROTTLED.
type paced struct {
	octets []byte // whole PDUs, one behind the other
	at     int    // those before it are done
	listed bool   // the desk looks after this session
}

// maxPaced is how many octets a bind may have waiting. One message always may.
const maxPaced = 1 << 20

func (p *paced) empty() bool { return p.at == len(p.octets) }

// push adds a message; false when there is no room for it.
func (p *paced) push(m []byte) bool {
	if !p.empty() && len(p.octets)-p.at+len(m) > maxPaced {
		return false
	}
	if p.at > 0 && p.at >= len(p.octets)/2 { // of a client that never rests something always waits
		p.octets, p.at = p.octets[:copy(p.octets, p.octets[p.at:])], 0
	}
	p.octets = append(p.octets, m...)
	return true
}

// hold puts a message aside until the rate allows it; false when too much waits already.
func (d *Desk) hold(s *Session, p []byte) bool {
	if !s.late.push(p) {
		return false
	}
	if !s.late.listed {
		s.late.listed = true
		d.pacing = append(d.pacing, s)
	}
	return true
}

// Pacing says that messages wait for their client's rate: Pace must be called a hundred times a second.
func (d *Desk) Pacing() bool { return len(d.pacing) > 0 }

// Pace takes in what waited and may come now, a message of each session in turn: a client's rate is for all its binds, and one
// that never rests must not have all of it.
func (d *Desk) Pace(now int64) {
	keep := d.kept[:0]
	for i := 0; i < len(d.pacing); i++ { // those that had their turn stand again at the end
		switch s := d.pacing[i]; {
		case s.gone || s.late.empty():
			s.late = paced{}
		case d.release(s, now):
			d.pacing = append(d.pacing, s)
		default:
			keep = append(keep, s)
		}
	}
	clear(d.pacing)
	d.kept, d.pacing = d.pacing[:0], keep
}

// release takes in one message, if the rate allows it.
func (d *Desk) release(s *Session, now int64) bool {
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
	return true
}
