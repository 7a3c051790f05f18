package session

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"smsplane/pdu"
)

// A talker writes down what it is told, and talks back from inside the callbacks: it answers some requests at
// once and others one request later, and sends and forwards where there is room.
type talker struct {
	events bytes.Buffer
	owed   []pdu.Header
	tag    uint64
}

func (t *talker) Request(s *Session, now int64, h pdu.Header, p []byte) {
	fmt.Fprintf(&t.events, "request %v %d %x, %d octets within reach\n", h.Command, h.Sequence, p, cap(p))
	t.owed = append(t.owed, h)
	if h.Command == pdu.AlertNotification {
		t.owed = t.owed[:len(t.owed)-1]
	}
	for len(t.owed) > int(h.Sequence%3) {
		o := t.owed[0]
		t.owed = t.owed[1:]
		s.Reply(o.Command, pdu.RSysErr, o.Sequence, nil)
	}
	var m pdu.Message
	if isMessage(h.Command) && m.Parse(p) == pdu.ROK {
		t.note("forward", s.SendForward(now, &m, &pdu.Hop{}, t.next()))
	}
	t.note("send", s.Send(now, request(pdu.DataSM, 0), t.next()))
}

func (t *talker) Response(s *Session, now int64, tag uint64, h pdu.Header, p []byte) {
	fmt.Fprintf(&t.events, "response %d %v %v %x\n", tag, h.Command, h.Status, p)
	t.note("send", s.Send(now, request(pdu.SubmitSM, 0), t.next()))
}

func (t *talker) Late(_ *Session, _ int64, tag uint64, h pdu.Header, p []byte) {
	fmt.Fprintf(&t.events, "late %d %v %v %x\n", tag, h.Command, h.Status, p)
}

func (t *talker) Lost(_ *Session, _ int64, tag uint64, why Lost) {
	fmt.Fprintf(&t.events, "lost %d %v\n", tag, why)
}

func isMessage(c pdu.Command) bool { return c == pdu.SubmitSM || c == pdu.DeliverSM || c == pdu.DataSM }

func (t *talker) next() uint64 { t.tag++; return t.tag }

func (t *talker) note(what string, ok bool) { fmt.Fprintf(&t.events, "%s %d %v\n", what, t.tag, ok) }

// commands are what a random peer sends, the unknown and the forbidden too.
var commands = []pdu.Command{
	pdu.SubmitSM, pdu.SubmitSM, pdu.SubmitSM, pdu.DeliverSM, pdu.DeliverSM, pdu.DataSM, pdu.QuerySM, pdu.EnquireLink,
	pdu.AlertNotification, pdu.BindReceiver, pdu.Outbind, 0x999, 0x80000999, pdu.GenericNack, pdu.EnquireLinkResp,
	pdu.SubmitSM.Resp(), pdu.SubmitSM.Resp(), pdu.DeliverSM.Resp(), pdu.DataSM.Resp(), pdu.DataSM.Resp(), pdu.Unbind.Resp(),
}

// randomStream is what such a peer sends in a while.
func randomStream(r *rand.Rand) []byte {
	var b []byte
	for range 1 + r.IntN(40) {
		c := commands[r.IntN(len(commands))]
		at := len(b)
		b = append(b, message(c, pdu.Status(r.IntN(3)), uint32(r.IntN(30)), args{"id": "1"})...)
		if extra := r.IntN(8); extra == 0 { // octets after the body belong to the PDU
			b = pdu.Finish(append(b, make([]byte, r.IntN(400))...), at)
		}
	}
	switch r.IntN(4) {
	case 0:
		b = append(b, 0, 0, 0, byte(r.IntN(16)), 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 77)
		b = append(b, request(pdu.SubmitSM, 78)...)
	case 1:
		b = append(b, request(pdu.Unbind, 79)...)
		b = append(b, request(pdu.SubmitSM, 80)...)
	case 2:
		b = b[:r.IntN(len(b))]
	}
	return b
}

func randomConfig(r *rand.Rand) Config {
	return Config{
		Role:   Role(r.IntN(2)),
		Bind:   []pdu.Command{pdu.BindReceiver, pdu.BindTransmitter, pdu.BindTransceiver, pdu.BindTransceiver}[r.IntN(4)],
		Window: r.IntN(12), PeerWindow: 1 + r.IntN(6), MaxPDU: 700, ResponseTimeout: 60e9, Name: "random",
	}
}

// play feeds a stream cut by cut, and returns all that came out of the session.
func play(c Config, stream []byte, cut func(left int) int) string {
	t := &talker{}
	s := New(c, t, 0)
	var err error
	for left := stream; len(left) > 0 && err == nil; {
		n := cut(len(left))
		b := append(make([]byte, 0, n), left[:n]...) // of its own, so that a slice kept too long shows
		err = s.Feed(1, b)
		for i := range b {
			b[i] = 0xEE
		}
		left = left[n:]
	}
	out := fmt.Sprintf("%x\n", s.Out())
	s.End(2)
	return fmt.Sprintf("%s%s%v %v %+v", t.events.String(), out, err, s.State(), s.Counters())
}

func TestSplitsChangeNothing(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		c, stream := randomConfig(r), randomStream(r)
		whole := play(c, stream, func(left int) int { return left })
		for name, cut := range map[string]func(int) int{
			"single octets": func(int) int { return 1 },
			"small pieces":  func(left int) int { return min(left, 1+r.IntN(20)) },
			"large pieces":  func(left int) int { return min(left, 1+r.IntN(600)) },
		} {
			if got := play(c, stream, cut); got != whole {
				t.Fatalf("seed %d, %s:\n%s\nin one piece:\n%s", seed, name, got, whole)
			}
		}
	}
}

// FuzzFeed feeds arbitrary octets in arbitrary pieces. The octets of each piece end with its capacity, so
// that reading over the end panics; what comes out must be whole PDUs, and the answers within bounds.
func FuzzFeed(f *testing.F) {
	r := rand.New(rand.NewPCG(7, 7))
	for range 20 {
		f.Add(randomStream(r), uint8(r.Uint32()), uint8(r.Uint32()))
	}
	f.Add([]byte("GET / HTTP/1.1\r\nHost: smsc\r\n\r\n"), uint8(2), uint8(5))
	f.Add([]byte{0, 0, 0, 16, 0, 0, 0, 0x15, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, stream []byte, kind, piece uint8) {
		c := randomConfig(rand.New(rand.NewPCG(uint64(kind), 3)))
		cut := func(left int) int { return min(left, 1+int(piece)) }
		whole := play(c, stream, func(left int) int { return left })
		if got := play(c, stream, cut); got != whole {
			t.Fatalf("in pieces of %d:\n%s\nin one:\n%s", 1+piece, got, whole)
		}
		s := New(c, &talker{}, 0)
		_ = s.Feed(0, stream)
		for b := s.Out(); len(b) > 0; {
			n, st := pdu.Frame(b, 1<<20)
			if n == 0 || st != pdu.ROK {
				t.Fatalf("sends what is no PDU: %x", b)
			}
			b = b[n:]
		}
		if s.Unanswered() > c.Window || s.Peer() > c.PeerWindow {
			t.Fatalf("windows %d and %d passed: %d, %d", c.Window, c.PeerWindow, s.Unanswered(), s.Peer())
		}
	})
}
