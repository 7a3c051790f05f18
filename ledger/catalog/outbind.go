package catalog

import (
	"net/netip"
	"slices"
	"strings"

	"smsplane/ledger/catalog/document"
)

// Call has us connect to a client that has something to get and no bind to get it by, and ask it with an outbind to bind
// over that connection (3.4 §2.2.1).
type Call struct {
	Addresses []string // host:port, tried in turn
	SystemID  string   // ours, as the client knows us
	Password  string   // ours
	TLS       *LinkTLS // nil: plain TCP
}

// Called lets a carrier ask us with an outbind, over a connection that it made to us, to bind a link over it.
type Called struct {
	SystemID string         // the carrier's
	Allow    []netip.Prefix // sources it may come from; empty: any

	password []byte
	hash     []byte
}

// CheckPassword compares in constant time.
func (c *Called) CheckPassword(password string) bool { return matches(password, c.password, c.hash) }

// From says whether the carrier may come from an address.
func (c *Called) From(a netip.Addr) bool {
	return len(c.Allow) == 0 || slices.ContainsFunc(c.Allow, func(n netip.Prefix) bool { return n.Contains(a) })
}

// call reads how a client is asked to bind; nil when it is not.
func (p *parser) call(client *document.Map) *Call {
	m := client.Map("outbind")
	if m == nil {
		return nil
	}
	c := &Call{SystemID: "smsplane"}
	m.Need("address")
	c.Addresses = hosts(m)
	name(m, "system_id", &c.SystemID)
	plain, _ := p.secret(m, false)
	c.Password = string(plain)
	c.TLS = p.linkTLS(m)
	m.Close()
	return c
}

// called reads how a carrier asks us to bind; nil when it does not.
func (p *parser) called(link *document.Map) *Called {
	m := link.Map("outbind")
	if m == nil {
		return nil
	}
	c := &Called{}
	m.Need("system_id")
	name(m, "system_id", &c.SystemID)
	c.password, c.hash = p.secret(m, true)
	c.Allow = m.Prefixes("allow")
	m.Close()
	return c
}

// hosts reads the addresses that are dialled in turn.
func hosts(m *document.Map) (all []string) {
	for _, it := range m.Texts("address") {
		if err := document.HostPort(it.Text, false); err != nil {
			m.FailAt(it.Line, "address: %v", err)
			continue
		}
		all = append(all, it.Text)
	}
	return all
}

func (c *Call) fields() []field {
	if c == nil {
		return nil
	}
	return append([]field{{name: "outbind.address", text: strings.Join(c.Addresses, " ")}, {name: "outbind.system_id", text: c.SystemID},
		{name: "outbind.password", text: sum([]byte(c.Password)), secret: true}}, c.TLS.fields("outbind.")...)
}

func (c *Called) fields(at string) []field {
	if c == nil {
		return nil
	}
	var allow []string
	for _, n := range c.Allow {
		allow = append(allow, n.String())
	}
	return []field{{name: at + "outbind.system_id", text: c.SystemID}, {name: at + "outbind.password", text: sum(c.password, c.hash), secret: true},
		{name: at + "outbind.allow", text: strings.Join(allow, " ")}}
}
