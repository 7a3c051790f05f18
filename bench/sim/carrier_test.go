package sim

import (
	"fmt"
	"time"

	"smsplane/pdu"
)

// copied is one copy of a message that a carrier took.
type copied struct {
	carrier *carrier
	id      string    // in the answer
	told    string    // in receipts
	state   pdu.State // that its receipt tells
	acked   bool      // we took that receipt
}

// carrier is an SMSC with a habit for everything that can go wrong. It takes what it takes only once by itself; what it has
// to tell, it tells until it is heard.
type carrier struct {
	w        *world
	id       string
	down     bool
	sessions []*carrierSession
	box      []*parcel
	next     int
	latency  time.Duration
	receipts time.Duration // longest wait for one
	manners
	script         // nil: by its manners
	sent   []int64 // when it was sent something, in the last second
	binds  int
	habits *habits // how it names messages; nil: by their number, alike in answers and receipts

	took  []*message // each when its first copy came
	mos   int
	acked map[string]bool // texts of messages for clients that we took
}

// script is what a carrier does with a PDU in place of what its manners say; false leaves it to them.
type script func(s *carrierSession, h pdu.Header, p []byte) bool

// manners are how often, in a thousand, something is done to a submit_sm.
type manners struct {
	refuse, mute, lose, hang, early, twice, silent int
}

// parcel is a deliver_sm that waits for its answer.
type parcel struct {
	copy *copied
	m    *message
	text string // of a message from a phone
}

func (w *world) newCarrier(id string) *carrier {
	c := &carrier{w: w, id: id, latency: w.between(time.Millisecond, 80*time.Millisecond), receipts: w.between(time.Millisecond, 2*time.Second),
		acked: map[string]bool{}}
	w.carriers = append(w.carriers, c)
	c.drift()
	w.after(0, c.act)
	return c
}

// drift changes the carrier's manners.
func (c *carrier) drift() {
	w := c.w
	some := func(most int) int {
		if w.chance(2) {
			return 0
		}
		return w.rng.IntN(most)
	}
	c.manners = manners{refuse: some(200), mute: some(60), lose: some(60), hang: some(20), early: some(300), twice: some(100), silent: some(50)}
	if w.orderly {
		c.refuse, c.lose = 0, 0
	}
}

// up ends a time in which the carrier read nothing and said nothing.
func (c *carrier) up() {
	c.down = false
	c.pump()
}

// act lets a phone write now and then.
func (c *carrier) act() {
	if c.w.calm {
		return
	}
	if c.w.chance(4) {
		c.mos++
		c.post(&parcel{text: fmt.Sprintf("%s-mo-%d", c.id, c.mos)})
	}
	c.w.after(c.w.between(0, 2*time.Second), c.act)
}

// carrierSession is the carrier's side of a bind.
type carrierSession struct {
	c   *carrier
	end *end
	in  stream
	seq uint32
	out map[uint32]*parcel

	no   int          // of the carrier's sessions, from 1
	n    int          // submit_sm that it got
	held []pdu.Header // of those that a script has not answered yet
	ids  []string     // of the answers to them
	mute bool         // tells nothing any more
}

const carrierWindow = 10

func (c *carrier) admit(e *end) {
	c.binds++
	s := &carrierSession{c: c, end: e, out: map[uint32]*parcel{}, no: c.binds}
	c.sessions = append(c.sessions, s)
	e.data = func(b []byte) { s.in.feed(b, s.handle) }
	e.closed = func(error) { s.gone() }
	s.pump()
}

func (s *carrierSession) gone() {
	c := s.c
	for i, o := range c.sessions {
		if o == s {
			c.sessions = append(c.sessions[:i], c.sessions[i+1:]...)
			break
		}
	}
	for seq := uint32(1); seq <= s.seq; seq++ { // in order: maps have none
		if p := s.out[seq]; p != nil {
			c.box = append(c.box, p)
		}
	}
	s.out = nil
	c.pump()
}

func (c *carrier) hit(perMille int) bool { return !c.w.calm && c.w.rng.IntN(1000) < perMille }

