package transport

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"smsplane/dataplane/gate"
	"smsplane/pdu"
)

// An outbind turns the roles of a connection round: whoever made it asks the other to bind over it (3.4 §2.2.1).

// Outbind is one that a connection in the lobby began with.
type Outbind struct {
	Remote             netip.AddrPort
	SystemID, Password string   // of the peer
	Conn               net.Conn // no deadline is on it
	Rest               []byte   // what came behind it
}

// Call connects to an ESME and asks it to bind. The connection is for Lobby.Invite.
func Call(ctx context.Context, o DialOptions, systemID, password string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout())
	defer cancel()
	nc, err := dial(ctx, o)
	if err != nil {
		return nil, err
	}
	_ = nc.SetWriteDeadline(time.Now().Add(answerFor))
	p := pdu.New(pdu.Outbind, pdu.ROK, dialSequence).Set("system_id", []byte(systemID)).Set("password", []byte(password))
	if _, err = nc.Write(p.Append(nil)); err == nil {
		err = nc.SetDeadline(time.Time{})
	}
	if err != nil {
		_ = nc.Close()
		return nil, fmt.Errorf("outbind to %s: %w", o.Address, err)
	}
	return nc, nil
}

// Invite lets the peer of a connection that we made bind over it, as one who came to us. It returns when it is bound, or else
// when the connection is closed.
func (l *Lobby) Invite(nc net.Conn) (bound bool) {
	remote := addrPort(nc.RemoteAddr())
	if l.gate.Connect(remote.Addr()) != gate.Admitted {
		_ = nc.Close()
		return false
	}
	if !l.enter(nc) {
		l.gate.Disconnect(remote.Addr())
		_ = nc.Close()
		return false
	}
	l.counts.invited.Add(1)
	v := &visit{lobby: l, raw: nc, nc: nc, Caller: Caller{Remote: remote}}
	v.run()
	return v.handed
}

// BindOver is DialBind over a connection that a carrier made, and asked us with an outbind to bind over.
func BindOver(ctx context.Context, out Outbind, o DialOptions) (nc net.Conn, peer BindResult, rest []byte, err error) {
	o.Address = out.Remote.String()
	ctx, cancel := context.WithTimeout(ctx, o.timeout())
	defer cancel()
	return bindOver(ctx, out.Conn, out.Rest, o)
}

// outbind offers the connection to whoever wants it; rest is what came after the PDU.
func (v *visit) outbind(p, rest []byte) (taken bool) {
	l := v.lobby
	d, st := pdu.Decode(p)
	if st != pdu.ROK || l.opts.Outbind == nil || v.nc.SetDeadline(time.Time{}) != nil {
		return false
	}
	o := Outbind{Remote: v.Remote, SystemID: string(d.Field("system_id").Octets), Password: string(d.Field("password").Octets), Conn: v.nc,
		Rest: append([]byte(nil), rest...)}
	if !l.leave(v.raw) {
		return false
	}
	if v.handed = l.opts.Outbind(o); v.handed {
		l.gate.Disconnect(v.Remote.Addr()) // it is no client's
	}
	return v.handed
}
