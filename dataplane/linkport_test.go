package dataplane

import (
	"math/rand/v2"
	"testing"
	"time"

	"smsplane/egress"
	"smsplane/ledger"
	"smsplane/pdu"
	"smsplane/pdu/session"
	"smsplane/ring"
)

// sink is a connection that keeps what is written, and when.
type sink struct {
	now   int64
	sent  []int64          // when each submit_sm left
	class []pdu.Message    // parsed
	queue map[uint32]int64 // sequence numbers without an answer
}

func (s *sink) Write(b []byte) error {
	for len(b) > 0 {
		h := pdu.ParseHeader(b)
		if h.Command == pdu.SubmitSM {
			var m pdu.Message
			m.Parse(append([]byte(nil), b[:h.Length]...))
			s.sent, s.class = append(s.sent, s.now), append(s.class, m)
			s.queue[h.Sequence] = s.now
		}
		b = b[h.Length:]
	}
	return nil
}
func (s *sink) Congested() bool { return false }
func (s *sink) Close()          {}
func (s *sink) Abort()          {}

// newTestLink is a bound session on a loop of its own, without an executor.
func newTestLink(window, tps int, now int64) (*linkPort, *sink) {
	l := &loop{links: map[uint32]*linkPort{}, up: outbox{ring: ring.New[event](ringSize)}, hurry: func() {}}
	pace := egress.NewPace(tps, linkDepth)
	k := &linkPort{port: port{loop: l}, id: 1, pace: &pace, opened: func() {}, closed: func(error) {},
		config: session.Config{Role: session.Client, Bind: pdu.BindTransceiver, Version: 0x34, Window: window, EnquireEvery: time.Hour,
			ResponseTimeout: time.Hour, FirstSequence: 2}}
	s := &sink{queue: map[uint32]int64{}}
	k.begin(s, now)
	return k, s
}

// turn is what a loop does with what it was sent.
func (k *linkPort) turn(s *sink, now int64, classes ...ledger.Class) {
	s.now = now
	for _, c := range classes {
		p := pdu.Submit{Src: []byte("sender"), SrcTON: 5, Dst: []byte("491510000001"), DstTON: 1, DstNPI: 1, Text: []byte("x")}
		k.send(&event{kind: evSend, session: k.id, id: 1, data: p.Append(nil, 1), at: now + int64(time.Hour), seq: uint32(c)}, now)
	}
	k.loop.pump(now)
	for _, p := range k.loop.dirty {
		p.flush()
	}
	k.loop.dirty = k.loop.dirty[:0]
}

// Dispatches come in the bunches of commits, and what leaves a loop never passes a link's tps: no second anywhere sees
// more, and the carrier gets all but a hundredth of it.
func TestNoSecondPassesTheRateOfALink(t *testing.T) {
	const tps, second = 100, int64(time.Second)
	start := int64(1e18)
	k, s := newTestLink(1<<14, tps, start)
	rnd := rand.New(rand.NewPCG(3, 4))
	owed, end := 0., start+20*second
	for now, stall := start, start; now < end; now += 10e6 {
		if owed += tps / 100.; now < stall { // the disk is slow just now
			k.turn(s, now)
			continue
		}
		if rnd.IntN(20) == 0 {
			stall = now + rnd.Int64N(second/2)
		}
		k.turn(s, now, make([]ledger.Class, int(owed))...)
		owed -= float64(int(owed))
	}
	for i := tps; i < len(s.sent); i++ {
		if d := s.sent[i] - s.sent[i-tps]; d < second {
			t.Fatalf("%d messages in %v", tps+1, time.Duration(d))
		}
	}
	if len(s.sent) < 19*tps {
		t.Errorf("%d left in 20 s", len(s.sent))
	}
}

// In a full window classes take their turns by weight; what is kept for otp is kept while it has nothing, too.
func TestWindowServesClassesByWeight(t *testing.T) {
	const window = 20
	now := int64(1e18)
	k, s := newTestLink(window, 0, now)
	k.reserve.Saw(ledger.ClassOTP, now)
	k.turn(s, now, make([]ledger.Class, 2*window)...)
	if len(s.sent) != window-window/10 {
		t.Fatalf("%d bulk took %d places of a window of %d", 2*window, len(s.sent), window)
	}
	for range 4 * window { // otp without end, one answer at a time
		k.turn(s, now, ledger.ClassOTP)
		for seq := range s.queue {
			delete(s.queue, seq)
			k.feed(now, pdu.AppendMessageResp(nil, pdu.SubmitSM, pdu.ROK, seq, []byte("a")))
			break
		}
	}
	n := [ledger.Classes]int{}
	for _, m := range s.class[window-window/10:] {
		n[m.Priority()]++
	}
	if n[ledger.ClassBulk] < 3 || n[ledger.ClassOTP] < 10*n[ledger.ClassBulk] {
		t.Errorf("bulk, transactional, otp left %v times", n)
	}
}

// Before a link that bulk would fill ten times over, otp leaves at once: a place of its rate is kept, whenever the loop
// stood still before.
func TestOTPFindsAPlaceBesideBulk(t *testing.T) {
	const tps = 100
	start := int64(1e18)
	k, s := newTestLink(1<<14, tps, start)
	k.turn(s, start, ledger.ClassOTP)
	rnd, late, worst, asked := rand.New(rand.NewPCG(5, 6)), 0, time.Duration(0), []int64{start}
	for i, now := 0, start; now < start+30*int64(time.Second); i++ {
		step := int64(10e6)
		if rnd.IntN(50) == 0 {
			step += rnd.Int64N(150e6)
		}
		now += step
		classes := make([]ledger.Class, 10)
		if i%5 == 4 {
			classes = append(classes, ledger.ClassOTP)
			asked = append(asked, now)
		}
		k.turn(s, now, classes...)
	}
	n := 0
	for i, m := range s.class {
		if m.Priority() == uint8(ledger.ClassOTP) {
			if d := time.Duration(s.sent[i] - asked[n]); d > 0 {
				late++
				worst = max(worst, d)
			}
			n++
		}
	}
	if n < len(asked)-1 || late > n/20 || worst > 60*time.Millisecond {
		t.Errorf("%d of %d otp left, %d not at once, one after %v", n, len(asked), late, worst)
	}
	if len(s.sent) < 25*tps {
		t.Errorf("%d left in 30 s", len(s.sent))
	}
}
