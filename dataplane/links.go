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

	"smsplane/dataplane/transport"
	"smsplane/egress"
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/catalog"
	"smsplane/pdu"
	"smsplane/pdu/profile"
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
	fence  *fence // nil on a single host

	mu     sync.Mutex
	keep   map[linkKey]*keptLink
	former map[linkKey]*keptLink // given up, and perhaps not gone yet
	lost   chan struct{}         // closed when the links are another host's
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
	allowed *egress.Allowance // of its carrier
	keepers []*keeper
	gone    sync.WaitGroup         // its keepers
	offers  chan transport.Outbind // to a keeper that waits
}

// keeper keeps one session.
type keeper struct {
	links  *links
	link   *link
	kept   *keptLink
	number uint16 // of the carrier
	slot   int
	cancel context.CancelFunc
	pick   *rand.Rand
	after  *sync.WaitGroup // the keepers of the link's former declaration: their sessions end before ours begin
	nudge  chan struct{}   // orders changed
	lost   <-chan struct{} // closed when the link is another host's

	mu     sync.Mutex
	held   ledger.Verb // pause or drain, 0 none
	by     string      // who said so
	bounce bool        // end the session once
	unfit  pdu.Status  // the session must be bound anew after a rest; 0 none

	state   string
	reason  string
	address string
	since   time.Time
	session uint32
}

// States of a link's session, besides admin.LinkBound.
//
//	connecting ──▶ bound ⇄ paused
//	   ▲   │         │
//	   │   └▶ refused by the carrier, or down: after a rest
//	   └────────── draining ──▶ drained, until an operator resumes it
const (
	linkConnecting = "connecting"
	linkDown       = "down"
	linkRefused    = "refused"
	linkDraining   = "draining"
	linkPaused     = "paused"
	linkDrained    = "drained"

	unbindGrace = 3 * time.Second
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
				if reflect.DeepEqual(old.link.decl, car.Links[j]) && old.allowed == k.x.carrier(number).allowed {
					continue
				}
				old.stop()
			}
			former := k.keep[key]
			if former == nil {
				former = k.former[key]
			}
			k.keep[key] = k.start(car, number, j, former)
		}
	}
	for key, old := range k.keep {
		if !want[key] {
			old.stop()
			delete(k.keep, key)
		}
	}
}

// disown ends every session with a reset: another host keeps the links now.
func (k *links) disown() {
	k.mu.Lock()
	defer k.mu.Unlock()
	close(k.lost)
	for _, old := range k.keep {
		old.stop()
	}
	k.former, k.keep, k.lost = k.keep, map[linkKey]*keptLink{}, make(chan struct{})
}

func (k *links) start(car *catalog.Carrier, number uint16, index int, former *keptLink) *keptLink {
	d := car.Links[index]
	held := k.x.lanes[0].book.System.Held[book.LinkName{Carrier: number, Link: uint16(index)}]
	kept := newKeptLink(car, number, index, k.x.carrier(number).allowed)
	if former != nil && former.link.decl.TPS == d.TPS && former.allowed == kept.allowed {
		kept.link.allowed = former.link.allowed // what left in the last second still counts
	}
	kept.link.held = held.Verb
	for slot := range d.Sessions {
		ctx, cancel := context.WithCancel(context.Background())
		kp := &keeper{links: k, link: kept.link, kept: kept, number: number, slot: slot, cancel: cancel, lost: k.lost, pick: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
			nudge: make(chan struct{}, 1), held: held.Verb, by: held.Author}
		if former != nil {
			kp.after = &former.gone
		}
		kp.tell(linkConnecting, "", kp.dials(slot))
		kept.keepers = append(kept.keepers, kp)
		k.wg.Add(1)
		kept.gone.Add(1)
		go func() {
			defer k.wg.Done()
			defer kept.gone.Done()
			kp.run(ctx)
		}()
	}
	return kept
}

