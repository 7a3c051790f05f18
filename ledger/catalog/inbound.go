package catalog

import (
	"net/netip"
	"strconv"
	"strings"

	"smsplane/ledger/catalog/document"
)

// Inbound lets a carrier bind to us: what it submits is receipts and messages for our clients.
type Inbound struct {
	SystemID string
	Allow    []netip.Prefix // sources it may bind from; empty: any
	Sessions int            // binds at most
	Window   int            // unanswered requests of the carrier per bind

	password []byte
	hash     []byte
}

const (
	defaultInboundSessions = 4
	defaultInboundWindow   = 1000
)

// inbound reads the account that a carrier has with us; nil when it has none.
func (p *parser) inbound(m *document.Map) *Inbound {
	if m == nil {
		return nil
	}
	i := &Inbound{Sessions: defaultInboundSessions, Window: defaultInboundWindow}
	m.Need("system_id")
	name(m, "system_id", &i.SystemID)
	i.password, i.hash = p.secret(m, true)
	i.Allow = m.Prefixes("allow")
	m.Int("sessions", &i.Sessions, 1, maxSessions)
	m.Int("window", &i.Window, 1, maxWindow)
	m.Close()
	return i
}

func (i *Inbound) fields() []field {
	if i == nil {
		return nil
	}
	allow := make([]string, 0, len(i.Allow))
	for _, n := range i.Allow {
		allow = append(allow, n.String())
	}
	return []field{{name: "inbound.system_id", text: i.SystemID}, {name: "inbound.password", text: sum(i.password, i.hash), secret: true},
		{name: "inbound.allow", text: strings.Join(allow, " ")}, {name: "inbound.sessions", text: strconv.Itoa(i.Sessions)}, {name: "inbound.window", text: strconv.Itoa(i.Window)}}
}
