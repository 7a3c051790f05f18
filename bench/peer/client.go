package peer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"smsplane/pdu"
)

// ClientOptions describes a simulated client: an ESME and its binds.
type ClientOptions struct {
	Address     string `json:"address"` // host:port of the appliance
	SystemID    string `json:"system_id"`
	Password    string `json:"password,omitempty"`
	SystemType  string `json:"system_type,omitempty"`
	Bind        string `json:"bind"`        // "trx" (default), or "txrx": a transmitter and a receiver for each connection
	Connections int    `json:"connections"` // 0 = 1, at most 1000
	Window      int    `json:"window"`      // unanswered submit_sm per bind; 0 = 100
	Reconnect   bool   `json:"reconnect"`   // bind again when a connection ends
}

func (o *ClientOptions) fill() error {
	if o.Bind == "" {
		o.Bind = "trx"
	}
	if o.Connections == 0 {
		o.Connections = 1
	}
	if o.Window == 0 {
		o.Window = 100
	}
	switch {
	case o.Bind != "trx" && o.Bind != "txrx":
		return fmt.Errorf("bind %q is neither trx nor txrx", o.Bind)
	case o.Connections < 0 || o.Connections > 1000:
		return fmt.Errorf("%d connections are not between 1 and 1000", o.Connections)
	case o.Window < 0 || o.Window > 1<<16:
		return fmt.Errorf("window %d is not between 1 and 65536", o.Window)
	}
	return nil
}

// Client is a simulated client that makes one run. NewClient, Dial, Run, AwaitReceipts, Report, Close, in this order.
// Report, Account and Observe may be called from any goroutine at any time.
type Client struct {
	o      ClientOptions
	load   Load
	plan   schedule
	tmpl   *template
	book   book
	ids    idTable
	n      clientCounters
	ran    atomic.Bool
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	done   sync.WaitGroup // a goroutine per connection
	dealt  int            // to the binds in turn, by a firm schedule; the pacer's
	turns  []*session     // that may send; the pacer's
	made   int            // sessions so far

	mu       sync.Mutex
	sessions map[*session]struct{} // bound now
	lastErr  error                 // why the last session ended or could not be bound
	resp     Histogram             // due → submit_sm_resp, of sessions gone
	service  Histogram             // written → submit_sm_resp, of sessions gone
	taken    Histogram             // the same, of those accepted
	receipt  Histogram             // due → receipt, of sessions gone

	arrivalMu sync.Mutex
	arrival   Histogram // due → taken by a carrier in this process
}

// clientCounters are the live figures of a Report.
type clientCounters struct {
	sent, accepted, throttled, refused, unanswered, lostSessions, outstanding atomic.Int64
	first, lastAccept, lastMove, lastArrival                                  atomic.Int64 // unix ns
	matched, delivered, failed, interim                                       atomic.Int64
	duplicate, resolved, mismatched, malformed, reused, mo                    atomic.Int64

	mu       sync.Mutex
	statuses map[pdu.Status]int64
	sample   string // the first receipt found wrong
}

// NewClient makes a client that is not bound yet: carriers in the same process can be given its Observe before.
func NewClient(o ClientOptions) (*Client, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	c := &Client{o: o, sessions: map[*session]struct{}{}}
	c.book.run = rand.Uint32()
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.n.statuses = map[pdu.Status]int64{}
	return c, nil
}

// Dial binds all connections, once. The error is a *BindError when the appliance refused; Close in any case.
func (c *Client) Dial(ctx context.Context) error {
	for i := range c.o.Connections {
		for _, command := range c.commands() {
			s, err := c.bind(ctx, command)
			if err != nil {
				return fmt.Errorf("bind %d of %d to %s as %q: %w", i+1, c.o.Connections, c.o.Address, c.o.SystemID, err)
			}
			c.done.Add(1)
			go c.keep(s)
		}
	}
	return nil
}

// Dial makes a client and binds it.
func Dial(ctx context.Context, o ClientOptions) (*Client, error) {
	c, err := NewClient(o)
	if err != nil {
		return nil, err
	}
	if err := c.Dial(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Client) commands() []pdu.Command {
	if c.o.Bind == "txrx" {
		return []pdu.Command{pdu.BindReceiver, pdu.BindTransmitter}
	}
	return []pdu.Command{pdu.BindTransceiver}
}

func (c *Client) bind(ctx context.Context, command pdu.Command) (*session, error) {
	nc, rest, err := dialBind(ctx, c.o.Address, &pdu.Bind{Command: command, SystemID: c.o.SystemID, Password: c.o.Password,
		SystemType: c.o.SystemType, Version: pdu.Version34})
	if err != nil {
		return nil, err
	}
	s := newSession(c, nc, command, rest)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made++
	s.no = c.made
	s.tmpl = c.tmpl
	c.sessions[s] = struct{}{}
	return s, nil
}

// keep serves one connection after another until the client closes, or the first when it is not to bind again.
func (c *Client) keep(s *session) {
	defer c.done.Done()
	for s != nil {
		command := s.command
		err := s.serve()
		c.retire(s, err)
		if c.ctx.Err() != nil || !c.o.Reconnect {
			return
		}
		s = c.rebind(command)
	}
}

func (c *Client) retire(s *session, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.sessions, s)
	c.resp.Merge(&s.resp)
	c.service.Merge(&s.service)
	c.taken.Merge(&s.taken)
	c.receipt.Merge(&s.receipt)
	if c.ctx.Err() == nil {
		c.n.lostSessions.Add(1)
		c.lastErr = err
	}
}

