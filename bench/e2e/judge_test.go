//go:build e2e

package e2e

import (
	"testing"
)

// TestTheJudges: the peers and tshark see what they are there to see, before anything is proven by them.
func TestTheJudges(t *testing.T) {
	c := startCarrier(t)
	tap := startCapture(t, c.port)
	box := newOutbox()
	e, status, err := bind(loopback(c.port), "any", "any", 10, box)
	if err != nil || status != rOK {
		t.Fatalf("bind: %#x, %v", status, err)
	}
	defer e.conn.Close()
	sendAll(t, e, "49151", 0, 100)
	everythingBack(t, box, c)

	// A carrier that refuses, a message lost, a message twice.
	c.refusing("49152")
	sendAll(t, e, "49152", 0, 3)
	if box.refused[rSysErr] != 3 || box.accepted() != 100 {
		t.Errorf("refused %v, accepted %d; want 3 and 100", box.refused, box.accepted())
	}
	sendAll(t, e, "49151", 0, 1)
	if _, again := c.counts(); again[number("49151", 0)] != 1 {
		t.Errorf("a message sent twice is counted as %v", again)
	}
	box.ids["49159"] = "lost"
	if arrived(box, c) != 100 {
		t.Error("a message that never arrived counts as arrived")
	}

	// A submit_sm whose sm_length reaches past its end.
	if err := e.conn.send(pdu{command: submitSM, seq: 9999, body: append(message{to: "49"}.body(), 1)[:20]}); err != nil {
		t.Fatal(err)
	}
	if !e.alive() {
		t.Fatal("the peer does not live with a malformed PDU")
	}
	count, malformed := tap.pdus(t)
	if malformed == "" {
		t.Error("tshark finds nothing malformed in a truncated submit_sm")
	}
	if count["0x00000004"] < 104 || count["0x00000005"] < 100 {
		t.Errorf("tshark counted %v; want 104 submit_sm and 100 deliver_sm at least", count)
	}
}
