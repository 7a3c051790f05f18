package dataplane

import (
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

// Where there are too many groups the oldest gives way, but not one whose parts wait for a receipt.
func TestOldestGroupGivesWay(t *testing.T) {
	l := &lane{}
	l.group(1, 1).waiting = []ledger.MsgID{1}
	for k := range uint64(maxGroups + 5) {
		l.group(2*k+1, int64(k))
	}
	newest := uint64(2*(maxGroups+4) + 1)
	if len(l.groups) != maxGroups || l.groups[1] == nil || l.groups[3] != nil || l.groups[newest] == nil || len(l.groupAge) != maxGroups {
		t.Errorf("%d groups, %d by age; that with parts that wait %v, the next %v, the newest %v", len(l.groups), len(l.groupAge),
			l.groups[1] != nil, l.groups[3] != nil, l.groups[newest] != nil)
	}
	l.groups[1].waiting = nil
	if l.sweepGroups(2 * groupKeep); len(l.groups) != 0 || len(l.groupAge) != 0 {
		t.Errorf("%d groups are kept, %d by age", len(l.groups), len(l.groupAge))
	}
}
