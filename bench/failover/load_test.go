//go:build e2e

package failover

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"smsplane/pdu"
)

// sent is one submit_sm and what became of it at the client.
type sent struct {
	begun, ended int64 // unix ns; ended 0: never answered
	status       pdu.Status
	id           string
}

// client is an ESME with some binds that knows both addresses. It never sends a message twice: what was not answered
// when its bind ended stays unanswered.
type client struct {
	login     string
	run       uint32
	addresses []string
	window    int
	most      int // messages; 0: until stopped

	mu       sync.Mutex
	sent     []sent
	receipts map[string]int // by id
	acks     []int64        // times of status 0, in order
	rebinds  []rebind
	refused  map[pdu.Status]int

	tick   chan struct{} // one for each message that may be sent
	stop   context.CancelFunc
	halted atomic.Bool
	done   sync.WaitGroup
}

// rebind is how long a bind was away: from its end to the next message accepted over it.
type rebind struct{ ended, bound, acked int64 }

// passwords of the clients, as the catalogs have them.
var passwords = map[string]string{"load": "secret", "pre": "secret", "meter": "meter"}

// newClient starts binds that send at a rate all together.
func newClient(login string, run uint32, binds, window, rate, most int, addresses ...string) *client {
	ctx, cancel := context.WithCancel(context.Background())
	c := &client{login: login, run: run, addresses: addresses, window: window, most: most, receipts: map[string]int{}, refused: map[pdu.Status]int{},
		tick: make(chan struct{}), stop: cancel}
	for i := range binds {
		c.done.Go(func() { c.keep(ctx, i) })
	}
	c.done.Go(func() { c.pace(ctx, rate) })
	return c
}

// pace lets messages go at a rate, and never makes up for a time in which nobody could send.
func (c *client) pace(ctx context.Context, rate int) {
	const turn = 2 * time.Millisecond
	t := time.NewTicker(turn)
	defer t.Stop()
	owed := 0.0
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		for owed += float64(rate) * turn.Seconds(); owed >= 1; owed-- {
			select {
			case c.tick <- struct{}{}:
			case <-ctx.Done():
				return
			default:
			}
		}
	}
}

// halt ends the sending and leaves the binds for receipts; close ends all.
func (c *client) halt() { c.halted.Store(true) }
func (c *client) close() {
	c.stop()
	c.done.Wait()
}

// keep binds again and again, at one address after the other.
func (c *client) keep(ctx context.Context, n int) {
	var away int64
	for ctx.Err() == nil {
		conn, err := c.bind(ctx, c.addresses[n%len(c.addresses)])
		n++
		if err == nil {
			b := &bind{c: c, conn: conn, pending: map[uint32]uint32{}, away: away, bound: time.Now().UnixNano(), free: make(chan struct{}, c.window)}
			b.live(ctx)
			away = time.Now().UnixNano()
		} else if away == 0 {
			away = time.Now().UnixNano()
		}
		rest, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		<-rest.Done()
		cancel()
	}
}

func (c *client) bind(ctx context.Context, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: 300 * time.Millisecond}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(time.Second))
	conn.Write(pdu.AppendBind(nil, &pdu.Bind{Command: pdu.BindTransceiver, SystemID: c.login, Password: passwords[c.login], Version: 0x34}, 1))
	p, err := readPDU(conn)
	if err == nil && pdu.ParseHeader(p).Status != pdu.ROK {
		err = fmt.Errorf("bind: %v", pdu.ParseHeader(p).Status)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	conn.SetDeadline(time.Time{})
	return conn, nil
}

// bind is one session's life.
type bind struct {
	c     *client
	conn  net.Conn
	away  int64
	bound int64
	free  chan struct{} // places taken in the window

	mu      sync.Mutex
	out     []byte
	seq     uint32
	pending map[uint32]uint32 // message by sequence
	heard   int64
}

// silence is after how long without a word a client leaves: it enquires every third of it.
const silence = 1500 * time.Millisecond

func (b *bind) live(ctx context.Context) {
	over := make(chan struct{})
	b.seq, b.heard = 1, time.Now().UnixNano()
	go func() {
		defer close(over)
		b.read()
	}()
	enquire := time.NewTicker(silence / 3)
	defer enquire.Stop()
	defer func() { b.conn.Close(); <-over }()
	for {
		select {
		case <-ctx.Done():
			return
		case <-over:
			return
		case <-enquire.C:
			b.mu.Lock()
			mute := time.Now().UnixNano()-b.heard > int64(silence)
			b.seq++
			p := pdu.AppendPlain(nil, pdu.EnquireLink, pdu.ROK, b.seq)
			b.mu.Unlock()
			if mute {
				return
			}
			b.write(p)
		case <-b.c.tick:
			if b.c.halted.Load() {
				continue
			}
			select {
			case b.free <- struct{}{}:
				b.submit()
			default:
			}
		}
	}
}

