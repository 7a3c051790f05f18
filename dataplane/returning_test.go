package dataplane_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smsplane/pdu"
)

func (s *stage) read(name string) []byte {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

// park sends n messages over a transmitter and waits until their receipts are parked.
func (s *stage) park(n int, words string) (ids []string) {
	s.t.Helper()
	e := s.bind(login{"esme", "secret", pdu.BindTransmitter, 0x34})
	before := s.books().ReceiptsParked
	for range n {
		ids = append(ids, e.submit(text(s.number(), words)))
	}
	eventually(s.t, "receipts are parked", func() bool { return s.books().ReceiptsParked == before+uint64(n) })
	return ids
}

var rx = login{"esme", "secret", pdu.BindReceiver, 0x34}

// While a backlog drains, what ends now takes at least every second place.
func TestFreshReceiptsPassTheBacklog(t *testing.T) {
	const backlog, fresh = 300, 40
	s := newStage(t, play{client: "    deliver_window: 4\n"})
	s.park(backlog, "old")
	if n := s.depth("backlog"); n != backlog {
		t.Errorf("%d in the backlog, want %d", n, backlog)
	}
	// The receiver answers nothing until all fresh ones wait, then everything.
	s.answer = func(*pdu.Message) (pdu.Status, bool) { return pdu.RXTAppn, true }
	r := s.bind(rx)
	eventually(t, "the bind rests", func() bool { return len(r.received()) > 0 })
	e := s.bind(login{"esme", "secret", pdu.BindTransmitter, 0x34})
	isNew := map[string]bool{}
	for range fresh {
		isNew[e.submit(text(s.number(), "new"))] = true
	}
	r.set(func() {
		r.got = nil
		r.status = func(*pdu.Message) (pdu.Status, bool) { return pdu.ROK, true }
	})
	eventually(t, "everything is taken", func() bool { b := s.books(); return b.ReceiptsReturned == backlog+fresh && b.ReceiptsParked == 0 })
	last, seen := 0, 0
	for i, d := range r.received() {
		var v pdu.Receipt
		if pdu.ParseReceipt(d, &v) && isNew[string(v.ID)] {
			last = i
			seen++
		}
	}
	if seen != fresh || last > 2*fresh+50 { // some of the first were on their way before the fresh ones ended
		t.Errorf("%d of %d fresh receipts, the last at place %d", seen, fresh, last)
	}
}

// What the client cannot take just now goes over another bind; the one that said so rests.
func TestAnotherBindTakesIt(t *testing.T) {
	for what, sick := range map[string]func(*pdu.Message) (pdu.Status, bool){
		"ESME_RX_T_APPN":  func(*pdu.Message) (pdu.Status, bool) { return pdu.RXTAppn, true },
		"ESME_RSYSERR":    func(*pdu.Message) (pdu.Status, bool) { return pdu.RSysErr, true },
		"ESME_RMSGQFUL":   func(*pdu.Message) (pdu.Status, bool) { return pdu.RMsgQFul, true },
		"ESME_RTHROTTLED": func(*pdu.Message) (pdu.Status, bool) { return pdu.RThrottled, true },
		"silence":         func(*pdu.Message) (pdu.Status, bool) { return 0, false },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, play{smpp: "  response_timeout: 1s\n  enquire_link: 1s\n"})
			ids := s.park(4, "for either")
			s.answer = sick
			r := s.bind(rx)
			eventually(t, "the first bind is offered them", func() bool { return len(r.received()) > 0 })
			s.answer = nil
			well := s.bind(rx)
			for _, id := range ids {
				well.receipt(id, 1)
			}
			eventually(t, "all are taken", func() bool { return s.books().ReceiptsReturned == 4 })
			if n := s.depth("set_aside"); n != 0 {
				t.Errorf("%d set aside", n)
			}
		})
	}
}

// ESME_RX_P_APPN and ESME_RX_R_APPN are the last word; what is refused otherwise three times is set aside, and
// the queue goes on.
func TestSetAside(t *testing.T) {
	s := newStage(t, play{client: "    deliver_window: 1\n    receipt_keep: 20s\n"})
	ids := s.park(5, "one after the other")
	bad, offers := ids[1], 0
	s.answer = func(m *pdu.Message) (pdu.Status, bool) {
		var v pdu.Receipt
		pdu.ParseReceipt(m, &v)
		switch string(v.ID) {
		case bad:
			offers++
			return pdu.RInvDstAdr, true
		case ids[2]:
			return pdu.RXPAppn, true
		case ids[3]:
			return pdu.RXRAppn, true
		}
		return pdu.ROK, true
	}
	r := s.bind(rx)
	eventually(t, "four are taken or refused for good", func() bool { return s.books().ReceiptsReturned == 4 })
	eventually(t, "one is set aside", func() bool { return s.depth("set_aside") == 1 })
	r.set(func() {
		if offers != 3 {
			t.Errorf("it was offered %d times, want 3", offers)
		}
	})
	if b := s.books(); b.ReceiptsParked != 1 {
		t.Errorf("%d parked", b.ReceiptsParked)
	}
}

