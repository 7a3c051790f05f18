package dataplane_test

import (
	"bytes"
	"testing"

	"smsplane/pdu"
	charset "smsplane/pdu/text"
)

// A message from a carrier that means Latin-1 by data_coding 0 reaches a client that means UTF-8 by it as what the
// subscriber wrote.
func TestMessagesFromCarriersAreTranscoded(t *testing.T) {
	const words = "größe [42] ~ é"
	s := newStage(t, play{link: "        profile: {dcs0: latin1}\n", client: "    profile: {dcs0: utf8}\n",
		mo: "mo:\n  - {match: {to: \"4917600000\"}, client: esme}\n"})
	e := s.bind(trx)
	latin, _ := charset.ISO88591.Encode(nil, []byte(words), 0)
	m := pdu.Submit{Command: pdu.DeliverSM, Src: []byte("4915112345678"), SrcTON: 1, SrcNPI: 1, Dst: []byte("4917600000"), DstTON: 1, DstNPI: 1, Text: latin}
	s.carrier.send(m.Append(nil, 77))
	eventually(t, "it arrives", func() bool { return len(e.received()) == 1 })
	got := e.received()[0]
	if got.DataCoding() != 0 || !bytes.Equal(got.UserData(), []byte(words)) {
		t.Errorf("coding %d, %q", got.DataCoding(), got.UserData())
	}
}

// A client reads the network's error as TLV, too.
func TestReceiptsTellTheNetworksError(t *testing.T) {
	s := newStage(t, play{})
	s.carrier.states = func(*pdu.Message) []pdu.State { return []pdu.State{pdu.StateUndeliverable} }
	e := s.bind(trx)
	m, _ := e.receipt(e.submit(text(s.number(), "hi")), 1)
	if v, ok := m.TLV(pdu.TagNetworkErrorCode); !ok || !bytes.Equal(v, []byte{3, 0, 7}) {
		t.Errorf("network_error_code %x", v)
	}
}
