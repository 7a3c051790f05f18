package session

import (
	"math/rand/v2"
	"testing"
	"time"

	"smsplane/pdu"
)

// A clerk answers what it is asked when the fuzzer says so, and keeps the accounts that a Session promises:
// each accepted Send ends once, each request may be answered once.
type clerk struct {
	t     *testing.T
	open  map[uint64]bool // tags sent and not ended
	lost  map[uint64]bool // of them, those that timed out
	owed  []pdu.Header
	asked int
}

func (c *clerk) Request(_ *Session, _ int64, h pdu.Header, p []byte) {
	if int(h.Length) != len(p) || h != pdu.ParseHeader(p) {
		c.t.Fatalf("request of %d octets says %+v", len(p), h)
	}
	c.asked++
	if h.Command != pdu.AlertNotification {
		c.owed = append(c.owed, h)
	}
}

func (c *clerk) Response(_ *Session, _ int64, tag uint64, h pdu.Header, _ []byte) {
	if h.Command == pdu.GenericNack && h.Status == pdu.ROK {
		c.t.Fatal("a nack that says OK")
	}
	c.end(tag)
}

func (c *clerk) Lost(_ *Session, _ int64, tag uint64, why Lost) {
	c.end(tag)
	c.lost[tag] = why == LostTimeout
}

func (c *clerk) Late(_ *Session, _ int64, tag uint64, _ pdu.Header, _ []byte) {
	if !c.lost[tag] {
		c.t.Fatalf("late answer to %d, which never timed out", tag)
	}
	delete(c.lost, tag)
}

func (c *clerk) end(tag uint64) {
	if !c.open[tag] {
		c.t.Fatalf("%d ends twice, or was never sent", tag)
	}
	delete(c.open, tag)
}

// stateOrder: a session only moves down the picture in doc.go; PeerUnbinding may come from Draining.
var stateOrder = map[State]int{Bound: 0, Draining: 1, PeerUnbinding: 2, Unbinding: 2, Closed: 3}

// FuzzLife leads a session through its life by a program of octets: pieces of a stream, time, requests and
// answers of ours, unbind and the end, in any order, and checks the promises of doc.go after each step.
func FuzzLife(f *testing.F) {
	r := rand.New(rand.NewPCG(11, 11))
	for range 12 {
		program := make([]byte, 20+r.IntN(60))
		for i := range program {
			program[i] = byte(r.Uint32())
		}
		f.Add(randomStream(r), program, uint8(r.Uint32()))
	}
	f.Add([]byte{}, []byte{2, 2, 1, 255, 1, 255, 4, 1, 255, 1, 255}, uint8(0))
	f.Add(pdu.AppendPlain(nil, pdu.Unbind, 0, 9), []byte{2, 0, 255, 3, 1, 90, 1, 90}, uint8(3))
	f.Fuzz(func(t *testing.T, stream, program []byte, kind uint8) {
		if len(program) > 200 {
			program = program[:200]
		}
		live(t, randomConfig(rand.New(rand.NewPCG(uint64(kind), 5))), stream, program)
	})
}

func live(t *testing.T, config Config, stream, program []byte) {
	config.EnquireEvery, config.ResponseTimeout = 20*time.Second, 10*time.Second
	c := &clerk{t: t, open: map[uint64]bool{}, lost: map[uint64]bool{}}
	now, tag, state := int64(1), uint64(0), Bound
	s := New(config, c, now)
	for at := 0; at+1 < len(program); at += 2 {
		op, n := program[at], int(program[at+1])
		switch op % 6 {
		case 0:
			n = min(2*n, len(stream))
			_ = s.Feed(now, append(make([]byte, 0, n), stream[:n]...)) // ends with its capacity
			stream = stream[n:]
		case 1:
			now += int64(n) * int64(100*time.Millisecond)
			_ = s.Tick(now)
		case 2:
			tag++
			room := s.Room()
			if c.open[tag] = s.Send(now, request(pdu.SubmitSM, 0), tag); c.open[tag] != (room > 0) {
				t.Fatalf("room %d, and Send says %v", room, c.open[tag])
			} else if !c.open[tag] {
				delete(c.open, tag)
			}
		case 3:
			if k := len(c.owed); k > 0 {
				h := c.owed[n%k]
				c.owed = append(c.owed[:n%k], c.owed[n%k+1:]...)
				s.Reply(h.Command, pdu.RSysErr, h.Sequence, nil)
			}
		case 4:
			if n > 200 {
				s.Unbind(now)
			}
		case 5:
			whole(t, s.Out())
			s.ResetOut()
		}
		if was := state; stateOrder[s.State()] < stateOrder[was] {
			t.Fatalf("from %v back to %v", was, s.State())
		}
		state = s.State()
		if s.Unanswered() != len(c.open) && state != Closed || s.Unanswered() > config.Window || s.Peer() > config.PeerWindow {
			t.Fatalf("%v: %d unanswered, %d known, window %d; peer %d of %d", state, s.Unanswered(), len(c.open), config.Window, s.Peer(), config.PeerWindow)
		}
		if s.Done() && s.Bound() {
			t.Fatal("done and bound")
		}
	}
	whole(t, s.Out())
	s.End(now)
	if len(c.open) > 0 {
		t.Fatalf("%d requests never ended", len(c.open))
	}
	if k := s.Counters(); int(k.Requests) != c.asked || k.Sent != k.Responses+k.Timeouts+k.Ended {
		t.Fatalf("counted %+v, asked %d", k, c.asked)
	}
}

// whole: what a session says is whole PDUs.
func whole(t *testing.T, b []byte) {
	for len(b) > 0 {
		n, st := pdu.Frame(b, 1<<20)
		if n == 0 || st != pdu.ROK {
			t.Fatalf("sends what is no PDU: %x", b)
		}
		b = b[n:]
	}
}
