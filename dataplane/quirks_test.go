package dataplane_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"smsplane/pdu"
)

// Whatever a link's profile says of what a carrier wants, the carrier gets.
func TestLinkProfiles(t *testing.T) {
	sar := pdu.AppendTLV8(pdu.AppendTLV8(pdu.AppendTLV16(nil, pdu.TagSARMsgRefNum, 0x1234), pdu.TagSARTotalSegments, 2), pdu.TagSARSegmentSeqnum, 1)
	vendor := pdu.AppendTLV(pdu.AppendTLV(pdu.AppendTLV8(nil, pdu.TagDestAddrSubunit, 1), 0x1400, []byte("entity")), 0x1401, []byte("template"))
	long := []byte(strings.Repeat("ab", 100))
	for quirk, c := range map[string]struct {
		profile string
		change  func(m *pdu.Submit) // of the client's message
		sent    func(m *pdu.Message) string
		want    string
	}{
		"sender: a name": {"source: {name: {ton: 5, npi: 9}, short: {ton: 3, npi: 0}}", nil,
			func(m *pdu.Message) string { return fmt.Sprint(m.SrcTON(), m.SrcNPI()) }, "5 9"},
		"sender: a short code": {"source: {name: {ton: 5, npi: 9}, short: {ton: 3, npi: 0}}", func(m *pdu.Submit) { m.Src, m.SrcTON, m.SrcNPI = []byte("12345"), 1, 1 },
			func(m *pdu.Message) string { return fmt.Sprint(m.SrcTON(), m.SrcNPI()) }, "3 0"},
		"sender: a number": {"source: {number: {ton: 2, npi: 8}}", func(m *pdu.Submit) { m.Src, m.SrcTON, m.SrcNPI = []byte("4917600000"), 1, 1 },
			func(m *pdu.Message) string { return fmt.Sprint(m.SrcTON(), m.SrcNPI()) }, "2 8"},
		"destination": {`destination: {ton: 0, npi: 1, prefix: "00"}`, nil,
			func(m *pdu.Message) string { return fmt.Sprintf("%d %d %.4s", m.DstTON(), m.DstNPI(), m.DstAddr()) }, "0 1 0049"},
		"TLVs passed, dropped, renamed and added": {`{tlvs: [0x1400], drop_tlvs: 0x0005, rename_tlvs: {0x1400: 0x1500}, add_tlvs: {0x1501: "0x0102"}}`,
			func(m *pdu.Submit) { m.TLVs = vendor }, func(m *pdu.Message) string { return fmt.Sprintf("%x", m.TLVs()) }, "15000006656e74697479150100020102"},
		"alphabet 8 only": {"codings: [8]", func(m *pdu.Submit) { m.Text = []byte("\x00\x1b\x65") },
			func(m *pdu.Message) string { return fmt.Sprintf("%d %x", m.DataCoding(), m.UserData()) }, "8 004020ac"},
		"Latin-1 by 0": {"dcs0: latin1", func(m *pdu.Submit) { m.Text = []byte("\x00\x7b") },
			func(m *pdu.Message) string { return fmt.Sprintf("%d %x", m.DataCoding(), m.UserData()) }, "0 40e4"},
		"GSM 7-bit packed": {"dcs0: gsm7packed", func(m *pdu.Submit) { m.Text = []byte("hellohello") },
			func(m *pdu.Message) string { return fmt.Sprintf("%d %x", m.DataCoding(), m.UserData()) }, "0 e8329bfd4697d9ec37"},
		"UCS-2, little end first": {"ucs2: le", func(m *pdu.Submit) { m.Coding, m.Text = 8, []byte("\x04\x16\xd8\x3d\xde\x42") },
			func(m *pdu.Message) string { return fmt.Sprintf("%d %x", m.DataCoding(), m.UserData()) }, "8 16043dd842de"},
		"UCS-2 behind a mark": {"ucs2: bom", func(m *pdu.Submit) { m.Coding, m.Text = 8, []byte("\x04\x16") },
			func(m *pdu.Message) string { return fmt.Sprintf("%d %x", m.DataCoding(), m.UserData()) }, "8 feff0416"},
		"long text as payload": {"long: payload", func(m *pdu.Submit) { m.Text = long },
			func(m *pdu.Message) string { return fmt.Sprint(len(m.ShortMessage()), len(m.Payload())) }, "0 200"},
		"payload as short_message": {"long: short", func(m *pdu.Submit) { m.Text, m.TLVs = nil, pdu.AppendTLV(nil, pdu.TagMessagePayload, long) },
			func(m *pdu.Message) string { return fmt.Sprint(len(m.ShortMessage()), len(m.Payload())) }, "200 0"},
		"always as payload": {"long: always_payload", nil,
			func(m *pdu.Message) string { return fmt.Sprint(len(m.ShortMessage()), len(m.Payload())) }, "0 5"},
		"sar_* as header": {"parts: udh16", func(m *pdu.Submit) { m.TLVs = sar },
			func(m *pdu.Message) string { return fmt.Sprintf("%v %x %x", m.UDHI(), m.UserData()[:7], m.TLVs()) }, "true 06080412340201 "},
		"header as sar_*": {"parts: sar", func(m *pdu.Submit) { m.ESMClass, m.Text = pdu.ESMUDHI, []byte("\x05\x00\x03\x34\x02\x01words") },
			func(m *pdu.Message) string { return fmt.Sprintf("%v %s %x", m.UDHI(), m.UserData(), m.TLVs()) }, "false words 020c00020034020e000102020f000101"},
	} {
		t.Run(quirk, func(t *testing.T) {
			t.Parallel()
			profile := "{" + c.profile + "}"
			if strings.HasPrefix(c.profile, "{") {
				profile = c.profile
			}
			s := newStage(t, play{link: "        profile: " + profile + "\n"})
			m := text(s.number(), "words")
			if c.change != nil {
				c.change(&m)
			}
			s.bind(trx).submit(m)
			eventually(t, "it is sent", func() bool { return len(s.carrier.taken()) == 1 })
			if got := c.sent(s.carrier.taken()[0]); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// Whatever a link's profile says of a carrier's receipts, the message ends as the carrier meant.
func TestReceiptProfiles(t *testing.T) {
	layout := func(id, stat string) []byte {
		return []byte("id:" + id + " sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:" + stat + " err:000 text:")
	}
	tlvs := func(id string, state pdu.State) []byte {
		return pdu.AppendTLV8(pdu.AppendTLV(nil, pdu.TagReceiptedMessageID, []byte(id)), pdu.TagMessageState, uint8(state))
	}
	for quirk, c := range map[string]struct {
		profile, answer string
		receipt         pdu.Submit // its addresses are filled in
		want            pdu.State
	}{
		"the text is right":                 {"receipts: {read: text}", "17", pdu.Submit{ESMClass: 4, Text: layout("17", "DELIVRD"), TLVs: tlvs("99", pdu.StateRejected)}, pdu.StateDelivered},
		"the TLVs are right":                {"receipts: {read: tlvs}", "17", pdu.Submit{ESMClass: 4, Text: layout("99", "REJECTD"), TLVs: tlvs("17\x00", pdu.StateExpired)}, pdu.StateExpired},
		"a word of its own":                 {"receipts: {states: {NOTDLV: UNDELIV}}", "17", pdu.Submit{ESMClass: 4, Text: layout("17", "NOTDLV")}, pdu.StateUndeliverable},
		"an esm_class that does not say so": {"receipts: {esm_class: [8]}", "17", pdu.Submit{ESMClass: 8, TLVs: tlvs("17", pdu.StateDelivered)}, pdu.StateDelivered},
		"no esm_class, by its text":         {"dcs0: gsm7", "17", pdu.Submit{Text: layout("17", "DELIVRD")}, pdu.StateDelivered},
		"hex for decimal, by hand":          {"ids: {answer: decimal, receipt: hex}", "17", pdu.Submit{ESMClass: 4, Text: layout("11", "DELIVRD")}, pdu.StateDelivered},
		"decimal for hex of eight digits, by hand": {"ids: {answer: hex, receipt: decimal, case: upper, digits: 8}", "0000001F",
			pdu.Submit{ESMClass: 4, Text: layout("31", "DELIVRD")}, pdu.StateDelivered},
		"a prefix in receipts, by hand": {`ids: {answer: text, receipt: text, receipt_prefix: "a:"}`, "x17", pdu.Submit{ESMClass: 4, Text: layout("a:x17", "DELIVRD")}, pdu.StateDelivered},
		"a prefix in answers, by hand":  {`ids: {answer: text, receipt: text, answer_prefix: "b-"}`, "b-x17", pdu.Submit{ESMClass: 4, Text: layout("x17", "DELIVRD")}, pdu.StateDelivered},
	} {
		t.Run(quirk, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, play{link: "        profile: {" + c.profile + "}\n"})
			s.carrier.mute = func(*pdu.Message) bool { return true }
			e := s.bind(trx)
			id := e.submit(text(s.number(), "words"))
			eventually(t, "it is sent", func() bool { return len(s.carrier.taken()) == 1 })
			s.carrier.answerFirst(c.answer)
			r := c.receipt
			r.Command, r.Src, r.SrcTON, r.SrcNPI, r.Dst = pdu.DeliverSM, s.carrier.taken()[0].DstAddr(), 1, 1, []byte("sender")
			s.carrier.send(r.Append(nil, 500))
			if _, got := e.receipt(id, 1); got.State != c.want {
				t.Errorf("the client is told %v, want %v", got.State, c.want)
			}
		})
	}
}

// Whatever a client's profile says of its receipts and of statuses, it is told so.
func TestClientProfiles(t *testing.T) {
	s := newStage(t, play{clients: clientEntry("texts", "    profile: {receipts: {write: text, esm_class: 0}}\n") +
		clientEntry("tlvs", "    profile: {receipts: {write: tlvs, id: decimal}, statuses: {ESME_RINVDSTADR: 0x045}}\n") +
		clientEntry("capitals", "    profile: {receipts: {id: upper_hex}}\n")})
	got := map[string]*pdu.Message{}
	ids := map[string]string{}
	for _, name := range []string{"texts", "tlvs", "capitals", "esme"} {
		e := s.bind(login{name, "secret", pdu.BindTransceiver, 0x34})
		for range 10 { // until the id has letters in it
			ids[name] = e.submit(text(s.number(), "words"))
		}
		eventually(t, "receipts", func() bool { return len(e.received()) == 10 })
		for _, m := range e.received() {
			var r pdu.Receipt
			if v, ok := m.TLV(pdu.TagReceiptedMessageID); ok {
				r.ID = bytes.TrimRight(v, "\x00")
			} else {
				pdu.ParseReceipt(m, &r)
			}
			if string(r.ID) == told(name, ids[name]) {
				got[name] = m
			}
		}
		if got[name] == nil {
			t.Fatalf("%s: no receipt names %s", name, told(name, ids[name]))
		}
		if name == "tlvs" {
			m := text("no number", "words")
			e.refused("a status of its own", m.Append(nil, 0), pdu.RSubmitFail)
		}
	}
	if m := got["texts"]; len(m.TLVs()) > 0 || m.ESMClass() != 0 {
		t.Errorf("text alone, esm_class 0: %x", m.PDU())
	}
	if m := got["tlvs"]; len(m.UserData()) > 0 || m.ESMClass() != pdu.ESMReceipt {
		t.Errorf("TLVs alone: %x", m.PDU())
	}
	if m := got["esme"]; len(m.UserData()) == 0 || len(m.TLVs()) == 0 {
		t.Errorf("without a profile: %x", m.PDU())
	}
}

// told is how a client's receipts name the message that its answer named.
func told(client, id string) string {
	switch client {
	case "tlvs":
		var n uint64
		fmt.Sscanf(id, "%x", &n)
		return fmt.Sprint(n)
	case "capitals":
		return strings.ToUpper(id)
	}
	return id
}
