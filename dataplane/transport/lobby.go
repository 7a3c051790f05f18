package transport

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"smsplane/dataplane/gate"
	"smsplane/pdu"
)

// LobbyOptions bound what connections may cost before they are bound: at most MaxPending × (a goroutine, a descriptor and
// 4 KiB).
type LobbyOptions struct {
	MaxPDU     int          // largest command_length that is not garbage, octets; 0: 70,000
	MaxPending int          // connections in the lobby, over all listeners; 0: 1,024
	Logger     *slog.Logger // nil: slog.Default()

	// Outbind hears of connections that begin with an outbind, and takes those it wants. From then on they are its own: the gate
	// counts them no more. On many goroutines. May be nil: none is wanted.
	Outbind func(o Outbind) (taken bool)

	// Bound hears how long a connection was in the lobby when a loop takes it: from accept, with the TLS handshake and the
	// time until its peer had sent a bind. On many goroutines. May be nil.
	Bound func(took time.Duration)
}

// Caller is who sent a bind.
type Caller struct {
	Remote netip.AddrPort
	Via    string // the host that relayed it; empty: it came to us
}

// Passage carries a client's octets to a host that answers its bind, and back.
type Passage interface {
	// Carry takes near over, sends first, and returns when either side has ended and both are closed.
	Carry(near net.Conn, first []byte)
	// Close is called instead of Carry when the client has left meanwhile.
	Close()
}

// Admission is the answer to a bind that was well formed.
type Admission struct {
	Status pdu.Status    // ROK: the connection goes to Handler on Loop; else bind_resp with it, then close
	Delay  time.Duration // the least time to hold a refusal back; failed credentials are held back by the gate anyway
	// SystemID, when it is not empty, is the body of a refusal, for peers that cannot do without one.
	SystemID string
	Loop     int
	Handler  ConnHandler // its Opened writes the bind_resp
	// Relay, when it is not nil, opens a passage to the host that is to answer instead of us, bind and all. An error refuses
	// the bind with ESME_RSYSERR.
	Relay func() (Passage, error)
	// Abandon is called instead of Opened when Status was ROK but the connection did not reach its loop. It gives back what the
	// admission took. May be nil.
	Abandon func()
}

// Admit decides on a bind. seq is the sequence_number for the bind_resp that Opened writes. It runs on a goroutine of the
// connection, many at a time, and may take its time over a password.
type Admit func(from Caller, b *pdu.Bind, seq uint32) Admission

// Lobby is where clients are until they are bound: accepted by our own listeners, admitted by the gate before a byte is read,
// under one deadline up to the bind PDU. Whatever is wrong before the bind stays here and reaches no loop.
type Lobby struct {
	engine *Engine
	gate   *gate.Gate
	opts   LobbyOptions
	admit  Admit

	mu        sync.Mutex
	closed    bool
	listeners map[net.Listener]struct{}
	waiting   map[net.Conn]struct{}
	visits    sync.WaitGroup
	done      chan struct{}

	counts lobbyCounts
}

type lobbyCounts struct {
	accepted, acceptErrors, denied, tooMany, tooManySource, full atomic.Uint64
	handshake, timeout, garbage, notBind, refused, bound, lost   atomic.Uint64
	relayed                                                      atomic.Uint64
	invited, outbound                                            atomic.Uint64
}

// LobbyStats count connections since the start. Each that was accepted or invited is still Pending or in exactly one of those
// below.
type LobbyStats struct {
	Accepted      uint64 // by the listeners
	Invited       uint64 // made by us, to peers who may bind over them
	AcceptErrors  uint64 // accepts that failed: descriptors, memory
	Denied        uint64 // by network
	TooMany       uint64 // connections in all
	TooManySource uint64 // connections of one source
	Full          uint64 // lobby full
	Handshake     uint64 // no TLS, or none that was good enough
	Timeout       uint64 // no bind in time
	Garbage       uint64 // command_length out of range
	NotBind       uint64 // another PDU than a bind
	Refused       uint64 // bind_resp with an error
	Bound         uint64 // on a loop
	Relayed       uint64 // carried to another host
	Outbound      uint64 // began with an outbind, and were taken
	Lost          uint64 // the peer left, we closed, or the loop could not take it
	Pending       int    // in the lobby now
}

