package dataplane

import (
	"net/netip"
	"slices"
	"sync/atomic"

	"smsplane/dataplane/config"
	"smsplane/dataplane/entry"
	"smsplane/dataplane/gate"
	"smsplane/dataplane/transport"
	"smsplane/ledger/catalog"
	"smsplane/pdu"
	"smsplane/pdu/session"
)

// binder decides about binds of clients. It runs on the lobby's goroutines.
type binder struct {
	cfg    *config.Node
	gate   *gate.Gate
	x      *executor
	loops  []*loop
	ids    *atomic.Uint32
	bound  atomic.Int64
	ready  *atomic.Bool
	relays *relays // nil: binds for lanes led elsewhere are refused

	engine *transport.Engine
	clock  func() int64
	probes probes
}

// admit answers a bind that was well formed: account, password, source, free binds, in this order, so that a
// stranger learns nothing about accounts.
func (b *binder) admit(from transport.Caller, p *pdu.Bind, seq uint32) transport.Admission {
	t, remote := b.x.shared.Load(), from.Remote
	c, number, ok := t.ClientBySystemID(p.SystemID)
	switch {
	case !b.ready.Load() && (b.relays == nil || t.Version() == 0):
		return transport.Admission{Status: pdu.RSysErr}
	case !ok:
		return b.inbound(t, from, p, seq)
	case !c.CheckPassword(p.Password):
		return refusal(c, pdu.RInvPaswd)
	case len(c.Allow) > 0 && !slices.ContainsFunc(c.Allow, func(n netip.Prefix) bool { return n.Contains(remote.Addr()) }):
		return refusal(c, pdu.RBindFail)
	}
	account := (*b.x.sharedAccounts.Load())[number]
	kind, limit := bindType(c, p.Command)
	if account == nil {
		return refusal(c, pdu.RBindFail)
	}
	if !b.x.lanes[account.Lane].led.Load() {
		return b.elsewhere(account.Lane, from, refusal(c, pdu.RSysErr))
	}
	if !b.ready.Load() {
		return refusal(c, pdu.RSysErr)
	}
	l := b.loops[int(account.Lane)%len(b.loops)]
	take := func() bool { return b.gate.Bind(number, kind, limit) }
	if !take() && (limit == 0 || !b.makeRoom(l, number, p.Command, take)) {
		return refusal(c, pdu.RBindFail)
	}
	b.bound.Add(1)
	release := func() {
		b.gate.Unbind(number, kind)
		b.bound.Add(-1)
	}
	return transport.Admission{Loop: l.index, Abandon: release, Handler: &clientPort{port: port{loop: l, via: from.Via}, open: b.open(c, account, p, seq), closed: release}}
}

// elsewhere sends a bind on to the host that leads a lane, or refuses it.
func (b *binder) elsewhere(lane uint16, from transport.Caller, refused transport.Admission) transport.Admission {
	if b.relays == nil || from.Via != "" {
		return refused
	}
	leader := b.x.lanes[lane].ledBy.Load()
	return transport.Admission{Relay: func() (transport.Passage, error) { return b.relays.to(lane, leader, from.Remote) }}
}

// refusal is an error in the form that the client takes.
func refusal(c *catalog.Client, st pdu.Status) transport.Admission {
	a := transport.Admission{Status: st}
	if c.BindErrorBody {
		a.SystemID = systemID
	}
	return a
}

func bindType(c *catalog.Client, command pdu.Command) (gate.BindType, int) {
	switch command {
	case pdu.BindTransmitter:
		return gate.Transmitter, c.MaxBinds.TX
	case pdu.BindReceiver:
		return gate.Receiver, c.MaxBinds.RX
	}
	return gate.Transceiver, c.MaxBinds.TRX
}

// open says how the session of an admitted bind is run.
func (b *binder) open(c *catalog.Client, a *entry.Account, p *pdu.Bind, seq uint32) clientOpen {
	v := negotiated(p.Version)
	tell := v
	if v < pdu.Version34 {
		tell = 0 // it knows no TLVs
	}
	s := &b.cfg.SMPP
	window := c.DeliverWindow
	if p.Command == pdu.BindTransmitter {
		window = 0
	}
	return clientOpen{
		id: b.ids.Add(1), account: a, client: c.ID, login: c, deliverWindow: window,
		config: session.Config{Role: session.Server, Bind: p.Command, Version: v, Window: window, PeerWindow: c.Window, MaxPDU: s.MaxPDU,
			EnquireEvery: s.EnquireEvery, ResponseTimeout: s.ResponseTimeout, PDUTimeout: s.PDUTimeout, InactivityTimeout: s.InactivityTimeout, Name: c.SystemID},
		resp: pdu.AppendBindResp(nil, p.Command, pdu.ROK, seq, systemID, tell),
	}
}

// negotiated is the version that both sides know: 0x00 to 0x33 all mean 3.3 (3.4 §5.2.4), what lies between 3.4
// and 5.0 is 3.4, and above 5.0 there is nothing we know.
func negotiated(theirs uint8) uint8 {
	switch {
	case theirs < pdu.Version34:
		return pdu.Version33
	case theirs < pdu.Version50:
		return pdu.Version34
	}
	return pdu.Version50
}

// systemID is what we call ourselves towards clients.
const systemID = "smsplane"
