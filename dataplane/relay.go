package dataplane

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"smsplane/dataplane/cluster"
	"smsplane/dataplane/transport"
)

// relays carry clients that bound here to the host that leads their lane. That host hears octets as if the client
// had dialled it: it admits the bind, answers it, and ends the session when it leads no more.
//
//	client ── TCP or TLS ──▶ this host ── TCP or mutual TLS, cluster's port ──▶ the host that leads
//
// Each client has a connection of its own between the hosts, so nothing is queued here: one buffer for each direction,
// and the pace of the slower side. A bind is relayed once: a host that leads the lane no more refuses it.
type relays struct {
	reach func(leader uint64) *cluster.Peer // the host with that id in raft groups, if it takes clients now; else nil

	mu   sync.Mutex
	open map[*relay]struct{}
	shut bool
}

// relay is one client on its way.
type relay struct {
	of     *relays
	lane   uint16
	leader uint64
	far    net.Conn
	near   net.Conn // nil as long as the bind is kept in the lobby
}

const (
	relayBuffer = 32 << 10
	relayStall  = 30 * time.Second       // for a side to take what the other said
	relayLinger = 2 * time.Second        // for the last words of a side when the other has ended
	relayMoved  = 500 * time.Millisecond // for those of a host that was deposed
)

var (
	errNoHost    = errors.New("the host that leads the lane is not reached, or takes no clients from others")
	errNoRelays  = errors.New("this host is stopping, or there is no quorum")
	errNotLeader = errors.New("no host is known to lead the lane")
)

// to opens a passage to the host that leads a lane.
func (r *relays) to(lane uint16, leader uint64, client netip.AddrPort) (transport.Passage, error) {
	if leader == 0 {
		return nil, errNotLeader
	}
	p := r.reach(leader)
	if p == nil {
		return nil, errNoHost
	}
	far, err := p.Relay(client)
	if err != nil {
		return nil, err
	}
	v := &relay{of: r, lane: lane, leader: leader, far: far}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shut {
		_ = far.Close()
		return nil, errNoRelays
	}
	r.open[v] = struct{}{}
	return v, nil
}

// moved ends what goes to a host that leads the lane no more. It has a moment to say so itself.
func (r *relays) moved(lane uint16, leader uint64) {
	r.each(func(v *relay) {
		if v.lane == lane && v.leader != leader {
			_ = v.far.SetReadDeadline(time.Now().Add(relayMoved))
		}
	})
}

// end closes every relay.
func (r *relays) end() { r.each((*relay).close) }

// stop takes no more clients; those that are here stay.
func (r *relays) stop() {
	r.mu.Lock()
	r.shut = true
	r.mu.Unlock()
}

func (r *relays) each(f func(v *relay)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for v := range r.open {
		f(v)
	}
}

// count is how many clients are relayed now.
func (r *relays) count() int {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.open)
}

// Carry implements transport.Passage.
func (v *relay) Carry(near net.Conn, first []byte) {
	v.of.mu.Lock()
	v.near = near
	v.of.mu.Unlock()
	defer v.Close()
	there := make(chan struct{})
	go func() {
		defer close(there)
		if v.say(v.far, first) == nil {
			v.pump(v.far, near)
		}
		leave(v.far)
	}()
	v.pump(near, v.far)
	leave(near)
	<-there
}

// pump carries one direction until it ends.
func (v *relay) pump(to, from net.Conn) {
	buf := make([]byte, relayBuffer)
	for {
		n, err := from.Read(buf)
		if n > 0 && v.say(to, buf[:n]) != nil || err != nil {
			return
		}
	}
}

func (v *relay) say(to net.Conn, b []byte) error {
	if err := to.SetWriteDeadline(time.Now().Add(relayStall)); err != nil {
		return err
	}
	_, err := to.Write(b)
	return err
}

// leave half-closes a side that gets nothing more, and waits for its last words so long.
func leave(c net.Conn) {
	_ = c.SetReadDeadline(time.Now().Add(relayLinger))
	if h, ok := c.(interface{ CloseWrite() error }); ok {
		_ = h.CloseWrite()
	}
}

// Close implements transport.Passage.
func (v *relay) Close() {
	v.of.mu.Lock()
	defer v.of.mu.Unlock()
	delete(v.of.open, v)
	v.close()
}

// close ends both sides; the relays are locked.
func (v *relay) close() {
	_ = v.far.Close()
	if v.near != nil {
		_ = v.near.Close()
	}
}
