package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
)

// secureConn is TLS over a TCP connection, first with blocking reads and writes and then inside a loop.
//
//	lobby, dialler   wire passes on to the socket; handshake and bind block under their deadlines
//	  └─ enlist ─▶   wire is memory: Read gives what the loop was given and then errDrained, Write fills loop.sealed
//
// crypto/tls needs no socket once the handshake is done: a net.Error that is Temporary is not kept, and the octets of a partial
// record stay inside until the rest has come. Only the handshake would keep such an error, which is why it never runs on a
// loop. TLS 1.3's later messages (tickets, key updates) are handled inside Read; renegotiation is refused by both sides.
//
// Nothing here is kept per connection besides what crypto/tls keeps itself: records are opened into the loop's plain and sealed
// into the loop's sealed, and both are empty again before a handler is called.
type secureConn struct {
	*tls.Conn
	wire *wire
}

// wire is what crypto/tls takes for the connection.
type wire struct {
	net.Conn
	loop *loop  // nil: not on a loop yet
	in   []byte // read by the loop and not taken by crypto/tls yet
}

// errDrained says that all octets of a read were taken. It is never seen outside this file.
var errDrained net.Error = drained{}

type drained struct{}

func (drained) Error() string   { return "transport: nothing to read now" }
func (drained) Timeout() bool   { return true }
func (drained) Temporary() bool { return true }

func (w *wire) Read(b []byte) (int, error) {
	if w.loop == nil {
		return w.Conn.Read(b)
	}
	if len(w.in) == 0 {
		return 0, errDrained
	}
	n := copy(b, w.in)
	w.in = w.in[n:]
	return n, nil
}

func (w *wire) Write(b []byte) (int, error) {
	if w.loop == nil {
		return w.Conn.Write(b)
	}
	w.loop.sealed = append(w.loop.sealed, b...)
	return len(b), nil
}

// maxPlain is the plaintext of the largest TLS record.
const maxPlain = 16 << 10

// keepSealed is how large the loop's buffer of sealed records may stay between two writes.
const keepSealed = 1 << 20

// SecureServer runs the server's side of a TLS handshake under the deadlines that stand on nc. What it returns can go to a
// loop, as a connection of the lobby can.
func SecureServer(nc net.Conn, c *tls.Config) (net.Conn, error) {
	s, err := secureServer(nc, c)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// secureServer runs the server's side of a handshake under the deadlines that stand on nc.
func secureServer(nc net.Conn, c *tls.Config) (*secureConn, error) {
	return secure(context.Background(), nc, c, tls.Server)
}

// secureClient runs the client's side of a handshake.
func secureClient(ctx context.Context, nc net.Conn, c *tls.Config) (*secureConn, error) {
	return secure(ctx, nc, c, tls.Client)
}

func secure(ctx context.Context, nc net.Conn, c *tls.Config, side func(net.Conn, *tls.Config) *tls.Conn) (*secureConn, error) {
	w := &wire{Conn: nc}
	s := &secureConn{Conn: side(w, c), wire: w}
	if err := s.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// CloseWrite says goodbye and half-closes, so that the peer reads our last words to their end.
func (s *secureConn) CloseWrite() error {
	err := s.Conn.CloseWrite()
	if t, ok := s.wire.Conn.(*net.TCPConn); ok {
		return errors.Join(err, t.CloseWrite())
	}
	return err
}

// enlist leaves the socket to the loop.
func (s *secureConn) enlist(l *loop) { s.wire.loop = l }

// open decrypts what came and hands it to the handler, record by record; b may be nil to look at what the handshake has read
// besides. It ends with the connection, too: what the peer sent before its close_notify still arrives.
func (c *Conn) open(now int64, b []byte) {
	s := c.secure
	s.wire.in = b
	defer func() { s.wire.in = nil }() // b is valid during the call only
	for !c.leaving && !c.ended {
		n, err := s.Read(c.loop.plain)
		if !c.emit() {
			return
		}
		if n > 0 {
			c.handler.Data(c, now, c.loop.plain[:n])
		}
		switch {
		case err == nil:
		case errors.Is(err, errDrained):
			return
		case errors.Is(err, io.EOF): // close_notify: the peer left
			c.decide(io.EOF)
			c.end()
		default:
			c.reset(err)
		}
	}
}

// seal encrypts b and writes it.
func (c *Conn) seal(b []byte) error {
	if _, err := c.secure.Write(b); err != nil {
		c.loop.sealed = c.loop.sealed[:0]
		c.reset(err)
		return err
	}
	return c.transmit()
}

// farewell sends close_notify behind what was written.
func (c *Conn) farewell() {
	_ = c.secure.Conn.CloseWrite() // it fails when the peer's alert ended the session, and then nobody waits for ours
	c.emit()
}

// emit writes what crypto/tls wanted written on its own; false when the connection ended by it.
func (c *Conn) emit() bool {
	if len(c.loop.sealed) == 0 {
		return !c.ended
	}
	return c.transmit() == nil
}

// transmit writes the sealed records.
func (c *Conn) transmit() error {
	l := c.loop
	out := l.sealed
	l.sealed = nil // nobody may append to it while it is being written
	err := c.write(out)
	if cap(out) <= keepSealed {
		l.sealed = out[:0]
	}
	return err
}
