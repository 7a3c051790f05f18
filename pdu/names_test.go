package pdu

import (
	"bytes"
	"strings"
	"testing"
)

func TestCommandNames(t *testing.T) {
	for c, name := range commandNames {
		if c.String() != name || c.Known() == only33(c) || strings.HasSuffix(name, "_resp") != (c.IsResp() && c != GenericNack) {
			t.Errorf("%#x %s: known %v, response %v", uint32(c), c, c.Known(), c.IsResp())
		}
		if r := c.Resp(); !c.IsResp() && r.Known() != (c != Outbind && c != AlertNotification && !only33(c)) {
			t.Errorf("%s: response %v known %v", c, r, r.Known())
		}
	}
	for _, c := range []Command{0, 0x0A, 0x0C, 0x20, 0x25, 0x104, 0x110, 0x114, 0x8000000B, 0x80000102, 0x80003302, 0xF0000009, 0x10200} {
		if c.Known() || !strings.HasPrefix(c.String(), "0x") {
			t.Errorf("%v is known", c)
		}
	}
}

func only33(c Command) bool { return c&^respBit >= ParamRetrieve && c&^respBit <= QueryMsgDetails }

func TestStatusNames(t *testing.T) {
	seen := map[string]Status{}
	for st, name := range statusNames {
		if !strings.HasPrefix(name, "ESME_R") || st.String() != name || seen[name] != 0 {
			t.Errorf("%#x is %s", uint32(st), name)
		}
		seen[name] = st
	}
	for st, want := range map[Status]string{0: "ESME_ROK", 0x58: "ESME_RTHROTTLED", 0x50: "ESME_RINVDSTTON", 0x53: "ESME_RINVSYSTYP",
		0xC2: "ESME_RINVTLVLEN", 0x104: "ESME_RINVDCS", 0x112: "ESME_RINVBCASTCHANIND", 0x123: "0x00000123", 0x400: "0x00000400"} {
		if st.String() != want {
			t.Errorf("%#x is %s, want %s", uint32(st), st, want)
		}
	}
	if !Status(0x4A1).Vendor() || RThrottled.Vendor() {
		t.Error("vendor block")
	}
}

func TestTags(t *testing.T) {
	for i, s := range tagSpecs {
		if i > 0 && tagSpecs[i-1].tag >= s.tag || s.min > s.max || s.tag.String() != s.name || !s.tag.Known() || s.tag.Vendor() {
			t.Errorf("row %d: %+v", i, s)
		}
		for n, want := range map[int]bool{int(s.min): true, int(s.max): true, int(s.min) - 1: false, int(s.max) + 1: false} {
			if s.tag.fits(n) != want {
				t.Errorf("%s of %d octets: %v", s.name, n, !want)
			}
		}
		good := bytes.Repeat([]byte{1}, int(s.max))
		if st := s.tag.Check(good); st != ROK {
			t.Errorf("%s %x...: %v", s.name, good[:min(4, len(good))], st)
		}
		if s.top < 255 {
			good[0] = s.top + 1
			if st := s.tag.Check(good); st != RInvTLVVal {
				t.Errorf("%s %x: %v", s.name, good[0], st)
			}
		}
	}
	for _, tag := range []Tag{0, 0x0611 + 3, 0x11FF, 0x1400, 0x3FFF, 0x4000, 0xFFFF} {
		if tag.Known() || !tag.fits(65535) || tag.Check(nil) != ROK || !strings.HasPrefix(tag.String(), "0x") {
			t.Errorf("%v is known", tag)
		}
	}
	for _, c := range []struct {
		tag  Tag
		v    []byte
		want Status
	}{
		{TagMSValidity, []byte{0}, ROK}, {TagMSValidity, []byte{4, 0, 0, 1}, ROK}, {TagMSValidity, []byte{4, 0}, RInvTLVLen},
		{TagSARTotalSegments, []byte{0}, RInvTLVVal}, {TagSARSegmentSeqnum, []byte{255}, ROK}, {TagUserMessageReference, []byte{1}, RInvTLVLen},
		{TagAlertOnMessageDelivery, nil, ROK}, {TagMessagePayload, nil, ROK},
	} {
		if st := c.tag.Check(c.v); st != c.want {
			t.Errorf("%v %x: %v, want %v", c.tag, c.v, st, c.want)
		}
	}
}

func TestStates(t *testing.T) {
	for s := State(0); s < 12; s++ {
		if len(s.Text()) != 7 || s.String() == "" {
			t.Errorf("%d: %q %q", s, s.Text(), s)
		}
		if back, ok := stateOf([]byte(s.Text())); s != StateScheduled && s < StateSkipped && (!ok || back != s) {
			t.Errorf("%v reads back as %v", s, back)
		}
	}
	for s, final := range map[State]bool{StateScheduled: false, StateEnroute: false, StateAccepted: false, StateDelivered: true,
		StateExpired: true, StateDeleted: true, StateUndeliverable: true, StateRejected: true, StateUnknown: true, StateSkipped: true} {
		if s.Final() != final {
			t.Errorf("%v final: %v", s, !final)
		}
	}
}

func TestHeaderPatching(t *testing.T) {
	p := AppendPlain([]byte("before"), GenericNack, RInvCmdID, 7)[6:]
	SetSequence(p, 0xFFFFFFFF)
	SetStatus(p, RSysErr)
	if h := ParseHeader(p); h != (Header{HeaderLen, GenericNack, RSysErr, 0xFFFFFFFF}) {
		t.Errorf("%+v", h)
	}
}

func TestAppendTLVRefusesTooLong(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("65536 octets fit into a TLV")
		}
	}()
	AppendTLV(nil, TagMessagePayload, make([]byte, 65536))
}

// Each paragraph that defines a TLV is named by exactly one row: 44 of 3.4 §5.3.2, 64 of 5.0 §4.8.4.
func TestTagSections(t *testing.T) {
	of34, of50 := map[uint8]Tag{}, map[uint8]Tag{}
	for _, s := range tagSpecs {
		if s.in34 != 0 {
			of34[s.in34] = s.tag
		}
		of50[s.in50] = s.tag
	}
	for n := uint8(1); n <= 64; n++ {
		if of50[n] == 0 || n <= 44 && of34[n] == 0 {
			t.Errorf("paragraph %d: 3.4 %#x, 5.0 %#x", n, of34[n], of50[n])
		}
	}
	if len(of34) != 44 || len(of50) != 64 || len(tagSpecs) != 64 {
		t.Errorf("%d and %d paragraphs, %d rows", len(of34), len(of50), len(tagSpecs))
	}
	for tag, want := range map[Tag]string{TagMessagePayload: "3.4 §5.3.2.32, 5.0 §4.8.4.36", TagCongestionState: "5.0 §4.8.4.18", 0x1401: ""} {
		if tag.Section() != want {
			t.Errorf("%#x: %q, want %q", tag, tag.Section(), want)
		}
	}
}
