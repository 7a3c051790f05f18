package dataplane_test

import (
	"fmt"
	"testing"
	"time"

	"smsplane/pdu"
)

// named is a query_sm, cancel_sm or replace_sm about an id.
func named(c pdu.Command, id string) *pdu.PDU {
	return pdu.New(c, pdu.ROK, 0).Set("message_id", []byte(id)).Set("source_addr", []byte("sender")).SetNumber("source_addr_ton", 5)
}

// query asks for a message and returns its state and final_date.
func (e *esme) query(id string) (pdu.State, string) {
	e.t.Helper()
	p := e.ask(named(pdu.QuerySM, id).Append(nil))
	d, st := pdu.Decode(p)
	if st != pdu.ROK || d.Status != pdu.ROK || d.Command != pdu.QuerySMResp || string(d.Field("message_id").Octets) != id {
		e.t.Fatalf("query_sm of %s: %+v, %v", id, d, st)
	}
	return pdu.State(d.Field("message_state").Number), string(d.Field("final_date").Octets)
}

func TestTextsAndModes(t *testing.T) {
	s := newStage(t, play{})
	e := s.bind(trx)
	empty := text(s.number(), "")
	e.refused("no text", empty.Append(nil, 0), pdu.RInvMsgLen)
	for mode, want := range map[uint8]pdu.Status{1: pdu.RInvEsmClass, 2: pdu.RInvEsmClass, 3: pdu.ROK} {
		m := text(s.number(), "mode")
		m.ESMClass = mode
		e.refused(fmt.Sprintf("esm_class mode %d", mode), m.Append(nil, 0), want)
	}
	e.refused("a broadcast", pdu.New(pdu.BroadcastSM, pdu.ROK, 0).Append(nil), pdu.RInvCmdID)
	for _, b := range []*esme{e, s.bind(login{"esme", "secret", pdu.BindTransmitter, 0x33})} {
		for c := pdu.Command(0x22); c <= 0x24; c++ { // param_retrieve, query_last_msgs, query_msg_details of 3.3
			if h := pdu.ParseHeader(b.ask(pdu.AppendPlain(nil, c, pdu.ROK, 0))); h.Command != pdu.GenericNack || h.Status != pdu.RInvCmdID {
				t.Errorf("command %#x: %v %v", uint32(c), h.Command, h.Status)
			}
		}
	}
	e.refused("a second bind", pdu.AppendBind(nil, &pdu.Bind{Command: pdu.BindReceiver, SystemID: "esme", Password: "secret", Version: 0x34}, 0), pdu.RAlyBnd)
	e.refused("deliver_sm of an ESME", (&pdu.Submit{Command: pdu.DeliverSM, Dst: []byte("1"), Text: []byte("x")}).Append(nil, 0), pdu.RInvBndSts)
}

func TestDataSM(t *testing.T) {
	s := newStage(t, play{})
	e := s.bind(trx)
	m := text(s.number(), "by data_sm")
	m.Command = pdu.DataSM
	m.TLVs = pdu.AppendTLV(nil, pdu.TagQOSTimeToLive, []byte{0, 0, 0x0E, 0x10}) // an hour
	id := e.submit(m)
	_, r := e.receipt(id, 1)
	got := s.carrier.to(string(m.Dst))
	if r.State != pdu.StateDelivered || got == nil || string(got.UserData()) != "by data_sm" {
		t.Fatalf("receipt %v, at the carrier %v", r.State, got)
	}
	if at, ok := pdu.ParseTime(got.Validity(), time.Now().UnixNano()); !ok || time.Until(time.Unix(0, at)) > time.Hour || time.Until(time.Unix(0, at)) < 50*time.Minute {
		t.Errorf("validity %q, want the hour of qos_time_to_live", got.Validity())
	}
	e.refused("data_sm without a payload", (&pdu.Submit{Command: pdu.DataSM, Dst: []byte("4915"), DstTON: 1}).Append(nil, 0), pdu.RMissingTLV)
}

