package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"
)

// Options of an Engine. The zero value runs one loop.
type Options struct {
	Loops     int          // event loops; 0: 1
	HighWater int          // octets unsent on one connection above which Conn.Congested; 0: 1 MiB
	HardLimit int          // octets unsent on one connection above which it is reset; 0: 8 MiB, at least HighWater
	Logger    *slog.Logger // nil: slog.Default()

	// Clock is the now of all callbacks, unix ns. It must not step: a session whose clock leaps takes every answer for overdue, and one
	// whose clock is set back lets nothing pass its rate until that time has come again. nil: the machine's at the start, and what has
	// passed since.
	Clock func() int64
}

func (o Options) withDefaults() Options {
	if o.Loops <= 0 {
		o.Loops = 1
	}
	if o.HighWater <= 0 {
		o.HighWater = 1 << 20
	}
	if o.HardLimit <= 0 {
		o.HardLimit = 8 << 20
	}
	o.HardLimit = max(o.HardLimit, o.HighWater)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if start := time.Now(); o.Clock == nil {
		o.Clock = func() int64 { return start.UnixNano() + int64(time.Since(start)) }
	}
	return o
}

// LoopHandler is what a loop does besides its connections. Both methods run on the loop; a panic in them ends the process.
type LoopHandler interface {
	// Turn ends a turn: after the Data, Opened and Closed callbacks of one round, after Tick, and after Wake or Post.
	Turn(now int64)
	// Tick comes every 10 ms on a busy engine, and every 500 ms on one with less than 100 turns a second on each loop, nothing
	// unsent and nothing just enrolled. Ticks that a loop misses are not made up for. What must not wait so long calls Wake.
	Tick(now int64)
}

// bufferCap is gnet's read buffer per loop; larger was measured to gain nothing.
const bufferCap = 64 << 10

var (
	// ErrClosed: the connection or the engine is closed.
	ErrClosed = errors.New("transport: closed")
	// ErrSlow: the peer left more than HardLimit octets unread; the connection was reset.
	ErrSlow = errors.New("transport: peer does not read")
	// ErrPanic: a callback of the connection panicked; the connection was reset.
	ErrPanic = errors.New("transport: callback panicked")
)

// Engine owns the loops. All its methods may be called from any goroutine; Enroll and Close not from a loop.
type Engine struct {
	opts   Options
	client *gnet.Client
	loops  []*loop

	// closing keeps Trigger away from pollers whose descriptors are closed and perhaps reused: held for reading around each
	// hand-over from outside a loop, never while waiting for one.
	closing sync.RWMutex
	closed  bool
	// enrolling is held for reading as long as an Enroll waits for its loop, so that none is left waiting for one that ended.
	enrolling sync.RWMutex
	ended     bool

	ticks ticker

	connections atomic.Int64
	panics      atomic.Uint64
	slow        atomic.Uint64
	lastPanic   atomic.Int64 // unix ns of the last logged one
}

// Stats are the engine's counts since its start.
type Stats struct {
	Connections int    // open now
	Panics      uint64 // callbacks of connections that panicked
	Slow        uint64 // connections reset because HardLimit octets were unsent
}

// Start runs the loops. h is called once per loop, before any loop runs. Errors are the environment's: no descriptors left.
func Start(o Options, h func(loop int) LoopHandler) (*Engine, error) {
	o = o.withDefaults()
	e := &Engine{opts: o, ticks: ticker{timer: time.NewTicker(tickEvery)}}
	for i := range o.Loops {
		e.loops = append(e.loops, newLoop(e, i, h(i)))
	}
	client, err := gnet.NewClient(events{e: e},
		gnet.WithNumEventLoop(o.Loops),
		gnet.WithReadBufferCap(bufferCap),
		gnet.WithWriteBufferCap(bufferCap),
		gnet.WithLogger(gnetLogger{o.Logger}))
	if err != nil {
		return nil, fmt.Errorf("transport: make loops: %w", err)
	}
	e.client = client
	if err := client.Start(); err != nil {
		return nil, fmt.Errorf("transport: start loops: %w", err)
	}
	if err := e.capture(); err != nil {
		_ = client.Stop()
		return nil, err
	}
	e.ticks.start(e.loops)
	return e, nil
}

