package dataplane

import (
	"slices"
	"testing"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
)

// Parts with one reference between the same numbers are one text until a part comes again, or long after the others.
func TestPartsOfOneReference(t *testing.T) {
	l := &lane{}
	now, id := int64(1), ledger.MsgID(0)
	join := func(seq byte) uint64 {
		id++
		m := &book.Msg{ID: id, Account: 1, Number: 4915112345678, Concat: true}
		p := pdu.Submit{Src: []byte("shop"), Dst: []byte("4915112345678"), ESMClass: pdu.ESMUDHI, Text: []byte{5, 0, 3, 9, 2, seq, 'x'}}
		l.view.Parse(p.Append(nil, 1))
		l.joinGroup(m, &l.view, now)
		was := m.Group
		if l.joinGroup(m, &l.view, now); m.Group != was { // as when it comes back from disk
			t.Errorf("message %v is in another group the second time", id)
		}
		return was
	}
	first, second := join(1), join(2)
	if first != second {
		t.Error("two parts of a text are in two groups")
	}
	third, fourth := join(2), join(1)
	if third == first || third != fourth {
		t.Error("the next text is not in a group of its own")
	}
	fifth := join(1)
	now += groupOpen + 1
	if sixth := join(2); fifth == fourth || sixth == fifth {
		t.Error("a part that comes long after is taken for one of the same text")
	}
}

// Where there are too many groups the oldest gives way, but not one whose parts wait for a receipt; and long after its
// last part each goes.
func TestOldestGroupGivesWay(t *testing.T) {
	l, m := groupLane(t, 1)
	m[0].Phase = phaseAwaiting
	l.group(1, 1).waiting = []ledger.MsgID{m[0].ID}
	for k := range uint64(maxGroups + 5) {
		l.group(2*k+1, int64(k))
	}
	newest := uint64(2*(maxGroups+4) + 1)
	if len(l.groups) != maxGroups || l.groups[1] == nil || l.groups[3] != nil || l.groups[newest] == nil || len(l.groupAge) != maxGroups {
		t.Errorf("%d groups, %d by age; that with parts that wait %v, the next %v, the newest %v", len(l.groups), len(l.groupAge),
			l.groups[1] != nil, l.groups[3] != nil, l.groups[newest] != nil)
	}
	sweep := func() {
		for range maxGroups/groupSweep + 1 {
			l.sweepGroups(2 * groupKeep)
		}
	}
	if sweep(); len(l.groups) != 1 || l.groups[1] == nil {
		t.Errorf("%d groups are kept, that with a part that waits %v", len(l.groups), l.groups[1] != nil)
	}
	m[0].Phase = phaseEnding // no receipt came
	if sweep(); len(l.groups) != 0 || len(l.groupAge) != 0 {
		t.Errorf("%d groups are kept, %d by age", len(l.groups), len(l.groupAge))
	}
}

// groupLane is a lane with n messages in its book.
func groupLane(t *testing.T, n int) (*lane, []*book.Msg) {
	b, _, _ := planned(t, n)
	var all []*book.Msg
	b.Each(0, b.Slots()+1, func(m *book.Msg) { all = append(all, m) })
	return &lane{book: b}, all
}

// A new group costs the same however many there are that must stay.
func TestNeededGroupsAreNotLookedThrough(t *testing.T) {
	l, m := groupLane(t, 1)
	m[0].Phase = phaseResting
	for k := range uint64(maxGroups + 100) {
		l.group(2*k+1, 1).resting = map[uint8]ledger.MsgID{1: m[0].ID}
	}
	before := l.groupAge[0]
	l.group(1<<40|1, 1)
	if moved := slices.Index(l.groupAge, before); len(l.groupAge)-1-moved > groupLook || len(l.groups) != maxGroups+101 {
		t.Errorf("%d groups were looked at for one more of %d", len(l.groupAge)-1-moved, len(l.groups))
	}
}

// Parts whose texts are joined leave their group to the next text under the same reference, also where that has begun.
func TestNextTextBehindOneThatIsJoined(t *testing.T) {
	l, m := groupLane(t, 9)
	join := func(i int, seq byte) uint64 {
		m[i].Account, m[i].Concat = 1, true
		p := pdu.Submit{Src: []byte("shop"), Dst: []byte("4915112345678"), ESMClass: pdu.ESMUDHI, Text: []byte{5, 0, 3, 9, 3, seq, 'x'}}
		l.view.Parse(p.Append(nil, 1))
		l.joinGroup(m[i], &l.view, 1)
		return m[i].Group
	}
	whole := func(i int) {
		l.detach(m[i], []*book.Msg{m[i+1], m[i+2]}, l.groups[m[i].Group], 1)
		if g := l.groups[m[i].Group]; m[i].Group != m[i+1].Group || g.bearer != m[i].ID || len(g.borne) != 2 {
			t.Errorf("text %d is not in a group of its own: %+v", i, g)
		}
	}
	for i := range 3 {
		join(i, byte(i+1))
	}
	next := join(3, 1) // before the first text went
	whole(0)
	for i := 4; i < 6; i++ {
		if join(i, byte(i-2)) != next {
			t.Errorf("part %d of the next text has another group than its first", i-2)
		}
	}
	whole(3)
	last := join(6, 1)
	if join(7, 2) != last || join(8, 3) != last || last == m[0].Group || last == m[3].Group {
		t.Error("the third text is not in one group of its own")
	}
	for range 1000 { // the carrier puts it off again and again
		l.detach(m[0], []*book.Msg{m[1], m[2]}, l.groups[m[0].Group], 1)
	}
	if len(l.groupAge) > 2*len(l.groups) {
		t.Errorf("%d groups, %d by age", len(l.groups), len(l.groupAge))
	}
}

// A group of before that is still there, while the first of its name is gone, takes no part of another text.
func TestStaleGroup(t *testing.T) {
	l, m := groupLane(t, 4)
	join := func(i int, seq byte) *group {
		m[i].Account, m[i].Concat = 1, true
		p := pdu.Submit{Src: []byte("shop"), Dst: []byte("4915112345678"), ESMClass: pdu.ESMUDHI, Text: []byte{5, 0, 3, 9, 2, seq, 'x'}}
		l.view.Parse(p.Append(nil, 1))
		l.joinGroup(m[i], &l.view, 1)
		return l.groups[m[i].Group]
	}
	name := m[0]
	join(0, 1)
	stale := join(1, 1)
	stale.told = true
	delete(l.groups, name.Group)
	join(2, 1)
	if g := join(3, 1); g == stale {
		t.Error("a part is in the group of a text that ended")
	}
}

// What was noted of groups while a lane was led is nothing to build on when it is led again.
func TestDeposedLaneForgetsGroups(t *testing.T) {
	l, _ := groupLane(t, 1)
	l.group(1, 1).taken = true
	if l.clear(); len(l.groups) != 0 || len(l.groupAge) != 0 {
		t.Errorf("%d groups, %d by age", len(l.groups), len(l.groupAge))
	}
}
