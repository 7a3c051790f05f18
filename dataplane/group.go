package dataplane

import (
	"maps"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"smsplane/egress"
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/catalog"
	"smsplane/pdu"
	"smsplane/pdu/profile"
	"smsplane/router"
)

// The parts that a client makes of a text are messages of their own: each has its id, its price and its end. But a
// phone puts them together only when they come the same way, so they have a group: it goes where its first part was
// planned to go, moves as one while no carrier has any of it, and stays with the carrier that took one.
//
// The same group tells parts without a receipt of their own what became of them, where a carrier sends one for the
// first or the last part only (part_receipts). Such an end is marked as derived.
//
// The reference in the parts has 8 bits with most clients, and some never change it. So a part that its group has already
// belongs to another text, as does one that comes long after the last: it begins a group of its own under the same name.
type group struct {
	carrier uint16
	taken   bool // it has some part
	at      int64
	parts   []groupPart
	came    int64  // its last part
	texts   uint64 // in the first group of a name: how many groups began since

	resting map[uint8]ledger.MsgID // parts that wait to be joined, by their number
	joinBy  int64                  // so long
	apart   bool                   // they go one by one
	bearer  ledger.MsgID           // that last went out with the bytes of all
	borne   []ledger.MsgID         // the others

	waiting []ledger.MsgID // taken, without a receipt that will come for themselves
	told    bool           // the receipt that speaks for all is here
	state   pdu.State
	err     []byte
}

// groupPart is a part that came.
type groupPart struct {
	seq uint8
	id  ledger.MsgID
}

const (
	maxGroups = 1 << 17
	groupKeep = int64(time.Hour)        // after its last part
	groupOpen = int64(10 * time.Minute) // for the next part

	groupLook  = 8       // looked at for one that may give way, for each that begins
	groupSweep = 4 << 10 // looked at in one sweep
)

// groupOf finds or makes the group of a part; nil when m is none.
func (l *lane) groupOf(m *book.Msg, now int64) *group {
	if !m.Concat {
		return nil
	}
	if m.Group == 0 {
		if !l.read(m) {
			return nil
		}
		l.joinGroup(m, &l.view, now)
	}
	return l.group(m.Group, now)
}

// joinGroup finds the group that a part belongs to: the youngest of its name, or another that begins with it.
func (l *lane) joinGroup(m *book.Msg, v *pdu.Message, now int64) {
	name, seq := groupKey(m, v)
	first := l.group(name, now)
	for ; ; first.texts++ {
		m.Group = name + 2*first.texts
		g := l.group(m.Group, now)
		at := slices.IndexFunc(g.parts, func(p groupPart) bool { return p.seq == seq })
		switch {
		case at >= 0 && g.parts[at].id == m.ID: // it was on disk meanwhile
			return
		case at < 0 && (len(g.parts) == 0 || now-g.came <= groupOpen):
			g.parts, g.came = append(g.parts, groupPart{seq, m.ID}), now
			return
		}
	}
}

// group finds or makes a group. When there are too many, the one that began first gives way, unless it is needed: then there
// are more, as many as such texts.
func (l *lane) group(key uint64, now int64) *group {
	g := l.groups[key]
	if g == nil {
		for n := min(groupLook, len(l.groupAge)); n > 0 && len(l.groups) >= maxGroups; n-- {
			oldest := l.groupAge[0]
			l.groupAge = l.groupAge[1:]
			if o := l.groups[oldest]; o != nil && l.needed(o) {
				l.groupAge = append(l.groupAge, oldest)
			} else {
				delete(l.groups, oldest)
			}
		}
		if l.groups == nil {
			l.groups = map[uint64]*group{}
		}
		g = &group{}
		l.groups[key], l.groupAge = g, append(l.groupAge, key)
	}
	g.at = now
	return g
}

// needed says that parts wait for what their group knows: for a receipt, for each other, or for the one that bears them. It
// forgets those that ended otherwise.
func (l *lane) needed(g *group) bool {
	g.waiting = slices.DeleteFunc(g.waiting, func(id ledger.MsgID) bool { return !l.is(id, phaseAwaiting) })
	maps.DeleteFunc(g.resting, func(_ uint8, id ledger.MsgID) bool { return !l.is(id, phaseResting) })
	return len(g.waiting) > 0 || len(g.resting) > 0 || len(g.borne) > 0 && l.book.Get(g.bearer) != nil
}

func (l *lane) is(id ledger.MsgID, phase uint8) bool {
	m := l.book.Get(id)
	return m != nil && m.Phase == phase
}

// groupKey is the same for all parts of a text: client, addresses, reference and number of parts. Never 0. seq is which of
// them m is.
func groupKey(m *book.Msg, v *pdu.Message) (key uint64, seq uint8) {
	ref, total, seq, _ := profile.PartOf(v)
	var b [16]byte
	k := append(b[:0], byte(ref>>8), byte(ref), total, byte(m.Account>>24), byte(m.Account>>16), byte(m.Account>>8), byte(m.Account))
	k = router.Number(m.Number).Append(k)
	return xxhash.Sum64(append(append(k, ' '), v.SrcAddr()...)) | 1, seq
}