func (b *bind) write(p []byte) {
	b.conn.SetWriteDeadline(time.Now().Add(silence))
	if _, err := b.conn.Write(p); err != nil {
		b.conn.Close()
	}
}

func (b *bind) submit() {
	c := b.c
	c.mu.Lock()
	i := uint32(len(c.sent))
	if c.most > 0 && len(c.sent) >= c.most {
		c.mu.Unlock()
		<-b.free
		return
	}
	c.sent = append(c.sent, sent{begun: time.Now().UnixNano()})
	c.mu.Unlock()
	s := pdu.Submit{Src: []byte("e2e"), SrcTON: 5, Dst: []byte(number(c.run, i)), DstTON: 1, DstNPI: 1, Registered: 1,
		Text: fmt.Appendf(nil, "m:%08x%08x", c.run, i)}
	b.mu.Lock()
	b.seq++
	b.pending[b.seq] = i
	p := s.Append(nil, b.seq)
	b.mu.Unlock()
	b.write(p)
}

// number is the destination that one message has and no other.
func number(run, i uint32) string { return fmt.Sprintf("49151%02d%08d", run%100, i) }

func (b *bind) read() {
	in := bufio.NewReaderSize(b.conn, 64<<10)
	for {
		p, err := readPDU(in)
		if err != nil {
			return
		}
		b.mu.Lock()
		b.heard = time.Now().UnixNano()
		b.mu.Unlock()
		if out := b.handle(p); out != nil {
			b.write(out)
		}
	}
}

func (b *bind) handle(p []byte) []byte {
	c, h, now := b.c, pdu.ParseHeader(p), time.Now().UnixNano()
	switch h.Command {
	case pdu.SubmitSM.Resp():
		b.mu.Lock()
		i, ok := b.pending[h.Sequence]
		delete(b.pending, h.Sequence)
		b.mu.Unlock()
		if !ok {
			return nil
		}
		<-b.free
		c.mu.Lock()
		defer c.mu.Unlock()
		m := &c.sent[i]
		m.ended, m.status = now, h.Status
		if h.Status != pdu.ROK {
			c.refused[h.Status]++
			return nil
		}
		id, _ := pdu.MessageID(p)
		m.id = string(id)
		c.acks = append(c.acks, now)
		if b.away != 0 {
			c.rebinds = append(c.rebinds, rebind{b.away, b.bound, now})
			b.away = 0
		}
	case pdu.DeliverSM:
		var m pdu.Message
		var r pdu.Receipt
		if m.Parse(p) == pdu.ROK && pdu.ParseReceipt(&m, &r) {
			c.mu.Lock()
			c.receipts[string(r.ID)]++
			c.mu.Unlock()
		}
		return pdu.AppendMessageResp(nil, h.Command, pdu.ROK, h.Sequence, nil)
	case pdu.EnquireLink:
		return pdu.AppendPlain(nil, h.Command.Resp(), pdu.ROK, h.Sequence)
	case pdu.Unbind:
		b.write(pdu.AppendPlain(nil, h.Command.Resp(), pdu.ROK, h.Sequence))
		b.conn.Close()
	}
	return nil
}

func readPDU(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < pdu.HeaderLen || n > 1<<20 {
		return nil, fmt.Errorf("command_length %d", n)
	}
	p := append(bytes.Clone(head[:]), make([]byte, n-4)...)
	_, err := io.ReadFull(r, p[4:])
	return p, err
}

// counts are a client's totals.
func (c *client) counts() (begun, acked, unanswered int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.sent {
		switch m := &c.sent[i]; {
		case m.ended == 0:
			unanswered++
		case m.status == pdu.ROK:
			acked++
		}
	}
	return len(c.sent), acked, unanswered
}

// ackAfter is the first status 0 after a time, 0 for none yet.
func (c *client) ackAfter(at int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.acks) - 1; i >= 0; i-- {
		if c.acks[i] <= at {
			if i+1 < len(c.acks) {
				return c.acks[i+1]
			}
			return 0
		}
	}
	if len(c.acks) > 0 {
		return c.acks[0]
	}
	return 0
}
