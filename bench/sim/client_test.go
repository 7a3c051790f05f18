package sim

import (
	"fmt"
	"net/netip"
	"time"

	"smsplane/pdu"
)

// message is one submit_sm and everything the outside knows about it.
type message struct {
	n          int
	client     *client
	dst        string
	registered uint8
	answered   bool
	status     pdu.Status // of the answer
	id         string     // ours, when the status was 0
	copies     []*copied  // that carriers took
}

// tag is the text of a message, by which a carrier knows it.
func (m *message) tag() string { return fmt.Sprintf("m:%d.", m.n) }

// mark is the err of a message's receipt, by which a wrong one is known.
func (m *message) mark() []byte { return fmt.Appendf(nil, "%03d", m.n%1000) }

// told is a receipt that a client took.
type told struct {
	state pdu.State
	dst   string
}

// client is an ESME with one bind at a time. It never sends a message twice.
type client struct {
	w       *world
	login   string
	prepaid bool
	at      int // host it binds to

	end     *end
	in      stream
	bound   bool
	seq     uint32
	window  int
	pending map[uint32]*message
	rate    time.Duration // between its acts

	sent  []*message
	heard map[string][]told // by id
	mos   map[string]int    // messages from carriers, by text
}

func (w *world) newClient(login string, prepaid bool) *client {
	c := &client{w: w, login: login, prepaid: prepaid, window: 1 + w.rng.IntN(20), rate: w.between(5*time.Millisecond, 500*time.Millisecond),
		pending: map[uint32]*message{}, heard: map[string][]told{}, mos: map[string]int{}}
	if w.orderly { // much waits for a carrier that is away
		c.window, c.rate = 50, w.between(2*time.Millisecond, 50*time.Millisecond)
	}
	w.clients = append(w.clients, c)
	w.after(0, c.dial)
	w.after(0, c.act)
	return c
}

// dial binds, and tries again until it is bound.
func (c *client) dial() {
	w := c.w
	if c.end != nil {
		return
	}
	h := w.hosts[c.at]
	again := func() {
		if w.net != nil {
			c.at = (c.at + 1) % len(w.hosts)
		}
		w.after(w.between(20*time.Millisecond, time.Second), c.dial)
	}
	if !h.alive || h.s == nil {
		again()
		return
	}
	mine, theirs := w.connect()
	b := pdu.Bind{Command: pdu.BindTransceiver, SystemID: c.login, Password: "secret", Version: 0x34}
	a, st := h.s.Client(netip.MustParseAddrPort("127.0.0.1:4000"), &b, 1, theirs)
	if st != pdu.ROK {
		again()
		return
	}
	h.adopt(theirs, a)
	c.end, c.bound, c.seq, c.in = mine, false, 1, stream{}
	mine.data = func(b []byte) { c.in.feed(b, c.handle) }
	mine.closed = func(error) { c.gone() }
}

func (c *client) gone() {
	c.end, c.bound = nil, false
	clear(c.pending) // who asked will never know
	c.w.after(c.w.between(5*time.Millisecond, 300*time.Millisecond), c.dial)
}

// act sends a few messages now and then.
func (c *client) act() {
	if c.w.calm {
		return
	}
	if c.bound {
		for range 1 + c.w.rng.IntN(4) {
			if len(c.pending) < c.window {
				c.submit()
			}
		}
	}
	c.w.after(c.w.between(0, c.rate), c.act)
}

func (c *client) submit() {
	w := c.w
	m := &message{n: len(w.messages) + 1, client: c, registered: 1}
	m.dst = fmt.Sprintf("49%s%08d", []string{"151", "152", "176"}[w.rng.IntN(3)], m.n)
	if n := len(w.messages); w.crowded && n > 0 && w.chance(3) {
		m.dst = w.messages[n-1].dst
	}
	w.messages = append(w.messages, m)
	if w.chance(4) {
		m.registered = 0
	}
	c.seq++
	s := pdu.Submit{Src: []byte("sender"), SrcTON: 5, Dst: []byte(m.dst), DstTON: 1, DstNPI: 1, Registered: m.registered, Text: []byte(m.tag())}
	if w.chance(30) {
		s.Validity = pdu.AppendTimeRelative(nil, w.between(time.Second, 20*time.Second))
	}
	c.pending[c.seq] = m
	c.sent = append(c.sent, m)
	_ = c.end.Write(s.Append(nil, c.seq))
}

func (c *client) handle(h pdu.Header, p []byte) {
	w := c.w
	switch h.Command {
	case pdu.BindTransceiver.Resp():
		c.bound = h.Status == pdu.ROK
	case pdu.SubmitSM.Resp():
		m := c.pending[h.Sequence]
		if m == nil {
			w.fail("%s is answered a submit_sm it did not send: %v", c.login, h)
		}
		delete(c.pending, h.Sequence)
		m.answered, m.status = true, h.Status
		if h.Status == pdu.ROK {
			id, ok := pdu.MessageID(p)
			if !ok {
				w.fail("message %d is accepted without an id", m.n)
			}
			m.id = string(id)
		}
	case pdu.DeliverSM:
		c.deliver(h, p)
	case pdu.EnquireLink:
		_ = c.end.Write(pdu.AppendPlain(nil, h.Command.Resp(), pdu.ROK, h.Sequence))
	case pdu.Unbind:
		_ = c.end.Write(pdu.AppendPlain(nil, h.Command.Resp(), pdu.ROK, h.Sequence))
		c.end.Close()
	}
}

// deliver takes a receipt or a message, mostly.
func (c *client) deliver(h pdu.Header, p []byte) {
	w := c.w
	st := pdu.ROK
	if !w.calm && w.chance(12) {
		st = []pdu.Status{pdu.RThrottled, pdu.RXTAppn, pdu.RSysErr, pdu.RInvDstAdr}[w.rng.IntN(4)]
	}
	if !w.calm && w.chance(100) {
		return // silence
	}
	var m pdu.Message
	if got := m.Parse(p); got != pdu.ROK {
		w.fail("%s is sent a deliver_sm that does not parse: %v", c.login, got)
	}
	var r pdu.Receipt
	switch {
	case st != pdu.ROK:
	case pdu.ParseReceipt(&m, &r):
		c.heard[string(r.ID)] = append(c.heard[string(r.ID)], told{r.State, string(m.SrcAddr())})
	default:
		c.mos[string(m.UserData())]++
	}
	end := c.end
	w.after(w.between(0, 5*time.Millisecond), func() {
		_ = end.Write(pdu.AppendMessageResp(nil, h.Command, st, h.Sequence, nil))
	})
}

// stream cuts what is read into PDUs.
type stream struct{ rest []byte }

func (s *stream) feed(b []byte, f func(h pdu.Header, p []byte)) {
	s.rest = append(s.rest, b...)
	for {
		n, st := pdu.Frame(s.rest, 1<<20)
		if st != pdu.ROK {
			panic(failure{fmt.Sprintf("the host writes what is no PDU: %x", s.rest)})
		}
		if n == 0 {
			return
		}
		p := append([]byte(nil), s.rest[:n]...)
		s.rest = s.rest[n:]
		f(pdu.ParseHeader(p), p)
	}
}
