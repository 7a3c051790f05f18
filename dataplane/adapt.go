package dataplane

import (
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
	"smsplane/pdu/profile"
	"smsplane/pdu/text"
	"smsplane/router"
)

// adapter brings messages from what a client does differently to what a link wants differently. Messages between
// peers without a profile never come here.
type adapter struct {
	clients bool // some client has a profile
	forward profile.Forwarder
	view    pdu.Message
	digits  []byte
}

// plainLink wants everything as the specification says.
var plainLink profile.Link

// profiles are those of a message's client and of a link; needed is false when neither has one.
func (x *executor) profiles(m *book.Msg, s *linkSession) (from *profile.Client, to *profile.Link, needed bool) {
	to = s.link.decl.Profile
	if x.adapt.clients {
		if c := x.table.ClientOf(m.Account); c != nil {
			from = c.Profile
		}
	}
	needed = from != nil || to != nil
	if to == nil {
		to = &plainLink
	}
	return from, to, needed
}

// carries says whether a link can take a message without losing anything of it, and in what shape.
func (l *lane) carries(m *book.Msg, s *linkSession) (v ledger.Shape, ok bool) {
	if m.Broadcast {
		return v, true
	}
	if m.Part > 0 { // some of it is sent: the rest is as that was
		v = l.book.Shape(m)
		v.Part = m.Part
		return v, true
	}
	from, to, needed := l.x.profiles(m, s)
	narrow := s.link.decl.Version < 0x34
	if !needed && !narrow || !l.read(m) {
		return v, true
	}
	p, ok := l.x.adapt.forward.Carries(&l.view, from, to, narrow)
	if p.Of == 0 {
		return v, ok
	}
	v = ledger.Shape{Of: p.Of, Joined: uint8(p.Joined), Coding: p.Coding, Charset: uint8(p.Charset), Ref: l.x.nextRef(m.Number)}
	if was := l.book.Shape(m); was.Of == v.Of && m.Carrier == s.carrier.n {
		v.Ref = was.Ref // should the first part be there already, the phone sees it once
	}
	return v, ok
}

// adapted is the message, or the part of it that is due, as the link wants it; its hop fields are still the client's. ok
// is false when there is no such part: a profile changed while the parts went out.
func (l *lane) adapted(m *book.Msg, s *linkSession, p []byte) (out []byte, ok bool) {
	x := l.x
	if m.Broadcast { // as the client wrote it: profiles are for what goes to phones
		if l.view.Parse(p) != pdu.ROK {
			return nil, false
		}
		return l.written(l.view.AppendBroadcast(l.blank(len(p)))), true
	}
	from, to, needed := x.profiles(m, s)
	if !needed && m.Of == 0 || l.view.Parse(p) != pdu.ROK {
		return p, true
	}
	a := &x.adapt
	a.digits = router.Number(m.Number).Append(a.digits[:0])
	h := pdu.Hop{Priority: l.view.Priority(), Registered: l.view.RegisteredDelivery()}
	if v := l.book.Shape(m); v.Of > 0 {
		shape := profile.Shape{Of: v.Of, Joined: profile.Parts(v.Joined), Coding: v.Coding, Charset: text.Charset(v.Charset), Ref: v.Ref}
		if out, ok = a.forward.AppendPart(l.blank(512), &l.view, &h, from, to, a.digits, &shape, m.Part); !ok || a.view.Parse(out) != pdu.ROK {
			return nil, false
		}
		return l.written(out), true
	}
	out = a.forward.Append(l.blank(len(p)), &l.view, &h, from, to, a.digits)
	if a.view.Parse(out) != pdu.ROK { // its profile would make it malformed: better as the client wrote it
		return p, true
	}
	return l.written(out), true
}

// blank is room for a PDU that others will hold on to; written takes it.
func (l *lane) blank(n int) []byte {
	if len(l.paper) < n+1024 {
		l.paper = make([]byte, max(arenaBytes, n+1024))
	}
	return l.paper[:0]
}

func (l *lane) written(out []byte) []byte {
	if len(out) <= len(l.paper) {
		l.paper = l.paper[len(out):]
	}
	return out[:len(out):len(out)]
}

// plainWriting is how receipts are written unless a client wants them otherwise.
var plainWriting = profile.Writing{ESMClass: pdu.ESMReceipt}

// writing is how a client wants its receipts.
func (x *executor) writing(account uint32) *profile.Writing {
	if x.adapt.clients {
		if c := x.table.ClientOf(account); c != nil && c.Profile != nil {
			return &c.Profile.Receipts
		}
	}
	return &plainWriting
}