// sweepGroups forgets what is long over, a part of it each time.
func (l *lane) sweepGroups(now int64) {
	for range min(groupSweep, len(l.groupAge)) {
		if l.groupAt >= len(l.groupAge) {
			l.groupAt = 0
		}
		k := l.groupAge[l.groupAt]
		l.groupAt++
		if g := l.groups[k]; g != nil && now-g.at > groupKeep && !l.needed(g) {
			delete(l.groups, k)
		}
	}
	if len(l.groupAge) > 2*len(l.groups) { // mostly such as are gone
		l.groupAge = slices.DeleteFunc(l.groupAge, func(k uint64) bool { return l.groups[k] == nil })
	}
}

// gather puts the carrier of a part's group first in the part's plan.
func (l *lane) gather(m *book.Msg, now int64) {
	g := l.groupOf(m, now)
	if g == nil {
		return
	}
	if g.carrier == 0 {
		g.carrier = m.Targets[0].Carrier
		return
	}
	for i := uint8(1); i < m.N; i++ {
		if m.Targets[i].Carrier == g.carrier {
			t := m.Targets[i]
			copy(m.Targets[1:i+1], m.Targets[:i])
			m.Targets[0] = t
		}
	}
}

// astray is the target that a part must go to instead of a carrier, because its group is elsewhere.
func (l *lane) astray(m *book.Msg, carrier uint16, now int64) (target uint8, ok bool) {
	if !m.Concat || m.Part > 0 {
		return 0, false
	}
	g := l.groupOf(m, now)
	if g == nil || g.carrier == carrier || g.carrier == 0 {
		return 0, false
	}
	for i := range m.N {
		if m.Targets[i].Carrier == g.carrier {
			return i, true
		}
	}
	return 0, false
}

// stays says that a message may go to no other carrier than the present target: that one has some of it, or of the
// text that it is a part of.
func (l *lane) stays(m *book.Msg) bool {
	if m.Part > 0 {
		return true
	}
	if !m.Concat || m.Group == 0 {
		return false
	}
	g := l.groups[m.Group]
	return g != nil && g.taken && g.carrier == m.Present().Carrier
}

// draws takes the group along when a part moves.
func (l *lane) draws(m *book.Msg) {
	if g := l.groups[m.Group]; m.Concat && g != nil && !g.taken {
		g.carrier = m.Present().Carrier
	}
}

// settles notes that a carrier has a part of the text that m is one of.
func (l *lane) settles(m *book.Msg, now int64) {
	if g := l.groupOf(m, now); g != nil {
		g.carrier, g.taken = m.Carrier, true
	}
}

// joins lets a part that a carrier took wait for the receipt that speaks for it, or ends it if that came before.
func (l *lane) joins(m *book.Msg, now int64) {
	g := l.groupOf(m, now)
	if g == nil {
		return
	}
	c, nameless := l.x.table.CarrierOf(m.Carrier), len(m.CarrierID()) == 0
	if c == nil || c.Parts == catalog.PartsEach && !nameless || m.Phase != phaseAwaiting {
		return
	}
	if g.told && c.Parts != catalog.PartsEach {
		l.derive(m, g.state, g.err, now)
		return
	}
	g.waiting = append(g.waiting, m.ID)
}

// speaks says that the receipt of a part is that of its text: derived ends follow from it.
func (l *lane) speaks(m *book.Msg, r *pdu.Receipt, now int64) {
	c := l.x.table.CarrierOf(m.Carrier)
	g := l.groupOf(m, now)
	if c == nil || g == nil || g.told {
		return
	}
	l.speaksForBorne(m, g, r, now)
	if c.Parts == catalog.PartsEach || !l.read(m) {
		return
	}
	_, total, seq, ok := profile.PartOf(&l.view)
	if !ok || c.Parts == catalog.PartsFirst && seq != 1 || c.Parts == catalog.PartsLast && seq != total {
		return
	}
	g.told, g.state, g.err = true, r.State, append([]byte(nil), r.Err...)
	for _, id := range g.waiting {
		if o := l.book.Get(id); o != nil && id != m.ID && o.Phase == phaseAwaiting {
			l.derive(o, g.state, g.err, now)
		}
	}
	g.waiting = nil
}

// speaksForBorne ends the parts whose bytes m bore: they went out in the same DISPATCH block, and have no name of their own.
func (l *lane) speaksForBorne(m *book.Msg, g *group, r *pdu.Receipt, now int64) {
	g.waiting = slices.DeleteFunc(g.waiting, func(id ledger.MsgID) bool {
		o := l.book.Get(id)
		if o == nil || o.ID == m.ID || o.Phase != phaseAwaiting || len(o.CarrierID()) > 0 || o.Dispatched != m.Dispatched || o.Link != m.Link {
			return false
		}
		l.derive(o, r.State, r.Err, now)
		return true
	})
}

// derive ends a part by what was said of another.
func (l *lane) derive(m *book.Msg, state pdu.State, code []byte, now int64) {
	v := ledger.Receipt{State: uint8(state), Err: code}
	end := endOf(state)
	if end == ledger.EndDelivered {
		v.Cost = l.owes(m)
	}
	l.journalReceipt(m.ID, &v, nil, now)
	l.final(m, ledger.Final{End: end, Reason: ledger.ReasonDerived}, now)
}

// stay tries a message at the carrier that it must stay with once more, after a rest.
func (l *lane) stay(m *book.Msg, st pdu.Status, now int64) {
	m.Due = now + int64(egress.Delay(int(m.Fails)-1))
	l.answer(m, &ledger.Answer{Status: uint32(st), Outcome: ledger.Retry, Target: m.Target, Due: m.Due}, now)
	l.enqueue(m, now)
}