func (s *carrierSession) handle(h pdu.Header, p []byte) {
	c := s.c
	if c.script != nil && c.script(s, h, p) {
		return
	}
	switch h.Command {
	case pdu.SubmitSM:
		s.submit(h, p)
	case pdu.DeliverSM.Resp(), pdu.DataSM.Resp():
		s.answered(h)
	case pdu.EnquireLink:
		if !c.down {
			_ = s.end.Write(pdu.AppendPlain(nil, h.Command.Resp(), pdu.ROK, h.Sequence))
		}
	case pdu.Unbind:
		_ = s.end.Write(pdu.AppendPlain(nil, h.Command.Resp(), pdu.ROK, h.Sequence))
		s.end.Close()
	}
}

func (s *carrierSession) submit(h pdu.Header, p []byte) {
	c, w := s.c, s.c.w
	m := c.read(p)
	switch {
	case c.down || c.hit(c.lose):
		return // read by nobody
	case c.hit(c.refuse):
		st := []pdu.Status{pdu.RThrottled, pdu.RMsgQFul, pdu.RSubmitFail, pdu.RInvDstAdr, pdu.RSysErr, pdu.RUnknownErr}[w.rng.IntN(6)]
		s.after(func() { _ = s.end.Write(pdu.AppendPlain(nil, h.Command.Resp(), st, h.Sequence)) })
		return
	}
	k := c.take(m)
	if c.script == nil && w.chance(8) {
		k.state = []pdu.State{pdu.StateUndeliverable, pdu.StateExpired, pdu.StateRejected}[w.rng.IntN(3)]
	}
	if !c.hit(c.silent) {
		c.receipt(m, k)
	}
	switch {
	case c.hit(c.mute):
		return
	case c.hit(c.hang):
		w.faults["carrier hangs up"]++
		s.end.Abort()
		return
	}
	s.after(func() { _ = s.end.Write(pdu.AppendMessageResp(nil, h.Command, pdu.ROK, h.Sequence, []byte(k.id))) })
}

// read finds the message that a submit_sm carries.
func (c *carrier) read(p []byte) *message {
	w := c.w
	var v pdu.Message
	if st := v.Parse(p); st != pdu.ROK {
		w.fail("%s is sent a submit_sm that does not parse: %v", c.id, st)
	}
	var n int
	if _, err := fmt.Sscanf(string(v.UserData()), "m:%d.", &n); err != nil || w.message(n) == nil || string(v.DstAddr()) != w.message(n).dst {
		w.fail("%s is sent %q to %s, which nobody wrote", c.id, v.UserData(), v.DstAddr())
	}
	return w.message(n)
}

// take makes a copy of a message the carrier's.
func (c *carrier) take(m *message) *copied {
	k := &copied{carrier: c, state: pdu.StateDelivered}
	k.id, k.told = c.name()
	if m.copies = append(m.copies, k); len(m.copies) == 1 {
		c.took = append(c.took, m)
	}
	return k
}

// name gives a message the ids that answers and receipts have for it.
func (c *carrier) name() (answer, receipt string) {
	if c.habits != nil {
		return c.habits.name(c.w.rng)
	}
	c.next++
	id := fmt.Sprintf("%s-%d", c.id, c.next)
	return id, id
}

func (s *carrierSession) after(f func()) { s.c.w.after(s.c.w.between(0, s.c.latency), f) }