// NewLobby makes a lobby without listeners.
func NewLobby(e *Engine, g *gate.Gate, o LobbyOptions, admit Admit) *Lobby {
	if o.MaxPDU <= 0 {
		o.MaxPDU = 70_000
	}
	if o.MaxPending <= 0 {
		o.MaxPending = 1_024
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Lobby{
		engine: e, gate: g, opts: o, admit: admit,
		listeners: make(map[net.Listener]struct{}),
		waiting:   make(map[net.Conn]struct{}),
		done:      make(chan struct{}),
	}
}

// Serve accepts on l until Close, then returns nil. Accepts that fail are tried again, more and more slowly up to a second: a
// process out of descriptors goes on serving those who are bound. Only a listener closed by somebody else is an error.
func (l *Lobby) Serve(ln net.Listener) error { return l.serve(ln, nil) }

// ServeTLS is Serve with a TLS handshake before the first PDU, within the same deadline. Handshakes in flight are bounded by
// MaxPending. What may change while we serve, such as certificates, goes into the configuration's callbacks.
func (l *Lobby) ServeTLS(ln net.Listener, c *tls.Config) error { return l.serve(ln, c) }

func (l *Lobby) serve(ln net.Listener, secure *tls.Config) error {
	if !l.listen(ln) {
		return ln.Close()
	}
	backoff := time.Duration(0)
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			backoff = 0
			l.counts.accepted.Add(1)
			l.receive(&visit{raw: nc, secure: secure, Caller: Caller{Remote: addrPort(nc.RemoteAddr())}})
			continue
		case l.isClosed():
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		}
		l.counts.acceptErrors.Add(1)
		if backoff == 0 {
			l.opts.Logger.Error("accept failed; trying again", "listener", ln.Addr(), "err", err)
		}
		backoff = min(max(2*backoff, 5*time.Millisecond), time.Second)
		l.pause(backoff)
	}
}

// Close stops the listeners and closes the connections that are not bound yet. It returns when none of them is left; bound
// connections are not touched.
func (l *Lobby) Close() {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.done)
		for ln := range l.listeners {
			_ = ln.Close()
		}
		for nc := range l.waiting {
			_ = nc.Close()
		}
	}
	l.mu.Unlock()
	l.visits.Wait()
}

// Stats may be called at any time.
func (l *Lobby) Stats() LobbyStats {
	l.mu.Lock()
	pending := len(l.waiting)
	l.mu.Unlock()
	c := &l.counts
	return LobbyStats{
		Accepted: c.accepted.Load(), Invited: c.invited.Load(), Outbound: c.outbound.Load(), AcceptErrors: c.acceptErrors.Load(),
		Denied: c.denied.Load(), TooMany: c.tooMany.Load(), TooManySource: c.tooManySource.Load(), Full: c.full.Load(),
		Handshake: c.handshake.Load(), Timeout: c.timeout.Load(), Garbage: c.garbage.Load(), NotBind: c.notBind.Load(), Refused: c.refused.Load(),
		Bound: c.bound.Load(), Relayed: c.relayed.Load(), Lost: c.lost.Load(), Pending: pending,
	}
}

func (l *Lobby) listen(ln net.Listener) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.listeners[ln] = struct{}{}
	return true
}

func (l *Lobby) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// pause sleeps unless the lobby closes.
func (l *Lobby) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.done:
	}
}

// Relayed takes a client that another host received: its octets come over nc, which is ours from now on.
func (l *Lobby) Relayed(nc net.Conn, from Caller) {
	l.counts.accepted.Add(1)
	l.receive(&visit{raw: nc, Caller: from})
}

// receive lets a connection in, or resets it.
func (l *Lobby) receive(v *visit) {
	nc := v.raw
	switch l.gate.Connect(v.Remote.Addr()) {
	case gate.Admitted:
	case gate.DeniedNetwork:
		turnAway(nc, &l.counts.denied)
		return
	case gate.TooManySource:
		turnAway(nc, &l.counts.tooManySource)
		return
	default:
		turnAway(nc, &l.counts.tooMany)
		return
	}
	if !l.enter(nc) {
		l.gate.Disconnect(v.Remote.Addr())
		turnAway(nc, &l.counts.full)
		return
	}
	v.lobby, v.nc = l, nc
	go v.run()
}

// turnAway resets instead of closing: who knocks too often should not fill our kernel with connections in TIME_WAIT.
func turnAway(nc net.Conn, count *atomic.Uint64) {
	if t, ok := nc.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = nc.Close()
	count.Add(1)
}

func (l *Lobby) enter(nc net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.waiting) >= l.opts.MaxPending {
		return false
	}
	l.waiting[nc] = struct{}{}
	l.visits.Add(1)
	return true
}

// leave ends a connection's time in the lobby; false when the lobby is closed and so is the connection.
func (l *Lobby) leave(nc net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiting, nc)
	return !l.closed
}