// rebind tries until it succeeds or the client closes: the delay doubles from 50 ms to 1 s.
func (c *Client) rebind(command pdu.Command) *session {
	for delay := 50 * time.Millisecond; ; delay = min(2*delay, time.Second) {
		select {
		case <-c.ctx.Done():
			return nil
		case <-time.After(delay/2 + rand.N(delay/2)):
		}
		s, err := c.bind(c.ctx, command)
		if err == nil {
			return s
		}
		c.mu.Lock()
		c.lastErr = err
		c.mu.Unlock()
	}
}

var errSecondRun = errors.New("a client makes one run; dial another")

// Run sends the load and returns when every submit_sm is answered. It gives up with an error when no message was sent
// or answered for Drain, when all connections are gone for good, or with ctx. The figures are valid in any case.
func (c *Client) Run(ctx context.Context, l Load) error {
	if err := l.Validate(); err != nil {
		return err
	}
	l.fill()
	if c.ran.Swap(true) {
		return errSecondRun
	}
	now := clock()
	c.load = l
	c.plan.start, c.plan.count, c.plan.firm = now, l.Count, l.Firm
	if l.Duration > 0 {
		c.plan.end = now + int64(l.Duration)
	}
	if l.Rate > 0 {
		c.plan.gap = 1e9 / l.Rate
	}
	c.n.lastMove.Store(now)
	c.setTemplate(newTemplate(&l, c.book.run))
	return c.pace(ctx)
}

// Halt lets Run send nothing new, and nothing again; Run returns when all that was sent is answered.
func (c *Client) Halt() { c.plan.halted.Store(true) }

// pace gives the sessions a turn whenever something may fall due; between, their own answers do.
func (c *Client) pace(ctx context.Context) error {
	wake := time.NewTimer(0)
	defer wake.Stop()
	for kick := true; ; {
		now := clock()
		if kick || c.plan.gap > 0 || c.plan.waiting.Load() > 0 {
			kick = false
			c.pokeAll()
		}
		c.mu.Lock()
		bound, lastErr := len(c.sessions), c.lastErr
		c.mu.Unlock()
		over := c.plan.over(now)
		switch open := c.n.outstanding.Load(); { // read after over, see session.turn
		case over && open == 0:
			return nil
		case bound == 0 && !c.o.Reconnect:
			return fmt.Errorf("all connections to %s ended, the last one: %w", c.o.Address, lastErr)
		case now-c.n.lastMove.Load() > int64(c.load.Drain):
			return fmt.Errorf("nothing moved for %v with %d messages unanswered", c.load.Drain, open)
		}
		wake.Reset(c.plan.idle(now))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wake.C:
		}
	}
}

func (c *Client) pokeAll() {
	all := c.turns[:0]
	c.mu.Lock()
	for s := range c.sessions {
		if s.command != pdu.BindReceiver {
			all = append(all, s)
		}
	}
	c.mu.Unlock()
	c.turns = all
	if !c.plan.firm {
		for _, s := range all {
			s.poke(batch)
		}
		return
	}
	// What is due is dealt to the binds in turn, as a client does that wants something of each; what one gets leaves with one write.
	slices.SortFunc(all, func(a, b *session) int { return a.no - b.no })
	due := min(c.plan.allowance(clock()), batch*len(all))
	for i := range min(due, len(all)) {
		all[(c.dealt+i)%len(all)].poke(share(due, len(all), i))
	}
	if due > 0 {
		c.dealt = (c.dealt + due) % len(all)
	}
}

// share is part i of n dealt one by one to so many.
func share(n, parts, i int) int { return (n + parts - 1 - i) / parts }

// setTemplate lets the sessions send.
func (c *Client) setTemplate(t *template) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tmpl = t
	for s := range c.sessions {
		s.mu.Lock()
		s.tmpl = t
		s.mu.Unlock()
	}
}

// AwaitReceipts returns how many accepted messages still miss their final receipt once none does, or ctx ends.
func (c *Client) AwaitReceipts(ctx context.Context) int64 {
	for {
		missing := c.n.accepted.Load() - c.n.matched.Load()
		if missing <= 0 || !c.load.Receipts {
			return 0
		}
		select {
		case <-ctx.Done():
			return missing
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Observe takes note that a carrier in this process took a message; it fits CarrierOptions.Observe.
func (c *Client) Observe(run, index uint32, now int64) {
	if run != c.book.run {
		return
	}
	at := c.book.at(index).due.Load()
	c.n.lastArrival.Store(now)
	c.arrivalMu.Lock()
	c.arrival.Record(now - at)
	c.arrivalMu.Unlock()
}

// Due is when a message was to be sent, unix ns; false when the run is not this client's.
func (c *Client) Due(run, index uint32) (at int64, ok bool) {
	if run != c.book.run {
		return 0, false
	}
	return c.book.at(index).due.Load(), true
}

// Close unbinds and returns when all connections are gone, after 2 s by force.
func (c *Client) Close() {
	c.cancel()
	c.mu.Lock()
	for s := range c.sessions {
		s.unbind()
	}
	c.mu.Unlock()
	gone := make(chan struct{})
	go func() { c.done.Wait(); close(gone) }()
	select {
	case <-gone:
		return
	case <-time.After(2 * time.Second):
	}
	c.mu.Lock()
	for s := range c.sessions {
		s.nc.Close()
	}
	c.mu.Unlock()
	<-gone
}
