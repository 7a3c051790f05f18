package dataplane

import (
	"testing"
	"time"
)

// A bind whose client cannot take anything rests longer each time, up to a bound, and no longer than at first once it could.
func TestRestsGrow(t *testing.T) {
	s, now := &clientSession{}, int64(time.Hour)
	for i, want := range []time.Duration{1, 2, 4, 8, 15, 15} {
		s.answered(true, now)
		s.answered(true, now) // to something that was sent before the rest began
		if rest := time.Duration(s.restTil - now); rest != want*time.Second {
			t.Errorf("rest %d is %v, want %ds", i+1, rest, want)
		}
		now = s.restTil
	}
	s.answered(false, now)
	if s.answered(true, now); time.Duration(s.restTil-now) != bindRest {
		t.Errorf("after an answer in between it rests %v", time.Duration(s.restTil-now))
	}
	for i, d := range returnRests[1:] {
		if d <= returnRests[i] {
			t.Errorf("rest %d of a receipt is %v, after %v", i+2, d, returnRests[i])
		}
	}
}
