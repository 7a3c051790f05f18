package dataplane

import (
	"testing"
	"time"

	"smsplane/egress"
)

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

// A carrier that gets what its rate allows is not slow because of us, also at a moment at which a token is there: what waits for it
// must not hold up what others send.
func TestCarrierAtItsRateIsNotQuick(t *testing.T) {
	const tps = 1000
	now := int64(time.Hour)
	c := &carrier{}
	s := &linkSession{carrier: c, link: &link{bucket: egress.NewBucket(tps, linkDepth)}, up: true, theirs: 1, whole: 100}
	c.sessions = append(c.sessions, s)
	for _, bucket := range []*egress.Bucket{&s.link.bucket, &c.bucket} {
		s.link.bucket, c.bucket = egress.Bucket{}, egress.Bucket{}
		*bucket = egress.NewBucket(tps, linkDepth)
		now += int64(time.Minute)
		if !c.quick(now) {
			t.Error("nothing was sent: it is not quick")
		}
		for bucket.Take(now) {
		}
		now += int64(linkDepth)
		if c.quick(now) || bucket.Whole(now) < 2 {
			t.Errorf("%d tokens came back, and it is quick", bucket.Whole(now))
		}
		for range 1200 { // half of its rate
			now += 2 * int64(time.Millisecond)
			bucket.Take(now)
		}
		if !c.quick(now) {
			t.Error("it has had half of its rate for two seconds, and is not quick")
		}
	}
}
