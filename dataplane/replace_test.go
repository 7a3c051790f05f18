package dataplane

import (
	"strings"
	"testing"

	"smsplane/ledger/book"
	"smsplane/ledger/catalog"
	"smsplane/pdu"
	"smsplane/pdu/profile"
	"smsplane/pdu/text"
)

// The text of a replace_sm is counted as that of a submit_sm is: by what the client means by data_coding.
func TestReplacementIsCountedAsItsClientReads(t *testing.T) {
	l := &lane{}
	old := pdu.Submit{Src: []byte("shop"), Dst: []byte("4915112345678"), DstTON: 1, DstNPI: 1, Text: []byte("old")}
	l.view.Parse(old.Append(nil, 1))
	c := &catalog.Client{Profile: &profile.Client{Text: profile.Charsets{DCS0: text.UTF8}}}
	o := &order{seq: 2, p: pdu.New(pdu.ReplaceSM, pdu.ROK, 2).Set("short_message", []byte(strings.Repeat("é", 100)))} // 200 octets
	v, st := l.revised(o, &book.Msg{Parts: 1, Hold: 5}, c, 1)
	if st != pdu.ROK || v.Parts != 1 || v.Price != 5 {
		t.Errorf("%v, %+v; want one part at 5", st, v)
	}
	o.p.TLVs = pdu.AppendTLV(nil, pdu.TagMessagePayload, []byte("another text"))
	if _, st := l.revised(o, &book.Msg{Parts: 1, Hold: 5}, c, 1); st != pdu.RInvMsgLen {
		t.Errorf("two texts: %v", st)
	}
}
