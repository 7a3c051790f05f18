package session

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"smsplane/pdu"
)

// A meddler does something with the session in every callback.
type meddler struct {
	do   func(s *Session, now int64)
	seen []string
}

func (m *meddler) told(s *Session, now int64, what string, tag uint64) {
	m.seen = append(m.seen, fmt.Sprintf("%s %d", what, tag))
	if do := m.do; do != nil {
		do(s, now)
	}
}

func (m *meddler) Request(s *Session, now int64, h pdu.Header, _ []byte) {
	m.told(s, now, "request", uint64(h.Sequence))
}

func (m *meddler) Response(s *Session, now int64, tag uint64, _ pdu.Header, _ []byte) {
	m.told(s, now, "response", tag)
}

func (m *meddler) Late(s *Session, now int64, tag uint64, _ pdu.Header, _ []byte) {
	m.told(s, now, "late", tag)
}

func (m *meddler) Lost(s *Session, now int64, tag uint64, why Lost) {
	m.told(s, now, "lost by "+why.String(), tag)
}

// provoke brings about each kind of callback, in one read where it can.
func provoke(s *Session) {
	for tag := range uint64(3) {
		s.Send(0, request(pdu.SubmitSM, 0), 1+tag)
	}
	b := request(pdu.DeliverSM, 1)
	b = pdu.AppendPlain(b, pdu.SubmitSM.Resp(), pdu.ROK, 1)
	b = append(b, request(pdu.DeliverSM, 2)...)
	s.Feed(0, b[:30])
	s.Feed(0, b[30:])
	for now := int64(0); now < 12e9; now += 1e9 {
		s.Tick(now)
	}
	s.Feed(12e9, pdu.AppendPlain(nil, pdu.SubmitSM.Resp(), pdu.ROK, 2))
	s.End(12e9)
}

func meddled(do func(s *Session, now int64)) (*meddler, *Session) {
	m := &meddler{do: do}
	s := New(Config{Role: Client, Bind: pdu.BindTransceiver, Window: 3, ResponseTimeout: 10 * time.Second}, m, 0)
	provoke(s)
	return m, s
}

func (m *meddler) mustSee(t *testing.T, want ...string) {
	t.Helper()
	if got := strings.Join(m.seen, ", "); got != strings.Join(want, ", ") {
		t.Errorf("saw %s\nwant %s", got, strings.Join(want, ", "))
	}
}

func TestCallbacksMaySend(t *testing.T) {
	tag := uint64(100)
	m, s := meddled(func(s *Session, now int64) {
		tag++
		s.Send(now, request(pdu.SubmitSM, 0), tag)
	})
	// Each event tried a Send: 101 and 103 met a full window, 102 took the slot of the response and 104, 105
	// those of the timeouts. 106 took that of the lost 102, 107 found none.
	m.mustSee(t, "request 1", "response 1", "request 2", "lost by timeout 2", "lost by timeout 3",
		"lost by timeout 102", "late 2", "lost by ended 104", "lost by ended 105", "lost by ended 106")
	if c := s.Counters(); c.Sent != c.Responses+c.Timeouts+c.Ended {
		t.Errorf("counted %+v", c)
	}
}

func TestCallbacksMayReplyAndUnbind(t *testing.T) {
	m, s := meddled(func(s *Session, now int64) {
		if s.Peer() > 0 {
			s.Reply(pdu.DeliverSM, pdu.ROK, 1, nil)
		}
		s.Unbind(now)
	})
	// The unbind waits for 2 and 3 until half of ResponseTimeout is over, and is never answered.
	m.mustSee(t, "request 1", "response 1", "lost by timeout 2", "lost by timeout 3")
	if c := s.Counters(); c.Refused != 1 || !s.Done() || s.Err() != nil {
		t.Errorf("%v, %v, counted %+v", s.State(), s.Err(), c)
	}
}

func TestCallbacksMayEnd(t *testing.T) {
	for _, kind := range []string{"request", "response", "lost"} {
		var m *meddler
		m = &meddler{do: func(s *Session, now int64) {
			if strings.HasPrefix(m.seen[len(m.seen)-1], kind) {
				carried := s.carry
				s.End(now)
				if s.carry != carried {
					t.Errorf("%s: p went back to the pool in the middle of its callback", kind)
				}
				s.Reply(pdu.DeliverSM, pdu.ROK, 1, nil) // too late, and harmless
			}
		}}
		s := New(Config{Role: Client, Bind: pdu.BindTransceiver, Window: 3, ResponseTimeout: 10 * time.Second}, m, 0)
		provoke(s)
		ends := 0
		for _, e := range m.seen {
			if strings.HasPrefix(e, "response") || strings.HasPrefix(e, "lost") {
				ends++
			}
		}
		if ends != 3 || !s.Done() || s.carry != nil {
			t.Errorf("%s: saw %v, %v, carry %v", kind, m.seen, s.State(), s.carry)
		}
	}
}

