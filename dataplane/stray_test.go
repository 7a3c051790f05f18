package dataplane

import (
	"fmt"
	"testing"

	"smsplane/pdu/profile"
)

// A carrier that sends no end of receipts for what we never sent must not keep others' receipts from the answers that they
// came before: the oldest give way.
func TestStraysMakeRoom(t *testing.T) {
	s := strays{}
	k := &link{ids: profile.NewLearner(profile.IDs{})}
	const over = 1000
	for n := range maxEarly + over {
		s.add(1, k, fmt.Appendf(nil, "wrong-%d", n), nil, int64(n))
		if n%3 == 0 {
			s.drop(s.byID[strayKey{1, fmt.Sprintf("wrong-%d", n)}]) // it found its message
		}
	}
	for n := range 2*maxEarly + over {
		s.add(1, k, fmt.Appendf(nil, "wrong-again-%d", n), nil, int64(n))
	}
	s.add(2, k, []byte("early"), nil, 1)
	if s.byID[strayKey{2, "early"}] == nil {
		t.Error("a receipt that came before its answer will not be found by it")
	}
	if s.byID[strayKey{1, "wrong-1"}] != nil || len(s.byID) != maxEarly || len(s.order) > 2*maxEarly {
		t.Errorf("%d are remembered, %d in order", len(s.byID), len(s.order))
	}
	for _, v := range s.byID {
		s.drop(v)
	}
	if len(s.byKey) != 0 || s.mores != 0 {
		t.Errorf("%d keys and %d receipts are left", len(s.byKey), s.mores)
	}
}
