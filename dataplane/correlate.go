package dataplane

import (
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
	"smsplane/pdu/profile"
)

// seeker looks live messages up for a link's profile.Learner: of one carrier, for the receipt in view.
type seeker struct {
	x       *executor
	carrier uint16
	view    *pdu.Message
	link    *link // that the receipt came by
	find    profile.Find
}

// look implements profile.Find. A receipt's source is the destination of its message (3.4 §4.6.1, Appendix B); some
// carriers leave the two as they were.
func (s *seeker) look(answer []byte) (ref uint64, fit profile.Fit) {
	l, m := s.x.byCarrierID(s.carrier, answer)
	if m == nil {
		return 0, profile.Untold
	}
	part := uint8(0)
	if m.Of > 0 {
		part, _ = l.book.PartByID(m, answer)
	}
	fit = profile.FitNumber(s.view.SrcAddr(), m.Number)
	if fit != profile.Equal && profile.FitNumber(s.view.DstAddr(), m.Number) == profile.Equal {
		fit = profile.Equal
	}
	return refOf(m.ID, part), fit
}

// refOf names a part of a message to a Learner, for which two parts are two messages. A part takes the bits that no id
// has set: lanes are below 1024, and no lane gives out 2^45 ids.
func refOf(id ledger.MsgID, part uint8) uint64 {
	return uint64(id) | uint64(part&63)<<58 | uint64(part>>6)<<45
}

func ofRef(ref uint64) (ledger.MsgID, uint8) {
	part := uint8(ref>>58) | uint8(ref>>45&3)<<6
	return ledger.MsgID(ref &^ (63<<58 | 3<<45)), part
}

// seekFor points the seeker at a receipt in v of a carrier.
func (x *executor) seekFor(carrier uint16, v *pdu.Message) profile.Find {
	s := &x.seek
	if s.find == nil {
		s.x, s.find = x, s.look
	}
	s.carrier, s.view = carrier, v
	return s.find
}

// correlate finds the message that a receipt in the executor's view is about, by what is known of the link's ids.
// What finds none now is remembered, and tried again when an answer or more knowledge comes.
func (x *executor) correlate(carrier uint16, id []byte) (*lane, *book.Msg, uint8) {
	k := x.seek.link
	ref := k.ids.Resolve(id, x.calm(carrier), x.seekFor(carrier, &x.view))
	if ref == 0 {
		x.strays.add(carrier, k, id, x.view.PDU(), x.now)
	}
	if e := k.ids.Epoch(); e != k.epoch {
		k.epoch = e
		x.strays.stirred = true
	}
	if ref != 0 && len(x.strays.byID) > 0 {
		if v := x.strays.byID[strayKey{carrier, string(id)}]; v != nil { // what came first decides
			x.again(v, true, x.now)
		}
	}
	return x.message(ref)
}

func (x *executor) message(ref uint64) (*lane, *book.Msg, uint8) {
	if ref == 0 {
		return nil, nil, 0
	}
	id, part := ofRef(ref)
	l := x.lanes[id.Lane()]
	return l, l.book.Get(id), part
}

// calm says that no answer of a carrier is awaited.
func (x *executor) calm(carrier uint16) bool {
	if c := x.carriers[carrier]; c != nil {
		for _, s := range c.sessions {
			if s.out > 0 {
				return false
			}
		}
	}
	return true
}

func (x *executor) byCarrierID(carrier uint16, id []byte) (*lane, *book.Msg) {
	name := book.NameOf(carrier, id)
	for _, l := range x.lanes {
		if m := l.book.ByName(name); m != nil {
			return l, m
		}
	}
	if x.guests != nil { // or it is the word of an answer that a guest has and we have not folded
		if v, ok := x.guests.named[strayKey{carrier, string(id)}]; ok {
			l := x.lanes[v.id.Lane()]
			if m := l.book.Get(v.id); m != nil && !l.leading && m.State != book.StateEnded {
				return l, m
			}
		}
	}
	return nil, nil
}
