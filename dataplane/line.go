package dataplane

import (
	"smsplane/ledger"
	"smsplane/ledger/book"
)

// lineTable keeps the order of what in_order clients send to one number: a message stands in line, not planned yet, until
// the one before it was taken by a carrier, or has ended. So it may go to another carrier, or another class, and still
// not overtake. What is scheduled for later goes at its time and stands in no line.
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
	holder ledger.MsgID
	behind book.List
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
	case v == nil:
		l.hold(m)
		return false
	case v.holder == m.ID:
		return false
	}
	m.Phase = phaseBehind
	l.book.Push(&v.behind, m)
	return true
}

// hold makes a message the one that others to its number wait for.
func (l *lane) hold(m *book.Msg) {
	k := lineKey{m.Account, m.Number}
	if l.lines == nil {
		l.lines = lineTable{}
	}
	if l.lines[k] == nil {
		l.lines[k] = &line{}
	}
	l.lines[k].holder = m.ID
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
	next := l.book.Pop(&v.behind)
	if next == nil {
		delete(l.lines, k)
		return
	}
	l.hold(next)
	next.Phase = phaseRouting
	l.book.PushFront(&l.routing.front, next) // it has waited long enough
}

// inLine brings lines back when the lane begins to lead: what is on its way holds its line, the others come to it in
// the order of their ids.
func (l *lane) inLine(m *book.Msg) {
	c := l.x.table.ClientOf(m.Account)
	if c == nil || !c.InOrder {
		return
	}
	switch m.State {
	case book.StateRouted, book.StateDispatched, book.StateDoubt:
		if v := l.lines[lineKey{m.Account, m.Number}]; v == nil || m.ID < v.holder {
			if v != nil {
				if o := l.book.Get(v.holder); o != nil {
					o.Note &^= noteHolds
				}
			}
			l.hold(m)
		}
	}
}
