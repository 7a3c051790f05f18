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

// SMPP 3.3 has no message_payload: a link of it that wants texts whole would never get one.
func TestJoinedPartsNeedTLVs(t *testing.T) {
	for version, refused := range map[string]bool{"3.3": true, "3.4": false, "5.0": false} {
		files := contract(t)
		files[CarriersFile] = []byte(strings.Replace(string(files[CarriersFile]), "        bind: transceiver\n", "        bind: transmitter\n        version: "+version+"\n        profile: {parts: payload}\n", 1))
		if _, err := Parse(files); (err != nil) != refused || err != nil && !strings.Contains(err.Error(), "SMPP 3.3 has not") {
			t.Errorf("version %s: %v", version, err)
		}
	}
}
