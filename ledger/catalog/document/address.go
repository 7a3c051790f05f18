package document

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Prefix reads a network, 10.0.0.0/8, or an address alone as a network of one.
func Prefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	n, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return n, fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8", s)
	case n != n.Masked():
		return n, fmt.Errorf("%q has bits behind its mask; the network is %s", s, n.Masked())
	}
	return n, nil
}

// HostPort checks an address to listen on or to dial. Port 0, any free one, is for listeners only.
func HostPort(s string, listen bool) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf("%q is not host:port", s)
	}
	lowest := uint64(1)
	if listen {
		lowest = 0
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n < lowest {
		return fmt.Errorf("%q has no port from %d to 65535", s, lowest)
	}
	if host == "" && !listen || strings.ContainsAny(host, " \t") {
		return fmt.Errorf("%q has no host", s)
	}
	return nil
}
