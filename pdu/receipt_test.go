package pdu

import (
	"bytes"
	"testing"
	"unicode/utf16"
)

// Dialects of receipt text, one line each: what a carrier sends and what must be read from it.
func TestReceiptDialects(t *testing.T) {
	submit, done := at("2026-11-23T12:00:00Z"), at("2026-11-23T12:01:00Z")
	for name, c := range map[string]struct {
		in   string
		want Receipt
	}{
		"specification": {"id:0123456789 sub:001 dlvrd:001 submit date:2611231200 done date:2611231201 stat:DELIVRD err:000 text:Hello",
			Receipt{ID: []byte("0123456789"), State: StateDelivered, Stat: []byte("DELIVRD"), Err: []byte("000"), SubmitDate: submit, DoneDate: done,
				Sub: 1, Dlvrd: 1, Text: []byte("Hello")}},
		"seconds": {"id:1 sub:001 dlvrd:001 submit date:261123120000 done date:261123120100 stat:DELIVRD err:000 text:",
			Receipt{ID: []byte("1"), State: StateDelivered, Stat: []byte("DELIVRD"), Err: []byte("000"), SubmitDate: submit, DoneDate: done, Sub: 1, Dlvrd: 1}},
		"no counts, no text": {"id:00B8BE19 submit date:2611231200 done date:2611231201 stat:UNDELIV err:4375",
			Receipt{ID: []byte("00B8BE19"), State: StateUndeliverable, Stat: []byte("UNDELIV"), Err: []byte("4375"), SubmitDate: submit, DoneDate: done, Sub: -1, Dlvrd: -1}},
		"dates in one word": {"id:1 submitdate:2611231200 donedate:2611231201 stat:EXPIRED err:1",
			Receipt{ID: []byte("1"), State: StateExpired, Stat: []byte("EXPIRED"), Err: []byte("1"), SubmitDate: submit, DoneDate: done, Sub: -1, Dlvrd: -1}},
		"underscores": {"id:1 submit_date:2611231200 done_date:2611231201 stat:DELETED err:1",
			Receipt{ID: []byte("1"), State: StateDeleted, Stat: []byte("DELETED"), Err: []byte("1"), SubmitDate: submit, DoneDate: done, Sub: -1, Dlvrd: -1}},
		"letter case": {"ID:AbC Sub:001 DLVRD:000 Submit Date:2611231200 Done Date:2611231201 Stat:rejectd Err:21b Text:Hi",
			Receipt{ID: []byte("AbC"), State: StateRejected, Stat: []byte("rejectd"), Err: []byte("21b"), SubmitDate: submit, DoneDate: done, Sub: 1, Dlvrd: 0, Text: []byte("Hi")}},
		"order": {"stat:DELIVRD err:000 done date:2611231201 submit date:2611231200 dlvrd:001 sub:001 id:7f-33",
			Receipt{ID: []byte("7f-33"), State: StateDelivered, Stat: []byte("DELIVRD"), Err: []byte("000"), SubmitDate: submit, DoneDate: done, Sub: 1, Dlvrd: 1}},
		"text first": {"text:Hello there id:1 stat:DELIVRD",
			Receipt{ID: []byte("1"), State: StateDelivered, Stat: []byte("DELIVRD"), Sub: -1, Dlvrd: -1, Text: []byte("Hello there ")}},
		"text like fields": {"id:1 stat:DELIVRD err:000 text:id:2 stat:UNDELIV time 12:30",
			Receipt{ID: []byte("1"), State: StateDelivered, Stat: []byte("DELIVRD"), Err: []byte("000"), Sub: -1, Dlvrd: -1, Text: []byte("id:2 stat:UNDELIV time 12:30")}},
		"uuid": {"id:15b6c924-f299-11ea-83fc-fa163e00459a sub:001 dlvrd:001 stat:ACCEPTD err:0 text:",
			Receipt{ID: []byte("15b6c924-f299-11ea-83fc-fa163e00459a"), State: StateAccepted, Stat: []byte("ACCEPTD"), Err: []byte("0"), Sub: 1, Dlvrd: 1}},
		"no stat label": {"id:1 sub:001 dlvrd:001 submit date:2611231200 done date:2611231201 DELIVRD err:000 text:x",
			Receipt{ID: []byte("1"), State: StateDelivered, Stat: []byte("DELIVRD"), Err: []byte("000"), SubmitDate: submit, DoneDate: done, Sub: 1, Dlvrd: 1, Text: []byte("x")}},
		"no stat label behind the id": {"id:A 7 UNDELIV err:",
			Receipt{ID: []byte("A 7"), State: StateUndeliverable, Stat: []byte("UNDELIV"), Sub: -1, Dlvrd: -1}},
		"unknown fields": {"id:1 mccmnc:23410 stat:DELIVRD price:0.01 err:000",
			Receipt{ID: []byte("1"), State: StateDelivered, Stat: []byte("DELIVRD"), Err: []byte("000"), Sub: -1, Dlvrd: -1}},
		"NULs": {"id:A1\x00 sub:001 dlvrd:001 stat:DELIVRD err:000 text:Hi\x00",
			Receipt{ID: []byte("A1"), State: StateDelivered, Stat: []byte("DELIVRD"), Err: []byte("000"), Sub: 1, Dlvrd: 1, Text: []byte("Hi")}},
		"bad dates": {"id:1 submit date:0000000000 done date:tomorrow stat:DELIVRD err:000",
			Receipt{ID: []byte("1"), State: StateDelivered, Stat: []byte("DELIVRD"), Err: []byte("000"), Sub: -1, Dlvrd: -1}},
		"long word": {"id:1 stat:REJECTED err:001", Receipt{ID: []byte("1"), State: StateRejected, Stat: []byte("REJECTED"), Err: []byte("001"), Sub: -1, Dlvrd: -1}},
		"buffered":  {"id:1 stat:BUFFRED err:001", Receipt{ID: []byte("1"), State: StateEnroute, Stat: []byte("BUFFRED"), Err: []byte("001"), Sub: -1, Dlvrd: -1}},
		"own word":  {"id:1 stat:LOSTIT err:001", Receipt{ID: []byte("1"), State: StateUnknown, Stat: []byte("LOSTIT"), Err: []byte("001"), Sub: -1, Dlvrd: -1}},
		"lines": {"id:1\r\nsub:001\r\ndlvrd:001\r\nstat:DELIVRD\r\nerr:000\r\n",
			Receipt{ID: []byte("1"), State: StateDelivered, Stat: []byte("DELIVRD"), Err: []byte("000"), Sub: 1, Dlvrd: 1}},
		"id with colon": {"id:abc:def stat:DELIVRD", Receipt{ID: []byte("abc:def"), State: StateDelivered, Stat: []byte("DELIVRD"), Sub: -1, Dlvrd: -1}},
	} {
		var r Receipt
		if !ParseReceiptText([]byte(c.in), &r) {
			t.Errorf("%s: no receipt", name)
		}
		if !sameReceipt(&r, &c.want) {
			t.Errorf("%s:\nhave %q\nwant %q", name, show(&r), show(&c.want))
		}
	}
	for _, in := range []string{"", "Hello", "id: stat:DELIVRD", "id:1 err:000", "stat:DELIVRD", "paid:1 upstat:DELIVRD", ":::::", "id:"} {
		var r Receipt
		if ParseReceiptText([]byte(in), &r) {
			t.Errorf("%q is taken for a receipt: %q", in, show(&r))
		}
	}
}