// Loops is the number of loops.
func (e *Engine) Loops() int { return len(e.loops) }

// Stats may be called at any time.
func (e *Engine) Stats() Stats {
	return Stats{Connections: int(e.connections.Load()), Panics: e.panics.Load(), Slow: e.slow.Load()}
}

// Worked is how long a loop was at work since the start: from the first event of a round, or a wake-up, to the end of the turn. What
// the kernel took to wake it and to read the first octets is not in it.
func (e *Engine) Worked(loop int) time.Duration { return time.Duration(e.loops[loop].worked.Load()) }

// Wake makes the loop run one Turn that begins after the call. Many calls before it begins are one.
func (e *Engine) Wake(loop int) { e.loops[loop].wake() }

// Post runs f on the loop, then Turn; false when the engine is closed and f will not run. It allocates: for the cold path.
func (e *Engine) Post(loop int, f func()) bool { return e.loops[loop].post(f) }

// Hurry keeps ticks coming every 10 ms for a second at least: somebody on a loop waits for one to go on.
func (e *Engine) Hurry() { e.ticks.hurry() }

// Enroll puts a connected TCP connection, or one that DialBind made with TLS, on a loop. Opened and then Data(first), unless first is empty, have run when it
// returns nil. The engine owns nc from the call on; when Enroll fails nc is closed and h was not called. first is not kept.
func (e *Engine) Enroll(nc net.Conn, loop int, h ConnHandler, first []byte) error {
	return e.enroll(nc, addrPort(nc.RemoteAddr()), loop, h, first, nil)
}

// enroll is Enroll with the address of whom the peer speaks for, and a function that runs on the loop after Closed.
func (e *Engine) enroll(nc net.Conn, remote netip.AddrPort, loop int, h ConnHandler, first []byte, after func()) error {
	s, _ := nc.(*secureConn)
	if s != nil {
		nc = s.wire.Conn
	}
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		_ = nc.Close()
		return fmt.Errorf("transport: enroll %T: only TCP", nc)
	}
	e.enrolling.RLock()
	defer e.enrolling.RUnlock()
	if e.ended {
		_ = nc.Close()
		return ErrClosed
	}
	_ = tcp.SetNoDelay(true)
	_ = tcp.SetKeepAliveConfig(keepAlive)
	l := e.loops[loop]
	c := &Conn{loop: l, handler: h, remote: remote, first: first, after: after, secure: s}
	if s != nil {
		s.enlist(l)
	}
	done, err := l.gnet.Enroll(gnet.NewContext(context.Background(), c), nc)
	if err != nil {
		_ = nc.Close()
		return fmt.Errorf("transport: enroll %v: %w", c.remote, err)
	}
	if r := <-done; r.Err != nil {
		return fmt.Errorf("transport: enroll %v: %w", c.remote, r.Err)
	}
	if c.gnet == nil { // gnet keeps a failed epoll_ctl to itself; OnOpen has run before the result, or never will
		return fmt.Errorf("transport: enroll %v: loop refused the descriptor", c.remote)
	}
	return nil
}

// Close ends the loops. Connections that are still open are closed with ErrClosed at once; their Closed callbacks that were
// not yet called run before Close returns, on the caller's goroutine. Wake and Post do nothing afterwards.
func (e *Engine) Close() {
	e.enrolling.Lock()
	first := !e.ended
	e.ended = true
	e.enrolling.Unlock()
	if !first {
		return
	}
	e.ticks.stop()
	e.closing.Lock()
	e.closed = true
	e.closing.Unlock()
	if err := e.client.Stop(); err != nil {
		e.opts.Logger.Error("a loop ended with an error", "err", err)
	}
	for _, l := range e.loops {
		l.bury(e.opts.Clock())
	}
}

var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
