package dataplane

import (
	"smsplane/ledger/book"
	"smsplane/pdu"
	"smsplane/pdu/profile"
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

// carries says whether a link can take a message without losing anything of it.
func (l *lane) carries(m *book.Msg, s *linkSession) bool {
	from, to, needed := l.x.profiles(m, s)
	narrow := s.link.decl.Version < 0x34
	if !needed && !narrow || !l.read(m) {
		return true
	}
	return l.x.adapt.forward.Carries(&l.view, from, to, narrow)
}

// adapted is the message as the link wants it; its hop fields are still the client's.
func (l *lane) adapted(m *book.Msg, s *linkSession, p []byte) []byte {
	x := l.x
	from, to, needed := x.profiles(m, s)
	if !needed || l.view.Parse(p) != pdu.ROK {
		return p
	}
	a := &x.adapt
	a.digits = router.Number(m.Number).Append(a.digits[:0])
	h := pdu.Hop{Priority: l.view.Priority(), Registered: l.view.RegisteredDelivery()}
	out := a.forward.Append(l.blank(len(p)), &l.view, &h, from, to, a.digits)
	if a.view.Parse(out) != pdu.ROK { // its profile would make it malformed: better as the client wrote it
		return p
	}
	return l.written(out)
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
