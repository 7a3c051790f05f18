package transport

import (
	"io"
	"log/slog"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds how long a test waits for what must happen.
const patience = time.Minute

var quiet = slog.New(slog.DiscardHandler)

// eventually polls until ok, or fails the test.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	poll := time.NewTicker(100 * time.Microsecond)
	defer poll.Stop()
	for deadline := time.After(patience); !ok(); {
		select {
		case <-deadline:
			t.Fatalf("not in %v: %s", patience, what)
		case <-poll.C:
		}
	}
}

// receive takes from a channel, or fails the test.
func receive[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("not in %v: %s", patience, what)
		panic("unreachable")
	}
}

// hooks is a LoopHandler of functions; nil ones do nothing.
type hooks struct {
	turn, tick func(now int64)
}

func (h *hooks) Turn(now int64) {
	if h.turn != nil {
		h.turn(now)
	}
}

func (h *hooks) Tick(now int64) {
	if h.tick != nil {
		h.tick(now)
	}
}

func start(t testing.TB, o Options, h func(loop int) LoopHandler) *Engine {
	t.Helper()
	if h == nil {
		h = func(int) LoopHandler { return &hooks{} }
	}
	if o.Logger == nil {
		o.Logger = quiet
	}
	e, err := Start(o, h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// on runs f on the loop and waits for it.
func on(t testing.TB, e *Engine, loop int, f func()) {
	t.Helper()
	done := make(chan struct{})
	if !e.Post(loop, func() { f(); close(done) }) {
		t.Fatal("Post: engine closed")
	}
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("a posted function did not run")
	}
}

// pair is a connected pair of TCP sockets on loopback.
func pair(t testing.TB) (near, far *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return s.(*net.TCPConn), c.(*net.TCPConn)
}

// recorder is a ConnHandler that keeps what happened and runs functions on the way.
type recorder struct {
	onOpened, onClosed func(c *Conn)
	onData             func(c *Conn, b []byte)

	mu     sync.Mutex
	conn   *Conn
	opened int
	closed int
	err    error
	data   []byte
	loop   string // goroutine of Opened
	gone   chan struct{}
}

func newRecorder() *recorder { return &recorder{gone: make(chan struct{})} }

func (r *recorder) Opened(c *Conn, now int64) {
	r.mu.Lock()
	r.conn = c
	r.opened++
	r.loop = goroutine()
	r.mu.Unlock()
	if r.onOpened != nil {
		r.onOpened(c)
	}
}

func (r *recorder) Data(c *Conn, now int64, b []byte) {
	r.mu.Lock()
	r.data = append(r.data, b...)
	r.mu.Unlock()
	if r.onData != nil {
		r.onData(c, b)
	}
}

func (r *recorder) Closed(c *Conn, now int64, err error) {
	r.mu.Lock()
	r.closed++
	r.err = err
	if r.closed == 1 {
		close(r.gone)
	}
	r.mu.Unlock()
	if r.onClosed != nil {
		r.onClosed(c)
	}
}

func (r *recorder) got() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.data)
}

func (r *recorder) counts() (opened, closed int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.opened, r.closed, r.err
}

// goroutine is the number of the running goroutine.
func goroutine() string {
	var b [64]byte
	f := strings.Fields(string(b[:runtime.Stack(b[:], false)]))
	if _, err := strconv.Atoi(f[1]); err != nil {
		panic(err)
	}
	return f[1]
}

func enroll(t testing.TB, e *Engine, loop int, h ConnHandler, first string) *net.TCPConn {
	t.Helper()
	near, far := pair(t)
	if err := e.Enroll(near, loop, h, []byte(first)); err != nil {
		t.Fatal(err)
	}
	return far
}

func readAll(t testing.TB, c net.Conn) string {
	t.Helper()
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("read %d octets: %v", len(b), err)
	}
	return string(b)
}

func send(t testing.TB, c net.Conn, b []byte) {
	t.Helper()
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
}

// capturedLog is a logger and what it wrote; the stack is left out, as it repeats the words of the panic.
func capturedLog() (*slog.Logger, func() string) {
	var mu sync.Mutex
	var b strings.Builder
	h := slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return b.Write(p)
	}), &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == "stack" {
			return slog.Attr{}
		}
		return a
	}})
	return slog.New(h), func() string {
		mu.Lock()
		defer mu.Unlock()
		return b.String()
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