// Receipts that nobody takes are given up by record, and the books still prove.
func TestReceiptsAreGivenUp(t *testing.T) {
	s := newStage(t, play{client: "    receipt_keep: 1s\n"})
	ids := s.park(1, "for nobody")
	eventually(t, "it is given up", func() bool { b := s.books(); return b.ReceiptsParked == 0 })
	if b := s.books(); b.ReceiptsReturned != 0 {
		t.Errorf("%+v", b)
	}
	var lines []struct{ Event, Detail string }
	eventually(t, "the trace tells", func() bool {
		s.get("/api/v1/trace?id="+ids[0], &lines)
		return len(lines) > 0 && lines[len(lines)-1].Event == "receipt given up"
	})
	s.stop()
	s.start()
	if b := s.books(); b.ReceiptsParked != 0 || b.Delivered != 1 {
		t.Errorf("after a start: %+v", b)
	}
}

// A client bound as 3.3 gets a message's text as short_message, without TLVs; one too long for that comes in parts, and one
// that cannot be cut, as it is a part itself, is set aside for it. Neither holds up the rest.
func TestMessagesToPeersOf33(t *testing.T) {
	s := newStage(t, play{mo: "mo:\n  - {match: {carrier: north, to: \"4917600000\"}, client: esme}\n"})
	r := s.bind(login{"esme", "secret", pdu.BindReceiver, 0x33})
	part := append([]byte{5, 0, 3, 9, 2, 1}, bytes.Repeat([]byte("y"), 294)...)
	for i, words := range [][]byte{bytes.Repeat([]byte("x"), 20), part, bytes.Repeat([]byte("z"), 300), bytes.Repeat([]byte("x"), 30)} {
		m := pdu.Submit{Command: pdu.DeliverSM, Src: []byte("4915112345678"), SrcTON: 1, SrcNPI: 1, Dst: []byte("4917600000"), DstTON: 1, DstNPI: 1,
			TLVs: pdu.AppendTLV(nil, pdu.TagMessagePayload, words)}
		if i == 1 {
			m.ESMClass = pdu.ESMUDHI
		}
		s.carrier.send(m.Append(nil, uint32(1000+i)))
	}
	wide := pdu.Submit{Command: pdu.DataSM, Src: []byte("a source of 24 octets..."), Dst: []byte("4917600000"), DstTON: 1, DstNPI: 1, Text: []byte("x")}
	s.carrier.send(wide.Append(nil, 1010))
	eventually(t, "what cannot be cut, and what has no room there, is set aside", func() bool { return s.depth("set_aside") == 2 })
	eventually(t, "the others arrive", func() bool { return len(r.received()) == 4 })
	for _, d := range r.received() {
		if n := len(d.ShortMessage()); len(d.TLVs()) != 0 || n != 20 && n != 30 && n != 6+153 && n != 6+147 {
			t.Errorf("%d octets of text, TLVs %x", n, d.TLVs())
		}
	}
}

// A client is not shown a carrier's mistakes beside the message: a status in a request, and octets behind the last TLV.
func TestMessagesComeWithoutTheirMistakes(t *testing.T) {
	s := newStage(t, play{mo: "mo:\n  - {match: {carrier: north, to: \"4917600000\"}, client: esme}\n"})
	r := s.bind(rx)
	m := pdu.Submit{Command: pdu.DeliverSM, Src: []byte("4915112345678"), SrcTON: 1, SrcNPI: 1, Dst: []byte("4917600000"), DstTON: 1, DstNPI: 1,
		Text: []byte("stop"), TLVs: pdu.AppendTLV16(nil, pdu.TagUserMessageReference, 7)}
	p := append(m.Append(nil, 1000), 0, 0, 0)
	pdu.SetStatus(p, pdu.RThrottled)
	s.carrier.send(pdu.Finish(p, 0))
	eventually(t, "it arrives", func() bool { return len(r.received()) == 1 })
	got := append([]byte(nil), r.received()[0].PDU()...)
	pdu.SetSequence(got, 1000)
	if want := m.Append(nil, 1000); !bytes.Equal(got, want) {
		t.Errorf("have %x\nwant %x", got, want)
	}
}

// What a client took from a carrier it gets again when an operator says so, as it came; also after a restart.
func TestMessagesAreReplayedToABind(t *testing.T) {
	s := newStage(t, play{mo: "mo:\n  - {match: {carrier: north, to: \"4917600000\"}, client: esme}\n"})
	r := s.bind(rx)
	m := pdu.Submit{Command: pdu.DeliverSM, Src: []byte("4915112345678"), SrcTON: 1, SrcNPI: 1, Dst: []byte("4917600000"), DstTON: 1, DstNPI: 1, Text: []byte("stop")}
	s.carrier.send(m.Append(nil, 1000))
	eventually(t, "it arrives", func() bool { return len(r.received()) == 1 && s.books().ReceiptsParked == 0 })
	s.stop()
	s.start()
	r = s.bind(rx)
	body := fmt.Sprintf(`{"client": "esme", "since": %q, "yes": true, "author": "t", "reason": "t"}`, time.Now().Add(-time.Hour).Format(time.RFC3339Nano))
	resp, err := http.Post("http://"+s.admin+"/api/v1/mo/replay", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	eventually(t, "it arrives again", func() bool { return len(r.received()) == 1 })
	got := append([]byte(nil), r.received()[0].PDU()...)
	pdu.SetSequence(got, 1000)
	if want := m.Append(nil, 1000); !bytes.Equal(got, want) {
		t.Errorf("have %x\nwant %x", got, want)
	}
}
