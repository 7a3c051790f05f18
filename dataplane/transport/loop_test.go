package transport

import (
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestPlacement: a connection lives on the loop that was named, and so does everything posted there.
func TestPlacement(t *testing.T) {
	e := start(t, Options{Loops: 3}, nil)
	seen := make(map[string]int)
	for loop := range 3 {
		var home string
		on(t, e, loop, func() { home = goroutine() })
		seen[home] = loop
		for range 5 {
			r := newRecorder()
			enroll(t, e, loop, r, "")
			if r.loop != home {
				t.Errorf("loop %d: Opened on goroutine %s, the loop is %s", loop, r.loop, home)
			}
		}
	}
	if len(seen) != 3 {
		t.Errorf("3 loops on %d goroutines", len(seen))
	}
	if n := e.Stats().Connections; n != 15 {
		t.Errorf("%d connections, want 15", n)
	}
}

// TestTurnEndsTurns: data of many connections is answered by one Turn after their callbacks.
func TestTurnEndsTurns(t *testing.T) {
	var out []*Conn // on the loop
	h := &hooks{turn: func(int64) {
		for _, c := range out {
			_ = c.Write([]byte("pong"))
		}
		out = out[:0]
	}}
	e := start(t, Options{}, func(int) LoopHandler { return h })
	for range 20 {
		r := newRecorder()
		r.onData = func(c *Conn, b []byte) { out = append(out, c) }
		far := enroll(t, e, 0, r, "")
		send(t, far, []byte("ping"))
		b := make([]byte, 4)
		if _, err := far.Read(b); err != nil || string(b) != "pong" {
			t.Fatalf("%q, %v", b, err)
		}
		if r.got() != "ping" {
			t.Fatalf("data %q", r.got())
		}
	}
}

// TestWakeIsNeverLost: what became visible before a Wake is seen by a Turn, with many wakers that stop at any moment.
func TestWakeIsNeverLost(t *testing.T) {
	var work, seen atomic.Int64
	var turns int64
	h := &hooks{turn: func(int64) { seen.Add(work.Swap(0)); turns++ }}
	e := start(t, Options{}, func(int) LoopHandler { return h })
	e.ticks.stop() // a tick wakes, too, and would heal what is to be found
	rounds, wakers, each := 1_000, 4, 25
	if testing.Short() {
		rounds = 100
	}
	for round := range rounds {
		var wg sync.WaitGroup
		for range wakers {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for range each {
					work.Add(1)
					e.Wake(0)
				}
			}()
		}
		wg.Wait()
		want := int64((round + 1) * wakers * each)
		eventually(t, "all work seen", func() bool { return seen.Load() == want })
	}
	on(t, e, 0, func() {
		if wakes := int64(rounds * wakers * each); turns > wakes {
			t.Errorf("%d turns for %d wakes", turns, wakes)
		}
	})
}

// TestWakingDoesNotStarveReading: a loop that is woken as fast as it turns still reads.
func TestWakingDoesNotStarveReading(t *testing.T) {
	var e *Engine
	var busy atomic.Bool
	var turns atomic.Int64
	h := &hooks{turn: func(int64) {
		turns.Add(1)
		if busy.Load() {
			e.Wake(0)
		}
	}}
	e = start(t, Options{}, func(int) LoopHandler { return h })
	e.ticks.stop()
	r := newRecorder()
	var readAt atomic.Int64
	r.onData = func(*Conn, []byte) { readAt.Store(turns.Load()) }
	far := enroll(t, e, 0, r, "")
	busy.Store(true)
	e.Wake(0)
	eventually(t, "the loop turns by itself", func() bool { return turns.Load() > 10*maxStreak })
	send(t, far, []byte("hello"))
	sentAt := turns.Load()
	eventually(t, "data under constant waking", func() bool { return readAt.Load() > 0 })
	busy.Store(false)
	if n := readAt.Load() - sentAt; n > 10*maxStreak {
		t.Errorf("%d turns before the loop read", n)
	}
}

func TestTick(t *testing.T) {
	var ticks, turns atomic.Int64
	h := &hooks{tick: func(int64) { ticks.Add(1) }, turn: func(int64) { turns.Add(1) }}
	e := start(t, Options{Loops: 2}, func(int) LoopHandler { return h })
	eventually(t, "ticks, each with a turn", func() bool { return ticks.Load() >= 6 && turns.Load() >= ticks.Load() })
	e.Close()
	n := ticks.Load()
	e.Wake(0)
	runtime.Gosched()
	if ticks.Load() != n {
		t.Error("a tick after Close")
	}
}

// TestTicksSlowDown: an engine with little to do ticks slowly, and fast again when it has more.
func TestTicksSlowDown(t *testing.T) {
	e := start(t, Options{HardLimit: 1 << 30}, nil)
	slow := func() bool { return e.ticks.slow.Load() }
	eventually(t, "slow ticks", slow)
	on(t, e, 0, func() {})
	if !slow() {
		t.Error("one turn is no reason to hurry")
	}
	r := newRecorder()
	far := enroll(t, e, 0, r, "")
	if slow() {
		t.Error("slow after an enrolment")
	}
	for name, f := range map[string]func(){
		"many turns": func() {
			for range wakeUp {
				on(t, e, 0, func() {})
			}
		},
		"unsent": func() { on(t, e, 0, func() { _ = r.conn.Write(make([]byte, 8<<20)) }) },
	} {
		e.ticks.slow.Store(true)
		eventually(t, name+" hurries the ticks", func() bool { f(); return !slow() }) // a tick in between forgets turns
	}
	e.ticks.slow.Store(true)
	on(t, e, 0, func() { r.conn.Close() })
	if slow() {
		t.Error("slow after Close")
	}
	far.Close()
}

