package egress

import (
	"math/rand/v2"
	"testing"
)

// Whatever is on its way between a guest and the owner, a message is lent one place and no more, and in the end each that
// waited was lent one.
func TestDemandLendsEachMessageOnePlace(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var d Demand
	var waiting, used, came, gone uint64
	var words []uint64 // from the guest, in order
	lent := 0          // places on their way to it
	back := 0          // and on their way back
	say := func() { words = append(words, used+waiting) }
	for step := range 20000 {
		switch rng.IntN(6) {
		case 0:
			if step < 15000 {
				waiting++
				came++
				say()
			}
		case 1: // expired, or moved to another carrier
			if waiting > 0 && rng.IntN(4) == 0 {
				waiting--
				gone++
				say()
			}
		case 2:
			if len(words) > 0 {
				d.Heard(words[0])
				words = words[1:]
			}
		case 3:
			if d.Open() > 0 {
				d.Lent()
				lent++
			}
		case 4:
			if lent > 0 {
				if lent--; waiting > 0 {
					waiting--
					used++
				} else {
					back++
				}
			}
		case 5:
			if back > 0 {
				back--
				d.Returned()
			}
		}
		if n := uint64(lent+back) + used; n > came {
			t.Fatalf("step %d: %d places lent for %d messages", step, n, came)
		}
	}
	if used+gone != came || waiting != 0 {
		t.Fatalf("%d messages, %d used a place, %d went away, %d wait", came, used, gone, waiting)
	}
}

// A lease that another host holds ends, as we count it, before it ends there: whichever clock is fast.
func TestLeaseAbroadEndsInTime(t *testing.T) {
	for _, ours := range []float64{0.9, 1, 1.1} {
		for _, theirs := range []float64{0.9, 1, 1.1} {
			const made, heard, ends = 0.0, 30e6, 330e6 // of true time
			rest := int64((ends - heard) * theirs)
			until := float64(LeaseAbroad(int64(made*ours), rest)) / ours
			if until > ends {
				t.Errorf("clocks %v and %v: until %.0f ms, the lease ended at %.0f", ours, theirs, until/1e6, ends/1e6)
			}
			if until < ends/2 {
				t.Errorf("clocks %v and %v: only until %.0f ms of %.0f", ours, theirs, until/1e6, ends/1e6)
			}
		}
	}
	if LeaseAbroad(5, 0) != 0 || LeaseAbroad(5, -1) != 0 {
		t.Error("a lease that is over goes on")
	}
}
