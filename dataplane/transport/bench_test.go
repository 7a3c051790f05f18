package transport

import (
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"smsplane/pdu"
)

// responder answers each submit_sm with its submit_sm_resp and does nothing else: the ceiling of the edge. It carries partial
// PDUs itself and writes once per connection and turn, as the product does.
type responder struct {
	dirty []*respondent // on the loop
}

type respondent struct {
	home       *responder
	conn       *Conn
	carry, out []byte
}

var benchID = []byte("0001000000000001")

func (r *responder) Tick(int64) {}

func (r *responder) Turn(int64) {
	for i, s := range r.dirty {
		_ = s.conn.Write(s.out)
		s.out = s.out[:0]
		r.dirty[i] = nil
	}
	r.dirty = r.dirty[:0]
}

func (s *respondent) Opened(c *Conn, _ int64)    { s.conn = c }
func (s *respondent) Closed(*Conn, int64, error) {}

func (s *respondent) Data(_ *Conn, _ int64, b []byte) {
	idle := len(s.out) == 0
	if len(s.carry) > 0 {
		s.carry = append(s.carry, b...)
		b = s.carry
	}
	for {
		n, st := pdu.Frame(b, 70_000)
		if st != pdu.ROK {
			panic(st)
		}
		if n == 0 {
			break
		}
		h := pdu.ParseHeader(b)
		s.out = pdu.AppendMessageResp(s.out, h.Command, pdu.ROK, h.Sequence, benchID)
		b = b[n:]
	}
	s.carry = append(s.carry[:0], b...)
	if idle && len(s.out) > 0 {
		s.home.dirty = append(s.home.dirty, s)
	}
}

// submitPDU is a submit_sm of 152 octets.
func submitPDU() []byte {
	m := pdu.Submit{Command: pdu.SubmitSM, Src: []byte("smsplane"), Dst: []byte("491701234567"), Text: make([]byte, 98)}
	return m.Append(nil, 1)
}

// BenchmarkResponder sends bursts of one window over several connections and waits for all answers of a burst. The clients are
// in the same process; cpu-ns/op is of both sides together.
func BenchmarkResponder(b *testing.B) {
	for _, c := range []struct{ conns, window int }{{1, 1}, {5, 10}, {20, 100}, {20, 1000}} {
		b.Run(fmt.Sprintf("%dx%d", c.conns, c.window), func(b *testing.B) {
			home := &responder{}
			e := start(b, Options{}, func(int) LoopHandler { return home })
			var wg sync.WaitGroup
			var left atomic.Int64
			left.Store(int64(b.N))
			b.ReportAllocs()
			began := processCPU()
			b.ResetTimer()
			for range c.conns {
				far := enroll(b, e, 0, &respondent{home: home}, "")
				_ = far.SetDeadline(time.Time{})
				wg.Add(1)
				go func() {
					defer wg.Done()
					var requests []byte
					for range c.window {
						requests = append(requests, submitPDU()...)
					}
					one := len(requests) / c.window
					answers := make([]byte, c.window*33)
					for {
						n := min(int64(c.window), left.Add(-int64(c.window))+int64(c.window))
						if n <= 0 {
							return
						}
						go func() { _, _ = far.Write(requests[:int(n)*one]) }()
						if _, err := io.ReadFull(far, answers[:n*33]); err != nil {
							b.Error(err)
							return
						}
					}
				}()
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64(processCPU()-began)/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pdu/s")
		})
	}
}

func processCPU() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkWake is one Wake from outside and the Turn it ends in, one after the other.
func BenchmarkWake(b *testing.B) {
	var turns atomic.Int64
	e := start(b, Options{}, func(int) LoopHandler { return &hooks{turn: func(int64) { turns.Add(1) }} })
	b.ReportAllocs()
	for range b.N {
		n := turns.Load()
		e.Wake(0)
		for turns.Load() == n {
			runtime.Gosched()
		}
	}
}

// TestTurnAllocations: gnet allocates a closure and a queue node for each task. One task per turn is the price; a second one
// would show here.
func TestTurnAllocations(t *testing.T) {
	var turns atomic.Int64
	home := &responder{}
	e := start(t, Options{}, func(int) LoopHandler {
		return &hooks{turn: func(now int64) { home.Turn(now); turns.Add(1) }}
	})
	far := enroll(t, e, 0, &respondent{home: home}, "")
	request, answer := submitPDU(), make([]byte, 33)
	round := func() {
		send(t, far, request)
		if _, err := io.ReadFull(far, answer); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		round()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	first := turns.Load()
	for range 2_000 {
		round()
	}
	runtime.ReadMemStats(&after)
	n := turns.Load() - first
	per := float64(after.Mallocs-before.Mallocs) / float64(n)
	t.Logf("%.2f allocations, %.0f octets per turn", per, float64(after.TotalAlloc-before.TotalAlloc)/float64(n))
	if per > 3.5 {
		t.Errorf("%.2f allocations per turn", per)
	}
}
