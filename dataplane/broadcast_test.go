package dataplane_test

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"

	"smsplane/pdu"
)

// mayBroadcast is a client whose broadcasts go the way of 9990001, bcLink a link that they can go over.
const (
	mayBroadcast = "    broadcast: \"9990001\"\n"
	bcLink       = "        version: \"5.0\"\n"
)

var trx5 = login{"esme", "secret", pdu.BindTransceiver, 0x50}

// broadcast is a broadcast_sm to some areas.
func broadcast(areas ...string) *pdu.PDU {
	d := pdu.New(pdu.BroadcastSM, pdu.ROK, 0).Set("service_type", []byte("CBS")).Set("source_addr", []byte("sender")).SetNumber("source_addr_ton", 5).
		SetNumber("priority_flag", 4).Set("validity_period", []byte("000002000000000R"))
	for _, a := range areas {
		d.TLVs = pdu.AppendTLV(d.TLVs, pdu.TagBroadcastAreaIdentifier, append([]byte{0}, a...))
	}
	d.TLVs = pdu.AppendTLV(d.TLVs, pdu.TagBroadcastContentType, []byte{1, 0, 1})
	d.TLVs = pdu.AppendTLV16(d.TLVs, pdu.TagBroadcastRepNum, 4)
	d.TLVs = pdu.AppendTLV(d.TLVs, pdu.TagBroadcastFrequencyInt, []byte{9, 0, 5})
	d.TLVs = pdu.AppendTLV(d.TLVs, pdu.TagMessagePayload, []byte("the river rises"))
	return d
}

// caster is what a carrier does with broadcasts: it takes them, but for areas named "nowhere", and remembers what it was asked.
type caster struct {
	mu    sync.Mutex
	asked []*pdu.PDU
	fail  pdu.Status
	mute  bool
}

func (c *caster) answer(conn net.Conn, p []byte) []byte {
	d, st := pdu.Decode(bytes.Clone(p))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, d)
	if c.mute {
		return nil
	}
	if st == pdu.ROK {
		st = c.fail
	}
	if st != pdu.ROK {
		return pdu.AppendPlain(nil, d.Command.Resp(), st, d.Sequence)
	}
	r := pdu.New(d.Command.Resp(), pdu.ROK, d.Sequence)
	switch d.Command {
	case pdu.BroadcastSM:
		r.Set("message_id", []byte("cbc-1"))
		r.TLVs = pdu.AppendTLV8(nil, pdu.TagCongestionState, 10)
		for b := d.TLVs; len(b) > 0; {
			t, v, rest, _ := pdu.NextTLV(b)
			if b = rest; t == pdu.TagBroadcastAreaIdentifier && string(v) == "\x00nowhere" {
				r.TLVs = pdu.AppendTLV(r.TLVs, t, v)
				r.TLVs = pdu.AppendTLV(r.TLVs, pdu.TagBroadcastErrorStatus, []byte{0, 0, 1, 8})
			}
		}
	case pdu.QueryBroadcastSM:
		r.Set("message_id", d.Field("message_id").Octets)
		r.TLVs = pdu.AppendTLV8(nil, pdu.TagMessageState, uint8(pdu.StateEnroute))
		r.TLVs = pdu.AppendTLV(r.TLVs, pdu.TagBroadcastAreaIdentifier, []byte("\x00valley"))
		r.TLVs = pdu.AppendTLV8(r.TLVs, pdu.TagBroadcastAreaSuccess, 75)
	}
	return r.Append(nil)
}

func (c *caster) requests() []*pdu.PDU {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.asked)
}

// broadcastStage is a stage whose carrier broadcasts.
func broadcastStage(t *testing.T, p play) (*stage, *caster) {
	c := &caster{}
	before := p.before
	p.before = func(s *stage) {
		s.carrier.others, s.carrier.version = c.answer, pdu.Version50
		if before != nil {
			before(s)
		}
	}
	p.client += mayBroadcast
	return newStage(t, p), c
}

// sold is what the client pays for all that has ended, in millionths.
func (s *stage) sold() (micro int64) {
	s.t.Helper()
	var page struct {
		Rows []struct {
			Sell int64 `json:"sell_micro"`
		}
	}
	s.get("/api/v1/edr?client=esme", &page)
	for _, r := range page.Rows {
		micro += r.Sell
	}
	return micro
}

