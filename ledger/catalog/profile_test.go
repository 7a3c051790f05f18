package catalog

import (
	"reflect"
	"strings"
	"testing"

	"smsplane/ledger/catalog/document"
	"smsplane/pdu"
	"smsplane/pdu/profile"
	"smsplane/pdu/text"
)

const wholeLinkProfile = `profile:
  ids: {answer: hex, receipt: decimal, case: upper, digits: 8, receipt_prefix: "a:", answer_prefix: "b-"}
  receipts: {read: text, esm_class: [0x24, 8], states: {NOTDLV: UNDELIV}}
  dcs0: latin1
  ucs2: le
  codings: [0, 8]
  long: payload
  parts: udh16
  source: {name: {ton: 5, npi: 0}, short: {ton: 3, npi: 0}, number: {ton: 1, npi: 1}}
  destination: {ton: 0, npi: 1, prefix: "00"}
  tlvs: [0x1400, 0x1401]
  drop_tlvs: 0x0005
  rename_tlvs: {0x1400: 0x1500}
  add_tlvs: {0x1501: "0x0102", 0x1502: plain}
`

func open(t *testing.T, s string) (*document.Map, *document.Report) {
	t.Helper()
	var r document.Report
	m := document.Open("f.yaml", []byte(s), &r)
	if m == nil {
		t.Fatal(r.Err())
	}
	return m, &r
}

func TestLinkProfile(t *testing.T) {
	m, r := open(t, wholeLinkProfile)
	have := linkProfile(m)
	m.Close()
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	want := &profile.Link{
		IDs:      profile.IDs{Set: true, Answer: profile.Hex, Receipt: profile.Decimal, Case: profile.Upper, Digits: 8, ReceiptPrefix: "a:", AnswerPrefix: "b-"},
		Receipts: profile.Reading{From: profile.FromText, Classes: []uint8{0x24, 8}, States: []profile.Word{{Word: "NOTDLV", State: pdu.StateUndeliverable}}},
		Text:     profile.Charsets{DCS0: text.ISO88591, UCS2: text.UTF16LE}, Codings: []uint8{0, 8}, Long: profile.LongPayload, Parts: profile.PartsUDH16,
		Source: profile.Source{Name: profile.Address{Set: true, TON: 5}, Short: profile.Address{Set: true, TON: 3}, Number: profile.Address{Set: true, TON: 1, NPI: 1}},
		Dest:   profile.Dest{Address: profile.Address{Set: true, NPI: 1}, Prefix: "00"},
		TLVs: profile.TLVs{Vendor: []pdu.Tag{0x1400, 0x1401}, Drop: []pdu.Tag{5}, Rename: []profile.Renamed{{From: 0x1400, To: 0x1500}},
			Add: pdu.AppendTLV(pdu.AppendTLV(nil, 0x1501, []byte{1, 2}), 0x1502, []byte("plain"))},
	}
	if !reflect.DeepEqual(have, want) {
		t.Errorf("have %+v\nwant %+v", have, want)
	}
	if p := linkProfile(first(open(t, "profile: {tlvs: all}\n"))); !p.TLVs.AllVendor {
		t.Errorf("tlvs: all is %+v", p.TLVs)
	}
	if linkProfile(first(open(t, "other: 1\n"))) != nil {
		t.Error("a link without a profile has one")
	}
}

func first(m *document.Map, _ *document.Report) *document.Map { return m }

func TestClientProfile(t *testing.T) {
	m, r := open(t, "profile:\n  dcs0: utf8\n  receipts: {write: tlvs, esm_class: 0, id: decimal}\n  statuses: {ESME_RTHROTTLED: 0x14}\n")
	have := clientProfile(m)
	m.Close()
	want := &profile.Client{Text: profile.Charsets{DCS0: text.UTF8}, Receipts: profile.Writing{What: profile.FromTLVs, ID: profile.Decimal},
		Statuses: []profile.Status{{From: pdu.RThrottled, To: pdu.RMsgQFul}}}
	if err := r.Err(); err != nil || !reflect.DeepEqual(have, want) {
		t.Errorf("%v\nhave %+v\nwant %+v", err, have, want)
	}
}

func TestMistakesInProfiles(t *testing.T) {
	for mistake, want := range map[string]string{
		"wrong: 1":                               `"wrong" is not a key`,
		"ids: {answer: hex}":                     "receipt is missing",
		"ids: {answer: hex, receipt: text}":      "text is no number",
		"ids: {answer: hex, receipt: hex, x: 1}": `"x" is not a key`,
		"receipts: {read: none}":                 "not one of both, text, tlvs",
		"receipts: {esm_class: 300}":             "not a number from 0 to 255",
		"receipts: {states: {A: B}}":             "not a state",
		"dcs0: ebcdic":                           "not one of gsm7",
		"codings: [4]":                           "not one of 0, 1, 3, 8",
		"source: {name: {ton: 5}}":               "npi is missing",
		`destination: {prefix: "011"}`:           `neither "+" nor "00"`,
		"tlvs: [0x0005]":                         "passes anyway",
		"tlvs: some":                             "not the number of a TLV",
		"drop_tlvs: 0x0424":                      "not the number of a TLV",
		"add_tlvs: {0x0005: two}":                "malformed",
		`add_tlvs: {0x1400: "0xzz"}`:             "not octets in hex",
	} {
		m, r := open(t, "profile:\n  "+mistake+"\n")
		linkProfile(m)
		if err := r.Err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", mistake, err)
		}
	}
	m, r := open(t, "profile:\n  statuses: {0x58: 0}\n")
	clientProfile(m)
	if err := r.Err(); err == nil || !strings.Contains(err.Error(), "other than 0") {
		t.Error(err)
	}
}
