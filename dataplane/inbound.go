package dataplane

import (
	"net/netip"
	"slices"

	"smsplane/dataplane/gate"
	"smsplane/dataplane/transport"
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
func (b *binder) inbound(t *router.Table, remote netip.AddrPort, p *pdu.Bind, seq uint32) transport.Admission {
	c, number, ok := t.CarrierBySystemID(p.SystemID)
	switch {
	case !ok:
		return transport.Admission{Status: pdu.RInvSysID}
	case !c.Inbound.CheckPassword(p.Password):
		return transport.Admission{Status: pdu.RInvPaswd}
	case len(c.Inbound.Allow) > 0 && !slices.ContainsFunc(c.Inbound.Allow, func(n netip.Prefix) bool { return n.Contains(remote.Addr()) }):
		return transport.Admission{Status: pdu.RBindFail}
	case !b.gate.Bind(inboundGate|uint32(number), gate.Transceiver, c.Inbound.Sessions):
		return transport.Admission{Status: pdu.RBindFail}
	}
	id := b.ids.Add(1)
	l := b.loops[int(id)%len(b.loops)]
	b.bound.Add(1)
	release := func() {
		b.gate.Unbind(inboundGate|uint32(number), gate.Transceiver)
		b.bound.Add(-1)
	}
	if !b.x.call(func() { b.x.links[id] = b.x.inboundSession(id, number, c, l.index) }) {
		release()
		return transport.Admission{Status: pdu.RSysErr}
	}
	k := &inboundPort{linkPort: linkPort{port: port{loop: l}, id: id, config: b.inboundConfig(c, p), opened: func() {}, closed: func(error) { release() }}}
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

// inboundSession is the executor's side of it. Its window is zero: messages for the carrier go over the links
// that we dial.
func (x *executor) inboundSession(id uint32, number uint16, c *catalog.Carrier, loop int) *linkSession {
	car := x.carrier(number)
	if car.inbound == nil { // one for all its binds: what is learned of its ids holds for each
		car.inbound = &link{carrier: c.ID, index: -1, ids: newLearner(&catalog.Link{})}
	}
	return &linkSession{id: id, carrier: car, link: car.inbound, loop: loop}
}

func (b *binder) inboundConfig(c *catalog.Carrier, p *pdu.Bind) session.Config {
	s := &b.cfg.SMPP
	return session.Config{Role: session.Server, Bind: p.Command, Version: negotiated(p.Version), PeerWindow: c.Inbound.Window, MaxPDU: s.MaxPDU,
		EnquireEvery: s.EnquireEvery, ResponseTimeout: s.ResponseTimeout, InactivityTimeout: s.InactivityTimeout, Name: c.ID}
}
