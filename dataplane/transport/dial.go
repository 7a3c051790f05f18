package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"smsplane/pdu"
)

// DialOptions say where and as whom to bind.
type DialOptions struct {
	Address string        // host:port of the carrier
	Source  string        // local address, "ip" or "ip:port"; empty: the system's choice
	Timeout time.Duration // for connecting and binding together; 0: 30 s
	Bind    pdu.Bind      // sent with sequence_number 1; the session's own numbers begin at 2
	TLS     *tls.Config   // nil: plain TCP. An empty ServerName is the host of Address
	May     func() error  // asked just before the bind is sent: why it must not be; nil: it may always
}

// BindResult is what the peer said when it accepted.
type BindResult struct {
	SystemID string // of the peer
	Version  uint8  // its sc_interface_version; 0 when it did not say
}

// BindError is a bind that the peer refused.
type BindError struct {
	Status  pdu.Status
	Address string
}

func (e *BindError) Error() string {
	return fmt.Sprintf("bind to %s refused: %v", e.Address, e.Status)
}

const (
	dialSequence = 1
	dialBuffer   = 128 << 10 // octets a peer may send ahead of its bind_resp
)

// DialBind connects to a carrier and binds. rest is what the peer sent besides the bind_resp, in order: whole or partial PDUs
// for the session's Feed. A carrier may deliver before its bind_resp; those PDUs are kept, too. A refusal is a *BindError; all
// else is the environment's. nc has no deadline and belongs to the caller.
func DialBind(ctx context.Context, o DialOptions) (nc net.Conn, peer BindResult, rest []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout())
	defer cancel()
	nc, err = dial(ctx, o)
	if err != nil {
		return nil, BindResult{}, nil, err
	}
	return bindOver(ctx, nc, nil, o)
}

func (o *DialOptions) timeout() time.Duration {
	if o.Timeout <= 0 {
		return 30 * time.Second
	}
	return o.Timeout
}

// bindOver binds over a connection on which first was read already. When it fails the connection is closed.
func bindOver(ctx context.Context, nc net.Conn, first []byte, o DialOptions) (_ net.Conn, peer BindResult, rest []byte, err error) {
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	peer, rest, err = bind(nc, first, o)
	if !stop() && err == nil { // the deadline may already stand on a connection that was just bound
		err = context.Cause(ctx)
	}
	if err == nil {
		return nc, peer, rest, nil
	}
	_ = nc.Close()
	if refused := (*BindError)(nil); errors.As(err, &refused) {
		return nil, BindResult{}, nil, err
	}
	if cause := context.Cause(ctx); cause != nil {
		err = fmt.Errorf("bind to %s: no bind_resp: %w", o.Address, cause)
	}
	return nil, BindResult{}, nil, err
}

func dial(ctx context.Context, o DialOptions) (net.Conn, error) {
	d := net.Dialer{KeepAliveConfig: keepAlive}
	if o.Source != "" {
		local, err := sourceAddr(o.Source)
		if err != nil {
			return nil, err
		}
		d.LocalAddr = local
	}
	nc, err := d.DialContext(ctx, "tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if o.TLS == nil {
		return nc, nil
	}
	s, err := secureClient(ctx, nc, serverNamed(o.TLS, o.Address))
	if err != nil {
		_ = nc.Close()
		return nil, fmt.Errorf("TLS with %s: %w", o.Address, err)
	}
	return s, nil
}

// serverNamed fills in the name that the peer's certificate is checked against.
func serverNamed(c *tls.Config, address string) *tls.Config {
	if c.ServerName != "" {
		return c
	}
	c = c.Clone()
	if host, _, err := net.SplitHostPort(address); err == nil {
		c.ServerName = host
	}
	return c
}

func sourceAddr(s string) (net.Addr, error) {
	if ip, err := netip.ParseAddr(s); err == nil {
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, 0)), nil
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil {
		return nil, fmt.Errorf("source address %q: %w", s, err)
	}
	return net.TCPAddrFromAddrPort(ap), nil
}

func bind(nc net.Conn, first []byte, o DialOptions) (BindResult, []byte, error) {
	if o.May != nil {
		if err := o.May(); err != nil {
			return BindResult{}, nil, err
		}
	}
	if _, err := nc.Write(pdu.AppendBind(nil, &o.Bind, dialSequence)); err != nil {
		return BindResult{}, nil, fmt.Errorf("bind to %s: %w", o.Address, err)
	}
	buf := append(make([]byte, 0, 4<<10), first...)
	at := 0 // all before is for the session
	for {
		n, st := pdu.Frame(buf[at:], dialBuffer)
		if st != pdu.ROK {
			return BindResult{}, nil, fmt.Errorf("bind to %s: peer sent no SMPP: %v", o.Address, st)
		}
		if n > 0 {
			p := buf[at : at+n]
			if !answersBind(pdu.ParseHeader(p)) {
				at += n
				continue
			}
			id, version, status := pdu.ParseBindResp(p)
			if h := pdu.ParseHeader(p); h.Command == pdu.GenericNack && status == pdu.ROK {
				status = pdu.RUnknownErr // a nack is a refusal whatever it says
			}
			if status != pdu.ROK {
				return BindResult{}, nil, &BindError{Status: status, Address: o.Address}
			}
			rest := append(buf[:at:at], buf[at+n:]...)
			return BindResult{SystemID: id, Version: version}, rest, nil
		}
		if len(buf) >= dialBuffer {
			return BindResult{}, nil, fmt.Errorf("bind to %s: %d octets and no bind_resp", o.Address, len(buf))
		}
		var err error
		if buf, err = readMore(nc, buf); err != nil {
			return BindResult{}, nil, fmt.Errorf("bind to %s: %w", o.Address, err)
		}
	}
}

// answersBind takes any bind_resp: no other bind is under way on this connection, and some peers answer with a sequence_number
// or even a bind type of their own. A generic_nack may carry sequence_number 0 when the peer could not read ours.
func answersBind(h pdu.Header) bool {
	switch h.Command {
	case pdu.BindReceiverResp, pdu.BindTransmitterResp, pdu.BindTransceiverResp:
		return true
	case pdu.GenericNack:
		return h.Sequence == dialSequence || h.Sequence == 0
	}
	return false
}

func readMore(nc net.Conn, buf []byte) ([]byte, error) {
	if len(buf) == cap(buf) {
		buf = append(buf, 0)[:len(buf)]
	}
	n, err := nc.Read(buf[len(buf):cap(buf)])
	buf = buf[:len(buf)+n]
	if n > 0 {
		return buf, nil
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("peer closed the connection without bind_resp")
	}
	return buf, err
}
