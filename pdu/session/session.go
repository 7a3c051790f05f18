package session

import (
	"errors"
	"fmt"
	"time"

	"github.com/valyala/bytebufferpool"

	"smsplane/pdu"
)

// What ends a session with an error from Feed or Tick. The owner flushes Out, closes the connection, calls End.
var (
	ErrCommandLength = errors.New("bad command_length, framing is lost")
	ErrNoAnswer      = errors.New("peer does not answer enquire_link")
	ErrPartialPDU    = errors.New("peer stopped in the middle of a PDU")
)

// State is where a session stands; see the picture in the package comment.
type State uint8

const (
	Bound         State = iota
	Draining            // Unbind was called; unbind waits for the unanswered requests
	Unbinding           // unbind is sent, its answer awaited
	PeerUnbinding       // the peer sent unbind; unbind_resp waits for the unanswered requests
	Closed              // nothing is sent or taken any more
)

var stateNames = [...]string{"bound", "draining", "unbinding", "peer unbinding", "closed"}

// String is the state in words.
func (s State) String() string { return stateNames[s] }

// Session is one bound SMPP session. Use New; one goroutine only.
type Session struct {
	config  Config
	handler Handler
	late    LateHandler // handler, when it is one

	state State
	busy  bool  // inside Feed or Tick
	err   error // why Closed, nil after a graceful end

	sequence uint32 // of our next request
	room     int    // Config.Window, 0 on a bind that carries no requests of ours
	window   window
	lates    lates
	peer     int // requests of the peer that await Reply

	trip      int64  // round trip of our requests, ns, smoothed over about eight
	away      int64  // the part of it that was surely not ours, likewise
	looked    int64  // when input was looked for last
	heard     int64  // when the peer's last octet came
	ticked    int64  // last Tick
	stalled   bool   // it came too late to act on
	enquiry   uint32 // sequence_number of our unanswered enquire_link, 0 = none
	enquired  int64  // when it was sent
	unbind    uint32 // sequence_number of our unbind, 0 = not sent
	unbindBy  int64  // Draining: when unbind goes out unsettled; PeerUnbinding: unbind_resp
	closeBy   int64  // Draining, Unbinding: when the answer to unbind is not awaited any more
	unbindSeq uint32 // PeerUnbinding: sequence_number of the peer's unbind

	out       *bytebufferpool.ByteBuffer // nil when at rest
	outIdle   int                        // Ticks since something was in it
	carry     *bytebufferpool.ByteBuffer // the head of a PDU not all here yet; nil when empty
	carriedAt int64                      // when its first octet came

	counters Counters
}

// New begins a bound session. It panics on a Config that no bind could give.
func New(c Config, h Handler, now int64) *Session {
	c = c.filled()
	s := &Session{
		config: c, handler: h, sequence: c.FirstSequence, window: newWindow(), heard: now, ticked: now,
	}
	s.late, _ = h.(LateHandler)
	if maySend(c.Role, c.Bind) {
		s.room = c.Window
	}
	return s
}

// Config is what New was given, with defaults filled in.
func (s *Session) Config() Config { return s.config }

// State is where the session stands.
func (s *Session) State() State { return s.state }

// Bound says whether requests may still start.
func (s *Session) Bound() bool { return s.state == Bound }

// Done says that nothing more will be sent or taken: flush Out, close the connection, call End.
func (s *Session) Done() bool { return s.state == Closed }

// Err is why the session is Closed, nil after a graceful unbind or End.
func (s *Session) Err() error { return s.err }

// Idle says that no request is unanswered, in either direction.
func (s *Session) Idle() bool { return s.window.used == 0 && s.peer == 0 }

// Peer is how many requests of the peer await their Reply.
func (s *Session) Peer() int { return s.peer }

// Unanswered is how many of our requests await their Response.
func (s *Session) Unanswered() int { return s.window.used }

// Heard is when the last octet of the peer came, unix nanoseconds.
func (s *Session) Heard() int64 { return s.heard }

// RoundTrip is the time from sending a request to its answer, smoothed over about eight; 0 before the first.
func (s *Session) RoundTrip() int64 { return s.trip }

// Away is the part of RoundTrip that the peer and the network took for sure: up to the last time that input was looked for in
// vain. Behind that an answer may have lain unread, because our thread was busy or waited for a core.
func (s *Session) Away() int64 { return s.away }

// Looked says when input was looked for before the Feed that follows; without it Away is RoundTrip.
func (s *Session) Looked(at int64) { s.looked = at }

// Counters are what happened so far.
func (s *Session) Counters() Counters { return s.counters }

// End tells the session that its connection is gone: what is unanswered is Lost, what comes after is ignored.
func (s *Session) End(now int64) {
	s.state = Closed
	for s.window.first != none {
		r := s.window.take(s.window.first)
		s.counters.Ended++
		s.handler.Lost(s, now, r.tag, LostEnded)
	}
	s.peer = 0
	if !s.busy { // else p of the callback that called us may lie in the carry
		s.dropCarry()
	}
}

// fail closes the session for a reason. Out may still hold what the peer should read.
func (s *Session) fail(err error, format string, args ...any) error {
	s.state = Closed
	s.err = fmt.Errorf("%s: %w%s", s.config.Name, err, fmt.Sprintf(format, args...))
	return s.err
}

// enter and leave bracket Feed and Tick, which may not be nested: they walk state that the other changes.
func (s *Session) enter(what string) {
	if s.busy {
		panic("session: " + what + " inside a callback of " + s.config.Name)
	}
	s.busy = true
}

// past says whether d has gone by between then and now; a d of 0 never has.
func past(now, then int64, d time.Duration) bool { return d > 0 && now-then >= int64(d) }

// refusal is the status for a request that comes while we close the session: of the codes that say "later",
// the ones common gateways keep the message on.
func (s *Session) refusal() pdu.Status {
	switch {
	case s.state == PeerUnbinding:
		return pdu.RInvBndSts
	case s.config.Role == Client:
		return pdu.RXTAppn
	}
	return pdu.RThrottled
}
