package dataplane

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"smsplane/dataplane/transport"
	"smsplane/egress"
	"smsplane/ledger/catalog"
	"smsplane/pdu"
)

// outbind, both ways (3.4 §2.2.1). A client whose catalog entry says so is called when something waits for it and none of its
// binds receives: we connect, send outbind, and it binds over that connection like any other client. A carrier may call us:
// it connects to an address where clients bind and sends outbind, and the keeper of a link that waits for it binds over
// that connection instead of dialling.

// calls keeps at most one call of each client on its way.
type calls struct {
	log   *slog.Logger
	lobby *transport.Lobby
	ctx   context.Context
	end   context.CancelFunc
	wg    sync.WaitGroup

	mu   sync.Mutex
	of   map[uint32]*call // by account
	over bool
}

// call is what became of the calls of one client.
type call struct {
	on   bool
	n    int // of the addresses
	next time.Time
	back egress.Backoff
}

func newCalls(log *slog.Logger, lobby *transport.Lobby) *calls {
	c := &calls{log: log, lobby: lobby, of: map[uint32]*call{}}
	c.ctx, c.end = context.WithCancel(context.Background())
	return c
}

// wanted says that a client should be called; it is said again for as long as that holds.
func (c *calls) wanted(account uint32, client string, d *catalog.Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.of[account]
	if v == nil {
		v = &call{}
		c.of[account] = v
	}
	if c.over || v.on || time.Now().Before(v.next) {
		return
	}
	v.on = true
	address := d.Addresses[v.n%len(d.Addresses)]
	v.n++
	c.wg.Add(1)
	go func() {
		defer c.wg.Done()
		bound, err := c.once(address, d)
		c.mu.Lock()
		rest := v.ended(bound, err)
		c.mu.Unlock()
		if !bound {
			c.log.Warn("a client that was asked to bind did not", "client", client, "address", address, "err", err, "next_call_in", rest)
		}
	}()
}

// callTimeout is for the connection and, over TLS, the handshake.
const callTimeout = 10 * time.Second

// once makes one call and waits until the client is bound, or is not.
func (c *calls) once(address string, d *catalog.Call) (bound bool, err error) {
	secure, err := linkTLS(d.TLS)
	if err != nil {
		return false, err
	}
	nc, err := transport.Call(c.ctx, transport.DialOptions{Address: address, Timeout: callTimeout, TLS: secure}, d.SystemID, d.Password)
	if err != nil {
		return false, err
	}
	return c.lobby.Invite(nc), nil
}

// ended notes how a call ended, and when the next may be. One who answers and will not bind is left alone for longer.
func (v *call) ended(bound bool, err error) (rest time.Duration) {
	switch {
	case bound:
		v.back.Bound()
		rest = steady
	case err != nil:
		rest = v.back.Failed(rand.Uint64())
	default:
		rest = v.back.Refused(pdu.RBindFail, rand.Uint64())
	}
	v.on, v.next = false, time.Now().Add(rest)
	return rest
}

// close ends what is on its way. The lobby is closed before.
func (c *calls) close() {
	c.mu.Lock()
	c.over = true
	c.mu.Unlock()
	c.end()
	c.wg.Wait()
}

// callClients has those clients called that have something to get and no bind to get it by.
func (x *executor) callClients() {
	if !x.calling {
		return
	}
	for _, l := range x.lanes {
		if !l.leading {
			continue
		}
		for account, r := range l.returns {
			if len(r.binds) > 0 || r.list() == nil {
				continue
			}
			if c := x.table.ClientOf(account); c != nil && c.Call != nil {
				x.onWanted(account, c.ID, c.Call)
			}
		}
	}
}

// called offers a connection that began with an outbind to the links of the carrier that it is of. It is false when the
// carrier is none of ours, or has all the sessions that its links want.
func (k *links) called(o transport.Outbind) bool {
	k.mu.Lock()
	var of []*keptLink
	for _, l := range k.keep {
		if c := l.link.decl.Called; c != nil && c.SystemID == o.SystemID && c.From(o.Remote.Addr()) {
			of = append(of, l)
		}
	}
	k.mu.Unlock()
	for _, l := range of {
		if !l.link.decl.Called.CheckPassword(o.Password) {
			continue
		}
		select {
		case l.offers <- o: // a keeper waits
			return true
		default:
		}
	}
	k.log.Warn("an outbind was not followed", "remote", o.Remote, "system_id", o.SystemID)
	return false
}
