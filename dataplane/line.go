package dataplane

import (
	"smsplane/ledger/book"
)

// lineTable keeps the order of what in_order clients send to one number: a message stands in line, not planned yet, until
// the one before it was taken by a carrier, or has ended. So it may go to another carrier, or another class, and still
// not overtake. What is scheduled for later goes at its time and stands in no line.
//
// Where a link wants a text whole, its parts must come together: the first that such a link would take calls out those
// that stand right behind it, and they hold the line with it (join.go).
//
// A line is the leader's; a restart finds the holders by their state and the others in the order of their ids. Whoever
// stands in line, or holds one, stays in memory: a run on disk does not tell, at the next start, whom others wait for. So
// entry bounds how many there are (Desk.Ordered).
type lineTable map[lineKey]*line

type lineKey struct {
	account uint32
	number  uint64
}

type line struct {
	holders int    // messages that the others wait for: one, or the parts of a text
	text    uint64 // the group of those parts, while more of them may come; 0: none may
	behind  book.List
}

// countOrdered tells the desks how many messages of in_order clients wait.
func (x *executor) countOrdered() {
	n := int64(0)
	for number, a := range x.accounts {
		if c := x.table.ClientOf(number); c != nil && c.InOrder {
			n += a.Waiting.Load()
		}
	}
	x.lined.Store(n)
}

// stands says whether a message must wait for another, and puts it behind that one; else the next waits for it.
func (l *lane) stands(m *book.Msg, now int64) bool {
	if c := l.x.table.ClientOf(m.Account); c == nil || !c.InOrder || m.Due > now {
		return false
	}
	k := lineKey{m.Account, m.Number}
	v := l.lines[k]
	switch {
	case m.Note&noteHolds != 0:
		return false
	case v == nil, v.text != 0 && v.behind.Len() == 0 && l.ofText(m, v.text, now):
		l.hold(m)
		return false
	}
	m.Phase = phaseBehind
	l.book.Push(&v.behind, m)
	return true
}

// ofText says that a message is a part of the text of a group, and that this is still to be joined.
func (l *lane) ofText(m *book.Msg, text uint64, now int64) bool {
	g := l.groupOf(m, now)
	return g != nil && m.Group == text && !g.apart
}

// callOut lets parts come that stand in line right behind one that waits for them.
func (l *lane) callOut(m *book.Msg, now int64) {
	v := l.lines[lineKey{m.Account, m.Number}]
	if v == nil || m.Note&noteHolds == 0 {
		return
	}
	v.text = m.Group
	for o := l.book.Front(&v.behind); o != nil && l.ofText(o, v.text, now); o = l.book.Front(&v.behind) {
		l.book.Remove(&v.behind, o)
		l.step(o)
	}
}

// step lets a message go that stood in line.
func (l *lane) step(m *book.Msg) {
	l.hold(m)
	m.Phase = phaseRouting
	l.book.PushFront(&l.routing.front, m) // it has waited long enough
}

// hold makes a message one that others to its number wait for.
func (l *lane) hold(m *book.Msg) {
	k := lineKey{m.Account, m.Number}
	if l.lines == nil {
		l.lines = lineTable{}
	}
	if l.lines[k] == nil {
		l.lines[k] = &line{}
	}
	l.lines[k].holders++
	m.Note |= noteHolds
}

// giveWay lets the next in line go: a carrier has this one, or it has ended.
func (l *lane) giveWay(m *book.Msg) {
	if m.Note&noteHolds == 0 {
		return
	}
	m.Note &^= noteHolds
	k := lineKey{m.Account, m.Number}
	v := l.lines[k]
	if v.holders--; v.holders > 0 {
		return
	}
	v.text = 0
	next := l.book.Pop(&v.behind)
	if next == nil {
		delete(l.lines, k)
		return
	}
	l.step(next)
}

// inLine brings lines back when the lane begins to lead: what is on its way holds its line, the others come to it in
// the order of their ids.
func (l *lane) inLine(m *book.Msg, now int64) {
	c := l.x.table.ClientOf(m.Account)
	if c == nil || !c.InOrder || m.Attempts == 0 && m.Due > now {
		return
	}
	switch m.State {
	case book.StateRouted, book.StateDispatched, book.StateDoubt:
		l.hold(m)
	}
}