func TestSubmitMulti(t *testing.T) {
	s := newStage(t, play{})
	e := s.bind(trx)
	m := pdu.New(pdu.SubmitMulti, pdu.ROK, 0).Set("source_addr", []byte("sender")).SetNumber("source_addr_ton", 5).
		SetNumber("registered_delivery", 1).Set("short_message", []byte("to all"))
	var to []string
	for range 20 {
		to = append(to, s.number())
		m.Dests = append(m.Dests, pdu.Dest{TON: 1, NPI: 1, Name: []byte(to[len(to)-1])})
	}
	m.Dests = append(m.Dests[:7], append([]pdu.Dest{{List: true, Name: []byte("friends")}, {TON: 5, Name: []byte("nobody")}}, m.Dests[7:]...)...)
	p := e.ask(m.Append(nil))
	d, st := pdu.Decode(p)
	if st != pdu.ROK || d.Command != pdu.SubmitMultiResp || d.Status != pdu.ROK || len(d.Failed) != 2 {
		t.Fatalf("%+v, %v", d, st)
	}
	if f := d.Failed; f[0].Status != pdu.RInvDLName || string(f[0].Addr) != "friends" || f[1].Status != pdu.RInvDstAdr || string(f[1].Addr) != "nobody" || f[1].TON != 5 {
		t.Errorf("unsuccess %+v", f)
	}
	id := string(d.Field("message_id").Octets)
	froms := map[string]bool{}
	for n := range to {
		r, v := e.receipt(id, n+1)
		if v.State != pdu.StateDelivered {
			t.Errorf("receipt %v", v.State)
		}
		froms[string(r.SrcAddr())] = true
	}
	for _, dst := range to {
		if got := s.carrier.to(dst); got == nil || string(got.UserData()) != "to all" || !froms[dst] {
			t.Errorf("%s: at the carrier %v, receipt %v", dst, got != nil, froms[dst])
		}
	}
	if b := s.books(); b.Accepted != 20 {
		t.Errorf("accepted %d", b.Accepted)
	}
	m.Dests = m.Dests[7:8]
	e.refused("a list alone", m.Append(nil), pdu.RInvDLName)
	m.Dests = nil
	e.refused("nobody at all", m.Append(nil), pdu.RInvNumDests)
}

func TestQuery(t *testing.T) {
	s := newStage(t, play{clients: clientEntry("other", "")})
	s.carrier.states = func(m *pdu.Message) []pdu.State {
		if string(m.UserData()) == "stays" {
			return nil
		}
		return []pdu.State{pdu.StateUndeliverable}
	}
	e := s.bind(trx)
	stays, fails := e.submit(text(s.number(), "stays")), e.submit(text(s.number(), "fails"))
	e.receipt(fails, 1)
	if st, at := e.query(stays); st != pdu.StateEnroute || at != "" {
		t.Errorf("with the carrier: %v %q", st, at)
	}
	// Its receipt is taken, so it is in the archive only, sooner or later.
	eventually(t, "the receipt is taken", func() bool { return s.books().ReceiptsReturned == 1 })
	if st, at := e.query(fails); st != pdu.StateUndeliverable || at != "260101000100000+" {
		t.Errorf("ended: %v %q", st, at)
	}
	e.refused("an id never given", named(pdu.QuerySM, "00000000000fffff").Append(nil), pdu.RInvMsgID)
	e.refused("no id of ours", named(pdu.QuerySM, "hello").Append(nil), pdu.RInvMsgID)
	e.refused("another source", named(pdu.QuerySM, stays).Set("source_addr", []byte("thief")).Append(nil), pdu.RQueryFail)
	e.refused("another source, ended", named(pdu.QuerySM, fails).Set("source_addr", []byte("thief")).Append(nil), pdu.RQueryFail)
	o := s.bind(login{"other", "secret", pdu.BindTransmitter, 0x34})
	for _, id := range []string{stays, fails} {
		if h := pdu.ParseHeader(o.ask(named(pdu.QuerySM, id).Append(nil))); h.Status != pdu.RInvMsgID {
			t.Errorf("another client's query: %v", h.Status)
		}
		for _, c := range []pdu.Command{pdu.CancelSM, pdu.ReplaceSM} {
			n := named(c, id)
			if c == pdu.ReplaceSM {
				n.Set("short_message", []byte("x"))
			}
			if h := pdu.ParseHeader(o.ask(n.Append(nil))); h.Status == pdu.ROK {
				t.Errorf("another client's %v passed", c)
			}
		}
	}
}

