package session

import (
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"smsplane/pdu"
)

// A responder answers each request at once, as a server that needs no disk would.
type responder struct{ answered int }

var responderID = []byte("0001000000000001")

func (r *responder) Request(s *Session, _ int64, h pdu.Header, _ []byte) {
	s.Reply(h.Command, pdu.ROK, h.Sequence, responderID)
}
func (r *responder) Response(*Session, int64, uint64, pdu.Header, []byte) { r.answered++ }
func (r *responder) Lost(*Session, int64, uint64, Lost)                   {}

// A turn is one read of the peer and what is written for it.
const perTurn = 64

// serving is a server session and a read of perTurn submit_sm of 152 octets, cut in the middle of the last.
func serving() (turn func() []byte) {
	s := New(Config{Role: Server, Bind: pdu.BindTransceiver, ResponseTimeout: time.Minute}, &responder{}, 0)
	m := pdu.Submit{Src: []byte("Brand"), Dst: []byte("447700900123"), Text: make([]byte, 152-49)}
	var read []byte
	for q := range uint32(perTurn) {
		read = m.Append(read, 1+q)
	}
	cut := len(read) - 70
	s.Feed(0, read[:cut])
	read = append(append([]byte(nil), read[cut:]...), read[:cut]...)
	return func() []byte {
		s.ResetOut()
		if s.Feed(1, read) != nil {
			panic("session ended")
		}
		return s.Out()
	}
}

// forwarding is a client session that passes perTurn messages on and then reads their answers.
func forwarding() (turn func() []byte) {
	s := New(Config{Role: Client, Bind: pdu.BindTransmitter, Window: perTurn, ResponseTimeout: time.Minute}, &responder{}, 0)
	var m pdu.Message
	m.Parse((&pdu.Submit{Src: []byte("Brand"), Dst: []byte("447700900123"), Text: make([]byte, 152-49)}).Append(nil, 7))
	hop := pdu.Hop{Priority: 1, Registered: 1, Validity: []byte("000001000000000R")}
	var answers []byte
	for range perTurn {
		answers = pdu.AppendMessageResp(answers, pdu.SubmitSM, pdu.ROK, 0, responderID)
	}
	length := len(answers) / perTurn
	return func() []byte {
		s.ResetOut()
		for range perTurn {
			if !s.SendForward(1, &m, &hop, 9) {
				panic("no room")
			}
		}
		for i, out := 0, s.Out(); i < perTurn; i++ { // answered in the order of sending
			h := pdu.ParseHeader(out)
			pdu.SetSequence(answers[i*length:], h.Sequence)
			out = out[h.Length:]
		}
		if s.Feed(1, answers) != nil || s.Unanswered() != 0 {
			panic("answers do not fit")
		}
		return s.Out()
	}
}

func BenchmarkFeedReply(b *testing.B)          { benchmark(b, serving()) }
func BenchmarkForwardAndResponse(b *testing.B) { benchmark(b, forwarding()) }

func benchmark(b *testing.B, turn func() []byte) {
	b.ReportAllocs()
	for b.Loop() {
		turn()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/perTurn, "ns/message")
}

// TestBenchmarks runs what is measured, at a tiny size: the work done must be the same every time.
func TestBenchmarks(t *testing.T) {
	for name, c := range map[string]struct {
		make func() func() []byte
		want uint64
	}{
		"serving":    {serving, 0xee58e905bfa0c9a},
		"forwarding": {forwarding, 0x7e0dafd5a1982a15},
	} {
		turn, work := c.make(), xxhash.New()
		for range 3 {
			work.Write(turn())
		}
		if got := work.Sum64(); got != c.want {
			t.Errorf("%s wrote other octets than ever: hash %#x, want %#x", name, got, c.want)
		}
	}
}

// TestSteadyTrafficAllocatesNothing: neither a submit_sm and its answer, nor a forward and its response, nor a
// partial PDU carried from read to read.
func TestSteadyTrafficAllocatesNothing(t *testing.T) {
	for name, turn := range map[string]func() []byte{"serving": serving(), "forwarding": forwarding()} {
		for range 100 { // the pools learn, the window grows
			turn()
		}
		if n := testing.AllocsPerRun(500, func() { turn() }); n != 0 {
			t.Errorf("%s: %v allocations for %d messages", name, n, perTurn)
		}
	}
}
