package pdu

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"regexp"
	"strings"
	"testing"
)

// golden are PDUs a network analyser reads without complaint, one of nearly every kind.
var golden = map[string]string{
	"bind_transceiver":      "0000002400000009000000000000000165736d6531007365637265743038000034000000",
	"bind_transceiver_resp": "0000001a800000090000000000000001736d7363000210000134",
	"submit_sm": "000000650000000400000000000000020005004d794272616e64000101343437373030393030313233004000003236313132333132303030303030342b00" +
		"3030303030323030303030303030305200010000000b050003a5020148656c6c6f020400020001",
	"submit_sm_resp": "000000158000000400000000000000024131423200",
	"deliver_sm": "000000b20000000500000000000000010001013434373730303930303132330005004d794272616e640004000000000000000000001e00054131423200" +
		"0427000102042300030300000424006569643a41314232207375623a30303120646c7672643a303031207375626d697420646174653a3236313132333132" +
		"303020646f6e6520646174653a3236313132333132303120737461743a44454c49565244206572723a30303020746578743a48656c6c6f",
	"deliver_sm_resp":    "0000001180000005000000000000000100",
	"submit_multi":       "000000400000002100000000000000030005004d794272616e64000201010134343737303039303031323300026d796c69737400000000000001000000024869",
	"submit_multi_resp":  "000000278000002100000000000000034d3100010101343437373030393030313233000000000b",
	"query_sm":           "0000001f000000030000000000000004413142320005004d794272616e6400",
	"query_sm_resp":      "0000002880000003000000000000000441314232003236313132333132303130303030302b000200",
	"cancel_sm":          "0000002300000008000000000000000500413142320005004d794272616e6400000000",
	"cancel_sm_resp":     "00000010800000080000001100000005",
	"replace_sm":         "00000026000000070000000000000006413142320005004d794272616e64000000010002596f",
	"data_sm":            "000000360000010300000000000000070005004d794272616e64000101343437373030393030313233000001000424000548656c6c6f",
	"alert_notification": "0000002e00000102000000000000000201013434373730303930303132330005004d794272616e64000422000100",
	"outbind":            "000000180000000b0000000000000001736d736300707700",
	"broadcast_sm":       "0000003b000001110000000000000008434253000000000000000000000006060005007a6f6e65060100030000010604000200010605000309001f",
	"generic_nack":       "00000010800000000000000300000000",
	"enquire_link":       "0000001000000015000000000000000b",
}

func goldenPDU(t testing.TB, name string) []byte {
	t.Helper()
	p, err := hex.DecodeString(golden[name])
	if err != nil || len(p) < HeaderLen {
		t.Fatalf("%s: %v", name, err)
	}
	return p
}

func TestGoldenPDUs(t *testing.T) {
	for name := range golden {
		p := goldenPDU(t, name)
		if n, st := Frame(p, 70000); n != len(p) || st != ROK {
			t.Errorf("%s: Frame = %d %v", name, n, st)
			continue
		}
		d, st := Decode(p)
		if st != ROK || d.Command.String() != name {
			t.Errorf("%s: %v %v", name, d.Command, st)
		}
		if back := d.Append(nil); !bytes.Equal(back, p) {
			t.Errorf("%s written back: %x", name, back)
		}
	}
}

func TestGoldenContents(t *testing.T) {
	multi, _ := Decode(goldenPDU(t, "submit_multi"))
	if len(multi.Dests) != 2 || string(multi.Dests[0].Name) != "447700900123" || !multi.Dests[1].List || string(multi.Dests[1].Name) != "mylist" ||
		string(multi.Field("short_message").Octets) != "Hi" {
		t.Errorf("submit_multi: %+v", multi)
	}
	failed, _ := Decode(goldenPDU(t, "submit_multi_resp"))
	if len(failed.Failed) != 1 || failed.Failed[0].Status != RInvDstAdr || string(failed.Field("message_id").Octets) != "M1" {
		t.Errorf("submit_multi_resp: %+v", failed)
	}
	query, _ := Decode(goldenPDU(t, "query_sm_resp"))
	if State(query.Field("message_state").Number) != StateDelivered || string(query.Field("final_date").Octets) != "261123120100000+" {
		t.Errorf("query_sm_resp: %+v", query)
	}
	var m Message
	var r Receipt
	if st := m.Parse(goldenPDU(t, "deliver_sm")); st != ROK || !m.IsReceipt() || !ParseReceipt(&m, &r) {
		t.Fatalf("deliver_sm: %v", st)
	}
	if string(r.ID) != "A1B2" || r.State != StateDelivered || r.NetworkType != 3 || r.NetworkCode != 0 || string(r.Text) != "Hello" ||
		r.DoneDate-r.SubmitDate != 60e9 || r.Sub != 1 || r.Dlvrd != 1 {
		t.Errorf("receipt: %+v", r)
	}
	if st := m.Parse(goldenPDU(t, "submit_sm")); st != ROK || !m.UDHI() || UDHLen(m.UserData()) != 6 {
		t.Errorf("submit_sm: %v", st)
	}
}

// multi is a submit_multi with two destinations, to be spoiled.
func multi() *PDU {
	d := New(SubmitMulti, ROK, 1)
	d.Dests = []Dest{{TON: 1, NPI: 1, Name: []byte("4477")}, {List: true, Name: []byte("friends")}}
	return d.Set("short_message", []byte("Hi"))
}

