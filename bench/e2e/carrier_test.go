//go:build e2e

package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
)

// carrier is an SMSC that takes what it is sent, counts it by destination and returns receipts.
type carrier struct {
	port int
	l    net.Listener
	done sync.WaitGroup

	mu      sync.Mutex
	conns   map[net.Conn]bool
	taken   map[string]int       // destination → submit_sm answered with status 0
	offered map[string]int       // destination → submit_sm read
	next    int                  // message id
	refuse  string               // prefix answered with status 8
	mute    bool                 // read submit_sm, never answer
	kept    map[string][]message // by destination; nil: nothing is kept
	replies []message            // that a phone sends when it gets "call me"
	firstNo chan struct{}        // closed at the first refusal
}

func startCarrier(t *testing.T) *carrier {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return startCarrierOn(t, l)
}

// startCarrierOn is startCarrier for a listener on TCP, perhaps with TLS over it.
func startCarrierOn(t *testing.T, l net.Listener) *carrier {
	c := &carrier{
		port: l.Addr().(*net.TCPAddr).Port, l: l, conns: map[net.Conn]bool{},
		taken: map[string]int{}, offered: map[string]int{}, firstNo: make(chan struct{}),
	}
	c.done.Go(c.accept)
	t.Cleanup(func() {
		l.Close()
		c.mu.Lock()
		for conn := range c.conns {
			conn.Close()
		}
		c.mu.Unlock()
		c.done.Wait()
	})
	return c
}

func (c *carrier) accept() {
	for {
		conn, err := c.l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		c.mu.Lock()
		c.conns[conn] = true
		c.mu.Unlock()
		c.done.Go(func() {
			defer conn.Close()
			c.serve(raw{conn})
		})
	}
}

// serve answers one connection until it ends. Receipts are written by the same goroutine, after the answer.
func (c *carrier) serve(conn raw) {
	seq, in := uint32(0), bufio.NewReader(conn)
	for {
		p, err := readPDU(in)
		if err != nil {
			return
		}
		answer := pdu{command: p.command | respBit, seq: p.seq}
		var back [][]byte // bodies of deliver_sm
		switch p.command {
		case 1, 2, bindTRX:
			answer.body = cstring(nil, "carrier")
		case submitSM:
			var silent bool
			if answer.status, answer.body, back, silent = c.take(p.body); silent {
				continue
			}
		case broadcastSM:
			answer.body = cstring(nil, "broadcast")
		case queryBroadcastSM: // message_state ENROUTE, and 75 % of one area
			answer.body = append(cstring(nil, "broadcast"), "\x04\x27\x00\x01\x01\x06\x06\x00\x02\x00a\x06\x08\x00\x01\x4b"...)
		case cancelBroadcastSM:
		case enquireLink, unbind:
		default:
			continue // an answer to a receipt
		}
		out := answer.append(nil)
		for _, body := range back {
			seq++
			out = pdu{command: deliverSM, seq: seq, body: body}.append(out)
		}
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}

func (c *carrier) take(body []byte) (status uint32, resp []byte, back [][]byte, silent bool) {
	m, err := parseMessage(body)
	if err != nil {
		return 0x01, nil, nil, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offered[m.to]++
	if c.mute {
		return 0, nil, nil, true
	}
	if c.refuse != "" && strings.HasPrefix(m.to, c.refuse) {
		select {
		case <-c.firstNo:
		default:
			close(c.firstNo)
		}
		return rSysErr, nil, nil, false
	}
	c.taken[m.to]++
	if c.kept != nil {
		c.kept[m.to] = append(c.kept[m.to], m)
	}
	c.next++
	id := fmt.Sprintf("%x-%d", c.port, c.next)
	if m.registered&1 == 1 {
		text := "id:" + id + " sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:DELIVRD err:000 text:" + string(m.text[:min(20, len(m.text))])
		back = append(back, message{from: m.to, to: m.from, esmClass: receiptClass, text: []byte(text)}.body())
	}
	if string(m.text) == "call me" {
		for _, r := range c.replies {
			r.from = m.to
			back = append(back, r.body())
		}
	}
	return rOK, cstring(nil, id), back, false
}

// phone delivers a message on one of the binds.
func (c *carrier) phone(t *testing.T, m message) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		if _, err := conn.Write(pdu{command: deliverSM, seq: 0x7000, body: m.body()}.append(nil)); err == nil {
			return
		}
	}
	t.Fatal("no bind to deliver on")
}

// refusing makes the carrier answer status 8 for a prefix from now on.
func (c *carrier) refusing(prefix string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuse = prefix
}

// silent makes the carrier read submit_sm and never answer, or answer again.
func (c *carrier) silent(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mute = on
}

// counts tells messages taken at least once, and arrivals beyond a message's first by destination.
func (c *carrier) counts() (messages int, again map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	again = map[string]int{}
	for to, n := range c.taken {
		messages++
		if n > 1 {
			again[to] = n - 1
		}
	}
	return messages, again
}

// arrived is how many accepted messages at least one of the carriers took.
func arrived(o *outbox, carriers ...*carrier) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for to := range o.ids {
		for _, c := range carriers {
			c.mu.Lock()
			got := c.taken[to] > 0
			c.mu.Unlock()
			if got {
				n++
				break
			}
		}
	}
	return n
}

// offeredTo counts submit_sm read for destinations of a prefix.
func (c *carrier) offeredTo(prefix string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for to, k := range c.offered {
		if strings.HasPrefix(to, prefix) {
			n += k
		}
	}
	return n
}
