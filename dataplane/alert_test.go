package dataplane_test

import (
	"bytes"
	"testing"

	"smsplane/dataplane/admin"
	"smsplane/pdu"
)

// alert is an alert_notification about a phone, for whoever the address is of.
func alert(esme string) []byte {
	return pdu.AppendTLV8(pdu.New(pdu.AlertNotification, pdu.ROK, 77).Set("source_addr", []byte("4915100000001")).SetNumber("source_addr_ton", 1).
		Set("esme_addr", []byte(esme)).Append(nil), pdu.TagMSAvailabilityStatus, 0)
}

func (s *stage) alerts() admin.Alerts {
	s.t.Helper()
	var st admin.Status
	s.get("/api/v1/status", &st)
	return st.Alerts
}

func (e *esme) alerted() (all [][]byte) {
	e.set(func() { all = append(all, e.alerts...) })
	return all
}

// An alert goes to the client of its esme_addr, over binds that receive and know it, and nowhere else; it takes nothing of
// the client's window, and is kept for nobody.
func TestAlertNotification(t *testing.T) {
	s := newStage(t, play{client: "    deliver_window: 1\n", clients: clientEntry("other", "    max_binds: {tx: 2, rx: 2, trx: 2}\n"),
		mo: "mo:\n  - {match: {to: \"12345\"}, client: esme}\n  - {match: {prefix: \"999\"}, client: other}\n"})
	s.carrier.send(pdu.Finish(alert("12345"), 0))
	s.carrier.send(pdu.Finish(alert("54321"), 0))
	eventually(t, "both are counted", func() bool { return s.alerts() == admin.Alerts{Unrouted: 1, Unbound: 1} })

	other := s.bind(login{"other", "secret", pdu.BindReceiver, 0x34})
	sender := s.bind(login{"esme", "secret", pdu.BindTransmitter, 0x34})
	old := s.bind(login{"esme", "secret", pdu.BindReceiver, 0x33})
	s.carrier.send(pdu.Finish(alert("12345"), 0))
	eventually(t, "nobody can be told", func() bool { return s.alerts() == admin.Alerts{Unrouted: 1, Unbound: 2} })

	busy := s.bind(login{"esme", "secret", pdu.BindReceiver, 0x34})
	busy.set(func() { busy.status = func(*pdu.Message) (pdu.Status, bool) { return 0, false } })
	old.conn.Close()
	<-old.gone
	s.carrier.send((&pdu.Submit{Command: pdu.DeliverSM, Src: []byte("4915100000001"), Dst: []byte("12345"), Text: []byte("fills the window")}).Append(nil, 1))
	eventually(t, "the window is full", func() bool { return len(busy.received()) == 1 })
	p := pdu.Finish(alert("12345"), 0)
	s.carrier.send(p)
	eventually(t, "it is told", func() bool { return len(busy.alerted()) == 1 })
	if got := busy.alerted()[0]; !bytes.Equal(got[pdu.HeaderLen:], p[pdu.HeaderLen:]) || pdu.ParseHeader(got).Sequence == 77 {
		t.Errorf("told %x, the carrier said %x", got, p)
	}
	broken := pdu.Finish(append(alert("12345"), 1, 2, 3), 0)
	s.carrier.send(broken)
	eventually(t, "a malformed one is counted", func() bool { return s.alerts() == admin.Alerts{Relayed: 1, Unrouted: 1, Unbound: 2, Dropped: 1} })
	if n := len(other.alerted()) + len(sender.alerted()) + len(old.alerted()); n != 0 {
		t.Errorf("%d alerts went astray", n)
	}
}

// What a carrier sends in excess is dropped, and the rest of its stream is taken.
func TestAlertsInExcess(t *testing.T) {
	s := newStage(t, play{mo: "mo:\n  - {match: {to: \"12345\"}, client: esme}\n"})
	e := s.bind(trx)
	const n = 50_000
	s.carrier.send(bytes.Repeat(pdu.Finish(alert("12345"), 0), n))
	s.carrier.send((&pdu.Submit{Command: pdu.DeliverSM, Src: []byte("4915100000001"), Dst: []byte("12345"), Text: []byte("behind them")}).Append(nil, 9))
	eventually(t, "the message behind them comes", func() bool { return len(e.received()) == 1 })
	eventually(t, "all are counted", func() bool { a := s.alerts(); return a.Relayed+a.Dropped == n && uint64(len(e.alerted())) == a.Relayed })
}
