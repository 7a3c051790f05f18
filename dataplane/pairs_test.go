package dataplane_test

import (
	"fmt"
	"strings"
	"testing"

	"smsplane/pdu"
)

// A carrier with two addresses, to each of which we keep a transmitter and a receiver, sends the receipt of what went to one
// over the receiver at the other, in text only, and its messages over either: all of it finds its way.
func TestPairsAtSeveralAddresses(t *testing.T) {
	other := newSMSC(t)
	other.open()
	s := newStage(t, play{bindless: true, mo: "mo:\n  - {match: {to: \"12345\"}, client: esme}\n", before: func(s *stage) {
		s.carrier.open() // or its sessions would go to the other address
		var links strings.Builder
		for i, kind := range []string{"transmitter", "receiver"} {
			fmt.Fprintf(&links, "      - address: [%q, %q]\n        system_id: smsplane%d\n        password: secret\n        bind: %s\n        sessions: 2\n        tps: unlimited\n",
				s.carrier.address, other.address, i, kind)
		}
		s.write("catalog/carriers.yaml", "carriers:\n  - id: north\n    currency: EUR\n    cost: sent\n    links:\n"+links.String())
	}})
	centres := []*smsc{s.carrier, other}
	for i, c := range centres {
		c.next = 1000 * i // one space of ids
		c.states = func(*pdu.Message) []pdu.State { return nil }
	}
	eventually(t, "two binds at each address", func() bool { return s.carrier.bound() == 2 && other.bound() == 2 })

	e := s.bind(trx)
	const messages = 20
	ids := map[string]string{} // by number
	for range messages {
		to := s.number()
		ids[to] = e.submit(text(to, "over a pair"))
	}
	eventually(t, "the carrier has all", func() bool { return len(s.carrier.taken())+len(other.taken()) == messages })
	seq := uint32(0)
	for i, c := range centres {
		if len(c.taken()) == 0 {
			t.Errorf("nothing went to address %d", i+1)
		}
		for k, m := range c.taken() {
			seq++
			r := pdu.Receipt{ID: fmt.Appendf(nil, "n-%d", 1000*i+k+1), State: pdu.StateDelivered, Sub: 1, Dlvrd: 1}
			centres[1-i].send((&pdu.Submit{Command: pdu.DeliverSM, Src: m.DstAddr(), SrcTON: 1, Dst: m.SrcAddr(), ESMClass: pdu.ESMReceipt, Text: pdu.AppendReceiptText(nil, &r)}).Append(nil, seq))
		}
	}
	for to, id := range ids {
		if m, r := e.receipt(id, 1); r.State != pdu.StateDelivered || string(m.SrcAddr()) != to {
			t.Errorf("%s: %v from %s", id, r.State, m.SrcAddr())
		}
	}
	for i, c := range centres {
		seq++
		c.send((&pdu.Submit{Command: pdu.DeliverSM, Src: []byte("4915199999999"), SrcTON: 1, Dst: []byte("12345"), Text: fmt.Appendf(nil, "by address %d", i+1)}).Append(nil, seq))
		eventually(t, "the carrier is answered", func() bool { return c.heard(seq) })
	}
	eventually(t, "the client has two messages", func() bool { return len(e.received()) == messages+2 })
	if b := s.books(); b.Delivered != messages || b.InFlight != 0 {
		t.Errorf("%+v", b)
	}

	for range 3 { // whatever ends the sessions there, a pair is back at each
		before := s.carrier.binds() + other.binds()
		other.hangUp()
		eventually(t, "two sessions are bound anew", func() bool { return s.carrier.binds()+other.binds() >= before+2 })
		eventually(t, "two binds at each address again", func() bool { return s.carrier.bound() == 2 && other.bound() == 2 })
	}
}
