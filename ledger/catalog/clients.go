package catalog

import (
	"fmt"
	"time"

	"smsplane/ledger"
	"smsplane/ledger/catalog/document"
	"smsplane/pdu"
)

func (p *parser) clients() {
	top := p.open(ClientsFile, false)
	if top == nil {
		return
	}
	top.Need("clients")
	for _, m := range top.Maps("clients") {
		p.cat.Clients = append(p.cat.Clients, p.client(m))
	}
	top.Close()
}

func (p *parser) client(m *document.Map) Client {
	c := Client{line: m.Line("id"), Window: defaultWindow, DeliverWindow: defaultWindow,
		MaxBinds: Binds{defaultBinds, defaultBinds, defaultBinds},
		Statuses: Statuses{defaultRefusal, defaultRefusal, defaultRefusal},
		OverRate: Throttle, ReceiptKeep: defaultReceiptKeep}
	name(m, "id", &c.ID)
	m.Label(fmt.Sprintf("client %q", c.ID))
	m.Need("id", "system_id", "plan", "class", "billing")
	c.Party = c.ID
	name(m, "party", &c.Party)
	name(m, "system_id", &c.SystemID)
	c.password, c.hash = p.secret(m, true)
	name(m, "plan", &c.Plan)
	class(m, "class", &c.Class)
	c.Senders = senders(m, c.Class)
	m.Int("window", &c.Window, 1, maxWindow)
	m.Int("deliver_window", &c.DeliverWindow, 1, maxWindow)
	binds(m, &c.MaxBinds)
	tps(m, &c.TPS)
	if i := m.OneOf("over_rate", overRateWords...); i >= 0 {
		c.OverRate = OverRate(i + 1)
	}
	country(m, &c.Country)
	c.Allow = m.Prefixes("allow")
	statuses(m, &c.Statuses)
	validities(m, &c.Validity)
	m.Bool("in_order", &c.InOrder)
	m.Duration("receipt_keep", &c.ReceiptKeep, time.Second, maxDuration)
	m.Bool("bind_error_body", &c.BindErrorBody)
	for _, it := range m.Texts("modes") {
		switch it.Text {
		case "datagram":
			c.Datagram = true
		case "transaction":
			c.Transaction = true
		default:
			m.FailAt(it.Line, "modes: %q is not one of datagram, transaction", it.Text)
		}
	}
	broadcast(m, &c.Broadcast)
	c.Call = p.call(m)
	billing(m, &c.Billing)
	c.Profile = clientProfile(m)
	m.Close()
	return c
}

// validities reads validity_default and validity_max, of all classes and, in classes, of single ones.
func validities(m *document.Map, v *[ledger.Classes]Validity) {
	all := Validity{defaultValidity, defaultValidityMax}
	validity(m, &all)
	sub := m.Map("classes")
	for c := range v {
		v[c] = all
		if sub == nil {
			continue
		}
		if own := sub.Map(classWords[c]); own != nil {
			validity(own, &v[c])
			own.Close()
		}
	}
	if sub != nil {
		sub.Close()
	}
}

func validity(m *document.Map, v *Validity) {
	m.Duration("validity_default", &v.Default, time.Minute, maxDuration)
	m.Duration("validity_max", &v.Max, time.Minute, maxDuration)
	if !m.Has("validity_default") {
		v.Default = min(v.Default, v.Max)
	}
	if v.Default > v.Max {
		m.Fail("validity_default", "%s is longer than validity_max, %s", v.Default, v.Max)
	}
}

// binds reads max_binds: said once, a type that is not named has none.
func binds(m *document.Map, b *Binds) {
	sub := m.Map("max_binds")
	if sub == nil {
		return
	}
	*b = Binds{}
	sub.Int("tx", &b.TX, 0, maxBinds)
	sub.Int("rx", &b.RX, 0, maxBinds)
	sub.Int("trx", &b.TRX, 0, maxBinds)
	sub.Close()
}

// country reads the dialling code that completes national numbers; the router relies on 1 to 3 digits.
func country(m *document.Map, v *string) {
	s, ok := m.Text("country")
	if !ok {
		return
	}
	if len(s) > 3 || !digits(s) || s[0] == '0' {
		m.Fail("country", "%q is not a dialling code of 1 to 3 digits, such as 49", s)
		return
	}
	*v = s
}

func statuses(m *document.Map, s *Statuses) {
	sub := m.Map("statuses")
	if sub == nil {
		return
	}
	for _, f := range []struct {
		key string
		to  *pdu.Status
	}{{"no_route", &s.NoRoute}, {"no_price", &s.NoPrice}, {"no_credit", &s.NoCredit}} {
		text, ok := sub.Text(f.key)
		if !ok {
			continue
		}
		st, err := statusOf(text)
		if err != nil {
			sub.Fail(f.key, "%v", err)
			continue
		}
		*f.to = st
	}
	sub.Close()
}

func billing(m *document.Map, b *Billing) {
	sub := m.Map("billing")
	if sub == nil {
		return
	}
	sub.Need("mode", "currency", "charge")
	b.Mode = Mode(sub.OneOf("mode", modeWords...) + 1)
	currency(sub, &b.Currency)
	b.Charge = Charge(sub.OneOf("charge", chargeWords...) + 1)
	if b.Mode == Postpaid {
		sub.Need("credit_limit")
	}
	if s, ok := sub.Text("credit_limit"); ok {
		v, err := ledger.ParseMicro(s)
		switch {
		case err != nil:
			sub.Fail("credit_limit", "%v", err)
		case v < 0:
			sub.Fail("credit_limit", "%s is below zero", s)
		default:
			b.CreditLimit = v
		}
	}
	sub.Close()
}
