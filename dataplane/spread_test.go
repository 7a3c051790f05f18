package dataplane

import (
	"testing"

	"smsplane/dataplane/cluster"
)

// A step that another host sees no reason for, or cannot do, keeps this one from its own for a while only: here host 2 does not give
// lane 1 to host 3, as an operator wants, and host 1 has a full disk.
func TestStepOfAnotherHostIsNotWaitedForForEver(t *testing.T) {
	const me = 1
	lanes := []cluster.Lead{{By: 2, Weight: 1, Stays: true}, {By: 2, Weight: 1, Pin: 3}, {By: me, Weight: 1}}
	s := spread{fit: map[uint64]int64{2: 0, 3: 0}}
	for now, may := range map[int64]bool{0: false, stepWait - 1: false, stepWait: true} {
		s.other = otherStep{}
		s.step(me, lanes, []uint64{2, 3}, 1)
		if lane, to, ok := s.step(me, lanes, []uint64{2, 3}, 1+now); ok != may || ok && (lane != 2 || to != 3) {
			t.Errorf("after %d ns: lane %d to host %d, %v", now, lane, to, ok)
		}
	}
	lanes[1].By = 3
	if lane, to, ok := s.step(me, lanes, []uint64{2, 3}, 2); !ok || lane != 2 || to != 3 || s.other != (otherStep{}) {
		t.Errorf("behind the other's step: lane %d to host %d, %v, %+v", lane, to, ok, s.other)
	}
}