// newKeptLink is a link of the catalog without any session.
func newKeptLink(car *catalog.Carrier, number uint16, index int, allowed *egress.Allowance) *keptLink {
	d := car.Links[index]
	return &keptLink{number: number, offers: make(chan transport.Outbind), allowed: allowed, link: &link{carrier: car.ID, index: index, decl: d,
		bucket: egress.NewBucket(d.TPS, linkDepth), allowed: allowances(d.TPS, allowed), adapt: egress.NewAdapt(d.TPS), ids: newLearner(&d)}}
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

// run dials until its context ends. Addresses are tried in turn, each session beginning at another one. When one has ended that
// lived, the turn goes on where the fewest of its sisters are: a carrier that has an address to itself at each of its hosts
// would miss the receiver there.
func (kp *keeper) run(ctx context.Context) {
	if kp.after != nil {
		kp.after.Wait()
	}
	var back egress.Backoff
	var out *transport.Outbind // a connection that the carrier made
	log := kp.links.log.With("carrier", kp.link.carrier, "link", kp.link.index, "session", kp.slot)
	for n, lived := kp.slot, false; ctx.Err() == nil; n++ {
		if lived {
			n = kp.emptiest(n)
		}
		address := kp.dials(n)
		if out != nil {
			address = out.Remote.String()
		}
		if !kp.mayBind(ctx, address) {
			break
		}
		if out == nil && address == "" {
			kp.tell(linkDown, "waits for an outbind of the carrier", "")
			out = kp.rest(ctx, never)
			continue
		}
		kp.tell(linkConnecting, "", address)
		wait, state, reason := kp.once(ctx, address, out, &back)
		if ctx.Err() != nil {
			return
		}
		kp.mu.Lock()
		lived = kp.state != linkConnecting // once has told that it was bound
		kp.mu.Unlock()
		log.Warn("link is down", "address", address, "state", state, "reason", reason, "retry_in", wait)
		reason = fmt.Sprintf("%s; next try in %v", reason, wait.Round(time.Millisecond))
		kp.tell(state, reason, address)
		out = kp.rest(ctx, wait)
	}
	if out != nil {
		_ = out.Conn.Close()
	}
}

// dials is the address in a keeper's n-th try; empty when the carrier calls.
func (kp *keeper) dials(n int) string {
	all := kp.link.decl.Addresses
	if len(all) == 0 {
		return ""
	}
	return all[n%len(all)]
}

// emptiest is the next try from n on whose address has the fewest of the link's sessions. It tells that the session goes there.
func (kp *keeper) emptiest(n int) int {
	kp.links.mu.Lock()
	defer kp.links.mu.Unlock()
	at := map[string]int{}
	for _, o := range kp.kept.keepers {
		o.mu.Lock()
		if o != kp && o.state != linkDown && o.state != linkRefused {
			at[o.address]++
		}
		o.mu.Unlock()
	}
	best := n
	for i := range kp.link.decl.Addresses {
		if at[kp.dials(n+i)] < at[kp.dials(best)] {
			best = n + i
		}
	}
	kp.tell(linkConnecting, "", kp.dials(best))
	return best
}

// once makes one session, over the carrier's connection if there is one, and lives through it. It returns how long to wait
// before the next, and why.
func (kp *keeper) once(ctx context.Context, address string, out *transport.Outbind, back *egress.Backoff) (wait time.Duration, state, reason string) {
	d := &kp.link.decl
	o := transport.DialOptions{Address: address, Timeout: d.BindTimeout, May: kp.links.fence.mayKeep, Bind: pdu.Bind{Command: d.Bind, SystemID: d.SystemID, Password: d.Password,
		SystemType: d.SystemType, Version: d.Version}}
	if d.Source.IsValid() {
		o.Source = d.Source.String()
	}
	nc, peer, rest, err := kp.bind(ctx, out, o)
	var refused *transport.BindError
	switch {
	case errors.Is(err, errFenced):
		return back.Ours(kp.pick.Uint64()), linkDown, err.Error()
	case errors.As(err, &refused):
		return back.Refused(refused.Status, kp.pick.Uint64()), linkRefused, fmt.Sprintf("the carrier refused the bind: %v", refused.Status)
	case err != nil:
		return back.Failed(kp.pick.Uint64()), linkDown, err.Error()
	}
	began := time.Now()
	end := kp.live(ctx, nc, peer, rest, address)
	if time.Since(began) > steady {
		back.Bound()
	}
	switch {
	case errors.Is(end.err, errFenced): // it may be bound anew as soon as the lease is renewed: the carrier did nothing
		return back.Ours(kp.pick.Uint64()), linkDown, end.err.Error()
	case end.unfit != 0:
		return back.Refused(end.unfit, kp.pick.Uint64()), linkRefused, fmt.Sprintf("the carrier answered messages with %v: the session is unfit", end.unfit)
	case end.ordered:
		return back.Failed(kp.pick.Uint64()), linkDown, "unbound by an operator" // the carrier may still count the old session
	case end.err != nil:
		return back.Failed(kp.pick.Uint64()), linkDown, "the session ended: " + end.err.Error()
	}
	return back.Failed(kp.pick.Uint64()), linkDown, "the session ended"
}

func (kp *keeper) bind(ctx context.Context, out *transport.Outbind, o transport.DialOptions) (nc net.Conn, peer transport.BindResult, rest []byte, err error) {
	if out != nil {
		return transport.BindOver(ctx, *out, o)
	}
	if o.TLS, err = linkTLS(kp.link.decl.TLS); err != nil {
		return nil, peer, nil, fmt.Errorf("tls: %w", err)
	}
	return transport.DialBind(ctx, o)
}

// steady is how long a session must have lived for the next dial to come soon.
const steady = 5 * time.Second

// ending is why a session is over.
type ending struct {
	err     error
	ordered bool       // an operator said so
	unfit   pdu.Status // the carrier's answers did
}

// live hands a bound connection to a loop and waits for its end, or unbinds it when ctx ends or an order says so.
func (kp *keeper) live(ctx context.Context, nc net.Conn, peer transport.BindResult, rest []byte, address string) (end ending) {
	k := kp.links
	d := &kp.link.decl
	id := k.ids.Add(1)
	loop := k.loops[int(id)%len(k.loops)]
	switch { // what may leave is counted where it leaves: one loop for all sessions that share it
	case kp.kept.allowed != nil:
		loop = k.loops[int(kp.number)%len(k.loops)]
	case d.TPS > 0:
		loop = k.loops[(int(kp.number)+kp.link.index)%len(k.loops)]
	}
	gone := make(chan error, 1)
	p := newLinkPort(kp.link, id, loop, peer.Version)
	p.opened = func() { kp.bound(address) }
	p.closed = func(err error) {
		if p.fenced {
			err = errFenced
		}
		gone <- err
	}
	s := newLinkSession(kp.link, id, loop.index, nil)
	s.end = kp.spoilt
	if !k.x.call(func() {
		s.carrier = k.x.carrier(kp.number)
		k.x.links[id] = s
	}) {
		nc.Close()
		return ending{err: errStopped}
	}
	kp.mu.Lock()
	kp.session, kp.bounce, kp.unfit = id, false, 0
	kp.mu.Unlock()
	if err := k.engine.Enroll(nc, loop.index, p, rest); err != nil {
		k.x.call(func() { delete(k.x.links, id) })
		return ending{err: err}
	}
	grace := unbindGrace
	for {
		select {
		case end.err = <-gone:
			return end
		case <-ctx.Done():
		case <-kp.nudge:
			if end = kp.orders(address); end == (ending{}) {
				continue
			}
			if end.ordered {
				grace += d.ResponseTimeout
			}
		}
		break
	}
	k.x.call(func() { k.x.retire(s, k.x.now) })
	kp.tell(linkDraining, "waits for the carrier's last answers, then unbinds", address)
	k.engine.Post(loop.index, func() { p.unbind(k.clock()) })
	k.mu.Lock()
	kill := k.kill
	k.mu.Unlock()
	select {
	case <-gone:
		return end
	case <-time.After(grace):
	case <-kill:
	case <-kp.lost:
	}
	k.engine.Post(loop.index, func() { p.conn.Abort() })
	<-gone
	return end
}

// newLinkPort is the loop's side of a session that was bound with a carrier of interface_version theirs.
func newLinkPort(k *link, id uint32, l *loop, theirs uint8) *linkPort {
	d := &k.decl
	return &linkPort{port: port{loop: l}, id: id, noTLVs: d.Version < 0x34, profiled: d.Profile != nil, allowed: k.allowed,
		config: session.Config{Role: session.Client, Bind: d.Bind, Version: version(d.Version, theirs), Window: d.Window, PeerWindow: d.DeliverWindow,
			EnquireEvery: d.EnquireEvery, ResponseTimeout: d.ResponseTimeout, PDUTimeout: d.PDUTimeout, InactivityTimeout: d.InactivityTimeout, FirstSequence: 2, Name: k.carrier}}
}

// newLinkSession is the executor's side of it.
func newLinkSession(k *link, id uint32, loop int, c *carrier) *linkSession {
	return &linkSession{id: id, carrier: c, link: k, loop: loop, window: window(&k.decl)}
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

// newLearner begins with what the catalog says about a link's ids.
func newLearner(d *catalog.Link) *profile.Learner {
	if d.Profile != nil {
		return profile.NewLearner(d.Profile.IDs)
	}
	return profile.NewLearner(profile.IDs{})
}