func show(r *Receipt) []string {
	return []string{string(r.ID), r.State.String(), string(r.Stat), string(r.Err), string(appendReceiptDate(nil, r.SubmitDate)),
		string(appendReceiptDate(nil, r.DoneDate)), string(rune('0' + r.Sub)), string(rune('0' + r.Dlvrd)), string(r.Text)}
}

func sameReceipt(a, b *Receipt) bool {
	return bytes.Equal(a.ID, b.ID) && a.State == b.State && bytes.Equal(a.Stat, b.Stat) && bytes.Equal(a.Err, b.Err) && a.SubmitDate == b.SubmitDate &&
		a.DoneDate == b.DoneDate && a.Sub == b.Sub && a.Dlvrd == b.Dlvrd && bytes.Equal(a.Text, b.Text)
}

func receiptMessage(t *testing.T, s Submit) *Message {
	t.Helper()
	s.Command = DeliverSM
	if s.ESMClass == 0 {
		s.ESMClass = ESMReceipt
	}
	var m Message
	if st := m.Parse(s.Append(nil, 1)); st != ROK {
		t.Fatalf("Parse: %v", st)
	}
	return &m
}

func TestReceiptTLVsComeFirst(t *testing.T) {
	tlvs := AppendTLVString(nil, TagReceiptedMessageID, []byte("TLV1"))
	tlvs = AppendTLV8(tlvs, TagMessageState, uint8(StateExpired))
	tlvs = AppendTLV(tlvs, TagNetworkErrorCode, []byte{3, 0x12, 0x34})
	var r Receipt
	m := receiptMessage(t, Submit{Text: []byte("id:TEXT1 stat:DELIVRD err:007 text:x"), TLVs: tlvs})
	if !ParseReceipt(m, &r) || string(r.ID) != "TLV1" || r.State != StateExpired || r.NetworkType != 3 || r.NetworkCode != 0x1234 || string(r.Err) != "007" {
		t.Errorf("both: %q %+v", show(&r), r)
	}
	m = receiptMessage(t, Submit{TLVs: tlvs})
	if !ParseReceipt(m, &r) || string(r.ID) != "TLV1" || string(r.Err) != "4660" || r.Stat != nil {
		t.Errorf("TLVs alone: %q %+v", show(&r), r)
	}
	m = receiptMessage(t, Submit{Text: []byte("id:TEXT1 stat:UNDELIV"), TLVs: AppendTLV(nil, TagNetworkErrorCode, []byte("027"))})
	if !ParseReceipt(m, &r) || string(r.ID) != "TEXT1" || r.State != StateUndeliverable || r.NetworkCode != 27 || string(r.Err) != "027" {
		t.Errorf("digits as code: %q %+v", show(&r), r)
	}
	m = receiptMessage(t, Submit{Text: []byte("id:TEXT1 stat:DELIVRD"), TLVs: AppendTLVString(nil, TagReceiptedMessageID, []byte("TLV1\x00\x00"))})
	if !ParseReceipt(m, &r) || string(r.ID) != "TLV1" || r.State != StateDelivered {
		t.Errorf("id without state: %q", show(&r))
	}
	m = receiptMessage(t, Submit{Text: []byte("id:TEXT1 stat:DELIVRD"), TLVs: append(AppendTLV8(nil, TagMessageState, 77), AppendTLV(nil, TagReceiptedMessageID, nil)...)})
	if !ParseReceipt(m, &r) || string(r.ID) != "TEXT1" || r.State != StateDelivered {
		t.Errorf("useless TLVs: %q", show(&r))
	}
	m = receiptMessage(t, Submit{TLVs: AppendTLVString(nil, TagReceiptedMessageID, []byte("TLV1"))})
	if ParseReceipt(m, &r) {
		t.Errorf("a state out of nothing: %v", r.State)
	}
}

