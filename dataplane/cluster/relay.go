package cluster

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// A client that came to one host and is to be served by another goes there over a connection of its own, beside the
// streams: the same port, the same hellos, the same certificates, and behind them the client's octets both ways as they
// are. So each has a flow of its own, which TCP bounds, and none can hold up what the hosts have to say.

// Relay opens a connection to the host for the octets of a client that dialled from an address. It belongs to the caller.
func (p *Peer) Relay(client netip.AddrPort) (net.Conn, error) {
	h := *p.m.o.Hello()
	h.Client = client.String()
	c, nc, _, err := p.dial(&h)
	if err != nil {
		return nil, fmt.Errorf("relaying to %s: %w", p.Name, err)
	}
	p.m.release(c)
	return nc, nil
}

// relayed is the address of the client that a hello announces.
func (m *Mesh) relayed(h *Hello) (netip.AddrPort, error) {
	if m.o.Relayed == nil {
		return netip.AddrPort{}, errors.New("this host takes no clients from others")
	}
	client, err := netip.ParseAddrPort(h.Client)
	if err != nil {
		return client, fmt.Errorf("hello for a client: %w", err)
	}
	return client, nil
}
