package session

import (
	"testing"
	"time"

	"smsplane/pdu"
)

// What a round trip surely holds of the peer ends where input was looked for last: behind that its answer may have lain unread.
func TestAway(t *testing.T) {
	for _, c := range []struct{ looked, now, trip, away time.Duration }{
		{0, 50, 50, 50},  // nobody said when
		{10, 50, 50, 0},  // sent in the turn before: it may have come at once
		{45, 50, 50, 35}, // looked for in vain until shortly before
	} {
		s := New(Config{Role: Client, Bind: pdu.BindTransceiver, Version: 0x34, Window: 10}, &scene{}, 0)
		if !s.Send(int64(10*time.Millisecond), request(pdu.SubmitSM, 0), 1) {
			t.Fatal("no room")
		}
		s.Looked(int64(c.looked * time.Millisecond))
		answer := pdu.AppendPlain(nil, pdu.SubmitSMResp, pdu.RSysErr, 1)
		if err := s.Feed(int64((10+c.now)*time.Millisecond), answer); err != nil {
			t.Fatal(err)
		}
		if s.RoundTrip() != int64(c.trip*time.Millisecond) || s.Away() != int64(c.away*time.Millisecond) {
			t.Errorf("looked at %d: round trip %v, away %v", c.looked, time.Duration(s.RoundTrip()), time.Duration(s.Away()))
		}
	}
}
