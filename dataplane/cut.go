package dataplane

import (
	"smsplane/ledger/book"
	"smsplane/pdu"
	"smsplane/pdu/profile"
)

// inParts gives up a message from a carrier that a bind's client cannot take whole for messages that are its parts. Its parts
// and its end are in one block: after a crash there is the one or the others. It reports whether it did.
func (l *lane) inParts(list *book.List, m *book.Msg, s *clientSession) bool {
	long := profile.LongAsIs
	if c := l.x.table.ClientOf(m.Account); c != nil && c.Profile != nil {
		long = c.Profile.Long
	}
	if !m.MO || m.Notice || long == profile.LongAsIs && !s.noTLVs || m.Len <= shortest || !l.read(m) {
		return false
	}
	x := l.x
	parts := x.adapt.forward.Split(&l.view, long, s.noTLVs, x.nextRef(uint64(m.Account)))
	if parts == nil {
		return false
	}
	need := 0
	for _, p := range parts {
		need += len(p) + recordRoom
	}
	l.room(need, x.now)
	l.book.Remove(list, m)
	for _, p := range parts {
		x.addMO(m.Account, m.Carrier, p, x.now)
		l.records++
	}
	l.release(m, 0, pdu.ROK, x.now)
	return true
}

const (
	shortest   = pdu.HeaderLen + 33 + 70 // octets of a message whose text no alphabet makes longer than one short message
	recordRoom = 64                      // octets of a record besides what it carries
)