// TestWorked: what a loop does counts as work, what it waits does not.
func TestWorked(t *testing.T) {
	const work = 20 * time.Millisecond
	e := start(t, Options{}, nil)
	on(t, e, 0, func() { <-time.After(work) })
	eventually(t, "the work counts", func() bool { return e.Worked(0) >= work })
	r := newRecorder()
	r.onData = func(*Conn, []byte) { <-time.After(work) }
	far := enroll(t, e, 0, r, "")
	send(t, far, []byte("x"))
	eventually(t, "so does that of connections", func() bool { return e.Worked(0) >= 2*work })
	eventually(t, "a moment in which it waits", func() bool {
		before := e.Worked(0)
		<-time.After(work)
		return e.Worked(0)-before < work/2
	})
}

// TestClock: every callback is told the time of the clock that was given, which need not be the machine's.
func TestClock(t *testing.T) {
	const year = int64(365 * 24 * time.Hour)
	var clock atomic.Int64
	clock.Store(year)
	var told []int64 // on the loop, but for the last
	tell := func(now int64) { told = append(told, now) }
	e := start(t, Options{Clock: clock.Load}, func(int) LoopHandler { return &hooks{turn: tell, tick: tell} })
	c := &clocked{tell: tell, gone: make(chan struct{})}
	far := enroll(t, e, 0, c, "first")
	clock.Store(2 * year)
	send(t, far, []byte("second"))
	far.Close()
	receive(t, "the end of the connection", c.gone)
	e.Close()
	if len(told) < 4 {
		t.Fatalf("told %d times", len(told))
	}
	for _, now := range told {
		if now != year && now != 2*year {
			t.Fatalf("told %d", now)
		}
	}
}

// clocked passes the times on that it is told.
type clocked struct {
	tell func(now int64)
	gone chan struct{}
}

func (c *clocked) Opened(_ *Conn, now int64)          { c.tell(now) }
func (c *clocked) Data(_ *Conn, now int64, _ []byte)  { c.tell(now) }
func (c *clocked) Closed(_ *Conn, now int64, _ error) { c.tell(now); close(c.gone) }

func TestPost(t *testing.T) {
	var turns atomic.Int64
	e := start(t, Options{}, func(int) LoopHandler { return &hooks{turn: func(int64) { turns.Add(1) }} })
	var order []int
	for i := range 100 {
		e.Post(0, func() { order = append(order, i) })
	}
	on(t, e, 0, func() {
		for i, v := range order {
			if i != v {
				t.Fatalf("order %v", order)
			}
		}
		if len(order) != 100 {
			t.Errorf("%d of 100 ran", len(order))
		}
	})
	n := turns.Load()
	eventually(t, "a turn after a post", func() bool { return turns.Load() > n })
	e.Close()
	if e.Post(0, func() { t.Error("ran after Close") }) {
		t.Error("Post says yes after Close")
	}
	e.Close() // twice is harmless
}

func TestEnrollRefuses(t *testing.T) {
	e := start(t, Options{}, nil)
	r := newRecorder()
	a, b := net.Pipe()
	if err := e.Enroll(a, 0, r, nil); err == nil {
		t.Error("enrolled a pipe")
	}
	if _, err := b.Write([]byte{1}); err == nil {
		t.Error("the pipe is still open")
	}
	e.Close()
	near, far := pair(t)
	if err := e.Enroll(near, 0, r, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if got := readAll(t, far); got != "" {
		t.Errorf("got %q", got)
	}
	if n, m, _ := r.counts(); n != 0 || m != 0 {
		t.Errorf("handler called: %d opened, %d closed", n, m)
	}
}

// TestEngineCloseWhileInUse: wakers, posters and enrollers go on while the engine closes. Nothing hangs, nothing writes to a
// descriptor that is somebody else's by then, and what was opened is closed.
func TestEngineCloseWhileInUse(t *testing.T) {
	for range 3 {
		e := start(t, Options{Loops: 2}, nil)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		var opened, closed atomic.Int64
		run := func(f func()) {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for {
					select {
					case <-stop:
						return
					default:
						f()
					}
				}
			}()
		}
		run(func() { e.Wake(0) })
		run(func() { e.Post(1, func() {}) })
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		run(func() {
			c, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				return
			}
			defer c.Close()
			s, err := ln.Accept()
			if err != nil {
				return
			}
			r := newRecorder()
			r.onOpened = func(*Conn) { opened.Add(1) }
			r.onClosed = func(*Conn) { closed.Add(1) }
			_ = e.Enroll(s, 1, r, nil)
		})
		eventually(t, "some enrolled", func() bool { return opened.Load() > 5 })
		e.Close()
		close(stop)
		wg.Wait()
		ln.Close()
		if opened.Load() != closed.Load() {
			t.Fatalf("%d opened, %d closed", opened.Load(), closed.Load())
		}
	}
}
