package session

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"smsplane/pdu"
)

// A model is what the window ought to be, kept in plain maps, beside the session it watches.
type model struct {
	t       *testing.T
	s       *Session
	now     int64
	open    map[uint32]uint64 // sequence_number → tag of what is unanswered
	order   []uint64          // tags, in the order of sending, of what was sent
	sentAt  map[uint64]int64
	ended   map[uint64]string // tag → how it ended
	lost    map[uint32]uint64 // sequence_number → tag of what timed out
	tag     uint64
	expects string // what the next callback must be
}

const modelTimeout = 10 * time.Second

func (m *model) Request(*Session, int64, pdu.Header, []byte) { m.t.Fatal("a request out of nowhere") }

func (m *model) Response(_ *Session, _ int64, tag uint64, h pdu.Header, _ []byte) {
	m.met(fmt.Sprintf("response %d", tag))
	m.end(tag, "response")
	delete(m.open, h.Sequence)
}

func (m *model) Late(_ *Session, _ int64, tag uint64, h pdu.Header, _ []byte) {
	m.met(fmt.Sprintf("late %d", tag))
	delete(m.lost, h.Sequence)
}

func (m *model) Lost(_ *Session, now int64, tag uint64, why Lost) {
	m.end(tag, why.String())
	for q, o := range m.open {
		if o == tag {
			delete(m.open, q)
			m.lost[q] = tag
		}
	}
	if age := time.Duration(now - m.sentAt[tag]); why == LostTimeout && age < modelTimeout {
		m.t.Fatalf("%d lost after %v", tag, age)
	}
}

func (m *model) met(what string) {
	if what != m.expects {
		m.t.Fatalf("%s where %q was due", what, m.expects)
	}
	m.expects = ""
}

func (m *model) end(tag uint64, how string) {
	if was, ok := m.ended[tag]; ok {
		m.t.Fatalf("%d ended as %s and again as %s", tag, was, how)
	}
	m.ended[tag] = how
}

func (m *model) send() {
	m.tag++
	room := m.s.Room()
	if m.s.State() == Bound && room != m.s.Config().Window-len(m.open) {
		m.t.Fatalf("room %d of %d with %d open", room, m.s.Config().Window, len(m.open))
	}
	if ok := m.s.Send(m.now, request(pdu.SubmitSM, 0), m.tag); ok != (room > 0) {
		m.t.Fatalf("Send said %v with room %d", ok, room)
	} else if !ok {
		if len(m.s.Out()) != 0 {
			m.t.Fatal("a refused Send was written")
		}
		return
	}
	q := pdu.ParseHeader(m.s.Out()).Sequence
	if _, taken := m.open[q]; taken || q == 0 || q > maxSequence {
		m.t.Fatalf("sequence_number %d given out, open are %v", q, m.open)
	}
	delete(m.lost, q)
	m.open[q], m.sentAt[m.tag] = m.tag, m.now
	m.order = append(m.order, m.tag)
	m.s.ResetOut()
}

// answer lets the peer answer: something open, something lost, or nothing we know.
func (m *model) answer(r *rand.Rand) {
	c := pdu.SubmitSM.Resp()
	switch r.IntN(8) {
	case 0:
		c = pdu.GenericNack
	case 1:
		c = pdu.DeliverSM.Resp() // fits nothing
	}
	q := uint32(0)
	switch r.IntN(6) {
	case 0:
		q = pick(r, m.lost)
		if tag, ok := m.lost[q]; ok && c != pdu.DeliverSM.Resp() {
			m.expects = fmt.Sprintf("late %d", tag)
		}
	case 1:
		q = r.Uint32() | 0x80000000
	default:
		q = pick(r, m.open)
		if tag, ok := m.open[q]; ok && c != pdu.DeliverSM.Resp() {
			m.expects = fmt.Sprintf("response %d", tag)
		}
	}
	if err := m.s.Feed(m.now, pdu.AppendPlain(nil, c, pdu.ROK, q)); err != nil {
		m.t.Fatal(err)
	}
	if m.expects != "" {
		m.t.Fatalf("%s was due and did not come", m.expects)
	}
}

// pick takes one of the keys; the smallest hash, so that the seed alone decides.
func pick(r *rand.Rand, of map[uint32]uint64) (picked uint32) {
	salt, best := r.Uint32(), ^uint32(0)
	for q := range of {
		if x := (q ^ salt) * 2654435761; x < best {
			picked, best = q, x
		}
	}
	return picked
}

func (m *model) pass(d time.Duration) {
	for ; d > 0; d -= time.Second {
		m.now += int64(time.Second)
		if err := m.s.Tick(m.now); err != nil {
			m.t.Fatal(err)
		}
	}
	for _, tag := range m.open {
		if age := time.Duration(m.now - m.sentAt[tag]); age >= modelTimeout {
			m.t.Fatalf("%d is open after %v", tag, age)
		}
	}
	m.s.ResetOut()
}

