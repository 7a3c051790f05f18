package dataplane_test

import (
	"testing"
	"time"

	"smsplane/pdu"
)

// inMode is a message in a messaging mode that asks for a receipt all the same.
func inMode(dst string, mode uint8, words string) pdu.Submit {
	m := text(dst, words)
	m.ESMClass = mode
	return m
}

const bothModes = "    modes: [datagram, transaction]\n"

// In transaction mode the answer comes when the message has ended, says how, and is all that comes. The carrier is asked for
// its receipt even if it is asked for those only that clients want: the end is in it.
func TestTransactionMode(t *testing.T) {
	for _, receipts := range []string{"always", "asked"} {
		t.Run(receipts, func(t *testing.T) {
			transactions(t, newStage(t, play{client: bothModes, carrier: "    receipts: " + receipts + "\n"}))
		})
	}
}

func transactions(t *testing.T, s *stage) {
	hold := make(chan struct{})
	s.carrier.states = func(m *pdu.Message) []pdu.State {
		switch string(m.UserData()) {
		case "fails":
			return []pdu.State{pdu.StateUndeliverable}
		case "waits":
			<-hold
		}
		return []pdu.State{pdu.StateDelivered}
	}
	s.carrier.status = func(m *pdu.Message) pdu.Status {
		if string(m.UserData()) == "refused" {
			return pdu.RSysErr // anybody else's message would go elsewhere, or again
		}
		return pdu.ROK
	}
	e := s.bind(trx)
	to := s.number()
	waits := inMode(to, 2, "waits")
	answer := e.start(waits.Append(nil, 0))
	eventually(t, "the carrier has it", func() bool { return s.books().InFlight == 1 })
	select {
	case p := <-answer:
		t.Fatalf("answered before its end: %x", p)
	case <-time.After(100 * time.Millisecond):
	}
	close(hold)
	p := <-answer
	if id, ok := pdu.MessageID(p); pdu.ParseHeader(p).Status != pdu.ROK || !ok || len(id) != 16 {
		t.Errorf("delivered: %x", p)
	}
	if got := s.carrier.to(to); got.ESMClass() != 0 || got.RegisteredDelivery()&1 == 0 {
		t.Errorf("the carrier sees esm_class %#x, registered_delivery %d", got.ESMClass(), got.RegisteredDelivery())
	}
	for words, reason := range map[string]uint8{"fails": 2, "refused": 3} {
		m := inMode(s.number(), 2, words)
		p := e.ask(m.Append(nil, 0))
		v, _ := pdu.FindTLV(pdu.ResponseTLVs(p), pdu.TagDeliveryFailureReason)
		if id, ok := pdu.MessageID(p); pdu.ParseHeader(p).Status != pdu.RDeliveryFailure || !ok || len(id) != 16 || len(v) != 1 || v[0] != reason {
			t.Errorf("%s: %x, reason %x", words, p, v)
		}
	}
	if n := len(e.received()); n != 0 {
		t.Errorf("%d receipts", n)
	}
	if b := s.books(); b.Delivered != 1 || b.Failed != 2 || b.InFlight != 0 {
		t.Errorf("%+v", b)
	}
}

// In datagram mode there is one attempt, an answer as ever, and no receipt.
func TestDatagramMode(t *testing.T) {
	s := newStage(t, play{client: bothModes})
	tries := 0
	s.carrier.status = func(*pdu.Message) pdu.Status { tries++; return pdu.RThrottled }
	e := s.bind(trx)
	m := inMode(s.number(), 1, "once")
	e.submit(m)
	eventually(t, "it has ended", func() bool { b := s.books(); return b.Failed == 1 && b.InFlight == 0 })
	s.carrier.mu.Lock()
	defer s.carrier.mu.Unlock()
	if tries != 1 || len(e.received()) != 0 {
		t.Errorf("%d attempts, %d receipts", tries, len(e.received()))
	}
}

// A submit_multi has one answer for many messages: it has no modes.
func TestModesOfSubmitMulti(t *testing.T) {
	s := newStage(t, play{client: bothModes})
	e := s.bind(trx)
	m := pdu.New(pdu.SubmitMulti, pdu.ROK, 0).SetNumber("esm_class", 2).Set("short_message", []byte("x"))
	m.Dests = []pdu.Dest{{TON: 1, NPI: 1, Name: []byte(s.number())}}
	e.refused("transaction mode", m.Append(nil), pdu.RInvEsmClass)
}
