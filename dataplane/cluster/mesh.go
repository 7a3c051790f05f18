package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Options of a Mesh. Self, Peers, Listener, Hello, Heard and Receive have no default.
type Options struct {
	Self     string
	Peers    map[string]string // address by name, without Self
	Listener net.Listener      // the mesh closes it
	Dial     func(ctx context.Context, address string) (net.Conn, error)
	Server   *tls.Config                                            // nil: plaintext
	Secure   func(c net.Conn, server *tls.Config) (net.Conn, error) // the server's side of a handshake; nil: crypto/tls
	Client   func(name string) (*tls.Config, error)                 // to dial a member

	Hello   func() *Hello                                         // what we say now
	Heard   func(h *Hello) error                                  // another said it; an error refuses its stream
	Receive func(from *Peer, k Kind, lane uint16, payload []byte) // in order for each peer; payload is the callee's
	Lost    func(to *Peer)                                        // a stream broke, and what was in it may be lost; may be nil
	Named   func(state tls.ConnectionState, name string) error    // is that the certificate of a member; may be nil
	Relayed func(from *Peer, c net.Conn, client netip.AddrPort)   // a client's octets come over c, which is the callee's; nil: refused
	Logger  *slog.Logger
}

// Times of a stream. A host that was cut off must be heard again soon, and one that hangs must not be waited for.
const (
	dialFor   = time.Second
	helloFor  = 2 * time.Second
	writeFor  = 2 * time.Second
	beatEvery = 500 * time.Millisecond
	silentFor = 3 * time.Second
	firstRest = 20 * time.Millisecond
	maxRest   = 500 * time.Millisecond
	strangers = 64 // connections without a hello
)

