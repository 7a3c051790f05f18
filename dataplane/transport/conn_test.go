package transport

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

func TestFirstBytesComeFirst(t *testing.T) {
	e := start(t, Options{}, nil)
	r := newRecorder()
	far := enroll(t, e, 0, r, "one ")
	if r.got() != "one " {
		t.Fatalf("after Enroll: %q", r.got())
	}
	send(t, far, []byte("two"))
	eventually(t, "both", func() bool { return r.got() == "one two" })
}

func TestRemote(t *testing.T) {
	e := start(t, Options{}, nil)
	r := newRecorder()
	far := enroll(t, e, 0, r, "")
	if got, want := r.conn.Remote().String(), far.LocalAddr().String(); got != want {
		t.Errorf("remote %s, want %s", got, want)
	}
}

// TestCloseSendsAll: the peer gets everything written before Close, then the end, although it reads late and had sent more.
func TestCloseSendsAll(t *testing.T) {
	e := start(t, Options{HardLimit: 64 << 20}, nil)
	want := strings.Repeat("0123456789abcdef", 2<<20) // 32 MiB: more than the kernel takes
	r := newRecorder()
	r.onData = func(c *Conn, b []byte) {
		if err := c.Write([]byte(want)); err != nil {
			t.Error(err)
		}
		if c.Unsent() == 0 {
			t.Error("the kernel took all at once: the test tests nothing")
		}
		c.Close()
		c.Close()
		if err := c.Write([]byte("more")); !errors.Is(err, ErrClosed) {
			t.Errorf("write after Close: %v", err)
		}
	}
	far := enroll(t, e, 0, r, "")
	send(t, far, []byte("go"))
	eventually(t, "the request", func() bool { return r.got() == "go" })
	send(t, far, []byte("ignored"))
	if got := readAll(t, far); got != want {
		t.Fatalf("%d octets, want %d", len(got), len(want))
	}
	far.Close()
	receive(t, "Closed", r.gone)
	if _, _, err := r.counts(); err != nil {
		t.Errorf("Closed with %v after Close", err)
	}
	if r.got() != "go" {
		t.Errorf("data after Close: %q", r.got())
	}
}

// TestCloseIsBounded: a peer that neither reads nor leaves is gone when the time is over.
func TestCloseIsBounded(t *testing.T) {
	for name, size := range map[string]int{"nothing unsent": 4, "much unsent": 32 << 20} {
		t.Run(name, func(t *testing.T) {
			e := start(t, Options{HardLimit: 64 << 20}, nil)
			r := newRecorder()
			far := enroll(t, e, 0, r, "")
			on(t, e, 0, func() {
				_ = r.conn.Write(make([]byte, size))
				r.conn.Close()
				if left := r.conn.leaveBy; left <= 0 {
					t.Error("no bound")
				}
				r.conn.leaveBy = 1 // long ago: the clock is the loop's
			})
			receive(t, "Closed", r.gone)
			if _, _, err := r.counts(); err != nil {
				t.Error(err)
			}
			_, err := io.Copy(io.Discard, far)
			if reset := errors.Is(err, syscall.ECONNRESET); reset != (size > 4) {
				t.Errorf("the peer saw %v", err)
			}
			on(t, e, 0, func() {
				if n := len(e.loops[0].leaving); n != 0 {
					t.Errorf("%d connections still leaving", n)
				}
			})
		})
	}
}

func TestAbortResets(t *testing.T) {
	e := start(t, Options{}, nil)
	r := newRecorder()
	far := enroll(t, e, 0, r, "")
	on(t, e, 0, func() {
		r.conn.Abort()
		r.conn.Abort()
		if n, m, _ := r.counts(); n != 1 || m != 0 {
			t.Error("Closed from inside Abort")
		}
		if r.conn.Unsent() != 0 || r.conn.Write([]byte("x")) == nil {
			t.Error("still open after Abort")
		}
	})
	receive(t, "Closed", r.gone)
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the peer saw %v, want a reset", err)
	}
	if _, _, err := r.counts(); err != nil {
		t.Errorf("Closed with %v", err)
	}
}

// TestSlowReader: unsent octets are told, and past the limit the connection is reset, once, from Write.
func TestSlowReader(t *testing.T) {
	var r *recorder
	var congested, failed atomic.Int64
	var e *Engine
	h := &hooks{turn: func(int64) {
		if r == nil || r.conn == nil || failed.Load() > 0 {
			return
		}
		switch err := r.conn.Write(make([]byte, 64<<10)); {
		case errors.Is(err, ErrSlow):
			failed.Add(1)
		case err != nil:
			t.Error(err)
			failed.Add(1)
		case r.conn.Congested():
			congested.Add(1)
			if r.conn.Unsent() <= 256<<10 {
				t.Errorf("congested with %d unsent", r.conn.Unsent())
			}
		}
		e.Wake(0)
	}}
	e = start(t, Options{HighWater: 256 << 10, HardLimit: 1 << 20}, func(int) LoopHandler { return h })
	rec := newRecorder()
	enroll(t, e, 0, rec, "")
	other := newRecorder()
	otherFar := enroll(t, e, 0, other, "")
	on(t, e, 0, func() { r = rec })
	e.Wake(0)
	receive(t, "Closed", rec.gone)
	if _, n, err := rec.counts(); n != 1 || !errors.Is(err, ErrSlow) {
		t.Errorf("closed %d times with %v", n, err)
	}
	if congested.Load() == 0 || failed.Load() != 1 || e.Stats().Slow != 1 {
		t.Errorf("congested %d, failed %d, slow %d", congested.Load(), failed.Load(), e.Stats().Slow)
	}
	send(t, otherFar, []byte("alive"))
	eventually(t, "the other connection lives", func() bool { return other.got() == "alive" })
}

