package dataplane

import (
	"slices"
	"testing"

	"smsplane/ledger/catalog"
	"smsplane/pdu"
)

// answers keeps what is written to a connection.
type answers struct{ heads []pdu.Header }

func (a *answers) Write(b []byte) error {
	for len(b) > 0 {
		h := pdu.ParseHeader(b)
		a.heads, b = append(a.heads, h), b[h.Length:]
	}
	return nil
}
func (a *answers) Congested() bool { return false }
func (a *answers) Close()          {}
func (a *answers) Abort()          {}

// What a carrier may leave unanswered on a session is its link's deliver_window.
func TestDeliverWindowOfLink(t *testing.T) {
	k, _ := newTestLink(1, 0, 0)
	d := catalog.Link{Bind: pdu.BindTransceiver, Version: 0x34, Window: 1, DeliverWindow: 2}
	k = newLinkPort(&link{decl: d}, 7, k.loop, 0)
	k.opened = func() {}
	var a answers
	k.begin(&a, 0)
	var in []byte
	for seq := uint32(1); seq <= 4; seq++ {
		in = (&pdu.Submit{Command: pdu.DeliverSM, Src: []byte("4915"), Dst: []byte("12345"), Text: []byte("x")}).Append(in, seq)
	}
	k.Data(nil, 0, in)
	for _, p := range k.loop.dirty {
		p.flush()
	}
	want := []pdu.Header{{Length: 16, Command: pdu.DeliverSMResp, Status: pdu.RThrottled, Sequence: 3}, {Length: 16, Command: pdu.DeliverSMResp, Status: pdu.RThrottled, Sequence: 4}}
	if !slices.Equal(a.heads, want) {
		t.Errorf("of four deliver_sm %+v are answered at once, want %+v", a.heads, want)
	}
}