// Mesh keeps the streams to and from every other host.
type Mesh struct {
	o      Options
	peers  []*Peer
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	early  chan struct{}

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// Start listens and dials until Close.
func Start(o Options) *Mesh {
	if o.Dial == nil {
		o.Dial = dial
	}
	if o.Lost == nil {
		o.Lost = func(*Peer) {}
	}
	if o.Secure == nil {
		o.Secure = secure
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	m := &Mesh{o: o, early: make(chan struct{}, strangers), conns: map[net.Conn]struct{}{}}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	for name, address := range o.Peers {
		m.peers = append(m.peers, newPeer(m, name, address))
	}
	slices.SortFunc(m.peers, func(a, b *Peer) int { return compare(a.Name, b.Name) })
	m.wg.Go(m.accept)
	for _, p := range m.peers {
		m.wg.Go(p.run)
	}
	return m
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Close ends every stream and waits for its goroutines.
func (m *Mesh) Close() {
	m.cancel()
	_ = m.o.Listener.Close()
	m.mu.Lock()
	for c := range m.conns {
		_ = c.Close()
	}
	m.mu.Unlock()
	m.wg.Wait()
}

// Peers are the other hosts, by name.
func (m *Mesh) Peers() []*Peer {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.peers)
}

// Add begins to dial a host that was not known at the start.
func (m *Mesh) Add(name, address string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ctx.Err() != nil || slices.ContainsFunc(m.peers, func(p *Peer) bool { return p.Name == name }) {
		return
	}
	p := newPeer(m, name, address)
	m.peers = append(m.peers, p)
	m.wg.Go(p.run)
}

// Peer is the host of that name, nil for none.
func (m *Mesh) Peer(name string) *Peer {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.peers, func(p *Peer) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return m.peers[i]
}

// Announce says hello again to everybody: something in it has changed.
func (m *Mesh) Announce() {
	h := m.o.Hello().Encode()
	for _, p := range m.Peers() {
		p.Send(kindHello, 0, h)
	}
}

// hold notes an open connection, so that Close can end it; false when the mesh is closed.
func (m *Mesh) hold(c net.Conn) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ctx.Err() != nil {
		_ = c.Close()
		return false
	}
	m.conns[c] = struct{}{}
	return true
}

func (m *Mesh) drop(c net.Conn) {
	m.mu.Lock()
	delete(m.conns, c)
	m.mu.Unlock()
	_ = c.Close()
}

// release leaves an open connection to somebody else.
func (m *Mesh) release(c net.Conn) {
	m.mu.Lock()
	delete(m.conns, c)
	m.mu.Unlock()
}

func (m *Mesh) accept() {
	for rest := firstRest; ; {
		c, err := m.o.Listener.Accept()
		switch {
		case m.ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return
		case err != nil: // out of descriptors, mostly
			m.o.Logger.Warn("accepting from other hosts", "err", err)
			if !m.rest(rest) {
				return
			}
			rest = min(2*rest, maxRest)
			continue
		}
		rest = firstRest
		select {
		case m.early <- struct{}{}:
		default:
			_ = c.Close()
			continue
		}
		if m.hold(c) {
			m.wg.Go(func() { m.serve(c) })
		}
	}
}

// rest waits; false when the mesh closes.
func (m *Mesh) rest(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-m.ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// serve lives through a stream that another host dialled.
func (m *Mesh) serve(c net.Conn) {
	nc, r, p, client, err := m.welcome(c)
	<-m.early
	if err == nil && client.IsValid() {
		m.release(c)
		m.o.Relayed(p, nc, client)
		return
	}
	defer m.drop(c)
	if err != nil {
		if m.ctx.Err() == nil {
			m.o.Logger.Debug("a host was not let in", "from", c.RemoteAddr(), "err", err)
		}
		return
	}
	r.buffer()
	if old := p.hears(nc); old != nil {
		_ = old.Close()
	}
	err = m.listen(nc, r, p)
	p.deaf(nc, err)
}

// welcome takes the hello of who dialled, and answers it. A valid client says that its octets follow, and no frames.
func (m *Mesh) welcome(c net.Conn) (nc net.Conn, r *frameReader, p *Peer, client netip.AddrPort, err error) {
	nc = c
	if err = c.SetDeadline(time.Now().Add(helloFor)); err != nil {
		return
	}
	if m.o.Server != nil {
		if nc, err = m.o.Secure(c, m.o.Server); err != nil {
			return
		}
	}
	r = newFrameReader(nc)
	h, err := readHello(r)
	if err != nil {
		return
	}
	if h.Client != "" {
		if client, err = m.relayed(h); err != nil {
			_, _ = nc.Write(appendFrame(nil, kindRefuse, 0, []byte(err.Error())))
			return
		}
	}
	if err = m.check(nc, h); err != nil {
		_, _ = nc.Write(appendFrame(nil, kindRefuse, 0, []byte(err.Error())))
		if p = m.Peer(h.Name); p != nil {
			p.refused(err)
		}
		return
	}
	_, err = nc.Write(appendFrame(nil, kindHello, 0, m.o.Hello().Encode()))
	p = m.Peer(h.Name) // a member, or check had refused it
	if err == nil && p == nil {
		err = fmt.Errorf("%s: no address is known", h.Name)
	}
	if err == nil && client.IsValid() {
		err = c.SetDeadline(time.Time{})
	}
	return
}

// secure is the handshake of crypto/tls.
func secure(c net.Conn, server *tls.Config) (net.Conn, error) {
	s := tls.Server(c, server)
	return s, s.Handshake()
}

func (m *Mesh) check(c net.Conn, h *Hello) error {
	if t, ok := c.(interface{ ConnectionState() tls.ConnectionState }); ok && m.o.Named != nil {
		if err := m.o.Named(t.ConnectionState(), h.Name); err != nil {
			return err
		}
	}
	return m.o.Heard(h)
}

// errRefused is what the other host said against us.
type errRefused string

func (e errRefused) Error() string { return "refused: " + string(e) }

func readHello(r *frameReader) (*Hello, error) {
	k, _, payload, err := r.next()
	switch {
	case err != nil:
		return nil, err
	case k == kindRefuse:
		return nil, errRefused(payload)
	case k != kindHello:
		return nil, fmt.Errorf("frame of kind %d in the place of a hello", k)
	}
	return ParseHello(payload)
}

// listen hands frames up until the stream ends.
func (m *Mesh) listen(c net.Conn, r *frameReader, p *Peer) error {
	for {
		if err := c.SetDeadline(time.Now().Add(silentFor)); err != nil {
			return err
		}
		k, lane, payload, err := r.next()
		if err != nil {
			return err
		}
		switch k {
		case kindBeat:
		case kindHello:
			h, err := ParseHello(payload)
			if err == nil {
				err = m.check(c, h)
			}
			if err != nil {
				_, _ = c.Write(appendFrame(nil, kindRefuse, 0, []byte(err.Error())))
				p.refused(err)
				return err
			}
		default:
			m.o.Receive(p, k, lane, payload)
		}
	}
}
