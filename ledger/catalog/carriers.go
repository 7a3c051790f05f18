package catalog

import (
	"fmt"
	"net/netip"
	"time"

	"smsplane/ledger"
	"smsplane/ledger/catalog/document"
	"smsplane/pdu"
	"smsplane/pdu/profile"
)

func (p *parser) carriers() {
	top := p.open(CarriersFile, false)
	if top == nil {
		return
	}
	top.Need("carriers")
	for _, m := range top.Maps("carriers") {
		p.cat.Carriers = append(p.cat.Carriers, p.carrier(m))
	}
	top.Close()
}

func (p *parser) carrier(m *document.Map) Carrier {
	c := Carrier{line: m.Line("id"), Receipts: ReceiptsAlways, ReceiptWait: defaultReceiptWait}
	name(m, "id", &c.ID)
	m.Label(fmt.Sprintf("carrier %q", c.ID))
	m.Need("id", "currency", "cost", "links")
	c.Party = c.ID
	name(m, "party", &c.Party)
	currency(m, &c.Currency)
	c.Cost = Charge(m.OneOf("cost", chargeWords...) + 1)
	if i := m.OneOf("receipts", receiptWords...); i >= 0 {
		c.Receipts = Receipts(i + 1)
	}
	choose(m, "part_receipts", &c.Parts, partReceiptWords)
	m.Duration("receipt_wait", &c.ReceiptWait, time.Second, maxDuration)
	m.Duration("validity_max", &c.ValidityMax, time.Minute, maxDuration)
	inDoubt(m, &c.InDoubt)
	rate(m, &c.TPS) // links must say theirs
	m.Int("window", &c.Window, 1, maxWindow)
	c.Statuses = carrierStatuses(m)
	c.Inbound = p.inbound(m.Map("inbound"))
	for _, l := range m.Maps("links") {
		l.Label(fmt.Sprintf("carrier %q link %d", c.ID, len(c.Links)+1))
		c.Links = append(c.Links, p.link(l))
	}
	m.Close()
	return c
}

// inDoubt reads the policy of each class: its own, else the default's.
func inDoubt(m *document.Map, v *[ledger.Classes]ledger.Policy) {
	policy := func(sub *document.Map, key string, or ledger.Policy) ledger.Policy {
		if sub == nil {
			return or
		}
		if i := sub.OneOf(key, policyWords...); i >= 0 {
			return ledger.Policy(i + 1)
		}
		return or
	}
	sub := m.Map("in_doubt")
	all := policy(sub, "default", defaultPolicy)
	for c := range v {
		v[c] = policy(sub, classWords[c], all)
	}
	if sub != nil {
		sub.Close()
	}
}

func (p *parser) link(m *document.Map) Link {
	l := Link{line: m.Line("address"), Bind: pdu.BindTransceiver, Version: defaultVersion,
		Sessions: defaultSessions, Window: defaultLinkWindow, DeliverWindow: defaultLinkDeliver,
		EnquireEvery: defaultEnquireLink, ResponseTimeout: defaultResponseTimeout,
		BindTimeout: defaultBindTimeout, PDUTimeout: defaultPDUTimeout}
	if !m.Has("outbind") {
		m.Need("address")
	}
	m.Need("system_id")
	l.Addresses = hosts(m)
	name(m, "system_id", &l.SystemID)
	plain, _ := p.secret(m, false)
	l.Password = string(plain)
	name(m, "system_type", &l.SystemType)
	if i := m.OneOf("bind", bindWords...); i >= 0 {
		l.Bind = bindCommands[i]
	}
	if i := m.OneOf("version", versionWords...); i >= 0 {
		l.Version = versionOctets[i]
	}
	if l.Version == 0x33 && l.Bind == pdu.BindTransceiver && m.Has("bind") {
		m.Fail("bind", "SMPP 3.3 has no transceiver")
	}
	m.Int("sessions", &l.Sessions, 1, maxSessions)
	m.Int("window", &l.Window, 1, maxWindow)
	m.Int("deliver_window", &l.DeliverWindow, 1, maxWindow)
	tps(m, &l.TPS)
	source(m, &l.Source)
	l.TLS, l.Called = p.linkTLS(m), p.called(m)
	m.Duration("enquire_link", &l.EnquireEvery, time.Second, time.Hour)
	m.Duration("response_timeout", &l.ResponseTimeout, time.Second, time.Hour)
	m.Duration("bind_timeout", &l.BindTimeout, 100*time.Millisecond, 5*time.Minute)
	m.Duration("pdu_timeout", &l.PDUTimeout, time.Second, 5*time.Minute)
	m.Duration("inactivity_timeout", &l.InactivityTimeout, 0, 24*time.Hour)
	if l.Profile = linkProfile(m); l.Profile != nil && l.Profile.Parts == profile.PartsPayload && l.Version == 0x33 {
		m.Fail("profile", "parts: payload needs message_payload, which SMPP 3.3 has not")
	}
	m.Close()
	return l
}

func source(m *document.Map, v *netip.Addr) {
	if s, ok := m.Text("source"); ok {
		a, err := netip.ParseAddr(s)
		if err != nil {
			m.Fail("source", "%q is not an address of this host", s)
			return
		}
		*v = a
	}
}
