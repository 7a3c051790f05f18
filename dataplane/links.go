package dataplane

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"smsplane/dataplane/admin"
	"smsplane/dataplane/transport"
	"smsplane/egress"
	"smsplane/ledger/catalog"
	"smsplane/pdu"
	"smsplane/pdu/session"
	"smsplane/router"
)

// links keeps the sessions that the catalog declares. Each has a goroutine that dials, binds, hands the
// connection to a loop, and waits for its end.
type links struct {
	log    *slog.Logger
	x      *executor
	engine *transport.Engine
	loops  []*loop
	ids    *atomic.Uint32
	clock  func() int64

	mu     sync.Mutex
	keep   map[linkKey]*keptLink
	closed bool
	kill   <-chan struct{} // closed when nobody is waited for any more
	wg     sync.WaitGroup
}

type linkKey struct {
	carrier string
	index   int
}

// keptLink is one link of the catalog and the keepers of its sessions.
type keptLink struct {
	link    *link
	number  uint16
	keepers []*keeper
}

// keeper keeps one session.
type keeper struct {
	links  *links
	link   *link
	number uint16 // of the carrier
	slot   int
	cancel context.CancelFunc
	pick   *rand.Rand

	mu      sync.Mutex
	state   string
	reason  string
	address string
	since   time.Time
	session uint32
}

const (
	linkDialling  = "dialling"
	linkWaiting   = "waiting"
	linkRefused   = "refused"
	linkUnbinding = "unbinding"

	unbindGrace = 3 * time.Second
	dialTimeout = 10 * time.Second
)

// set makes the sessions kept those of a catalog. A link that did not change keeps its sessions.
func (k *links) set(n router.Numbers, c *catalog.Catalog) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return
	}
	want := map[linkKey]bool{}
	for i := range c.Carriers {
		car := &c.Carriers[i]
		number, ok := n.Carrier(car.ID)
		if !ok {
			continue
		}
		for j := range car.Links {
			key := linkKey{car.ID, j}
			want[key] = true
			if old := k.keep[key]; old != nil {
				if reflect.DeepEqual(old.link.decl, car.Links[j]) {
					continue
				}
				old.stop()
			}
			k.keep[key] = k.start(car, number, j)
		}
	}
	for key, old := range k.keep {
		if !want[key] {
			old.stop()
			delete(k.keep, key)
		}
	}
}

func (k *links) start(car *catalog.Carrier, number uint16, index int) *keptLink {
	d := car.Links[index]
	kept := &keptLink{number: number, link: &link{carrier: car.ID, index: index, decl: d, bucket: egress.NewBucket(d.TPS, linkDepth)}}
	for slot := range d.Sessions {
		ctx, cancel := context.WithCancel(context.Background())
		kp := &keeper{links: k, link: kept.link, number: number, slot: slot, cancel: cancel, pick: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))}
		kp.tell(linkDialling, "", d.Addresses[0])
		kept.keepers = append(kept.keepers, kp)
		k.wg.Add(1)
		go func() {
			defer k.wg.Done()
			kp.run(ctx)
		}()
	}
	return kept
}

func (l *keptLink) stop() {
	for _, kp := range l.keepers {
		kp.cancel()
	}
}

// close unbinds every session and waits until they are gone; when kill ends, they are reset instead.
func (k *links) close(kill context.Context) {
	k.mu.Lock()
	k.closed, k.kill = true, kill.Done()
	for _, l := range k.keep {
		l.stop()
	}
	k.mu.Unlock()
	k.wg.Wait()
}

// each visits the keepers.
func (k *links) each(f func(kp *keeper)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, l := range k.keep {
		for _, kp := range l.keepers {
			f(kp)
		}
	}
}

func (kp *keeper) tell(state, reason, address string) {
	kp.mu.Lock()
	defer kp.mu.Unlock()
	if state != kp.state {
		kp.since = time.Now()
	}
	kp.state, kp.reason, kp.address = state, reason, address
}

