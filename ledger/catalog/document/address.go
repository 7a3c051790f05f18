package document

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Prefixes reads a list of networks such as 10.0.0.0/8; an address alone is a network of one. An empty list
// is a problem: nobody means it.
func (m *Map) Prefixes(key string) []netip.Prefix {
	var l []netip.Prefix
	items := m.Texts(key)
	for _, it := range items {
		n, err := prefix(it.Text)
		if err != nil {
			m.FailAt(it.Line, "%s: %v", key, err)
			continue
		}
		l = append(l, n)
	}
	if m.Has(key) && len(items) == 0 {
		m.Fail(key, "lists nothing; leave the key out")
	}
	return l
}

func prefix(s string) (netip.Prefix, error) {
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
