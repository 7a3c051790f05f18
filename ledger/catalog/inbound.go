package catalog

import (
	"net/netip"
	"strconv"
	"strings"

	"smsplane/ledger/catalog/document"
	"smsplane/pdu/profile"
)

// Inbound lets a carrier bind to us: what it submits is receipts and messages for our clients.
type Inbound struct {
	SystemID string
	Allow    []netip.Prefix // sources it may bind from; empty: any
	Sessions int            // binds at most
	Window   int            // unanswered requests of the carrier per bind

	MT       bool          // its receiving binds take messages, as deliver_sm, beside or instead of the links that we dial
	MTWindow int           // unanswered deliver_sm per bind
	TPS      int           // deliver_sm per second over all its binds; 0 is unlimited
	Profile  *profile.Link // what it does otherwise than the specification; nil: nothing

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
	i := &Inbound{Sessions: defaultInboundSessions, Window: defaultInboundWindow, MTWindow: defaultLinkWindow}
	m.Need("system_id")
	name(m, "system_id", &i.SystemID)
	i.password, i.hash = p.secret(m, true)
	i.Allow = m.Prefixes("allow")
	m.Int("sessions", &i.Sessions, 1, maxSessions)
	m.Int("window", &i.Window, 1, maxWindow)
	m.Bool("mt", &i.MT)
	m.Int("mt_window", &i.MTWindow, 1, maxWindow)
	if i.MT || m.Has("tps") {
		tps(m, &i.TPS)
	}
	i.Profile = linkProfile(m)
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
		{name: "inbound.allow", text: strings.Join(allow, " ")}, {name: "inbound.sessions", text: strconv.Itoa(i.Sessions)}, {name: "inbound.window", text: strconv.Itoa(i.Window)},
		{name: "inbound.mt", text: strconv.FormatBool(i.MT)}, {name: "inbound.mt_window", text: strconv.Itoa(i.MTWindow)},
		{name: "inbound.tps", text: strconv.Itoa(i.TPS)}, {name: "inbound.profile", text: profileText(i.Profile)}}
}
