package dataplane_test

import (
	"bytes"
	"strings"
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

// A long message from a carrier reaches a client that wants parts as parts, and one bound as 3.3, which has no room for it,
// too: in order, once, and as what the subscriber wrote. One that wants it whole gets it whole.
func TestLongMessagesFromCarriersAreCut(t *testing.T) {
	words := strings.Repeat("a long story, ", 40) // 560 octets
	for name, c := range map[string]struct {
		client  string
		version uint8
		parts   int
	}{
		"whole":       {"", 0x34, 1},
		"3.3":         {"", 0x33, 4},
		"by setting":  {"    profile: {long: udh16, parts: udh8, dcs0: latin1}\n", 0x34, 4},
		"sar_* to 34": {"    profile: {long: sar}\n", 0x34, 4},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, play{client: c.client + "    deliver_window: 1\n", mo: "mo:\n  - {match: {to: \"12345\"}, client: esme}\n"})
			e := s.bind(login{"esme", "secret", pdu.BindReceiver, c.version})
			m := pdu.Submit{Command: pdu.DeliverSM, Src: []byte("4915112345678"), SrcTON: 1, SrcNPI: 1, Dst: []byte("12345"),
				TLVs: pdu.AppendTLV(nil, pdu.TagMessagePayload, []byte(words))}
			s.carrier.send(m.Append(nil, 77))
			eventually(t, "all of it is taken", func() bool { return len(e.received()) == c.parts && s.depth("receipts") == 0 })
			var got []byte
			switch all := e.received(); {
			case c.parts == 1:
				got = all[0].UserData()
			case name == "sar_* to 34":
				for i, p := range all {
					if v, _ := p.TLV(pdu.TagSARSegmentSeqnum); len(v) != 1 || int(v[0]) != i+1 || p.UDHI() {
						t.Errorf("part %d: sar_segment_seqnum %x", i+1, v)
					}
					got = append(got, p.UserData()...)
				}
			default:
				got = joined(t, all)
			}
			if string(got) != words || s.depth("set_aside") != 0 {
				t.Errorf("it reads %q", got)
			}
			s.books()
		})
	}
}
