package dataplane

import "testing"

// The pace begins when the executor is busy and much waits for it, outlasts a moment in which the disk rests, shortens a queue
// that has grown beyond it, and ends with the queue or with the work.
func TestPace(t *testing.T) {
	var in intake
	looks := func(n int, idle float64, waiting int) {
		for range n {
			in.pace(idle, waiting)
		}
	}
	want := func(when string, paced bool, each int) {
		t.Helper()
		if in.paced != paced || in.each != each {
			t.Errorf("%s: paced %v, %d quarters a message", when, in.paced, in.each)
		}
	}
	looks(100, 0.9, paceAbove+1)
	want("much waits and the executor rests", false, 4)
	looks(100, 0.1, paceUntil)
	want("busy, and little waits", false, 4)
	looks(1, 0.1, paceAbove+1)
	want("busy, and much waits", true, 4)
	looks(1, 0.1, paceLong+1)
	want("more than the pace leaves", true, 3)
	looks(20, 1, paceLong+1)
	want("the disk rests for 0.4 s", true, 3)
	looks(1, 0.1, paceUntil+1)
	want("it shrank", true, 4)
	looks(1, 0.1, paceUntil)
	want("little waits", false, 4)
	looks(1, 0.1, paceAbove+1)
	looks(100, 1, paceAbove+1)
	want("nothing to do for 2 s", false, 4)

	in.tokens, in.each = 0, 3
	for range 4 {
		in.left()
	}
	if in.tokens/4 != 3 {
		t.Errorf("four that went out let %d in", in.tokens/4)
	}
}