// run dials until its context ends. Addresses are tried in turn, each session beginning at another one.
func (kp *keeper) run(ctx context.Context) {
	var back egress.Backoff
	log := kp.links.log.With("carrier", kp.link.carrier, "link", kp.link.index, "session", kp.slot)
	for n := kp.slot; ctx.Err() == nil; n++ {
		address := kp.link.decl.Addresses[n%len(kp.link.decl.Addresses)]
		kp.tell(linkDialling, "", address)
		wait, state, reason := kp.once(ctx, address, &back)
		if ctx.Err() != nil {
			return
		}
		log.Warn("link is down", "address", address, "state", state, "reason", reason, "retry_in", wait)
		kp.tell(state, reason, address)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// once makes one session and lives through it. It returns how long to wait before the next, and why.
func (kp *keeper) once(ctx context.Context, address string, back *egress.Backoff) (wait time.Duration, state, reason string) {
	d := &kp.link.decl
	o := transport.DialOptions{Address: address, Timeout: dialTimeout, Bind: pdu.Bind{Command: d.Bind, SystemID: d.SystemID, Password: d.Password,
		SystemType: d.SystemType, Version: d.Version}}
	if d.Source.IsValid() {
		o.Source = d.Source.String()
	}
	secure, err := linkTLS(d.TLS)
	if err != nil {
		return back.Failed(kp.pick.Uint64()), linkWaiting, "tls: " + err.Error()
	}
	o.TLS = secure
	nc, peer, rest, err := transport.DialBind(ctx, o)
	var refused *transport.BindError
	switch {
	case errors.As(err, &refused):
		return back.Refused(refused.Status, kp.pick.Uint64()), linkRefused, fmt.Sprintf("the carrier refused the bind: %v", refused.Status)
	case err != nil:
		return back.Failed(kp.pick.Uint64()), linkWaiting, err.Error()
	}
	ended, err := kp.live(ctx, nc, peer, rest, address)
	if err != nil {
		return back.Failed(kp.pick.Uint64()), linkWaiting, err.Error()
	}
	back.Bound()
	reason = "the session ended"
	if ended != nil {
		reason = "the session ended: " + ended.Error()
	}
	return back.Failed(kp.pick.Uint64()), linkWaiting, reason
}

// live hands a bound connection to a loop and waits for its end, or unbinds it when ctx ends.
func (kp *keeper) live(ctx context.Context, nc net.Conn, peer transport.BindResult, rest []byte, address string) (ended, err error) {
	k := kp.links
	d := &kp.link.decl
	id := k.ids.Add(1)
	loop := k.loops[int(id)%len(k.loops)]
	gone := make(chan error, 1)
	p := &linkPort{port: port{loop: loop}, id: id, noTLVs: d.Version < 0x34, profiled: d.Profile != nil,
		config: session.Config{Role: session.Client, Bind: d.Bind, Version: version(d.Version, peer.Version), Window: d.Window,
			EnquireEvery: d.EnquireEvery, ResponseTimeout: d.ResponseTimeout, FirstSequence: 2, Name: kp.link.carrier},
		closed: func(err error) { gone <- err },
		opened: func() { kp.tell(admin.LinkBound, "bound as "+d.SystemID, address) },
	}
	if !k.x.call(func() {
		k.x.links[id] = &linkSession{id: id, carrier: k.x.carrier(kp.number), link: kp.link, loop: loop.index, window: window(d)}
	}) {
		nc.Close()
		return nil, errStopped
	}
	kp.mu.Lock()
	kp.session = id
	kp.mu.Unlock()
	if err := k.engine.Enroll(nc, loop.index, p, rest); err != nil {
		k.x.call(func() { delete(k.x.links, id) })
		return nil, err
	}
	select {
	case ended = <-gone:
		return ended, nil
	case <-ctx.Done():
	}
	kp.tell(linkUnbinding, "stopped", address)
	k.engine.Post(loop.index, func() { p.unbind(k.clock()) })
	k.mu.Lock()
	kill := k.kill
	k.mu.Unlock()
	select {
	case <-gone:
		return nil, nil
	case <-time.After(unbindGrace):
	case <-kill:
	}
	k.engine.Post(loop.index, func() { p.conn.Abort() })
	<-gone
	return nil, nil
}

// errStopped says that the executor has ended.
var errStopped = errors.New("the node is stopping")

// version is the interface_version in force: the lower of both, when the peer told its own.
func version(ours, theirs uint8) uint8 {
	if theirs != 0 && theirs < ours {
		return theirs
	}
	return ours
}

// window is how many submit_sm the executor may have on a session; a receiver takes none.
func window(d *catalog.Link) int {
	if !d.Sends() {
		return 0
	}
	return d.Window
}
