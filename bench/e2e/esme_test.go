//go:build e2e

package e2e

import (
	"bufio"
	"fmt"
	"regexp"
	"sync"
	"testing"
	"time"
)

// patience bounds a wait for something that should take milliseconds.
const patience = time.Minute

// outbox is what one or more ESMEs of a test sent and what came of it.
type outbox struct {
	mu         sync.Mutex
	ids        map[string]string // destination → message id, of what was answered with status 0
	unanswered map[string]bool   // destinations written and not answered (yet)
	refused    map[uint32]int    // by status
	receipts   map[string]int    // message id → receipts
	stats      map[string]int    // receipts by stat
}

func newOutbox() *outbox {
	return &outbox{
		ids: map[string]string{}, unanswered: map[string]bool{}, refused: map[uint32]int{},
		receipts: map[string]int{}, stats: map[string]int{},
	}
}

func (o *outbox) accepted() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.ids)
}

// returned counts accepted messages that have a receipt.
func (o *outbox) returned() (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range o.ids {
		if o.receipts[id] > 0 {
			n++
		}
	}
	return n
}

// doubled counts receipts beyond a message's first.
func (o *outbox) doubled() (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range o.receipts {
		n += c - 1
	}
	return n
}

// esme is one bound transceiver with a window.
type esme struct {
	conn   raw
	box    *outbox
	window chan struct{}
	closed chan struct{} // closed when nothing more will be read

	mu      sync.Mutex // guards writes, seq and waiting
	seq     uint32
	waiting map[uint32]string // sequence → destination
	probes  map[uint32]chan struct{}
}

// bind opens a session; status is the one of the bind_resp.
func bind(addr, systemID, password string, window int, box *outbox) (e *esme, status uint32, err error) {
	c, err := dialRaw(addr)
	if err != nil {
		return nil, 0, err
	}
	return bindOn(c, systemID, password, window, box)
}

// bindOn is bind on a connection that is already there.
func bindOn(c raw, systemID, password string, window int, box *outbox) (e *esme, status uint32, err error) {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, 0, err
	}
	if err := c.send(pdu{command: bindTRX, seq: 1, body: bindBody(systemID, password)}); err != nil {
		return nil, 0, err
	}
	p, err := readPDU(c)
	if err != nil || p.command != bindTRX|respBit || p.status != rOK {
		c.Close()
		return nil, p.status, err
	}
	if err := c.SetDeadline(time.Time{}); err != nil {
		return nil, 0, err
	}
	e = &esme{
		conn: c, box: box, window: make(chan struct{}, window), closed: make(chan struct{}),
		seq: 1, waiting: map[uint32]string{}, probes: map[uint32]chan struct{}{},
	}
	go e.read()
	return e, rOK, nil
}

// mustBind binds, or fails the test.
func mustBind(t *testing.T, n *node, window int, box *outbox) *esme {
	t.Helper()
	e, status, err := bind(n.smpp, "demo", "secret", window, box)
	if err != nil || status != rOK {
		t.Fatalf("bind: status %#x, %v", status, err)
	}
	t.Cleanup(func() { e.conn.Close() })
	return e
}

// send writes one message once the window has room; an error means that the session is gone.
func (e *esme) send(m message) error {
	select {
	case e.window <- struct{}{}:
	case <-e.closed:
		return fmt.Errorf("session closed")
	case <-time.After(patience):
		return fmt.Errorf("window full for %s", patience)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seq++
	e.waiting[e.seq] = m.to
	e.box.mu.Lock()
	e.box.unanswered[m.to] = true
	e.box.mu.Unlock()
	return e.conn.send(pdu{command: submitSM, seq: e.seq, body: m.body()})
}

// settled says whether everything sent was answered.
func (e *esme) settled() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.waiting) == 0
}

// ended says whether the session is gone.
func (e *esme) ended() bool {
	select {
	case <-e.closed:
		return true
	default:
		return false
	}
}

// alive proves that the session still answers.
func (e *esme) alive() bool {
	ch := make(chan struct{})
	e.mu.Lock()
	e.seq++
	e.probes[e.seq] = ch
	err := e.conn.send(pdu{command: enquireLink, seq: e.seq})
	e.mu.Unlock()
	if err != nil {
		return false
	}
	select {
	case <-ch:
		return true
	case <-e.closed:
		return false
	case <-time.After(patience):
		return false
	}
}

func (e *esme) read() {
	defer close(e.closed)
	in := bufio.NewReader(e.conn)
	for {
		p, err := readPDU(in)
		if err != nil {
			return
		}
		switch p.command {
		case submitSM | respBit:
			e.answered(p)
		case deliverSM:
			e.box.receive(p.body)
			e.reply(p, []byte{0})
		case enquireLink:
			e.reply(p, nil)
		case unbind:
			e.reply(p, nil)
		case enquireLink | respBit:
			e.mu.Lock()
			if ch := e.probes[p.seq]; ch != nil {
				close(ch)
				delete(e.probes, p.seq)
			}
			e.mu.Unlock()
		}
	}
}

func (e *esme) reply(to pdu, body []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	_ = e.conn.send(pdu{command: to.command | respBit, seq: to.seq, body: body}) // the reader meets the error
}

// answered notes an answer. It holds mu until the outbox has it, so that what is settled can be read there.
func (e *esme) answered(p pdu) {
	e.mu.Lock()
	defer e.mu.Unlock()
	to, ok := e.waiting[p.seq]
	if !ok {
		return
	}
	delete(e.waiting, p.seq)
	<-e.window
	e.box.mu.Lock()
	defer e.box.mu.Unlock()
	delete(e.box.unanswered, to)
	if p.status == rOK {
		e.box.ids[to] = firstString(p.body)
	} else {
		e.box.refused[p.status]++
	}
}

var receiptText = regexp.MustCompile(`^id:(\S+) .*stat:(\S+) `)

func (o *outbox) receive(body []byte) {
	m, err := parseMessage(body)
	if err != nil || m.esmClass&0x3c != receiptClass {
		return
	}
	f := receiptText.FindSubmatch(m.text)
	if f == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.receipts[string(f[1])]++
	o.stats[string(f[2])]++
}