func TestNestedFeedAndTickPanic(t *testing.T) {
	for what, do := range map[string]func(s *Session, now int64){
		"Feed": func(s *Session, now int64) { s.Feed(now, []byte{0}) },
		"Tick": func(s *Session, now int64) { s.Tick(now) },
	} {
		mustPanic(t, what+" inside a callback", func() { meddled(do) })
	}
}

func TestOurBugsPanic(t *testing.T) {
	fresh := func() *Session {
		return New(Config{Role: Client, Bind: pdu.BindTransceiver, Window: 3}, &meddler{}, 0)
	}
	mustPanic(t, "nobody asked", func() { fresh().Reply(pdu.DeliverSM, pdu.ROK, 1, nil) })
	mustPanic(t, "Send of submit_sm_resp", func() { fresh().Send(0, request(pdu.SubmitSM.Resp(), 1), 1) })
	mustPanic(t, "command_length", func() { fresh().Send(0, append(request(pdu.SubmitSM, 1), 0), 1) })
	mustPanic(t, "without a body", func() {
		s := New(Config{Bind: pdu.BindTransceiver}, &meddler{}, 0)
		s.Feed(0, request(pdu.QuerySM, 1))
		s.Reply(pdu.QuerySM, pdu.ROK, 1, nil)
	})
	for _, c := range []Config{
		{}, {Bind: pdu.SubmitSM}, {Bind: pdu.BindReceiver, Window: -1}, {Bind: pdu.BindReceiver, Window: maxWindow + 1},
		{Bind: pdu.BindReceiver, PeerWindow: -1}, {Bind: pdu.BindReceiver, MaxPDU: 15},
		{Bind: pdu.BindReceiver, FirstSequence: maxSequence + 1}, {Bind: pdu.BindReceiver, EnquireEvery: -1},
	} {
		mustPanic(t, "session:", func() { New(c, &meddler{}, 0) })
	}
}

func mustPanic(t *testing.T, with string, f func()) {
	t.Helper()
	defer func() {
		if r := fmt.Sprint(recover()); !strings.Contains(r, with) {
			t.Errorf("panic %q, want one with %q", r, with)
		}
	}()
	f()
}

// TestLateMemoryIsBounded: what is remembered longest goes first, and a number given out again is not late.
func TestLateMemoryIsBounded(t *testing.T) {
	m := &meddler{}
	s := New(Config{Role: Client, Bind: pdu.BindTransceiver, Window: 8192, ResponseTimeout: time.Second}, m, 0)
	for tag := range uint64(4097) {
		s.Send(0, request(pdu.SubmitSM, 0), 1+tag)
	}
	s.ResetOut()
	s.Tick(1e9) // comes late, so only the next one acts
	s.Tick(1e9)
	m.seen = nil
	for _, q := range []uint32{1, 2, 4097} {
		s.Feed(2e9, pdu.AppendPlain(nil, pdu.SubmitSM.Resp(), pdu.ROK, q))
	}
	m.mustSee(t, "late 2", "late 4097")
	s.sequence = 3
	s.Send(2e9, request(pdu.SubmitSM, 0), 7)
	m.seen = nil
	s.Feed(2e9, pdu.AppendPlain(nil, pdu.SubmitSM.Resp(), pdu.ROK, 3))
	s.Feed(2e9, pdu.AppendPlain(nil, pdu.SubmitSM.Resp(), pdu.ROK, 3))
	m.mustSee(t, "response 7")
}

// TestMemoryRests: a session without traffic holds no buffer, and a burst does not stay for ever.
func TestMemoryRests(t *testing.T) {
	s := New(Config{Role: Server, Bind: pdu.BindTransceiver, ResponseTimeout: time.Minute}, &meddler{}, 0)
	s.Feed(0, request(pdu.EnquireLink, 1))
	if s.ResetOut(); s.out == nil {
		t.Error("the output went back in the middle of the traffic")
	}
	for now := range int64(2 * idleOut) {
		s.Tick(now)
	}
	if s.out != nil || s.carry != nil {
		t.Error("an idle session holds buffers")
	}
	for range 20_000 { // a burst, then little again
		s.Feed(1, request(pdu.EnquireLink, 1))
	}
	if len(s.Out()) != 20_000*pdu.HeaderLen {
		t.Fatalf("%d octets out", len(s.Out()))
	}
	s.ResetOut()
	s.Feed(1, request(pdu.EnquireLink, 1))
	if s.ResetOut(); s.out != nil {
		t.Errorf("%d octets kept after a burst", cap(s.out.B))
	}
}
