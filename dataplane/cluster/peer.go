package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxWaiting bounds what waits for one peer, in octets.
const maxWaiting = 32 << 20

// Peer is another host: the stream to it, and what is known of the one from it.
type Peer struct {
	Name    string
	Address string
	m       *Mesh
	bell    chan struct{}
	lost    atomic.Uint64

	mu     sync.Mutex
	up     bool
	out    []byte
	spare  []byte
	in     net.Conn
	reason string // why one of the streams is down
	since  time.Time
}

// PeerStatus is how the streams to and from a host are.
type PeerStatus struct {
	Name, Address string
	Sending       bool // our stream to it is up
	Hearing       bool // its stream to us is
	Since         time.Time
	Reason        string // of the last trouble; empty while both are up
	Waiting       int    // octets
	Lost          uint64 // frames that found no room, or no stream
}

func newPeer(m *Mesh, name, address string) *Peer {
	return &Peer{Name: name, Address: address, m: m, bell: make(chan struct{}, 1), since: time.Now()}
}

// Send queues a frame whose payload comes in parts, which are copied; false when it is lost.
func (p *Peer) Send(k Kind, lane uint16, parts ...[]byte) bool {
	p.mu.Lock()
	if !p.up || len(p.out) > maxWaiting {
		p.mu.Unlock()
		p.lost.Add(1)
		return false
	}
	empty := len(p.out) == 0
	p.out = appendFrame(p.out, k, lane, parts...)
	p.mu.Unlock()
	if empty {
		select {
		case p.bell <- struct{}{}:
		default:
		}
	}
	return true
}

// Up says whether frames can be sent.
func (p *Peer) Up() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.up
}

// Status may be asked by any goroutine.
func (p *Peer) Status() PeerStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := PeerStatus{Name: p.Name, Address: p.Address, Sending: p.up, Hearing: p.in != nil, Since: p.since, Reason: p.reason, Waiting: len(p.out), Lost: p.lost.Load()}
	if s.Sending && s.Hearing {
		s.Reason = ""
	}
	return s
}

// run dials and sends until the mesh closes.
func (p *Peer) run() {
	rest := firstRest
	for p.m.ctx.Err() == nil {
		began := time.Now()
		err := p.stream()
		if p.m.ctx.Err() != nil {
			return
		}
		p.down(err)
		if time.Since(began) > time.Second {
			rest = firstRest
		}
		if !p.m.rest(rest) {
			return
		}
		rest = min(2*rest, maxRest)
	}
}

// stream dials once and lives through the connection.
func (p *Peer) stream() error {
	m := p.m
	c, nc, r, err := p.dial(m.o.Hello())
	if err != nil {
		return err
	}
	defer m.drop(c)
	p.rise()
	p.Send(kindHello, 0, m.o.Hello().Encode()) // what changed since the first one found no stream
	ended := make(chan struct{})
	var end error
	m.wg.Go(func() { // the other end says nothing more, unless it refuses
		_, end = readHello(r)
		close(ended)
	})
	err = p.write(nc, ended)
	p.fall()
	m.o.Lost(p)
	<-ended
	if refused := errRefused(""); errors.As(end, &refused) {
		err = end
	}
	return err
}

// dial connects to the host and exchanges hellos. c is held until it is dropped or released; nc is c, or TLS over it.
func (p *Peer) dial(h *Hello) (c, nc net.Conn, r *frameReader, err error) {
	m := p.m
	ctx, cancel := context.WithTimeout(m.ctx, dialFor)
	defer cancel()
	if c, err = m.o.Dial(ctx, p.Address); err != nil {
		return nil, nil, nil, err
	}
	if !m.hold(c) {
		return nil, nil, nil, net.ErrClosed
	}
	nc = c
	if m.o.Client != nil {
		var secure *tls.Config
		if secure, err = m.o.Client(p.Name); err == nil {
			nc = tls.Client(c, secure)
		}
	}
	if err == nil {
		r, err = p.introduce(nc, h)
	}
	if err != nil {
		m.drop(c)
		return nil, nil, nil, err
	}
	return c, nc, r, nil
}

// introduce says hello and takes the other's.
func (p *Peer) introduce(c net.Conn, mine *Hello) (*frameReader, error) {
	m := p.m
	if err := c.SetDeadline(time.Now().Add(helloFor)); err != nil {
		return nil, err
	}
	if _, err := c.Write(appendFrame(nil, kindHello, 0, mine.Encode())); err != nil {
		return nil, err
	}
	r := newFrameReader(c)
	h, err := readHello(r)
	if err != nil {
		return nil, err
	}
	if h.Name != p.Name {
		return nil, errors.New(p.Address + " is " + h.Name)
	}
	if err := m.check(c, h); err != nil {
		return nil, err
	}
	return r, c.SetDeadline(time.Time{})
}

// write sends what is queued, and a beat when nothing is; it returns with the connection closed.
func (p *Peer) write(c net.Conn, ended <-chan struct{}) error {
	defer c.Close()
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for {
		b := p.take()
		if len(b) == 0 {
			select {
			case <-p.bell:
				continue
			case <-p.m.ctx.Done():
				return p.m.ctx.Err()
			case <-ended:
				return errEnded
			case <-beat.C:
				b = appendFrame(b, kindBeat, 0)
			}
		}
		if err := c.SetWriteDeadline(time.Now().Add(writeFor)); err != nil {
			return err
		}
		if _, err := c.Write(b); err != nil {
			return err
		}
		p.give(b)
	}
}

var errEnded = errors.New("the other end closed the stream")

// take swaps the queue for an empty one.
func (p *Peer) take() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.out
	p.out, p.spare = p.spare[:0], nil
	return b
}

// give hands a buffer back.
func (p *Peer) give(b []byte) {
	if cap(b) > 4<<20 { // of a rare peak
		return
	}
	p.mu.Lock()
	p.spare = b[:0]
	p.mu.Unlock()
}

func (p *Peer) rise() {
	p.mu.Lock()
	p.up, p.out, p.since, p.reason = true, p.out[:0], time.Now(), ""
	p.mu.Unlock()
	p.m.o.Logger.Info("a host is reached", "host", p.Name, "address", p.Address)
}

func (p *Peer) fall() {
	p.mu.Lock()
	p.up, p.out, p.since = false, nil, time.Now()
	p.mu.Unlock()
}

// down tells why there is no stream, once for each reason.
func (p *Peer) down(err error) {
	p.mu.Lock()
	again := p.reason == err.Error()
	p.reason = err.Error()
	p.mu.Unlock()
	if !again {
		p.m.o.Logger.Warn("a host is not reached", "host", p.Name, "address", p.Address, "err", err)
	}
}

// refused notes that the host came and was sent away.
func (p *Peer) refused(err error) {
	p.mu.Lock()
	again := p.reason == err.Error()
	p.reason = err.Error()
	p.mu.Unlock()
	if !again {
		p.m.o.Logger.Error("a host is refused", "host", p.Name, "err", err)
	}
}

// hears notes the newest stream from the host and returns the one it takes the place of.
func (p *Peer) hears(c net.Conn) (old net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old, p.in = p.in, c
	return old
}

func (p *Peer) deaf(c net.Conn, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.in == c {
		p.in = nil
		p.reason = "no stream from it: " + err.Error()
	}
}

// dial connects; the kernel gives up when nothing is acknowledged for as long as a write may take, also in
// between, so that a host behind a cut is dialled anew.
func dial(ctx context.Context, address string) (net.Conn, error) {
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
		e := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(writeFor/time.Millisecond))
		})
		return errors.Join(e, err)
	}}
	return d.DialContext(ctx, "tcp", address)
}