func TestDecodeStatuses(t *testing.T) {
	raw := func(c Command, body string) []byte {
		return Finish(append(AppendHeader(nil, c, ROK, 1), body...), 0)
	}
	broadcast := goldenPDU(t, "broadcast_sm")
	d, _ := Decode(broadcast)
	d.TLVs = d.TLVs[9:] // without the area
	flag := multi().Append(nil)
	flag[HeaderLen+1+3+1] = 3
	none := multi()
	none.Dests = nil
	long := multi()
	long.Dests[1].Name = repeat(21)
	far := multi()
	far.Dests[0].Name = repeat(21)
	for name, c := range map[string]struct {
		p    []byte
		want Status
	}{
		"submit_multi":                {multi().Append(nil), ROK},
		"no destinations":             {none.Append(nil), RInvNumDests},
		"dest_flag 3":                 {flag, RInvDestFlag},
		"list name 21":                {long.Append(nil), RInvDLName},
		"destination 21":              {far.Append(nil), RInvDstAdr},
		"broadcast without area":      {d.Append(nil), RMissingTLV},
		"query id 65":                 {New(QuerySM, ROK, 1).Set("message_id", repeat(65)).Append(nil), RInvMsgID},
		"query id 64":                 {New(QuerySM, ROK, 1).Set("message_id", repeat(64)).Append(nil), ROK},
		"cancel service_type":         {New(CancelSM, ROK, 1).Set("service_type", repeat(6)).Append(nil), RInvSerTyp},
		"replace schedule":            {New(ReplaceSM, ROK, 1).Set("schedule_delivery_time", repeat(17)).Append(nil), RInvSched},
		"replace text cut":            {raw(ReplaceSM, "1\x00\x00\x00\x00\x00\x00\x00\x00\x05Hi"), RInvMsgLen},
		"alert address 64":            {New(AlertNotification, ROK, 1).Set("esme_addr", repeat(64)).Append(nil), ROK},
		"alert address 65":            {New(AlertNotification, ROK, 1).Set("esme_addr", repeat(65)).Append(nil), RInvDstAdr},
		"unknown command":             {raw(0x25, "x"), RInvCmdID},
		"enquire_link with a body":    {raw(EnquireLink, "x"), RInvCmdLen},
		"unbind_resp with a body":     {raw(UnbindResp, "x"), ROK},
		"query with stray octets":     {raw(QuerySM, "1\x00\x00\x00\x00abc"), RInvTLVStream},
		"query with zeros":            {raw(QuerySM, "1\x00\x00\x00\x00\x00\x00"), ROK},
		"query tlv length":            {raw(QuerySM, "1\x00\x00\x00\x00\x02\x04\x00\x01\x01"), RInvTLVLen},
		"response without body":       {raw(SubmitMultiResp, ""), ROK},
		"response cut":                {raw(SubmitMultiResp, "id\x00\x02\x01"), RInvMsgLen},
		"outbind password unending":   {raw(Outbind, "mc\x00secret"), RInvMsgLen},
		"bind system_id 65":           {raw(BindReceiver, strings.Repeat("x", 65)), RInvSysID},
		"bind password 65":            {raw(BindReceiver, "x\x00"+strings.Repeat("x", 65)), RInvPaswd},
		"command_length does not fit": {append(raw(QuerySM, ""), 0), RInvCmdLen},
	} {
		d, st := Decode(c.p)
		if st != c.want {
			t.Errorf("%s: %v, want %v", name, st, c.want)
		}
		if d.Header != ParseHeader(c.p) {
			t.Errorf("%s: the header is lost", name)
		}
	}
}

// An error response may carry anything or nothing; it is read, and written back as it was.
func TestDecodeErrorResponses(t *testing.T) {
	for _, body := range []string{"", "\x00", "id\x00", "no end", "id\x00\x04\x20"} {
		p := Finish(append(AppendHeader(nil, SubmitSMResp, RThrottled, 3), body...), 0)
		d, st := Decode(p)
		if st != ROK || d.Status != RThrottled || !bytes.Equal(d.Append(nil), p) {
			t.Errorf("%q: %v, written back %x", body, st, d.Append(nil))
		}
	}
}

var sectionShape = map[bool]*regexp.Regexp{false: regexp.MustCompile(`^(3\.4|5\.0) §4\.\d+(\.\d+)+$`), true: regexp.MustCompile(`^3\.3$`)}

func TestEveryCommandHasItsTable(t *testing.T) {
	for c, name := range commandNames {
		l, ok := layouts[c]
		if !ok || c.Known() == only33(c) || c.Since() < Version33 || !sectionShape[only33(c)].MatchString(l.section) {
			t.Errorf("%s: table %v, known %v, since %#x, section %q", name, ok, c.Known(), c.Since(), l.section)
		}
		d := New(c, ROK, 1)
		d.TLVs = nil
		p := d.Append(nil)
		if got, st := Decode(p); st != ROK && st != RInvNumDests && st != RMissingTLV || got.Command != c {
			t.Errorf("%s with empty fields: %v", name, st)
		}
	}
	if len(layouts) != len(commandNames) {
		t.Errorf("%d tables for %d commands", len(layouts), len(commandNames))
	}
}

func TestFrame(t *testing.T) {
	p := AppendPlain(AppendPlain(nil, EnquireLink, ROK, 1), Unbind, ROK, 2)
	for n := range len(p) {
		want := 0
		if n >= HeaderLen {
			want = HeaderLen
		}
		if have, st := Frame(p[:n], 1000); have != want || st != ROK {
			t.Errorf("%d octets: %d %v", n, have, st)
		}
	}
	for l, want := range map[uint32]Status{0: RInvCmdLen, 15: RInvCmdLen, 16: ROK, 1000: ROK, 1001: RInvCmdLen, 1<<32 - 1: RInvCmdLen} {
		if n, st := Frame(binary.BigEndian.AppendUint32(nil, l), 1000); n != 0 || st != want {
			t.Errorf("length %d: %d %v, want %v", l, n, st, want)
		}
	}
}
