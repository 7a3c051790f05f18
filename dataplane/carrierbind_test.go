package dataplane_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"smsplane/pdu"
)

// A carrier that binds to us submits a receipt for what it took over the link that we dialled, and a message
// for a client; both arrive, and both are answered with status 0.
func TestCarrierBindsToUs(t *testing.T) {
	s := newStage(t, play{bindless: true})
	s.stop()
	file := filepath.Join(s.dir, "catalog/carriers.yaml")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s.write("catalog/carriers.yaml", strings.Replace(string(b), "    links:", "    inbound: {system_id: thecarrier, password: inside, sessions: 1}\n    links:", 1))
	s.write("catalog/mo.yaml", "mo:\n  - {match: {carrier: north, to: \"12345\"}, client: esme}\n")
	if err := os.RemoveAll(filepath.Join(s.dir, "data")); err != nil { // a new store takes the folder as it is now
		t.Fatal(err)
	}
	s.carrier.states = func(*pdu.Message) []pdu.State { return nil }
	s.carrier.open()
	s.start()
	eventually(t, "the appliance binds to its carrier", func() bool { return s.carrier.bound() > 0 })

	client := s.bind(trx)
	m := text(s.number(), "with a receipt by the carrier's own bind")
	id := client.submit(m)
	eventually(t, "the carrier takes it", func() bool { return s.carrier.to(string(m.Dst)) != nil })

	if _, p := s.tryBind(login{"thecarrier", "secret", pdu.BindTransmitter, 0x34}); pdu.ParseHeader(p).Status != pdu.RInvPaswd {
		t.Errorf("a wrong password: %v", pdu.ParseHeader(p).Status)
	}
	in := s.bind(login{"thecarrier", "inside", pdu.BindTransmitter, 0x34})
	if _, p := s.tryBind(login{"thecarrier", "inside", pdu.BindTransmitter, 0x34}); pdu.ParseHeader(p).Status != pdu.RBindFail {
		t.Errorf("a second bind of one: %v", pdu.ParseHeader(p).Status)
	}
	receipt := pdu.Submit{Src: m.Dst, SrcTON: 1, SrcNPI: 1, Dst: []byte("sender"), DstTON: 5, ESMClass: pdu.ESMReceipt,
		Text: pdu.AppendReceiptText(nil, &pdu.Receipt{ID: []byte("n-1"), State: pdu.StateDelivered})}
	mo := pdu.Submit{Src: []byte("4915199999999"), SrcTON: 1, SrcNPI: 1, Dst: []byte("12345"), Text: []byte("STOP")}
	for what, p := range map[string][]byte{"receipt": receipt.Append(nil, 0), "message": mo.Append(nil, 0)} {
		if h := pdu.ParseHeader(in.ask(p)); h.Command != pdu.SubmitSMResp || h.Status != pdu.ROK {
			t.Errorf("%s: answered %v %v", what, h.Command, h.Status)
		}
	}
	if _, r := client.receipt(id, 1); r.State != pdu.StateDelivered {
		t.Errorf("the client's receipt says %v", r.State)
	}
	eventually(t, "the client has the message", func() bool {
		for _, m := range client.received() {
			if string(m.UserData()) == "STOP" && string(m.DstAddr()) == "12345" {
				return true
			}
		}
		return false
	})
	if b := s.books(); b.Delivered != 1 {
		t.Errorf("books %s", fmt.Sprint(b))
	}
}

// By agreement a carrier that binds to us gets its messages there, as deliver_sm: its answer names them, and the
// receipts that it submits find them. Without such a bind they wait.
func TestCarrierTakesMessagesOverItsBind(t *testing.T) {
	s := newStage(t, play{bindless: true, before: func(s *stage) {
		old := string(s.read("catalog/carriers.yaml"))
		head, _, _ := strings.Cut(old, "    links:")
		s.write("catalog/carriers.yaml", head+"    inbound: {system_id: thecarrier, password: inside, mt: true, mt_window: 2, tps: unlimited, profile: {long: udh8}}\n    links: []\n")
	}})
	client := s.bind(trx)
	words := strings.Repeat("over the carrier's own bind ", 8)
	id := client.submit(text(s.number(), words))
	in := s.bind(login{"thecarrier", "inside", pdu.BindTransceiver, 0x34})
	in.set(func() {
		in.name = func(m *pdu.Message) []byte { _, _, seq, _ := partOf(t, m); return fmt.Appendf(nil, "in-%d", seq) }
	})
	eventually(t, "the carrier has both parts", func() bool { return len(in.received()) == 2 })
	if got := joined(t, in.received()); string(got) != words {
		t.Errorf("it reads %q", got)
	}
	for _, m := range in.received() {
		if m.Command() != pdu.DeliverSM || len(m.Validity()) != 0 || m.RegisteredDelivery() != 1 {
			t.Errorf("%v, validity %q", m.Command(), m.Validity())
		}
	}
	for _, name := range []string{"in-1", "in-2"} {
		receipt := pdu.Submit{Src: in.received()[0].DstAddr(), SrcTON: 1, SrcNPI: 1, Dst: []byte("sender"), DstTON: 5, ESMClass: pdu.ESMReceipt,
			Text: pdu.AppendReceiptText(nil, &pdu.Receipt{ID: []byte(name), State: pdu.StateDelivered})}
		if h := pdu.ParseHeader(in.ask(receipt.Append(nil, 0))); h.Status != pdu.ROK {
			t.Errorf("receipt of %s: %v", name, h.Status)
		}
	}
	if _, r := client.receipt(id, 1); r.State != pdu.StateDelivered {
		t.Errorf("the client's receipt says %v", r.State)
	}
}
