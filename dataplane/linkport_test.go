package dataplane

import (
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"smsplane/dataplane/entry"
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
	return newTestSession(l, window, allowances(tps, nil), now)
}

func newTestSession(l *loop, window int, allowed []*egress.Allowance, now int64) (*linkPort, *sink) {
	k := &linkPort{port: port{loop: l}, id: uint32(len(l.links)) + 1, allowed: allowed, opened: func() {}, closed: func(error) {},
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

// testFleet is several sessions of several links that share what their carrier may be sent.
type testFleet struct {
	loop  *loop
	ports []*linkPort
	sinks []*sink
	sent  []int64 // when messages left, over all of them
}

// newTestFleet binds two sessions on each of some links, each link with a rate of its own, 0 for none.
func newTestFleet(links, linkTPS, tps, window int, now int64) *testFleet {
	f := &testFleet{loop: &loop{links: map[uint32]*linkPort{}, up: outbox{ring: ring.New[event](ringSize)}, hurry: func() {}}}
	carrier := egress.NewAllowance(tps, window, linkDepth)
	for range links {
		allowed := allowances(linkTPS, carrier)
		for range 2 {
			k, s := newTestSession(f.loop, 1<<14, allowed, now)
			f.ports, f.sinks = append(f.ports, k), append(f.sinks, s)
		}
	}
	return f
}

// turn gives a session messages of a class, then lets the loop turn once.
func (f *testFleet) turn(session, n int, class ledger.Class, now int64) {
	before := 0
	for _, s := range f.sinks {
		s.now = now
		before += len(s.sent)
	}
	f.ports[session].turn(f.sinks[session], now, slices.Repeat([]ledger.Class{class}, n)...)
	for _, s := range f.sinks {
		before -= len(s.sent)
	}
	for range -before {
		f.sent = append(f.sent, now)
	}
}

// answer has one of a session's messages answered; false when it has none.
func (f *testFleet) answer(session int, now int64) bool {
	s := f.sinks[session]
	for seq := range s.queue {
		delete(s.queue, seq)
		f.ports[session].feed(now, pdu.AppendMessageResp(nil, pdu.SubmitSM, pdu.ROK, seq, []byte("a")))
		f.ports[session].pump(now)
		return true
	}
	return false
}

func (f *testFleet) unanswered() (n int) {
	for _, k := range f.ports {
		n += k.sess.Unanswered()
	}
	return n
}

// The tps of a carrier holds over all of its links and their sessions, whichever has something to send and however
// they stumble: no second anywhere sees more, the carrier gets all but a hundredth, and every session its share.
func TestNoSecondPassesTheRateOfACarrier(t *testing.T) {
	const links, tps, second = 3, 100, int64(time.Second)
	start := int64(1e18)
	for _, linkTPS := range []int{0, 60} {
		f := newTestFleet(links, linkTPS, tps, 0, start)
		rnd := rand.New(rand.NewPCG(7, 8))
		owed, stall, end := 0, start, start+20*second
		for now := start; now < end; now += 10e6 {
			if owed++; now >= stall && rnd.IntN(20) == 0 {
				stall = now + rnd.Int64N(second/2)
			}
			f.turn(0, 0, 0, now)
			for ; now >= stall && owed > 0; owed-- {
				f.turn(rnd.IntN(2*links), 1, 0, now)
			}
		}
		for i := tps; i < len(f.sent); i++ {
			if d := f.sent[i] - f.sent[i-tps]; d < second {
				t.Fatalf("%d messages in %v", tps+1, time.Duration(d))
			}
		}
		if len(f.sent) < 19*tps {
			t.Errorf("%d left in 20 s", len(f.sent))
		}
		for i, s := range f.sinks {
			if len(s.sent) < len(f.sent)/(4*links) {
				t.Errorf("session %d sent %d of %d", i, len(s.sent), len(f.sent))
			}
		}
		for i := linkTPS; linkTPS > 0 && i < len(f.sinks[0].sent); i++ {
			if d := f.sinks[0].sent[i] - f.sinks[0].sent[i-linkTPS]; d < second {
				t.Fatalf("%d messages of one session in %v", linkTPS+1, time.Duration(d))
			}
		}
	}
}

// The window of a carrier holds over all its links. A place that comes free goes round: a session that hears no
// answers, because it was never given a place, gets its turn as well.
func TestTheWindowOfACarrierGoesRound(t *testing.T) {
	const links, window = 2, 10
	now := int64(1e18)
	f := newTestFleet(links, 0, 0, window, now)
	f.turn(0, 500, 0, now)
	if n := f.unanswered(); n != window {
		t.Fatalf("%d unanswered at a window of %d", n, window)
	}
	for i := 1; i < 2*links; i++ {
		f.turn(i, 500, 0, now)
	}
	rnd := rand.New(rand.NewPCG(9, 10))
	for range 400 {
		for !f.answer(rnd.IntN(2*links), now) {
		}
		f.turn(0, 0, 0, now)
		if n := f.unanswered(); n != window {
			t.Fatalf("%d unanswered at a window of %d", n, window)
		}
	}
	for i, s := range f.sinks {
		if len(s.sent) < 90 {
			t.Errorf("session %d sent %d of 410", i, len(s.sent))
		}
	}
	f.ports[1].Closed(nil, now, nil) // what it had is nobody's any more
	f.turn(0, 0, 0, now)
	if n := f.ports[0].sess.Unanswered() + f.ports[2].sess.Unanswered() + f.ports[3].sess.Unanswered(); n != window {
		t.Errorf("%d unanswered after a session ended", n)
	}
}

// What is lost because our lease ended the session is told apart from what a carrier's end lost: nobody counts it
// against the message.
func TestLostByTheFence(t *testing.T) {
	for _, fenced := range []bool{false, true} {
		k, s := newTestLink(10, 0, 1)
		f := &fence{clock: func() int64 { return 100 }, until: make([]atomic.Int64, 1)}
		f.until[0].Store(200)
		k.fence = f
		k.turn(s, 2, ledger.ClassTransactional)
		if len(s.sent) != 1 {
			t.Fatalf("%d messages left", len(s.sent))
		}
		if fenced {
			f.until[0].Store(50)
		}
		k.touch()
		k.flush()
		k.Closed(nil, 3, nil)
		k.loop.up.flush()
		var got []uint32
		drain(k.loop.up.ring, ringSize, func(*event) {}, func(e *event) {
			if e.kind == evLost {
				got = append(got, e.status)
			}
		})
		if want := map[bool]uint32{false: lostEnded, true: lostFenced}[fenced]; !slices.Equal(got, []uint32{want}) {
			t.Errorf("fenced: %v: lost with %v, want %d", fenced, got, want)
		}
	}
}

// What waits for a window goes back unsent when its lane is deposed: it was decided under a lease that is over.
func TestWhatWaitsIsRecalledWithItsLane(t *testing.T) {
	k, s := newTestLink(1, 0, 1e18)
	k.loop.desk = &entry.Desk{}
	k.turn(s, 1e18, ledger.ClassTransactional, ledger.ClassTransactional, ledger.ClassTransactional)
	if len(s.sent) != 1 || k.waiting != 2 {
		t.Fatalf("%d sent, %d wait for the window", len(s.sent), k.waiting)
	}
	k.loop.forget(1, 1e18) // another lane
	if k.waiting != 2 {
		t.Fatalf("%d wait after another lane was deposed", k.waiting)
	}
	k.loop.forget(0, 1e18)
	var up []eventKind
	k.loop.up.flush()
	drain(k.loop.up.ring, ringSize, func(*event) {}, func(e *event) { up = append(up, e.kind) })
	if want := []eventKind{evLinkUp, evForgotten, evUnsent, evUnsent, evForgotten}; k.waiting != 0 || !slices.Equal(up, want) {
		t.Errorf("%d still wait, told %v, want %v", k.waiting, up, want)
	}
}
