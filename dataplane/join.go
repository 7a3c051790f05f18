package dataplane

import (
	"maps"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
	"smsplane/pdu/profile"
)

// A link that wants long texts whole (parts: payload) gets the parts that a client made of one as one message. Each part is
// a message of its own in the books, durable since its answer; joining happens when a link would take it:
//
//	part 1 ─ dispatch ─▶ rests ─┐
//	part 3 ─ dispatch ─▶ rests ─┤ at most joinWait, then each goes alone
//	part 2 ─ dispatch ──────────┴▶ all are there: DISPATCH for each, in one block; part 2 bears the bytes of all
//
// What becomes of the bearer becomes of all: its answer is journaled for each, in one block, and when its answer is lost
// each is in doubt. Only the bearer has the carrier's id. Its receipt speaks for the others, whose ends are marked as
// derived; so every id that the client knows gets one final receipt. So it is a part that asked for one, if any did.
//
// Where the client's order is kept the parts hold their line together: what stands behind them goes when the text was taken.
//
// None of this is journaled besides: after a crash the parts are messages that wait, are in doubt, or are taken, and come
// together again as they did before.

// joinWait is how long a part waits for the others. Clients send them at once; one that never comes must not keep the rest.
const joinWait = int64(3 * time.Second)

// partRoom is the room in a block for the records of one part.
const partRoom = 256

// assemble gathers the parts of the text that m is one of, for a link that wants them as one message: bearer goes with the bytes
// of the others. wait says that m was put aside until they are there. With neither m goes as it is.
func (l *lane) assemble(m *book.Msg, s *linkSession, now int64) (bearer *book.Msg, others []*book.Msg, wait bool) {
	to := s.link.decl.Profile
	if !m.Concat || to == nil || to.Parts != profile.PartsPayload || s.link.decl.Version < pdu.Version34 {
		return m, nil, false
	}
	c, g := l.x.table.ClientOf(m.Account), l.groupOf(m, now)
	if c == nil || g == nil || g.apart || g.taken || !l.read(m) {
		return m, nil, false
	}
	total, seq, ok := c.Profile.Joinable(&l.view)
	if !ok || m.Once {
		l.scatter(g, now)
		return m, nil, false
	}
	if len(g.resting) == 0 {
		g.resting, g.joinBy = map[uint8]ledger.MsgID{}, now+joinWait
	}
	if was := l.part(g, seq, s); was != nil && was != m {
		l.scatter(g, now) // two texts under one reference
		return m, nil, false
	}
	g.resting[seq] = m.ID
	size := uint32(0)
	for i := uint8(1); i <= total; i++ {
		o := m
		if i != seq {
			if o = l.part(g, i, s); o == nil {
				break
			}
			others = append(others, o)
		}
		if size += o.Len; o.Coding != m.Coding || size > profile.MaxJoined {
			l.scatter(g, now)
			return m, nil, false
		}
	}
	switch {
	case len(others) == int(total)-1:
		for i, o := range others {
			if m.Registered&3 == 0 && o.Registered&3 != 0 {
				m, others[i] = o, m
			}
		}
		l.detach(m, others, g, now)
		return m, others, false
	case now >= g.joinBy:
		l.scatter(g, now)
		return m, nil, false
	}
	m.Due = g.joinBy
	m.Note |= noteServed
	l.enqueue(m, now)
	l.callOut(m, now)
	return m, nil, true
}

// detach gives a text that is whole a group of its own, unless it has one: the next one under the same reference is another.
func (l *lane) detach(m *book.Msg, others []*book.Msg, g *group, now int64) {
	if v := l.lines[lineKey{m.Account, m.Number}]; v != nil {
		v.text = 0
	}
	if g.bearer == 0 {
		carrier := g.carrier
		*g = group{at: now, texts: g.texts}
		m.Group = xxhash.Sum64(m.ID.Append(nil)) | 1
		g = l.group(m.Group, now)
		g.carrier = carrier
	}
	g.bearer, g.borne, g.resting = m.ID, nil, nil
	for _, o := range others {
		o.Group = m.Group
		g.borne = append(g.borne, o.ID)
	}
}

// part is a part that rests until its text is there.
func (l *lane) part(g *group, seq uint8, s *linkSession) *book.Msg {
	m := l.book.Get(g.resting[seq])
	if m == nil || m.Phase != phaseResting || m.Held || m.Present().Carrier != s.carrier.n {
		return nil
	}
	return m
}

// scatter lets the parts of a text go as they are, from now on.
func (l *lane) scatter(g *group, now int64) {
	g.apart = true
	for _, seq := range slices.Sorted(maps.Keys(g.resting)) {
		id := g.resting[seq]
		if m := l.book.Get(id); m != nil && m.Phase == phaseResting && m.Due == g.joinBy {
			m.Due = 0
			l.enqueue(m, now)
		}
	}
	g.resting = nil
}

// together makes room for the records of n parts in one block: after a crash there are all of them, or none.
func (l *lane) together(n int, now int64) {
	if n > 0 {
		l.room((n+1)*partRoom, now)
	}
}

// borne are the parts whose bytes m bears, by what is being done to them.
func (l *lane) borne(m *book.Msg, is func(o *book.Msg) bool) (all []*book.Msg) {
	if !m.Concat {
		return nil
	}
	g := l.groups[m.Group]
	if g == nil || g.bearer != m.ID {
		return nil
	}
	for _, id := range g.borne {
		if o := l.book.Get(id); o != nil && o.Note&noteBorne != 0 && o.Link == m.Link && is(o) {
			all = append(all, o)
		}
	}
	return all
}

func sent(m *book.Msg) bool { return m.Phase == phaseSent }

// whole is the text that m and the parts it bears make.
func (l *lane) whole(m *book.Msg, borne []*book.Msg) (p []byte, ok bool) {
	c := l.x.table.ClientOf(m.Account)
	if c == nil {
		return nil, false
	}
	parts := make([]*pdu.Message, len(borne)+1)
	for _, o := range append(borne[:len(borne):len(borne)], m) {
		b, err := l.book.PDU(o)
		if err != nil {
			l.x.fail(err)
			return nil, false
		}
		v := new(pdu.Message)
		if v.Parse(b) != pdu.ROK {
			return nil, false
		}
		total, seq, ok := c.Profile.Joinable(v)
		if !ok || int(total) != len(parts) || parts[seq-1] != nil {
			return nil, false // the catalog reads its octets otherwise since
		}
		parts[seq-1] = v
	}
	return c.Profile.Join(nil, parts), true
}
