package peer

import (
	"bytes"
	"net"

	"smsplane/pdu"
)

// batch is how many messages one turn of one session may send, so that no session starves the others of work.
const batch = 512

// session is one bind of a client. wire.mu guards everything but what never changes.
type session struct {
	wire
	c       *Client
	command pdu.Command
	carry   []byte // read behind the bind response
	no      int    // in the order of binding
	tmpl    *template

	seq     uint32
	slots   []slot // by sequence number: what is unanswered
	open    int
	takes   []due
	message pdu.Message

	resp, service, taken, receipt Histogram
	closing                       bool

	heard heard
}

// heard is what the answers of one read amount to; the client's counters get it at the end of the turn.
type heard struct {
	accepted, throttled, refused int64
	again                        []uint32 // messages that were throttled
}

// slot is an unanswered submit_sm. Its place in the table goes with the window: taken when written, free when answered.
type slot struct {
	seq   uint32 // 0 = free
	index uint32
	due   int64
	wrote int64
}

func newSession(c *Client, nc net.Conn, command pdu.Command, carry []byte) *session {
	size := 2
	for size < 2*c.o.Window {
		size *= 2
	}
	s := &session{wire: newWire(nc), c: c, command: command, carry: carry, seq: 1, slots: make([]slot, size)}
	s.start()
	return s
}

// serve runs until the connection ends, then settles what was left open.
func (s *session) serve() error {
	err := s.read(s.carry, s.handle, s.turn)
	s.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(clock())
	s.tmpl = nil // nothing is sent any more
	for i := range s.slots {
		if sl := &s.slots[i]; sl.seq != 0 {
			s.c.book.at(sl.index).state.CompareAndSwap(sent, unanswered)
			s.c.n.unanswered.Add(1)
			sl.seq = 0
		}
	}
	s.c.n.outstanding.Add(-int64(s.open))
	s.open = 0
	return err
}

func (s *session) poke(most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fill(clock(), most)
	s.flush()
}

func (s *session) unbind() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing, s.tmpl = true, nil
	s.seq = nextSequence(s.seq)
	s.out = pdu.AppendPlain(s.out, pdu.Unbind, pdu.ROK, s.seq)
	s.flush()
}

// turn ends a read: answers made room. A firm schedule deals by itself.
func (s *session) turn(now int64) {
	s.count(now)
	if s.tmpl != nil && !s.c.plan.firm { // the plan is complete once there is a template
		s.fill(now, batch)
	}
}

// fill puts what is due into the window.
func (s *session) fill(now int64, most int) {
	if s.tmpl == nil || s.command == pdu.BindReceiver || s.ending {
		return
	}
	room := min(s.c.o.Window-s.open, most)
	if room <= 0 {
		return
	}
	n := &s.c.n
	n.outstanding.Add(int64(room)) // before take: who sees the schedule empty must see these
	s.takes = s.c.plan.take(now, room, s.takes[:0])
	n.outstanding.Add(int64(len(s.takes) - room))
	for _, d := range s.takes {
		s.submit(now, d)
	}
	if len(s.takes) > 0 {
		n.first.CompareAndSwap(0, now)
		n.lastMove.Store(now)
		n.sent.Add(int64(len(s.takes)))
	}
}

// submit takes a window slot and writes the submit_sm: one act. A sequence number whose place is held by an answer that
// never came is passed over; the table is twice the window, so a free place is near.
func (s *session) submit(now int64, d due) {
	at := 0
	for {
		s.seq = nextSequence(s.seq)
		if at = int(s.seq) & (len(s.slots) - 1); s.slots[at].seq == 0 {
			break
		}
	}
	s.slots[at] = slot{s.seq, d.index, d.at, now}
	s.open++
	e := s.c.book.at(d.index)
	e.due.Store(d.at)
	e.state.Store(sent)
	s.out = s.tmpl.put(s.out, d.index, s.seq)
}

// handle takes one PDU of the appliance; false ends the connection.
func (s *session) handle(now int64, h pdu.Header, p []byte) bool {
	switch h.Command {
	case pdu.SubmitSMResp, pdu.GenericNack:
		s.answered(now, h, p)
	case pdu.DeliverSM, pdu.DataSM:
		s.out = pdu.AppendMessageResp(s.out, h.Command, s.deliver(now, p), h.Sequence, nil)
	case pdu.EnquireLink:
		s.out = pdu.AppendPlain(s.out, pdu.EnquireLinkResp, pdu.ROK, h.Sequence)
	case pdu.Unbind:
		s.out = pdu.AppendPlain(s.out, pdu.UnbindResp, pdu.ROK, h.Sequence)
		return false
	case pdu.UnbindResp:
		return !s.closing
	default:
		if !h.Command.IsResp() {
			s.out = pdu.AppendPlain(s.out, pdu.GenericNack, pdu.RInvCmdID, h.Sequence)
		}
	}
	return true
}

// answered settles the submit_sm that h answers.
func (s *session) answered(now int64, h pdu.Header, p []byte) {
	sl := &s.slots[int(h.Sequence)&(len(s.slots)-1)]
	if sl.seq != h.Sequence || h.Sequence == 0 {
		return
	}
	e := s.c.book.at(sl.index)
	s.resp.Record(now - sl.due)
	s.service.Record(now - sl.wrote)
	sl.seq = 0
	s.open--
	switch st := h.Status; {
	case h.Command == pdu.SubmitSMResp && st == pdu.ROK:
		e.state.Store(accepted)
		s.taken.Record(now - sl.wrote)
		s.heard.accepted++
		s.named(p, sl.index)
	case st == pdu.RThrottled || st == pdu.RMsgQFul:
		e.state.Store(unsent)
		s.heard.throttled++
		s.heard.again = append(s.heard.again, sl.index)
	default:
		e.state.Store(refused)
		s.heard.refused++
		s.c.n.refuse(st)
	}
}

// count passes on what was heard.
func (s *session) count(now int64) {
	n, h := &s.c.n, &s.heard
	answers := h.accepted + h.throttled + h.refused
	if answers == 0 {
		return
	}
	n.lastMove.Store(now)
	if h.accepted > 0 {
		n.accepted.Add(h.accepted)
		n.lastAccept.Store(now)
	}
	n.throttled.Add(h.throttled)
	n.refused.Add(h.refused)
	s.c.plan.retry(h.again, now+int64(s.c.load.RetryAfter))
	*h = heard{again: h.again[:0]}
	n.outstanding.Add(-answers) // last: a run with none outstanding is over
}

func (n *clientCounters) refuse(st pdu.Status) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.statuses[st]++
}

// named takes the id of an accepted message.
func (s *session) named(p []byte, index uint32) {
	id, ok := pdu.MessageID(p)
	if !ok {
		s.c.n.complain("message %d was accepted without an id", index)
		s.c.n.malformed.Add(1)
		return
	}
	if !s.c.load.Receipts {
		return
	}
	early, came, reused := s.c.ids.give(bytes.TrimSpace(id), index)
	if reused {
		s.c.n.complain("id %q was given to a second message, %d", id, index)
		s.c.n.reused.Add(1)
	}
	if came {
		s.settle(index, early)
	}
}
