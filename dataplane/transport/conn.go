package transport

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// ConnHandler is told of one connection. All methods run on its loop and must not block.
type ConnHandler interface {
	// Opened is first, once. The handler may keep c until Closed has returned.
	Opened(c *Conn, now int64)
	// Data brings the bytes of one read, split anywhere. b is valid during the call and may be overwritten by the callee.
	Data(c *Conn, now int64, b []byte)
	// Closed is last, once, in a turn after the connection ended. err says why: nil after Close or Abort, io.EOF when the peer
	// left, ErrSlow, ErrPanic, ErrClosed when the engine closed, else the system's error.
	Closed(c *Conn, now int64, err error)
}

// lingerFor bounds Close: the time for the peer to take the last bytes and to leave.
const lingerFor = 2 * time.Second

// Conn is a connection on a loop. Its methods belong to that loop, except Remote.
//
//	open ──Close──▶ leaving ──sent, peer left or 2 s──▶ ended ──▶ Closed
//	  └──Abort, peer left, error, slow, panic─────────────▶┘
type Conn struct {
	loop    *loop
	handler ConnHandler
	remote  netip.AddrPort
	after   func()      // runs after Closed; may be nil
	first   []byte      // for Data right after Opened
	secure  *secureConn // nil: plain TCP

	gnet    gnet.Conn // not to be used once ended: gnet reuses what is inside
	leaving bool
	ended   bool
	shut    bool  // our side is half-closed
	leaveBy int64 // unix ns, when leaving
	decided bool  // cause is final
	cause   error
}

// Remote is the peer's address; an IPv4 address is never mapped.
func (c *Conn) Remote() netip.AddrPort { return c.remote }

// Write sends b with one system call or, when the peer is behind, keeps a copy to send later. Call it at most once per turn.
// ErrClosed: not open any more, nothing was taken. ErrSlow: above HardLimit, reset. Other errors are the system's; the
// connection is at its end. Closed follows in each case, in a later turn.
func (c *Conn) Write(b []byte) error {
	if c.leaving || c.ended {
		return ErrClosed
	}
	if len(b) == 0 {
		return nil
	}
	if c.secure != nil {
		return c.seal(b)
	}
	return c.write(b)
}

// write gives octets to the kernel as they are.
func (c *Conn) write(b []byte) error {
	_, err := c.gnet.Write(b) // an error has run OnClose before it returns
	if c.ended {
		return c.cause
	}
	if err != nil {
		c.reset(err)
		return err
	}
	switch unsent := c.gnet.OutboundBuffered(); {
	case unsent == 0:
	case unsent > c.loop.engine.opts.HardLimit:
		c.loop.engine.slow.Add(1)
		c.reset(ErrSlow)
		return ErrSlow
	default:
		c.loop.engine.ticks.hurry() // somebody will look in Tick whether it went
	}
	return nil
}

// Unsent is the number of octets written that the kernel has not taken yet. Nobody is told when it falls: look again in Tick.
func (c *Conn) Unsent() int {
	if c.ended {
		return 0
	}
	return c.gnet.OutboundBuffered()
}

// Congested says that more than HighWater octets are unsent: give this peer nothing new.
func (c *Conn) Congested() bool { return c.Unsent() > c.loop.engine.opts.HighWater }

// Close ends the connection in order: what was written is sent, then our side is half-closed, so that the kernel does not
// throw the last answer away, and the peer has until 2 s after the call to leave. No Data comes any more, Write fails.
func (c *Conn) Close() {
	if c.leaving || c.ended {
		return
	}
	c.decide(nil)
	if c.secure != nil {
		if c.farewell(); c.ended {
			return
		}
	}
	c.leaving = true
	c.loop.engine.ticks.hurry()
	now := c.loop.engine.opts.Clock()
	c.leaveBy = now + int64(lingerFor)
	if c.leave(now) {
		c.loop.leaving = append(c.loop.leaving, c)
	}
}

// Abort ends the connection at once with a reset; unsent bytes are lost.
func (c *Conn) Abort() { c.reset(nil) }

// leave does the next step of a closing connection; false when it ended.
func (c *Conn) leave(now int64) bool {
	if c.ended {
		return false
	}
	unsent := c.gnet.OutboundBuffered() > 0
	if now >= c.leaveBy {
		if unsent {
			c.reset(nil)
		} else {
			c.end()
		}
		return false
	}
	if !unsent && !c.shut {
		c.shut = true
		if err := unix.Shutdown(c.gnet.Fd(), unix.SHUT_WR); err != nil {
			c.end()
			return false
		}
	}
	return true
}

// reset ends the connection with a RST.
func (c *Conn) reset(cause error) {
	if c.ended {
		return
	}
	c.decide(cause)
	_ = c.gnet.SetLinger(0)
	c.end()
}

// end closes the descriptor; gnet calls OnClose before it returns.
func (c *Conn) end() {
	if err := c.loop.gnet.Close(c.gnet); err != nil {
		c.loop.engine.opts.Logger.Warn("closing a connection", "remote", c.remote, "err", err)
	}
}

// decide fixes the reason that Closed will be told: the first one counts.
func (c *Conn) decide(cause error) {
	if !c.decided {
		c.decided, c.cause = true, cause
	}
}

// opened, data and bury call the handler and stand between its panics and the loop.

func (c *Conn) opened(now int64) {
	defer c.guard("Opened")
	c.handler.Opened(c, now)
	first := c.first
	c.first = nil
	if len(first) > 0 && !c.leaving && !c.ended {
		c.handler.Data(c, now, first)
	}
	if c.secure != nil {
		c.open(now, nil)
	}
}

func (c *Conn) data(now int64, b []byte) {
	if c.leaving || c.ended {
		return
	}
	defer c.guard("Data")
	if c.secure != nil {
		c.open(now, b)
		return
	}
	c.handler.Data(c, now, b)
}

func (c *Conn) bury(now int64) {
	defer func() {
		if c.after != nil {
			c.after()
		}
	}()
	defer c.guard("Closed")
	c.handler.Closed(c, now, c.cause)
}

// guard is deferred around a callback: a panic costs its connection, not the others.
func (c *Conn) guard(callback string) {
	p := recover()
	if p == nil {
		return
	}
	c.loop.engine.panicked(c.remote, callback, p)
	c.reset(ErrPanic)
}

// panicked counts a panic and logs it, at most one a minute: a poisonous PDU comes back with every reconnect.
func (e *Engine) panicked(remote netip.AddrPort, callback string, p any) {
	n := e.panics.Add(1)
	now, last := e.opts.Clock(), e.lastPanic.Load()
	if last != 0 && now-last < int64(time.Minute) || !e.lastPanic.CompareAndSwap(last, now) {
		return
	}
	e.opts.Logger.Error("a connection's callback panicked", "callback", callback, "remote", remote, "panic", fmt.Sprint(p), "panics", n, "stack", string(debug.Stack()))
}

// reason makes gnet's word for the end of a connection ours.
func reason(err error) error {
	switch {
	case err == nil:
		return ErrClosed // nobody but the engine's end closes without a reason of its own
	case errors.Is(err, io.EOF):
		return io.EOF
	}
	return err
}