func TestReceiptTextEncodings(t *testing.T) {
	const line = "id:A1 sub:001 dlvrd:001 stat:DELIVRD err:000 text:Hi"
	wide := func(bom bool, little bool) []byte {
		var b []byte
		units := utf16.Encode([]rune(line))
		if bom {
			units = append([]uint16{0xFEFF}, units...)
		}
		for _, u := range units {
			if little {
				b = append(b, byte(u), byte(u>>8))
			} else {
				b = append(b, byte(u>>8), byte(u))
			}
		}
		return b
	}
	for name, s := range map[string]Submit{
		"ASCII called UCS-2": {Coding: 8, Text: []byte(line)},
		"UTF-16":             {Coding: 8, Text: wide(false, false)},
		"UTF-16 called 0":    {Text: wide(false, false)},
		"UTF-16 with mark":   {Text: wide(true, false)},
		"UTF-16 little":      {Text: wide(true, true)},
		"with UDH":           {ESMClass: ESMReceipt | ESMUDHI, Text: []byte("\x05\x00\x03\x01\x01\x01" + line)},
		"in message_payload": {TLVs: AppendTLV(nil, TagMessagePayload, []byte(line))},
	} {
		var r Receipt
		if m := receiptMessage(t, s); !ParseReceipt(m, &r) || string(r.ID) != "A1" || r.State != StateDelivered || string(r.Text) != "Hi" {
			t.Errorf("%s: %q", name, show(&r))
		}
	}
}