// TestWindowModel: whatever peer and time do, each accepted Send ends in exactly one Response or Lost.
func TestWindowModel(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		m := &model{t: t, open: map[uint32]uint64{}, sentAt: map[uint64]int64{}, ended: map[uint64]string{},
			lost: map[uint32]uint64{}}
		m.s = New(Config{Role: Client, Bind: pdu.BindTransmitter, Window: 1 + r.IntN(60), ResponseTimeout: modelTimeout,
			EnquireEvery: time.Duration(r.IntN(4)) * time.Second * 2, FirstSequence: maxSequence - uint32(r.IntN(300))}, m, 0)
		for range 1500 {
			switch x := r.IntN(100); {
			case x < 55:
				m.send()
			case x < 97:
				m.answer(r)
			case x < 99:
				m.pass(time.Second)
			default:
				m.pass(time.Duration(r.IntN(3)) * time.Second)
			}
			m.s.ResetOut()
		}
		if r.IntN(2) == 0 {
			m.s.Unbind(m.now)
			m.s.ResetOut()
			m.send()
		}
		m.s.End(m.now)
		if len(m.ended) != len(m.order) || m.s.Unanswered() != 0 {
			t.Fatalf("seed %d: %d accepted, %d ended, %d unanswered", seed, len(m.order), len(m.ended), m.s.Unanswered())
		}
		checkCounters(t, m)
	}
}

func checkCounters(t *testing.T, m *model) {
	c := m.s.Counters()
	if c.Sent != uint64(len(m.order)) || c.Responses+c.Timeouts+c.Ended != c.Sent {
		t.Fatalf("%d sent, counted %+v", len(m.order), c)
	}
}

// TestLostInOrder: timeouts and the end come oldest first.
func TestLostInOrder(t *testing.T) {
	l := &lossList{}
	s := New(Config{Role: Client, Bind: pdu.BindTransmitter, Window: 100, ResponseTimeout: 8 * time.Second}, l, 0)
	for i := range 100 {
		s.Send(int64(i)*1e8, request(pdu.SubmitSM, 0), uint64(i))
	}
	for i := range uint32(50) { // every other one is answered
		s.Feed(1e10, pdu.AppendPlain(nil, pdu.SubmitSM.Resp(), pdu.ROK, 1+2*i))
	}
	for now := int64(1e10); now < 13e9; now += 1e9 {
		s.Tick(now)
	}
	timedOut := len(*l)
	s.End(13e9)
	if timedOut == 0 || timedOut == 50 || len(*l) != 50 {
		t.Fatalf("%d timed out, %d lost in all", timedOut, len(*l))
	}
	for i, tag := range *l {
		if tag != uint64(2*i+1) {
			t.Fatalf("lost in the order %v", *l)
		}
	}
}

type lossList []uint64

func (*lossList) Request(*Session, int64, pdu.Header, []byte)          {}
func (*lossList) Response(*Session, int64, uint64, pdu.Header, []byte) {}
func (l *lossList) Lost(_ *Session, _ int64, tag uint64, _ Lost)       { *l = append(*l, tag) }

// TestSequenceSkipsUnanswered: after a whole round of numbers the old ones still unanswered are passed over,
// however many they are, and the table does not grow past its bound.
func TestSequenceSkipsUnanswered(t *testing.T) {
	const window = 64
	s := New(Config{Role: Client, Bind: pdu.BindTransmitter, Window: window}, &lossList{}, 0)
	for i := range uint64(window) {
		s.Send(0, request(pdu.SubmitSM, 0), i)
	}
	s.ResetOut()
	for i := range uint32(window) { // all but 1, 2, 3 and 10 are answered
		if q := i + 1; q > 3 && q != 10 {
			s.Feed(0, pdu.AppendPlain(nil, pdu.SubmitSM.Resp(), pdu.ROK, q))
		}
	}
	s.sequence = maxSequence
	want := []uint32{maxSequence, 4, 5, 6, 7, 8, 9, 11}
	for _, q := range want {
		s.Send(0, request(pdu.SubmitSM, 0), 0)
		if got := pdu.ParseHeader(s.Out()).Sequence; got != q {
			t.Fatalf("sequence_number %d, want %d", got, q)
		}
		s.ResetOut()
	}
	s.sequence, s.enquiry = 40, 40 // an enquire_link that awaits its answer
	s.Send(0, request(pdu.SubmitSM, 0), 0)
	if got := pdu.ParseHeader(s.Out()).Sequence; got != 41 {
		t.Fatalf("sequence_number %d, want 41", got)
	}
	s.ResetOut()
	for range 100_000 { // the peer never answers four of them and answers the others at once
		if s.Send(0, request(pdu.SubmitSM, 0), 0) {
			q := pdu.ParseHeader(s.Out()).Sequence
			s.ResetOut()
			s.Feed(0, pdu.AppendPlain(nil, pdu.SubmitSM.Resp(), pdu.ROK, q))
		}
	}
	if len(s.window.slots) != 2*window {
		t.Fatalf("%d slots for a window of %d", len(s.window.slots), window)
	}
}
