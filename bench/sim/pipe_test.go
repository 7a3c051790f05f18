package sim

import (
	"errors"
	"io"
	"time"
)

// end is one end of a simulated TCP connection. What it writes arrives at its peer in order, in pieces cut
// anywhere, after the network's delay. What is on its way when an end is reset may be lost.
type end struct {
	w       *world
	peer    *end
	link    bool     // a host's, with a carrier
	carrier *carrier // of a link
	host    *host    // whose the link is
	own     int      // its owner came to own the links for that many-th time
	open    bool     // nothing has ended it on this side
	at      int64    // arrival of the newest piece on its way to the peer

	data   func(b []byte)
	closed func(err error) // once, after everything that still arrived
}

var errReset = errors.New("connection reset by peer")

// connect makes a connection; both sides set data and closed before anything arrives.
func (w *world) connect() (a, b *end) {
	a, b = &end{w: w, open: true}, &end{w: w, open: true}
	a.peer, b.peer = b, a
	return a, b
}

// Write implements dataplane.Wire.
func (e *end) Write(b []byte) error {
	if !e.open {
		return io.ErrClosedPipe
	}
	if e.link && e.w.net != nil {
		e.w.sends(e, b)
	}
	for b = append([]byte(nil), b...); len(b) > 0; {
		n := len(b)
		if e.w.chance(10) {
			n = 1 + e.w.rng.IntN(n)
		}
		piece := b[:n:n]
		b = b[n:]
		e.later(func() {
			if e.peer.open {
				e.peer.data(piece)
			}
		})
	}
	return nil
}

// Congested implements dataplane.Wire.
func (e *end) Congested() bool { return false }

// Close implements dataplane.Wire: the peer reads to the end.
func (e *end) Close() { e.end(io.EOF, nil) }

// Abort implements dataplane.Wire: the peer is reset.
func (e *end) Abort() { e.end(errReset, nil) }

// end ends this side, whose owner is told ours, and the other, a little later, with theirs.
func (e *end) end(theirs, ours error) {
	if !e.open {
		return
	}
	e.open = false
	e.later(func() { e.peer.vanish(theirs) })
	e.w.after(0, func() { e.closed(ours) })
}

// vanish is how an end hears that the other is gone.
func (e *end) vanish(err error) {
	if e.open {
		e.open = false
		e.closed(err)
	}
}

// die is the end of a process: its owner hears nothing more, its peer of a reset, or, when the whole machine is
// gone, nothing until it asks.
func (e *end) die(silent bool) {
	if !e.open {
		e.data, e.closed = func([]byte) {}, func(error) {}
		return
	}
	e.open = false
	e.data, e.closed = func([]byte) {}, func(error) {}
	if silent {
		e.w.after(time.Duration(e.w.rng.Int64N(int64(20*time.Second))), func() { e.peer.vanish(errReset) })
		return
	}
	e.later(func() { e.peer.vanish(errReset) })
}

// later runs f at the peer, behind all that is on its way there.
func (e *end) later(f func()) {
	e.at = max(e.at, e.w.now+e.w.delay())
	e.w.schedule(e.at, f)
}
