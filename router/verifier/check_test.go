package verifier

import (
	"strings"
	"testing"

	"smsplane/ledger"
	"smsplane/ledger/catalog"
	"smsplane/pdu"
)

type numbers map[string]uint16

func (n numbers) Carrier(id string) (uint16, bool) { v, ok := n[id]; return v, ok }

const now = int64(1_800_000_000_000_000_000)

func facts() *Facts {
	return NewFacts(&catalog.Catalog{Carriers: []catalog.Carrier{
		{ID: "north", Links: []catalog.Link{{Bind: pdu.BindTransceiver}}},
		{ID: "south", Links: []catalog.Link{{Bind: pdu.BindTransmitter}}},
		{ID: "inbound", Links: []catalog.Link{{Bind: pdu.BindReceiver}}},
		{ID: "bare"},
		{ID: "unnumbered", Links: []catalog.Link{{Bind: pdu.BindTransceiver}}},
	}}, 7, numbers{"north": 1, "south": 200, "inbound": 3, "bare": 4})
}

func plan(version uint32, carriers ...uint16) *ledger.Route {
	p := &ledger.Route{Catalog: version, N: uint8(len(carriers))}
	for i, c := range carriers {
		p.Targets[i].Carrier = c
	}
	return p
}

func up(carriers ...uint16) *Carriers {
	s := &Carriers{}
	for _, c := range carriers {
		s.Set(c, true)
	}
	return s
}

func TestCheck(t *testing.T) {
	f := facts()
	tests := []struct {
		name    string
		alter   func(in *Input)
		verdict Verdict
		reason  Reason
	}{
		{"good", func(in *Input) {}, Pass, OK},
		{"good without asking who is up", func(in *Input) { in.Up = nil }, Pass, OK},
		{"empty plan", func(in *Input) { in.Plan = plan(7) }, Reject, NoTarget},
		{"empty plan of an older version", func(in *Input) { in.Plan = plan(6) }, Reroute, NoTarget},
		{"damaged plan", func(in *Input) { in.Plan.N = ledger.MaxTargets + 1 }, Reject, NoTarget},
		{"target gone", func(in *Input) { in.Plan = plan(6, 1, 99) }, Reroute, TargetGone},
		{"target never there", func(in *Input) { in.Plan = plan(7, 1, 99) }, Reject, TargetGone},
		{"older version, same targets", func(in *Input) { in.Plan = plan(6, 1, 200) }, Pass, OK},
		{"only inbound links", func(in *Input) { in.Plan = plan(7, 3) }, Hold, NoLink},
		{"no links at all", func(in *Input) { in.Plan = plan(7, 4) }, Hold, NoLink},
		{"one of two without links", func(in *Input) { in.Plan = plan(7, 4, 1) }, Pass, OK},
		{"one of two up", func(in *Input) { in.Up = up(200) }, Pass, OK},
		{"none up", func(in *Input) { in.Up = up() }, Hold, CarrierDown},
		{"another up", func(in *Input) { in.Up = up(3, 4, 64) }, Hold, CarrierDown},
		{"no number", func(in *Input) { in.Number = 0 }, Reject, BadNumber},
		{"6 digits", func(in *Input) { in.Number = 999_999 }, Reject, BadNumber},
		{"7 digits", func(in *Input) { in.Number = 1_000_000 }, Pass, OK},
		{"15 digits", func(in *Input) { in.Number = 999_999_999_999_999 }, Pass, OK},
		{"16 digits", func(in *Input) { in.Number = 1_000_000_000_000_000 }, Reject, BadNumber},
		{"long name", func(in *Input) { in.Src = []byte("TwelveLetter") }, Reject, BadSender},
		{"class above", func(in *Input) { in.Class = ledger.ClassOTP }, Reject, ClassAbove},
		{"class below", func(in *Input) { in.Class = ledger.ClassBulk }, Pass, OK},
		{"last moment", func(in *Input) { in.ValidUntil = now + 1 }, Pass, OK},
		{"expired", func(in *Input) { in.ValidUntil = now }, Reject, Expired},
		{"no end", func(in *Input) { in.ValidUntil = 0 }, Pass, OK},
		{"expired and held", func(in *Input) { in.Up, in.ValidUntil = up(), now-1 }, Reject, Expired},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := Input{Plan: plan(7, 1, 200), Facts: f, Up: up(1, 200), Number: 4915112345678, Src: []byte("Bank"), SrcTON: 5,
				Class: ledger.ClassTransactional, Entitled: ledger.ClassTransactional, ValidUntil: now + 1e9, Now: now}
			tt.alter(&in)
			if v, r := Check(&in); v != tt.verdict || r != tt.reason {
				t.Errorf("%s %s, want %s %s", v, r, tt.verdict, tt.reason)
			}
		})
	}
}

func TestSender(t *testing.T) {
	tests := []struct {
		src string
		ton uint8
		ok  bool
	}{
		{"", 0, true},
		{"Bank", 5, true},
		{"Bank", 0, true},
		{"Bank", 1, false},
		{"Bank", 2, false},
		{"ElevenChars", 5, true},
		{"TwelveLetter", 5, false},
		{"12345678901", 5, true},
		{"123456789012", 5, false},
		{"[123456789]", 5, false}, // brackets take two septets
		{"[1234567]", 5, true},
		{"a`b", 5, false},
		{"caf\xe9", 5, false},
		{"a\x00b", 5, false},
		{"4915112345678", 1, true},
		{"+4915112345678", 1, true},
		{"+4915112345678", 0, true},
		{"123456789012345", 1, true},
		{"1234567890123456", 1, false},
		{"+1234567890123456", 0, false},
		{"1234567890123456", 0, true},
		{"12345678901234567890", 3, true},
		{"123456789012345678901", 3, false},
		{"+", 0, true}, // a name of one character
		{"+", 1, false},
	}
	for _, tt := range tests {
		if got := senderOK([]byte(tt.src), tt.ton); got != tt.ok {
			t.Errorf("%q ton %d: %v, want %v", tt.src, tt.ton, got, tt.ok)
		}
	}
}

// What the journal keeps must keep its meaning.
func TestReasonNumbers(t *testing.T) {
	var names []string
	for r := range reasonEnd {
		names = append(names, r.String())
	}
	want := "ok no_target target_gone no_link carrier_down bad_number bad_sender class_above expired"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if Reason(200).String() != "reason?" || Verdict(200).String() != "verdict?" {
		t.Error("unknown numbers have no placeholder")
	}
}

func TestCarriers(t *testing.T) {
	var s Carriers
	s.Set(65535, false)
	if s.bits != nil || s.Has(65535) || s.Has(0) {
		t.Error("taking out of an empty set grew it")
	}
	s.Set(64, true)
	s.Set(65535, true)
	s.Set(64, false)
	if s.Has(64) || !s.Has(65535) || s.Has(0) {
		t.Error("set and cleared carriers differ")
	}
}

func TestCheckAllocatesNothing(t *testing.T) {
	in := Input{Plan: plan(7, 1, 200), Facts: facts(), Up: up(1), Number: 4915112345678, Src: []byte("Bank"), SrcTON: 5,
		Entitled: ledger.ClassOTP, ValidUntil: now + 1, Now: now}
	if n := testing.AllocsPerRun(100, func() { Check(&in) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