func TestLooksLikeReceipt(t *testing.T) {
	for text, want := range map[string]bool{
		"id:A1 sub:001 dlvrd:001 stat:DELIVRD err:000 text:": true, "ID:7 stat:EXPIRED": true,
		"id: stat:DELIVRD": false, "id:1 is my name": false, "my id:1 stat:DELIVRD": false, "": false, "id": false,
	} {
		m := receiptMessage(t, Submit{ESMClass: ESMReplyPath, Text: []byte(text)})
		if m.LooksLikeReceipt() != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

func TestReceiptTextRoundTrip(t *testing.T) {
	for s := StateEnroute; s < StateSkipped; s++ {
		want := Receipt{ID: []byte("00000000000000ff"), State: s, Stat: []byte(s.Text()), Err: []byte("021"), Sub: 1, Dlvrd: 0,
			SubmitDate: at("2026-11-23T12:00:00Z"), DoneDate: at("2027-01-01T00:00:00Z"), Text: []byte("first twenty octets!")}
		b := AppendReceiptText(nil, &want)
		var have Receipt
		if !ParseReceiptText(b, &have) || !sameReceipt(&have, &want) {
			t.Errorf("%s: %q", b, show(&have))
		}
	}
	r := Receipt{ID: []byte("1"), State: StateDelivered, Sub: -1, Dlvrd: 5000, Text: []byte("a\x00b\x80 and twelve more octets")}
	want := "id:1 sub:000 dlvrd:999 submit date:0000000000 done date:0000000000 stat:DELIVRD err:000 text:a?b? and twelve more"
	if have := string(AppendReceiptText(nil, &r)); have != want {
		t.Errorf("\nhave %s\nwant %s", have, want)
	}
}

// What a carrier puts into a receipt is bounded where it is taken in and where it is passed on: no message_id has so many
// octets, prefix and all, and err stands in a text that must stay a short_message.
func TestReceiptOfALiar(t *testing.T) {
	long := bytes.Repeat([]byte("7"), 60_000)
	for n, want := range map[int]bool{64: true, 128: true, 129: false, 60_000: false} {
		s := Submit{Command: DeliverSM, ESMClass: ESMReceipt, TLVs: AppendTLV8(AppendTLV(nil, TagReceiptedMessageID, long[:n]), TagMessageState, 2)}
		var m Message
		var r Receipt
		m.Parse(s.Append(nil, 1))
		if ParseReceipt(&m, &r) != want || !want && len(r.ID) > 0 {
			t.Errorf("an id of %d octets in the TLV is read as one of %d", n, len(r.ID))
		}
		if text := append(append([]byte("id:"), long[:n]...), " stat:DELIVRD err:000"...); ParseReceiptText(text, &r) != want {
			t.Errorf("an id of %d octets in the text is read as one of %d", n, len(r.ID))
		}
	}
	r := Receipt{ID: []byte("1"), State: StateDelivered, Err: append([]byte("0\x01\xff"), long...)}
	if b := AppendReceiptText(nil, &r); len(b) > 200 || !bytes.Contains(b, []byte(" err:0??7")) {
		t.Errorf("%.200q", b)
	}
}
