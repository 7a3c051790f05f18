//go:build e2e

package e2e

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// quirky is an SMSC that answers with an id in hex, writes it in decimal in receipts, sends some receipts before the
// answer, and means Latin-1 by data_coding 0.
type quirky struct {
	port int
	mu   sync.Mutex
	next uint64
	got  map[string]message // by destination
}

func startQuirky(t *testing.T) *quirky {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	q := &quirky{port: l.Addr().(*net.TCPAddr).Port, next: 0x10, got: map[string]message{}}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				q.serve(raw{conn})
			}()
		}
	}()
	return q
}

func (q *quirky) serve(conn raw) {
	seq, in := uint32(0), bufio.NewReader(conn)
	for {
		p, err := readPDU(in)
		if err != nil {
			return
		}
		answer := pdu{command: p.command | respBit, seq: p.seq}
		switch p.command {
		case 1, 2, bindTRX:
			answer.body = cstring(nil, "quirky")
		case submitSM:
			m, err := parseMessage(p.body)
			if err != nil {
				return
			}
			q.mu.Lock()
			id := q.next
			q.next++
			q.got[m.to] = m
			q.mu.Unlock()
			answer.body = cstring(nil, fmt.Sprintf("%X", id))
			seq++
			receipt := pdu{command: deliverSM, seq: seq, body: message{from: m.to, to: m.from, esmClass: 4,
				text: fmt.Appendf(nil, "id:%010d sub:001 dlvrd:001 submit date:2611231200 done date:2611231200 stat:DELIVRD err:000 text:", id)}.body()}
			if id%5 == 0 { // first the receipt
				conn.Write(answer.append(receipt.append(nil)))
			} else {
				conn.Write(receipt.append(answer.append(nil)))
			}
			continue
		case enquireLink, unbind:
		default:
			continue
		}
		if _, err := conn.Write(answer.append(nil)); err != nil {
			return
		}
	}
}

// TestQuirkyCarrier: no profile says anything about the ids, and every client gets its own receipt; the
// number arrives in E.164, the text in the carrier's alphabet.
func TestQuirkyCarrier(t *testing.T) {
	q := startQuirky(t)
	n := newNode(t, q.port)
	file := filepath.Join(filepath.Dir(n.config), "catalog", "carriers.yaml")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, strings.Replace(string(b), "        tps: unlimited\n", "        tps: unlimited\n        profile: {dcs0: latin1}\n", 1))
	n.up().linked(linkSessions)
	box := newOutbox()
	e := mustBind(t, n, 50, box)
	const messages = 400
	for i := range messages {
		m := message{from: "demo", to: fmt.Sprintf("0049151%08d", i), registered: 1, text: []byte("\x00 at and \x11")}
		if err := e.send(m); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, patience, "a receipt for every message", func() bool { return box.accepted() == messages && box.returned() == messages })
	if d := box.doubled(); d != 0 {
		t.Errorf("%d receipts twice", d)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.got) != messages {
		t.Errorf("the carrier has %d destinations", len(q.got))
	}
	for to, m := range q.got {
		if !strings.HasPrefix(to, "49151") || string(m.text) != "@ at and _" {
			t.Fatalf("the carrier got %q to %q", m.text, to)
		}
	}
	type link struct {
		By   string  `json:"id_rule_by"`
		Rule string  `json:"id_rule"`
		Rate float64 `json:"match_rate"`
	}
	links := ask[[]link](n, "link", "list")
	for _, l := range links {
		if l.By != "learned" || !strings.HasPrefix(l.Rule, "decimal for the answer's hex") || l.Rate != 1 {
			t.Errorf("link list says %+v", l)
		}
	}
	n.proven()
}
