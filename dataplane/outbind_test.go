package dataplane_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"smsplane/pdu"
)

// A client with an outbind entry is called when something waits for it, and only then; it binds over that connection and gets
// what waits.
func TestClientIsCalled(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	calls := make(chan net.Conn, 16)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			calls <- conn
		}
	}()
	s := newStage(t, play{client: fmt.Sprintf("    outbind: {address: %q, system_id: us, password: ours}\n", l.Addr())})
	e := s.bind(trx)
	e.receipt(e.submit(text(s.number(), "taken while bound")), 1)
	eventually(t, "the receipt is taken", func() bool { return s.books().ReceiptsReturned == 1 })
	e.conn.Close()
	<-e.gone
	sender := s.bind(login{"esme", "secret", pdu.BindTransmitter, 0x34})
	if len(calls) > 0 {
		t.Error("called for nothing")
	}
	id := sender.submit(text(s.number(), "its receipt waits"))
	var conn net.Conn
	select {
	case conn = <-calls:
	case <-time.After(patience):
		t.Fatal("the client is not called")
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	p, err := readPDU(in)
	if err != nil {
		t.Fatal(err)
	}
	if d, st := pdu.Decode(p); st != pdu.ROK || d.Command != pdu.Outbind || string(d.Field("system_id").Octets) != "us" || string(d.Field("password").Octets) != "ours" {
		t.Fatalf("%+v, %v", d, st)
	}
	e = &esme{t: t, conn: conn, gone: make(chan struct{}), answers: map[uint32]chan []byte{}, seq: 1,
		status: func(*pdu.Message) (pdu.Status, bool) { return pdu.ROK, true }}
	conn.Write(pdu.AppendBind(nil, &pdu.Bind{Command: pdu.BindReceiver, SystemID: "esme", Password: "secret", Version: 0x34}, 1))
	if p, err = readPDU(in); err != nil || pdu.ParseHeader(p).Command != pdu.BindReceiverResp || pdu.ParseHeader(p).Status != pdu.ROK {
		t.Fatalf("%x, %v", p, err)
	}
	go e.read(in)
	if _, r := e.receipt(id, 1); r.State != pdu.StateDelivered {
		t.Errorf("%+v", r)
	}
	eventually(t, "the receipt is taken", func() bool { return s.books().ReceiptsReturned == 2 })
	if len(calls) > 0 {
		t.Error("called twice")
	}
}

// A carrier that calls with the right name is bound to over its own connection, and carries messages; others are turned away.
func TestCarrierCalls(t *testing.T) {
	s := newStage(t, play{bindless: true, before: func(s *stage) {
		old := string(s.read("catalog/carriers.yaml"))
		head, _, _ := strings.Cut(old, "      - address:")
		s.write("catalog/carriers.yaml", head+"      - outbind: {system_id: northmc, password: theirs}\n        system_id: smsplane\n        password: secret\n        tps: unlimited\n")
	}})
	outbind := func(password string) net.Conn {
		conn, err := net.Dial("tcp", s.smpp)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(patience))
		conn.Write(pdu.New(pdu.Outbind, pdu.ROK, 1).Set("system_id", []byte("northmc")).Set("password", []byte(password)).Append(nil))
		return conn
	}
	turnedAway := func(why string, conn net.Conn) {
		t.Helper()
		p, err := readPDU(conn)
		if err != nil || pdu.ParseHeader(p).Command != pdu.GenericNack || pdu.ParseHeader(p).Status != pdu.RInvBndSts {
			t.Errorf("%s: %x, %v", why, p, err)
		}
	}
	turnedAway("a wrong password", outbind("guessed"))
	conn := outbind("theirs")
	go s.carrier.serve(conn)
	eventually(t, "the link is bound", func() bool { return s.carrier.bound() == 1 })
	turnedAway("a second session of one", outbind("theirs"))
	e := s.bind(trx)
	if _, r := e.receipt(e.submit(text(s.number(), "over the carrier's call")), 1); r.State != pdu.StateDelivered {
		t.Errorf("%+v", r)
	}
	conn.Close()
	eventually(t, "the link is down", func() bool { return s.carrier.bound() == 0 })
	id := e.submit(text(s.number(), "waits for the next call"))
	eventually(t, "the link is bound anew", func() bool {
		again := outbind("theirs")
		p, err := readPDU(again)
		if err != nil || pdu.ParseHeader(p).Command != pdu.BindTransceiver {
			return false
		}
		again.Write(s.carrier.answer(again, p))
		again.SetDeadline(time.Time{})
		go s.carrier.serve(again)
		return true
	})
	if _, r := e.receipt(id, 1); r.State != pdu.StateDelivered {
		t.Errorf("%+v", r)
	}
}
