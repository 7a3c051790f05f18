package dataplane

import "testing"

// A sweep passes the lanes one after the other, a turn each, and begins anew when it is due again.
func TestOneTurnSweepsOneLane(t *testing.T) {
	n := newTestNode(t)
	n.x.call(func() {
		const unswept = -1
		mark := func() {
			for _, l := range n.x.lanes {
				l.stripped = unswept
			}
		}
		swept := func() (k int) {
			for _, l := range n.x.lanes {
				if l.stripped != unswept {
					k++
				}
			}
			return k
		}
		mark()
		n.x.swept, n.x.sweeper = 0, n.x.now
		for turn := range n.x.lanes {
			if n.x.timers(n.x.now); swept() != turn+1 {
				t.Errorf("%d lanes are swept after turn %d", swept(), turn)
			}
			if turn < len(n.x.lanes)-1 && n.x.next(n.x.now) > n.x.now {
				t.Errorf("after turn %d the executor may sleep, and lanes are left", turn)
			}
		}
		mark()
		if n.x.timers(n.x.now); swept() > 0 {
			t.Error("a lane is swept before it is due again")
		}
	})
}