// A broadcast goes to the carrier as it is, its answer comes back under an id of ours and with what it says of areas, and by
// that id the client asks and cancels. It is a message of the ledger: charged once, ended once, told by the trace.
func TestBroadcast(t *testing.T) {
	s, c := broadcastStage(t, play{link: bcLink})
	e := s.bind(trx5)
	sent := broadcast("valley", "nowhere")
	p := e.ask(sent.Append(nil))
	id, ok := pdu.MessageID(p)
	if h := pdu.ParseHeader(p); h.Command != pdu.BroadcastSMResp || h.Status != pdu.ROK || !ok || len(id) != 16 {
		t.Fatalf("answered %x", p)
	}
	want := pdu.AppendTLV(pdu.AppendTLV(nil, pdu.TagBroadcastAreaIdentifier, []byte("\x00nowhere")), pdu.TagBroadcastErrorStatus, []byte{0, 0, 1, 8})
	if have := pdu.ResponseTLVs(p); !bytes.Equal(have, want) {
		t.Errorf("of areas it says %x, want %x", have, want)
	}
	got := c.requests()[0]
	if sent.Sequence = got.Sequence; !bytes.Equal(got.Append(nil), sent.Append(nil)) {
		t.Errorf("the carrier got %x,\nof %x", got.Append(nil), sent.Append(nil))
	}

	q := named(pdu.QueryBroadcastSM, string(id))
	p = e.ask(q.Append(nil))
	d, st := pdu.Decode(p)
	if v, _ := pdu.FindTLV(d.TLVs, pdu.TagBroadcastAreaSuccess); st != pdu.ROK || d.Status != pdu.ROK || !bytes.Equal(d.Field("message_id").Octets, id) || len(v) != 1 || v[0] != 75 {
		t.Errorf("query_broadcast_sm: %x", p)
	}
	e.refused("cancel_broadcast_sm", named(pdu.CancelBroadcastSM, string(id)).Append(nil), pdu.ROK)
	all := c.requests()
	if len(all) != 3 || string(all[1].Field("message_id").Octets) != "cbc-1" || string(all[2].Field("message_id").Octets) != "cbc-1" {
		t.Errorf("the carrier was asked %+v", all)
	}

	message := e.submit(text(s.number(), "no broadcast"))
	e.receipt(message, 1)
	strange := named(pdu.QueryBroadcastSM, string(id)).Set("source_addr", []byte("else"))
	e.refused("a query from elsewhere", strange.Append(nil), pdu.RBcastQueryFail)
	e.refused("a query of a message", named(pdu.QueryBroadcastSM, message).Append(nil), pdu.RInvMsgID)
	e.refused("a query of nothing", named(pdu.QueryBroadcastSM, "00000000000000ff").Append(nil), pdu.RInvMsgID)
	e.refused("a cancel of everything", named(pdu.CancelBroadcastSM, "").Append(nil), pdu.RBcastCancelFail)
	c.mu.Lock()
	c.fail = pdu.RBcastCancelFail
	c.mu.Unlock()
	e.refused("a cancel that the carrier refuses", named(pdu.CancelBroadcastSM, string(id)).Append(nil), pdu.RBcastCancelFail)

	if b := s.books(); b.Accepted != 2 || b.Sent != 1 || b.Delivered != 1 || b.InFlight != 0 {
		t.Errorf("%+v", b)
	}
	if sold := s.sold(); sold != 20_000 {
		t.Errorf("the client pays %d", sold)
	}
	s.stop() // what is asked of the archive
	s.start()
	eventually(t, "the appliance binds again", func() bool { return s.carrier.bound() > 0 })
	c.mu.Lock()
	c.fail = pdu.ROK
	c.mu.Unlock()
	e = s.bind(trx5)
	eventually(t, "the carrier is asked after a restart", func() bool {
		return pdu.ParseHeader(e.ask(named(pdu.CancelBroadcastSM, string(id)).Append(nil))).Status == pdu.ROK
	})
}