// receipt tells what became of a copy: now, later, or twice.
func (c *carrier) receipt(m *message, k *copied) {
	wait := c.w.between(0, c.receipts)
	if !c.hit(c.early) {
		wait += c.latency
	}
	for range 1 + btoi(c.hit(c.twice)) {
		c.w.after(wait, func() { c.post(&parcel{copy: k, m: m}) })
		wait *= 2
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (c *carrier) post(p *parcel) {
	c.box = append(c.box, p)
	c.pump()
}

func (c *carrier) pump() {
	for _, s := range c.sessions {
		s.pump()
	}
}

// pump sends what waits, as far as the window goes.
func (s *carrierSession) pump() {
	c := s.c
	for len(c.box) > 0 && len(s.out) < carrierWindow && s.end.open && !c.down && !s.mute {
		p := c.box[0]
		c.box = c.box[1:]
		s.seq++
		s.out[s.seq] = p
		_ = s.end.Write(p.deliver(c.w.now).Append(nil, s.seq))
	}
}

func (p *parcel) deliver(now int64) *pdu.Submit {
	if p.copy == nil {
		return &pdu.Submit{Command: pdu.DeliverSM, Src: []byte("4915100000000"), SrcTON: 1, SrcNPI: 1, Dst: []byte("12345"), Text: []byte(p.text)}
	}
	minute := int64(time.Minute)
	number := p.m.dst
	if h := p.copy.carrier.habits; h != nil {
		number = h.number(number)
	}
	r := pdu.Receipt{ID: []byte(p.copy.told), State: p.copy.state, Err: p.m.mark(), SubmitDate: now / minute * minute, DoneDate: now / minute * minute, Sub: 1, Dlvrd: 1}
	return &pdu.Submit{Command: pdu.DeliverSM, Src: []byte(number), SrcTON: 1, SrcNPI: 1, Dst: []byte("sender"), DstTON: 5, ESMClass: pdu.ESMReceipt,
		Text: pdu.AppendReceiptText(nil, &r)}
}

// answered is our answer to a deliver_sm.
func (s *carrierSession) answered(h pdu.Header) {
	p := s.out[h.Sequence]
	if p == nil {
		s.c.w.fail("%s is answered a deliver_sm it did not send: %v", s.c.id, h)
	}
	delete(s.out, h.Sequence)
	switch {
	case h.Status == pdu.RXTAppn: // later, please
		s.c.w.after(time.Second, func() { s.c.post(p) })
	case h.Status != pdu.ROK:
		s.c.w.fail("%s is refused a deliver_sm: %v", s.c.id, h.Status)
	case p.copy != nil:
		p.copy.acked = true
	default:
		s.c.acked[p.text] = true
	}
	s.pump()
}

// keepLinks dials what the catalog says, for one life of a host, and in a cluster as long as the links are its own.
func (w *world) keepLinks(h *host) {
	for _, c := range w.carriers {
		for range w.perCarrier {
			w.keep(h, h.life, h.owning, c)
		}
	}
}

// keep keeps one session between a host and a carrier.
func (w *world) keep(h *host, life, owning int, c *carrier) {
	if !h.alive || h.life != life || h.owning != owning {
		return
	}
	again := func() { w.after(w.between(10*time.Millisecond, time.Second), func() { w.keep(h, life, owning, c) }) }
	if c.down || h.s.Version() == 0 {
		again()
		return
	}
	mine, theirs := w.connect()
	a, err := h.s.Carrier(c.id, 0, 0x34, mine)
	must(err)
	h.adopt(mine, a)
	w.oneOwner(h, c)
	mine.link, mine.own, mine.carrier, mine.host = true, owning, c, h
	closed := mine.closed
	mine.closed = func(err error) {
		closed(err)
		again()
	}
	c.admit(theirs)
}

// oneOwner: whoever binds is the only host that is bound with a carrier, as far as that knows of the ends of the others.
func (w *world) oneOwner(h *host, c *carrier) {
	for _, o := range w.hosts {
		for _, e := range o.ends {
			if o != h && o.alive && e.link && e.open && e.carrier == c {
				w.fail("%s binds with %s while %s is bound", h.name, c.id, o.name)
			}
		}
	}
}

// paced holds whoever sends to the carrier's rate in each second, by clocks that may be fast by one in ten: in what is left of our
// second then, a link may send what has come due and as much again at once.
func (c *carrier) paced(now int64) {
	c.sent = append(c.sent, now)
	for now-c.sent[0] >= int64(time.Second) {
		c.sent = c.sent[1:]
	}
	if tps := c.w.tps; tps > 0 && len(c.sent) > tps+tps/5+2 {
		c.w.fail("%s is sent %d messages in a second, and takes %d", c.id, len(c.sent), tps)
	}
}
