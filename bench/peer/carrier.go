package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"smsplane/pdu"
)

// CarrierOptions describes a simulated carrier: one listening address and all that bind to it.
type CarrierOptions struct {
	Listen   string // host:port; port 0 picks one
	Name     string // system_id in bind responses; "carrier" when empty
	SystemID string // what binds must say; anything when empty
	Password string // likewise
	Seed     uint64 // of the draws for ErrorPercent and FailingPercent

	Behaviour Behaviour

	// Observe, when set, is called once per tagged message, when it is first taken, with the connection's mutex held.
	Observe func(run, index uint32, now int64)
}

// Carrier is a simulated SMSC. Its methods may be called from any goroutine.
type Carrier struct {
	o         CarrierOptions
	ln        net.Listener
	behaviour atomic.Pointer[Behaviour]
	limit     limiter
	ids       atomic.Uint64
	n         counters
	runs      runs

	admit sync.Mutex // one bind is judged at a time

	mu    sync.Mutex
	conns map[*carrierConn]struct{}
	boxes map[string]*mailbox
	ended bool
	done  sync.WaitGroup
}

// counters are the live figures of a Tally.
type counters struct {
	binds, bindsRefused, submits, taken, throttled, malformed, untagged                atomic.Int64
	made, failing, sent, answered, receiptsRefused, again, dropped, moSent, moAnswered atomic.Int64

	mu      sync.Mutex
	refused map[pdu.Status]int64
}

func (n *counters) refuse(st pdu.Status) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.refused == nil {
		n.refused = map[pdu.Status]int64{}
	}
	n.refused[st]++
}

// StartCarrier listens and serves until Close.
func StartCarrier(o CarrierOptions) (*Carrier, error) {
	if err := o.Behaviour.Validate(); err != nil {
		return nil, err
	}
	if o.Name == "" {
		o.Name = "carrier"
	}
	ln, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, err
	}
	c := &Carrier{o: o, ln: ln, conns: map[*carrierConn]struct{}{}, boxes: map[string]*mailbox{}}
	c.ids.Store(uint64(time.Now().Unix()&0xFFFFFFF) << 24) // ids do not repeat after a restart
	c.set(o.Behaviour)
	c.done.Add(1)
	go c.accept()
	return c, nil
}

// Addr is the address it listens on.
func (c *Carrier) Addr() string { return c.ln.Addr().String() }

// Set changes the behaviour for everything read from now on.
func (c *Carrier) Set(b Behaviour) error {
	if err := b.Validate(); err != nil {
		return err
	}
	c.set(b)
	return nil
}

func (c *Carrier) set(b Behaviour) {
	b.fill()
	c.behaviour.Store(&b)
}

func (c *Carrier) accept() {
	defer c.done.Done()
	for no := uint64(0); ; no++ {
		nc, err := c.ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors or aborted before accepted: the next one may do
			<-time.After(10 * time.Millisecond)
			continue
		}
		cc := newCarrierConn(c, nc, no)
		c.mu.Lock()
		if c.ended {
			c.mu.Unlock()
			nc.Close()
			return
		}
		c.conns[cc] = struct{}{}
		c.done.Add(1)
		c.mu.Unlock()
		go cc.serve()
	}
}

// Disconnect drops all connections at once, as a network would; listening goes on.
func (c *Carrier) Disconnect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for cc := range c.conns {
		cc.nc.Close()
	}
}

// Close stops listening, drops every connection and returns when all their goroutines are gone.
func (c *Carrier) Close() error {
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	err := c.ln.Close()
	c.Disconnect()
	c.done.Wait()
	return err
}

// Binds is the number of bound connections.
func (c *Carrier) Binds() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for cc := range c.conns {
		if cc.bound.Load() {
			n++
		}
	}
	return n
}

// AwaitBinds returns once n connections are bound.
func (c *Carrier) AwaitBinds(ctx context.Context, n int) error {
	for c.Binds() < n {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d binds at %s: %w", c.Binds(), n, c.Addr(), ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

// box is the mailbox of a system_id, nil when too many have one already.
func (c *Carrier) box(systemID string) *mailbox {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.boxes[systemID]
	if m == nil && len(c.boxes) < maxParties {
		m = &mailbox{room: maxDeliveries}
		c.boxes[systemID] = m
	}
	return m
}

// MO is a message from a subscriber.
type MO struct {
	SystemID string // of the bound party it is for
	From, To string // at most 20 digits
	Text     string // at most 64 octets, GSM letters
}

// Inject sends an MO message over any receiver bind of its party, now or when there is one.
func (c *Carrier) Inject(m MO) error {
	d := delivery{mo: true, taken: clock(), srcTON: 1, srcNPI: 1, dstTON: 1, dstNPI: 1}
	if len(m.From) >= len(d.src) || len(m.To) >= len(d.dst) || len(m.Text) > len(d.text) {
		return fmt.Errorf("MO message from %q to %q: address or text too long", m.From, m.To)
	}
	d.srcLen, d.dstLen = uint8(copy(d.src[:], m.From)), uint8(copy(d.dst[:], m.To))
	d.textLen = uint8(copy(d.text[:], m.Text))
	box := c.box(m.SystemID)
	if box == nil || box.put([]delivery{d}) > 0 {
		return fmt.Errorf("MO message for %q: no room, %d wait", m.SystemID, c.Waiting())
	}
	box.poke(clock())
	return nil
}

// Waiting is the number of receipts and MO messages not yet sent.
func (c *Carrier) Waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, m := range c.boxes {
		n += m.len()
	}
	return n
}

// Forget drops the arrivals of all runs, so that the table has room for others; the totals go on.
func (c *Carrier) Forget() { c.runs.forget() }

// Tally is what was seen so far; its Runs go on counting.
func (c *Carrier) Tally() Tally {
	n := &c.n
	t := Tally{
		Binds: n.binds.Load(), BindsRefused: n.bindsRefused.Load(), Submits: n.submits.Load(), Taken: n.taken.Load(),
		Throttled: n.throttled.Load(), Malformed: n.malformed.Load(), Untagged: n.untagged.Load(),
		ReceiptsMade: n.made.Load(), ReceiptsFailing: n.failing.Load(), ReceiptsSent: n.sent.Load(),
		ReceiptsAnswered: n.answered.Load(), ReceiptsRefused: n.receiptsRefused.Load(), ReceiptsAgain: n.again.Load(),
		ReceiptsDropped: n.dropped.Load(), MOSent: n.moSent.Load(), MOAnswered: n.moAnswered.Load(),
		Refused: map[string]int64{}, Runs: c.runs.names(),
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for st, v := range n.refused {
		t.Refused[st.String()] = v
	}
	return t
}