func TestCancel(t *testing.T) {
	s := newStage(t, play{bindless: true})
	e := s.bind(trx)
	dst := s.number()
	id := e.submit(text(dst, "regretted"))
	e.refused("another source", named(pdu.CancelSM, id).Set("source_addr", []byte("thief")).Append(nil), pdu.RCancelFail)
	e.refused("cancel_sm", named(pdu.CancelSM, id).Append(nil), pdu.ROK)
	_, r := e.receipt(id, 1)
	if r.State != pdu.StateDeleted {
		t.Errorf("the receipt says %v", r.State)
	}
	if st, at := e.query(id); st != pdu.StateDeleted || at == "" {
		t.Errorf("query_sm: %v %q", st, at)
	}
	e.refused("again", named(pdu.CancelSM, id).Append(nil), pdu.RCancelFail)
	e.refused("an id never given", named(pdu.CancelSM, "00000000000fffff").Append(nil), pdu.RInvMsgID)

	// Without an id: all between two addresses, of a service if one is named.
	all := s.number()
	for _, service := range []string{"", "CMT", "CMT", "VMA"} {
		m := text(all, "one of many")
		m.Service = []byte(service)
		e.submit(m)
	}
	kept := s.number()
	e.submit(text(kept, "kept"))
	other := text(all, "of another sender")
	other.Src = []byte("another")
	e.submit(other)
	between := named(pdu.CancelSM, "").Set("destination_addr", []byte(all)).SetNumber("dest_addr_ton", 1).SetNumber("dest_addr_npi", 1)
	e.refused("of a service", between.Set("service_type", []byte("CMT")).Append(nil), pdu.ROK)
	if b := s.books(); b.Failed != 3 {
		t.Errorf("%d cancelled, want 3", b.Failed)
	}
	e.refused("of any service", between.Set("service_type", nil).Append(nil), pdu.ROK)
	if b := s.books(); b.Failed != 5 || b.InFlight != 2 {
		t.Errorf("%d cancelled, %d left; want 5 and 2", b.Failed, b.InFlight)
	}
	e.refused("nothing left", between.Append(nil), pdu.RCancelFail)

	s.carrier.open()
	eventually(t, "what is left arrives", func() bool { return len(s.carrier.taken()) == 2 })
	if s.carrier.to(dst) != nil || s.carrier.to(kept) == nil {
		t.Error("the carrier got what was cancelled, or not what was not")
	}
	gone := e.submit(text(s.number(), "too late"))
	e.receipt(gone, 1)
	e.refused("too late", named(pdu.CancelSM, gone).Append(nil), pdu.RCancelFail)
	s.books()
}

func TestReplace(t *testing.T) {
	s := newStage(t, play{bindless: true})
	e := s.bind(trx)
	dst, untouched := s.number(), s.number()
	id := e.submit(text(dst, "first"))
	e.submit(text(untouched, "untouched"))
	long := fmt.Sprintf("%0200d", 7)
	replace := func(text string) *pdu.PDU {
		return named(pdu.ReplaceSM, id).SetNumber("registered_delivery", 1).Set("short_message", []byte(text))
	}
	e.refused("another source", replace("x").Set("source_addr", []byte("thief")).Append(nil), pdu.RReplaceFail)
	e.refused("no text", replace("").Append(nil), pdu.RInvMsgLen)
	e.refused("a broken time", replace("x").Set("validity_period", []byte("xxxx")).Append(nil), pdu.RInvExpiry)
	e.refused("replace_sm", replace("second").Append(nil), pdu.ROK)
	e.refused("replace_sm", replace(long).Set("validity_period", []byte("000000020000000R")).Append(nil), pdu.ROK)
	s.books()

	s.stop() // what was replaced survives
	s.start()
	e = s.bind(trx)
	e.refused("replace_sm after a start", replace(long+"!").Set("validity_period", []byte("000000020000000R")).Append(nil), pdu.ROK)
	s.books()
	s.carrier.open()
	_, r := e.receipt(id, 1)
	got := s.carrier.to(dst)
	if r.State != pdu.StateDelivered || r.Sub != 2 || got == nil || string(got.UserData()) != long+"!" {
		t.Fatalf("receipt %+v, at the carrier %v", r, got)
	}
	if at, ok := pdu.ParseTime(got.Validity(), time.Now().UnixNano()); !ok || time.Until(time.Unix(0, at)) > 2*time.Hour {
		t.Errorf("validity %q, want the two hours of the replacement", got.Validity())
	}
	if s.carrier.to(untouched) == nil {
		t.Error("another message was lost")
	}
	e.refused("too late", replace("third").Append(nil), pdu.RReplaceFail)
	if b := s.books(); b.Delivered != 2 {
		t.Errorf("%+v", b)
	}
}

func TestReplaceIfPresent(t *testing.T) {
	s := newStage(t, play{bindless: true})
	e := s.bind(trx)
	dst := s.number()
	old := e.submit(text(dst, "old"))
	service := text(dst, "of another service")
	service.Service = []byte("VMA")
	e.submit(service)
	again := text(dst, "new")
	again.Replace = 1
	id := e.submit(again)
	_, r := e.receipt(old, 1)
	if r.State != pdu.StateDeleted {
		t.Errorf("the old one ended as %v", r.State)
	}
	fresh := text(s.number(), "nothing to replace")
	fresh.Replace = 1
	e.submit(fresh)
	s.carrier.open()
	e.receipt(id, 1)
	eventually(t, "the other two arrive", func() bool { return len(s.carrier.taken()) == 3 })
	for _, m := range s.carrier.taken() {
		if string(m.UserData()) == "old" {
			t.Error("what was replaced was sent")
		}
		if m.ReplaceIfPresent() != 0 {
			t.Errorf("%q asks the carrier to replace what any client of ours may have there", m.UserData())
		}
	}
	s.books()
}