// What is wrong with a broadcast is said before it is accepted, and costs nothing; so is what the carrier refuses.
func TestBroadcastRefused(t *testing.T) {
	s, c := broadcastStage(t, play{link: bcLink})
	e := s.bind(trx5)
	for _, tag := range []pdu.Tag{pdu.TagBroadcastAreaIdentifier, pdu.TagBroadcastContentType, pdu.TagBroadcastRepNum, pdu.TagBroadcastFrequencyInt} {
		d := broadcast("valley")
		d.TLVs = pdu.AppendTLVs(nil, d.TLVs, func(t pdu.Tag) bool { return t != tag })
		e.refused(fmt.Sprintf("without %#x", tag), d.Append(nil), pdu.RMissingTLV)
	}
	wrong := func(tag pdu.Tag, v ...byte) []byte {
		d := broadcast("valley")
		d.TLVs = pdu.AppendTLV(d.TLVs, tag, v)
		return d.Append(nil)
	}
	e.refused("an area in no format", wrong(pdu.TagBroadcastAreaIdentifier, 7, 'x'), pdu.RInvBcastAreaFmt)
	e.refused("a content type of no network", wrong(pdu.TagBroadcastContentType, 9, 0, 0), pdu.RInvBcastCntType)
	e.refused("a frequency of no unit", wrong(pdu.TagBroadcastFrequencyInt, 3, 0, 1), pdu.RInvBcastFreqInt)
	e.refused("a validity that is none", broadcast("valley").Set("validity_period", []byte("tomorrow")).Append(nil), pdu.RInvExpiry)
	e.refused("one that replaces", broadcast("valley").SetNumber("replace_if_present_flag", 1).Append(nil), pdu.RInvSubRep)
	if n := len(c.requests()); n != 0 {
		t.Errorf("the carrier was asked %d times", n)
	}
	c.mu.Lock()
	c.fail = pdu.RInvBcastSrvGrp
	c.mu.Unlock()
	e.refused("one that the carrier refuses", broadcast("valley").Append(nil), pdu.RInvBcastSrvGrp)
	if n := len(c.requests()); n != 1 {
		t.Errorf("the carrier was asked %d times for one broadcast", n)
	}
	e.refused("another that the carrier refuses", broadcast("valley").Append(nil), pdu.RInvBcastSrvGrp)
	old := s.bind(trx)
	old.refused("one over 3.4", broadcast("valley").Append(nil), pdu.RInvCmdID)
	rx := s.bind(login{"esme", "secret", pdu.BindReceiver, 0x50})
	rx.refused("one over a receiver", broadcast("valley").Append(nil), pdu.RInvBndSts)
	if b := s.books(); b.Accepted != 2 || b.Failed != 2 || b.InFlight != 0 || s.sold() != 0 {
		t.Errorf("%+v, the client pays %d", b, s.sold())
	}
}

// A carrier that says it speaks 3.4 is given no broadcast, and one whose answer is lost has been given it once.
func TestBroadcastWithoutCarrier(t *testing.T) {
	t.Run("of 3.4", func(t *testing.T) {
		s, c := broadcastStage(t, play{link: bcLink, before: func(s *stage) { s.carrier.version = pdu.Version34 }})
		e := s.bind(trx5)
		e.refused("a broadcast", broadcast("valley").Append(nil), pdu.RBcastFail)
		e.submit(text(s.number(), "a message")) // which it is given
		if b := s.books(); len(c.requests()) != 0 || b.Failed != 1 || b.InFlight > 1 {
			t.Errorf("%+v, asked %d times", b, len(c.requests()))
		}
	})
	t.Run("answer lost", func(t *testing.T) {
		s, c := broadcastStage(t, play{link: bcLink})
		c.mute = true
		e := s.bind(trx5)
		answer := e.start(broadcast("valley").Append(nil))
		eventually(t, "the carrier has it", func() bool { return len(c.requests()) == 1 })
		s.carrier.hangUp()
		if st := pdu.ParseHeader(<-answer).Status; st != pdu.RBcastFail {
			t.Errorf("answered %v", st)
		}
		eventually(t, "the appliance binds again", func() bool { return s.carrier.bound() > 0 })
		if b := s.books(); len(c.requests()) != 1 || b.Unknown != 1 || b.InFlight != 0 {
			t.Errorf("%+v, asked %d times", b, len(c.requests()))
		}
	})
}
