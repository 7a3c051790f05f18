package dataplane

import "testing"

// A lane that rests with a long queue gives up its blocks when another needs room: the other keeps in memory what it works on.
func TestRestingLaneGivesItsBlocksUp(t *testing.T) {
	n := newTestNode(t)
	const resting, busy = 1, 2
	n.x.call(func() { n.x.routers.paused = true }) // what is accepted waits
	for range 4 {
		n.admit(t, resting, 100)
	}
	n.x.call(func() { n.x.maxResident = n.x.resident() })
	n.admit(t, busy, 50)
	if !n.await(func() bool { return !n.x.lanes[busy].book.Dirty() && n.x.resident() <= n.x.maxResident }) {
		t.Fatal("no block leaves memory")
	}
	n.x.call(func() {
		if n.x.lanes[busy].log.Resident() == 0 {
			t.Errorf("the lane at work keeps nothing, the resting one %d octets", n.x.lanes[resting].log.Resident())
		}
	})
}
