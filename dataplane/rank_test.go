package dataplane

import "testing"

// A lane whose store was replaced just after it was deposed does not lead again before the loops have said that nothing of the time
// before is on its way: what they began then would be taken for decisions of the new lead.
func TestLaneLeadsBehindItsLoops(t *testing.T) {
	n := newTestNode(t)
	n.x.call(func() {
		l := n.x.lanes[0]
		n.x.fellows = &fellows{}
		defer func() { n.x.fellows = nil }()
		if l.owed = 1; l.mayLead() {
			t.Error("it may lead while a loop owes it a word")
		}
		if n.x.handle(nil, &event{kind: evForgotten, lane: l.n}, n.x.now); !l.mayLead() {
			t.Error("it may not lead though nothing is owed")
		}
		sys := l.book.System
		if sys.Version++; l.mayLead() {
			t.Error("it may lead by an older catalog than that by which its messages were accepted")
		}
		sys.Version--
	})
}
