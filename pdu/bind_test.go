package pdu

import (
	"bytes"
	"strings"
	"testing"
)

func TestBindRoundTrip(t *testing.T) {
	for _, c := range []Command{BindReceiver, BindTransmitter, BindTransceiver} {
		b := Bind{Command: c, SystemID: "a long system id of some carrier", Password: strings.Repeat("p", 64), SystemType: "VMA",
			Version: Version34, TON: 1, NPI: 1, Range: "^44"}
		p := AppendBind(nil, &b, 77)
		if have, st := ParseBind(p); st != ROK || have != b {
			t.Errorf("%v: %+v %v", c, have, st)
		}
		if h := ParseHeader(p); h.Sequence != 77 || int(h.Length) != len(p) {
			t.Errorf("%v: header %+v", c, h)
		}
		if _, st := ParseBind(p[:len(p)-1]); st != RInvMsgLen {
			t.Errorf("%v cut: %v", c, st)
		}
	}
	b, st := ParseBind(AppendBind(nil, &Bind{Command: BindReceiver, SystemID: "me", Password: strings.Repeat("p", 65)}, 1))
	if st != RInvPaswd || b.SystemID != "me" {
		t.Errorf("long password: %v, system_id %q", st, b.SystemID)
	}
}

func TestBindResp(t *testing.T) {
	p := AppendBindResp(nil, BindTransceiver, ROK, 1, "smsc", Version34)
	if !bytes.Equal(p, goldenPDU(t, "bind_transceiver_resp")) {
		t.Errorf("%x", p)
	}
	for name, c := range map[string]struct {
		p       []byte
		id      string
		version uint8
		status  Status
	}{
		"with version":    {p, "smsc", 0x34, ROK},
		"for a 3.3 peer":  {AppendBindResp(nil, BindTransmitter, ROK, 1, "smsc", 0), "smsc", 0, ROK},
		"refused":         {AppendBindResp(nil, BindReceiver, RBindFail, 1, "smsc", Version34), "", 0, RBindFail},
		"refused with id": {Finish(append(AppendHeader(nil, BindReceiverResp, RInvPaswd, 1), "SMSC\x00"...), 0), "SMSC", 0, RInvPaswd},
		"id without NUL":  {Finish(append(AppendHeader(nil, BindReceiverResp, ROK, 1), "SMSC"...), 0), "", 0, ROK},
	} {
		if id, v, st := ParseBindResp(c.p); id != c.id || v != c.version || st != c.status {
			t.Errorf("%s: %q %#x %v", name, id, v, st)
		}
	}
	if n := len(AppendBindResp(nil, BindReceiver, RBindFail, 1, "smsc", Version34)); n != HeaderLen {
		t.Errorf("a refusal has a body: %d octets", n)
	}
}

func TestMessageResp(t *testing.T) {
	id := []byte("A1B2")
	if p := AppendMessageResp(nil, SubmitSM, ROK, 2, id); !bytes.Equal(p, goldenPDU(t, "submit_sm_resp")) {
		t.Errorf("%x", p)
	}
	if p := AppendMessageResp(nil, DeliverSM, ROK, 1, nil); !bytes.Equal(p, goldenPDU(t, "deliver_sm_resp")) {
		t.Errorf("%x", p)
	}
	if p := AppendMessageResp(nil, SubmitSM, RThrottled, 2, id); len(p) != HeaderLen {
		t.Errorf("an error has a body: %x", p)
	}
	if have, ok := MessageID(AppendMessageResp(nil, DataSM, RDeliveryFailure, 2, id)); !ok || !bytes.Equal(have, id) {
		t.Errorf("transaction mode lost the id: %q", have)
	}
}

func TestMessageID(t *testing.T) {
	resp := func(body string) []byte { return Finish(append(AppendHeader(nil, SubmitSMResp, ROK, 1), body...), 0) }
	for body, want := range map[string]string{
		"": "", "\x00": "", "A1\x00": "A1", "A1": "A1", "A1\x00\x04\x28\x00\x01\x05": "A1",
		strings.Repeat("x", 64) + "\x00": strings.Repeat("x", 64), strings.Repeat("x", 65) + "\x00": "", strings.Repeat("x", 65): "",
	} {
		if have, ok := MessageID(resp(body)); string(have) != want || ok != (want != "") {
			t.Errorf("%q: %q %v", body, have, ok)
		}
	}
	if v, ok := FindTLV(ResponseTLVs(resp("A1\x00\x04\x28\x00\x01\x05")), TagCongestionState); !ok || v[0] != 5 {
		t.Error("congestion_state is lost")
	}
	if ResponseTLVs(resp("A1")) != nil {
		t.Error("TLVs out of an unterminated id")
	}
}
