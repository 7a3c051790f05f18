//go:build e2e

package e2e

import (
	"bufio"
	"net"
	"path/filepath"
	"testing"
)

// TestMessageForNobody: a carrier's message that no rule names is taken and listed, and parked for a client once a
// catalog names it; also after a kill.
func TestMessageForNobody(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	answered := make(chan uint32, 16)
	go func() {
		for first := true; ; first = false {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serveMobile(raw{conn}, first, answered)
		}
	}()
	n := newNode(t, l.Addr().(*net.TCPAddr).Port).up()
	if st := <-answered; st != rOK {
		t.Fatalf("the message was answered with %#x", st)
	}
	type queue struct {
		Queue, Client string
		Depth         int
	}
	depth := func(name, client string) (d int) {
		for _, q := range ask[[]queue](n, "queue", "list") {
			if q.Queue == name && q.Client == client {
				d += q.Depth
			}
		}
		return d
	}
	if d := depth("unrouted", ""); d != 1 {
		t.Fatalf("%d messages unrouted", d)
	}
	n.proc.kill()
	n.up()
	if d := depth("unrouted", ""); d != 1 {
		t.Fatalf("after a kill %d messages unrouted", d)
	}
	folder := filepath.Join(filepath.Dir(n.config), "catalog")
	write(t, filepath.Join(folder, "mo.yaml"), "mo:\n  - {match: {prefix: \"77\", keyword: join}, client: demo}\n")
	if code, out, errs := n.command("apply", folder); code != 0 {
		t.Fatalf("apply: %d %s%s", code, out, errs)
	}
	eventually(t, patience, "the message parked for its client", func() bool { return depth("backlog", "demo") == 1 && depth("unrouted", "") == 0 })
	n.proven()
}

// serveMobile is a carrier that sends one message over its first session.
func serveMobile(conn raw, first bool, answered chan<- uint32) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		p, err := readPDU(in)
		if err != nil {
			return
		}
		if p.command&respBit != 0 {
			answered <- p.status
			continue
		}
		out := pdu{command: p.command | respBit, seq: p.seq}
		if p.command == bindTRX {
			out.body = cstring(nil, "mobile")
		}
		b := out.append(nil)
		if p.command == bindTRX && first {
			b = pdu{command: deliverSM, seq: 1, body: message{from: "4915112345678", to: "777", text: []byte(" Join us")}.body()}.append(b)
		}
		if _, err := conn.Write(b); err != nil {
			return
		}
	}
}
