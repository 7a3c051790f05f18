package catalog

import (
	"strings"
	"testing"

	"smsplane/pdu/profile"
)

// A link may join what clients cut, unless it would cut it again.
func TestJoinedParts(t *testing.T) {
	for keys, want := range map[string]string{"parts: payload": "", "parts: payload, long: payload": "", "parts: payload, long: always_payload": "",
		"parts: payload, long: udh8": "payload joins what long: udh8 cuts", "parts: payload, long: short": "payload joins", "parts: whole": "is not one of"} {
		m, r := open(t, "profile: {"+keys+"}\n")
		p := linkProfile(m)
		if err := r.Err(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", keys, err)
		}
		if want == "" && p.Parts != profile.PartsPayload {
			t.Errorf("%s: %+v", keys, p)
		}
	}
	m, r := open(t, "profile: {parts: payload}\n")
	if clientProfile(m); r.Err() == nil {
		t.Error("a client's parts cannot be joined, and nobody said so")
	}
}