// TestUnsentFalls: a congested peer that reads again is told by Unsent.
func TestUnsentFalls(t *testing.T) {
	e := start(t, Options{HighWater: 1, HardLimit: 64 << 20}, nil)
	r := newRecorder()
	far := enroll(t, e, 0, r, "")
	const size = 32 << 20
	on(t, e, 0, func() {
		if err := r.conn.Write(make([]byte, size)); err != nil || !r.conn.Congested() {
			t.Errorf("%v, %d unsent", err, r.conn.Unsent())
		}
	})
	if _, err := io.CopyN(io.Discard, far, size); err != nil {
		t.Fatal(err)
	}
	on(t, e, 0, func() {
		if r.conn.Congested() {
			t.Errorf("%d unsent", r.conn.Unsent())
		}
	})
}

// TestClosedOncePerOpened ends connections in every way there is, many at a time, on two loops.
func TestClosedOncePerOpened(t *testing.T) {
	type ending struct {
		want    error // nil: anything
		exactly bool  // want is exact, nil included
		do      func(t *testing.T, e *Engine, r *recorder, far *net.TCPConn, loop int)
	}
	boom := func(*Conn) { panic("boom") }
	onLoop := func(f func(c *Conn)) func(*testing.T, *Engine, *recorder, *net.TCPConn, int) {
		return func(t *testing.T, e *Engine, r *recorder, far *net.TCPConn, loop int) {
			on(t, e, loop, func() { f(r.conn) })
		}
	}
	endings := map[string]ending{
		"peer leaves": {io.EOF, true, func(_ *testing.T, _ *Engine, _ *recorder, far *net.TCPConn, _ int) { far.Close() }},
		"peer resets": {syscall.ECONNRESET, true, func(_ *testing.T, _ *Engine, _ *recorder, far *net.TCPConn, _ int) {
			_ = far.SetLinger(0)
			far.Close()
		}},
		"close": {nil, true, func(t *testing.T, e *Engine, r *recorder, far *net.TCPConn, loop int) {
			on(t, e, loop, func() { r.conn.Close() })
			far.Close()
		}},
		"abort":            {nil, true, onLoop(func(c *Conn) { c.Abort() })},
		"close then abort": {nil, true, onLoop(func(c *Conn) { c.Close(); c.Abort(); c.Close() })},
		"abort in data": {nil, true, func(t *testing.T, e *Engine, r *recorder, far *net.TCPConn, loop int) {
			send(t, far, []byte("abort"))
		}},
		"panic in data": {ErrPanic, true, func(t *testing.T, e *Engine, r *recorder, far *net.TCPConn, loop int) {
			send(t, far, []byte("panic"))
		}},
		"panic in closed": {nil, true, func(t *testing.T, e *Engine, r *recorder, far *net.TCPConn, loop int) {
			on(t, e, loop, func() { r.onClosed = boom; r.conn.Abort() })
		}},
		"write error": {nil, false, func(t *testing.T, e *Engine, r *recorder, far *net.TCPConn, loop int) {
			blocked := make(chan struct{})
			e.Post(loop, func() { // the loop cannot see the reset before it writes
				<-blocked
				for r.conn.Write([]byte("x")) == nil {
				}
			})
			_ = far.SetLinger(0)
			far.Close()
			close(blocked)
		}},
		"engine closes": {ErrClosed, true, func(*testing.T, *Engine, *recorder, *net.TCPConn, int) {}},
	}
	e := start(t, Options{Loops: 2}, nil)
	type running struct {
		name string
		ending
		r *recorder
	}
	var all []running
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		for name, end := range endings {
			r, loop := newRecorder(), rnd.IntN(2)
			r.onData = func(c *Conn, b []byte) {
				if bytes.Equal(b, []byte("panic")) {
					panic("boom")
				}
				c.Abort()
			}
			far := enroll(t, e, loop, r, "")
			end.do(t, e, r, far, loop)
			all = append(all, running{name, end, r})
		}
		early := newRecorder()
		early.onOpened = boom
		enroll(t, e, 0, early, "never seen")
		all = append(all, running{"panic in opened", ending{want: ErrPanic, exactly: true}, early})
		if early.got() != "" {
			t.Error("data after a panic in Opened")
		}
	}
	for _, r := range all {
		if r.name != "engine closes" {
			receive(t, r.name, r.r.gone)
		}
	}
	e.Close()
	for _, r := range all {
		opened, closed, err := r.r.counts()
		if opened != 1 || closed != 1 {
			t.Errorf("%s: opened %d times, closed %d times", r.name, opened, closed)
		}
		if r.exactly && !errors.Is(err, r.want) || !r.exactly && err == nil {
			t.Errorf("%s: closed with %v, want %v", r.name, err, r.want)
		}
	}
	if s := e.Stats(); s.Panics != 60 || s.Connections != 0 {
		t.Errorf("%d panics, want 60; %d connections", s.Panics, s.Connections)
	}
}

// TestPanicIsLoggedOnce: and the connections beside it live.
func TestPanicIsLoggedOnce(t *testing.T) {
	log, out := capturedLog()
	e := start(t, Options{Logger: log}, nil)
	good := newRecorder()
	goodFar := enroll(t, e, 0, good, "")
	for range 5 {
		bad := newRecorder()
		bad.onData = func(*Conn, []byte) { panic("poison") }
		far := enroll(t, e, 0, bad, "")
		send(t, far, []byte("x"))
		receive(t, "Closed", bad.gone)
	}
	send(t, goodFar, []byte("alive"))
	eventually(t, "the others live", func() bool { return good.got() == "alive" })
	if n := strings.Count(out(), "poison"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, out())
	}
	if n := e.Stats().Panics; n != 5 {
		t.Errorf("%d panics counted, want 5", n)
	}
}
