//go:build e2e

package e2e

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// lengthOnly is the beginning of a PDU that claims a length.
func lengthOnly(n uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, n)
	return append(b, 0, 0, 0, byte(submitSM), 0, 0, 0, 0, 0, 0, 0, 7)
}

// closes says whether the other side ends the connection without another PDU.
func closes(c raw) error {
	p, err := readPDU(c)
	switch {
	case err == nil:
		return errors.New("instead of the end came " + p.String())
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errors.New("the connection stayed open")
	}
	return nil // EOF or a reset
}

// TestBadInput: each piece of bad input gets its exact status or end, and a session beside it goes on
// without losing anything.
func TestBadInput(t *testing.T) {
	c := startCarrier(t)
	n, box := newNode(t, c.port).up(), newOutbox()
	n.linked(linkSessions)
	beside := mustBind(t, n, 100, box)
	sent := 0

	bound := pdu{command: bindTRX, seq: 1, body: bindBody("demo", "secret")}.append(nil)
	for _, b := range []struct {
		name   string
		first  []byte // a bind, or nothing
		octets []byte
		// want is the last answer before the end; command 0 is an end without an answer
		want pdu
	}{
		{"a web browser", nil, []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), pdu{command: genericNack, status: rInvCmdLen}},
		{"zeros", nil, make([]byte, 64), pdu{command: genericNack, status: rInvCmdLen}},
		{"command_length 3", nil, lengthOnly(3), pdu{command: genericNack, status: rInvCmdLen}},
		{"command_length 15", nil, lengthOnly(15), pdu{command: genericNack, status: rInvCmdLen}},
		{"command_length 3 GiB", nil, lengthOnly(3 << 30), pdu{command: genericNack, status: rInvCmdLen}},
		{"command_length 4 GiB", nil, lengthOnly(1<<32 - 1), pdu{command: genericNack, status: rInvCmdLen}},
		{"command_length 3, bound", bound, lengthOnly(3), pdu{command: genericNack, status: rInvCmdLen}},
		{"command_length 4 GiB, bound", bound, lengthOnly(1<<32 - 1), pdu{command: genericNack, status: rInvCmdLen}},
		{"garbage, bound", bound, []byte(strings.Repeat("garbage!", 1000)), pdu{command: genericNack, status: rInvCmdLen}},
		{"submit_sm before the bind", nil, pdu{command: submitSM, seq: 7, body: text("491510000000").body()}.append(nil),
			pdu{command: submitSM | respBit, status: rInvBndSts}},
		{"a wrong password", nil, pdu{command: bindTRX, seq: 7, body: bindBody("demo", "wrong")}.append(nil),
			pdu{command: bindTRX | respBit, status: rInvPaswd}},
	} {
		t.Run(b.name, func(t *testing.T) {
			r, err := dialRaw(n.smpp)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if err := r.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			if b.first != nil {
				if _, err := r.Write(b.first); err != nil {
					t.Fatal(err)
				}
				if p, err := readPDU(r); err != nil || p.status != rOK {
					t.Fatalf("bind: %v, %v", p, err)
				}
			}
			if _, err := r.Write(b.octets); err != nil && !errors.Is(err, net.ErrClosed) {
				t.Fatal(err)
			}
			p, err := readPDU(r)
			if err != nil && !errors.Is(err, io.EOF) {
				t.Fatalf("want %s: %v", b.want, err)
			}
			if p.command != b.want.command || p.status != b.want.status {
				t.Errorf("answered %s; want %s", p, b.want)
			}
			if err := closes(r); err != nil {
				t.Error(err)
			}
			sendAll(t, beside, "49152", sent, sent+20)
			sent += 20
		})
	}

	// Refusals at entry: the session lives, nothing is charged.
	for _, s := range []struct {
		name, client, to string
		want             uint32
	}{
		{"no route", "demo", "441632960000", rSubmitFail},
		{"no price", "demo", "33612345678", rSubmitFail},
		{"neither", "demo", "861012345678", rSubmitFail},
		{"not a number", "demo", "hello", rInvDstAdr},
		{"an empty number", "demo", "", rInvDstAdr},
		{"no credit", "poor", "491529999999", rSubmitFail},
	} {
		t.Run(s.name, func(t *testing.T) {
			own := newOutbox()
			e, status, err := bind(n.smpp, s.client, "secret", 10, own)
			if err != nil || status != rOK {
				t.Fatalf("bind: %#x, %v", status, err)
			}
			defer e.conn.Close()
			paid := 0
			if s.client == "poor" {
				sendAll(t, e, "49152", 8_000_000, 8_000_001) // what it can pay for
				paid = 1
			}
			before := n.status().Books.Accepted
			if err := e.send(text(s.to)); err != nil {
				t.Fatal(err)
			}
			eventually(t, patience, "an answer", e.settled)
			if own.refused[s.want] != 1 || own.accepted() != paid {
				t.Errorf("refused %v, accepted %d; want one %#x", own.refused, own.accepted(), s.want)
			}
			if !e.alive() {
				t.Error("the refusal ended the session")
			}
			if after := n.status().Books.Accepted; after != before {
				t.Errorf("the books took %d of a refused message", after-before)
			}
		})
	}

	if !beside.alive() {
		t.Error("the session beside was harmed")
	}
	if box.accepted() != sent {
		t.Errorf("the session beside: %d of %d accepted, refused %v", box.accepted(), sent, box.refused)
	}
	everythingBack(t, box, c)
	n.proven()
	n.stop()
}
