package dataplane_test

import (
	"strings"
	"testing"

	"smsplane/pdu"
)

// The keyword of a text stands in its first part; the others go where that went, whatever they begin with.
func TestKeywordOfATextInParts(t *testing.T) {
	s := newStage(t, play{clients: clientEntry("stops", "") + clientEntry("helps", ""),
		mo: "mo:\n  - {match: {to: \"12345\"}, client: esme}\n  - {match: {to: \"12345\", keyword: STOP}, client: stops}\n" +
			"  - {match: {to: \"12345\", keyword: HELP}, client: helps}\n"})
	binds := map[string]*esme{}
	for _, id := range []string{"esme", "stops", "helps"} {
		binds[id] = s.bind(login{id, "secret", pdu.BindTransceiver, 0x34})
	}
	seq := uint32(100)
	send := func(parts []pdu.Submit, order ...int) {
		for _, i := range order {
			p := parts[i]
			p.Command, p.Registered, p.Src, p.SrcTON, p.Dst = pdu.DeliverSM, 0, p.Dst, 1, []byte("12345")
			seq++
			s.carrier.send(p.Append(nil, seq))
			eventually(t, "the carrier is answered", func() bool { return s.carrier.heard(seq) })
		}
	}
	text := func(first, second string) string {
		return first + strings.Repeat("x", 153-len(first)) + second + " and so on"
	}
	one := pieces("491500000001", text("STOP ", "HELP"), 1)
	two := pieces("491500000002", text("HELP ", "STOP"), 1) // another phone, the same reference
	send(one, 0)
	send(two, 0)
	send(one, 1, 1)
	send(two, 1)
	send(pieces("491500000001", text("HELP ", "STOP"), 2), 0, 1)
	send(pieces("491500000001", text("STOP ", "HELP"), 3), 1) // its first part is not here
	for id, want := range map[string]int{"stops": 3, "helps": 4, "esme": 1} {
		eventually(t, id+" has its messages", func() bool { return len(binds[id].received()) >= want })
		if n := len(binds[id].received()); n != want {
			t.Errorf("%s got %d messages, want %d", id, n, want)
		}
	}
}

// Messages for a client that takes none wait for it as long as memory has room for them; what comes then its carrier keeps. Nothing
// is given up, and who takes them makes room.
func TestMessagesWithoutRoomStayWithTheirCarrier(t *testing.T) {
	const share = 2 << 20 / 512 / 4 / 2
	s := newStage(t, play{node: "memory: 1MiB\nmemory_max: 2MiB\n", mo: "mo:\n  - {match: {to: \"12345\"}, client: esme}\n"})
	seq := uint32(100)
	send := func(n int) {
		for range n {
			seq++
			m := pdu.Submit{Command: pdu.DeliverSM, SrcTON: 1, SrcNPI: 1, Src: []byte("491500000001"), Dst: []byte("12345"), Text: []byte("hello")}
			s.carrier.send(m.Append(nil, seq))
		}
		eventually(t, "the carrier is answered", func() bool { return s.carrier.heard(seq) })
	}
	status := func() pdu.Status {
		s.carrier.mu.Lock()
		defer s.carrier.mu.Unlock()
		return s.carrier.last
	}
	send(share)
	eventually(t, "they wait", func() bool { return s.books().ReceiptsParked == share })
	send(1)
	if got := status(); got != pdu.ROK {
		t.Errorf("at its share %v", got)
	}
	send(1)
	if got := status(); got != pdu.RMsgQFul || s.books().ReceiptsParked != share+1 {
		t.Errorf("above its share %v, %d wait", got, s.books().ReceiptsParked)
	}
	r := s.bind(rx)
	eventually(t, "all are taken", func() bool { return len(r.received()) == share+1 && s.books().ReceiptsParked == 0 })
	send(1)
	if got := status(); got != pdu.ROK {
		t.Errorf("with room again %v", got)
	}
}