func TestTimes(t *testing.T) {
	s := newStage(t, play{client: "    validity_max: 48h\n"})
	e := s.bind(trx)
	now := time.Now().UTC()
	local := now.Add(2*time.Hour + 3*time.Hour + 45*time.Minute) // a clock 3 h 45 ahead of UTC, in two hours
	east := local.Format("060102150405") + "0" + "15+"
	west := now.Add(2*time.Hour-5*time.Hour).Format("060102150405") + "0" + "20-"
	for validity, want := range map[string]time.Duration{east: 2 * time.Hour, west: 2 * time.Hour, "000000013000000R": 90 * time.Minute,
		"": 48 * time.Hour, "000300000000000R": 48 * time.Hour} {
		m := text(s.number(), "validity")
		m.Validity = []byte(validity)
		e.submit(m)
		eventually(t, "it arrives", func() bool { return s.carrier.to(string(m.Dst)) != nil })
		at, ok := pdu.ParseTime(s.carrier.to(string(m.Dst)).Validity(), time.Now().UnixNano())
		if left := time.Until(time.Unix(0, at)); !ok || left > want || left < want-time.Minute {
			t.Errorf("validity_period %q: the carrier has %v, want %v", validity, left, want)
		}
	}
	for what, v := range map[string][2]string{
		"already over": {"", now.Add(-time.Minute).Format("060102150405") + "000+"}, "too many quarters": {"", "991231235959049+"},
		"garbage": {"", "nonsense"}, "before its schedule": {"000000020000000R", "000000010000000R"}} {
		m := text(s.number(), "validity")
		m.Schedule, m.Validity = []byte(v[0]), []byte(v[1])
		e.refused(what, m.Append(nil, 0), pdu.RInvExpiry)
	}
	m := text(s.number(), "schedule")
	for _, v := range []string{"990000000000000R", "2612312359590", "261332000000000+"} {
		m.Schedule = []byte(v)
		e.refused("schedule "+v, m.Append(nil, 0), pdu.RInvSched)
	}
	// Two seconds ahead, said by a clock a quarter of an hour behind UTC.
	at := time.Now().UTC().Add(2 * time.Second)
	m.Schedule = []byte(at.Add(-15*time.Minute).Format("060102150405") + "001-")
	id := e.submit(m)
	if st, _ := e.query(id); st != pdu.StateEnroute {
		t.Errorf("scheduled: %v", st)
	}
	e.receipt(id, 1)
	if early := time.Until(at.Truncate(time.Second)); early > 0 {
		t.Errorf("it went out %v before its time", early)
	}
}

func TestRegisteredDelivery(t *testing.T) {
	s := newStage(t, play{})
	s.carrier.states = func(m *pdu.Message) []pdu.State {
		if string(m.UserData()) == "fail" {
			return []pdu.State{pdu.StateEnroute, pdu.StateUndeliverable}
		}
		return []pdu.State{pdu.StateEnroute, pdu.StateDelivered}
	}
	e := s.bind(trx)
	for _, c := range []struct {
		registered uint8
		text       string
		want       string // classes and states of what comes back
	}{
		{0, "ok", ""}, {1, "ok", "04 DELIVERED "}, {1, "fail", "04 UNDELIVERABLE "}, {2, "ok", ""}, {2, "fail", "04 UNDELIVERABLE "}, {3, "ok", "04 DELIVERED "},
		{3, "fail", ""}, {0x11, "ok", "20 ENROUTE 04 DELIVERED "}, {0x10, "fail", "20 ENROUTE "}, {0x0D, "ok", "04 DELIVERED "},
	} {
		m := text(s.number(), c.text)
		m.Registered = c.registered
		id := e.submit(m)
		eventually(t, "it ends", func() bool { b := s.books(); return b.InFlight == 0 && b.ReceiptsParked == 0 })
		got := ""
		for _, d := range e.received() {
			var r pdu.Receipt
			if pdu.ParseReceipt(d, &r) && string(r.ID) == id {
				got += fmt.Sprintf("%02x %v ", d.ESMClass(), r.State)
				if string(d.SrcAddr()) != string(m.Dst) || string(d.DstAddr()) != string(m.Src) {
					t.Errorf("addresses %s to %s", d.SrcAddr(), d.DstAddr())
				}
			}
		}
		if got != c.want {
			t.Errorf("registered_delivery %#x, %s: %q, want %q", c.registered, c.text, got, c.want)
		}
		if at := s.carrier.to(string(m.Dst)).RegisteredDelivery(); at != 1|c.registered&^3 {
			t.Errorf("registered_delivery %#x reached the carrier as %#x", c.registered, at)
		}
	}
	if b := s.books(); b.Accepted != 10 || b.ReceiptsReturned != 6 {
		t.Errorf("%+v", b)
	}
}
