package dataplane

import (
	"net/netip"
	"reflect"
	"slices"

	"smsplane/dataplane/gate"
	"smsplane/dataplane/transport"
	"smsplane/egress"
	"smsplane/ledger/catalog"
	"smsplane/pdu"
	"smsplane/pdu/session"
	"smsplane/router"
)

// inboundPort is the session of a carrier that bound to us. It is a link like those we dial: what the
// carrier submits is journaled as a receipt or a message for a client and answered then.
type inboundPort struct {
	linkPort
	resp []byte
}

// Opened implements transport.ConnHandler.
func (k *inboundPort) Opened(conn *transport.Conn, now int64) {
	k.first = k.resp
	k.begin(conn, now)
}

// inboundGate keeps the binds of carriers apart from those of clients, whose numbers begin at 1, too.
const inboundGate = 1 << 31

// inbound decides about the bind of a carrier.
func (b *binder) inbound(t *router.Table, from transport.Caller, p *pdu.Bind, seq uint32) transport.Admission {
	c, number, ok := t.CarrierBySystemID(p.SystemID)
	switch {
	case !ok:
		return transport.Admission{Status: pdu.RInvSysID}
	case !c.Inbound.CheckPassword(p.Password):
		return transport.Admission{Status: pdu.RInvPaswd}
	case len(c.Inbound.Allow) > 0 && !slices.ContainsFunc(c.Inbound.Allow, func(n netip.Prefix) bool { return n.Contains(from.Remote.Addr()) }):
		return transport.Admission{Status: pdu.RBindFail}
	case !b.x.lanes[0].led.Load(): // the links are kept where lane 0 is led
		return b.elsewhere(0, from, transport.Admission{Status: pdu.RSysErr})
	case !b.ready.Load():
		return transport.Admission{Status: pdu.RSysErr}
	case !b.gate.Bind(inboundGate|uint32(number), gate.Transceiver, c.Inbound.Sessions):
		return transport.Admission{Status: pdu.RBindFail}
	}
	id := b.ids.Add(1)
	l := b.loops[int(number)%len(b.loops)] // one for all its binds: they share what it may be sent
	b.bound.Add(1)
	release := func() {
		b.gate.Unbind(inboundGate|uint32(number), gate.Transceiver)
		b.bound.Add(-1)
	}
	k := &inboundPort{linkPort: linkPort{port: port{loop: l, via: from.Via}, id: id, config: b.inboundConfig(c, p), opened: func() {}, closed: func(error) { release() }}}
	k.noTLVs, k.profiled = k.config.Version < pdu.Version34, c.Inbound.Profile != nil
	end := func(pdu.Status) { b.engine.Post(l.index, func() { k.unbind(b.clock()) }) }
	if !b.x.call(func() {
		s := b.x.inboundSession(id, number, c, l.index, &k.config, end)
		b.x.links[id], k.allowed = s, s.link.allowed
	}) {
		release()
		return transport.Admission{Status: pdu.RSysErr}
	}
	tell := k.config.Version
	if tell < pdu.Version34 {
		tell = 0 // it knows no TLVs
	}
	k.resp = pdu.AppendBindResp(nil, p.Command, pdu.ROK, seq, systemID, tell)
	return transport.Admission{Loop: l.index, Handler: k, Abandon: func() {
		b.x.call(func() { delete(b.x.links, id) })
		release()
	}}
}

// inboundSession is the executor's side of it. Its window is zero unless messages were agreed on: those for the
// carrier go over the links that we dial.
func (x *executor) inboundSession(id uint32, number uint16, c *catalog.Carrier, loop int, s *session.Config, end func(pdu.Status)) *linkSession {
	car := x.carrier(number)
	d := catalog.Link{SystemID: c.Inbound.SystemID, Bind: s.Bind, Version: s.Version, Window: s.Window, TPS: c.Inbound.TPS, Profile: c.Inbound.Profile}
	if car.inbound == nil || !reflect.DeepEqual(car.inbound.decl.Profile, d.Profile) || car.inbound.decl.TPS != d.TPS {
		// one for all its binds: what is learned of its ids holds for each
		car.inbound = &link{carrier: c.ID, index: -1, bucket: egress.NewBucket(d.TPS, linkDepth), allowed: allowances(d.TPS, car.allowed), adapt: egress.NewAdapt(d.TPS), ids: newLearner(&d)}
	}
	car.inbound.decl = d
	return &linkSession{id: id, carrier: car, link: car.inbound, loop: loop, window: s.Window, end: end}
}

func (b *binder) inboundConfig(c *catalog.Carrier, p *pdu.Bind) session.Config {
	s := &b.cfg.SMPP
	window := 0
	if c.Inbound.MT && p.Command != pdu.BindTransmitter {
		window = c.Inbound.MTWindow
	}
	return session.Config{Role: session.Server, Bind: p.Command, Version: negotiated(p.Version), Window: window, PeerWindow: c.Inbound.Window, MaxPDU: s.MaxPDU,
		EnquireEvery: s.EnquireEvery, ResponseTimeout: s.ResponseTimeout, PDUTimeout: s.PDUTimeout, InactivityTimeout: s.InactivityTimeout, Name: c.ID}
}
