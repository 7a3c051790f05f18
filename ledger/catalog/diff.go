package catalog

import (
	"crypto/sha256"
	"fmt"
	"smsplane/ledger"
	"strconv"
	"strings"
)

// Change is one line of a Diff.
type Change struct {
	Op    byte   // '+', '-' or '~'
	Kind  string // client, carrier, network, rate, route, mo
	ID    string
	Field string // of '~'
	Old   string // of '~'; empty for secrets
	New   string
}

// String writes "~ client meter: tps 100 → unlimited".
func (c Change) String() string {
	switch {
	case c.Op != '~' && c.New == "":
		return fmt.Sprintf("%c %s %s", c.Op, c.Kind, c.ID)
	case c.Op != '~':
		return fmt.Sprintf("%c %s %s: %s", c.Op, c.Kind, c.ID, c.New)
	case c.Old == "" && c.New == "":
		return fmt.Sprintf("~ %s %s: %s changed", c.Kind, c.ID, c.Field)
	}
	return fmt.Sprintf("~ %s %s: %s %s → %s", c.Kind, c.ID, c.Field, shown(c.Old), shown(c.New))
}

func shown(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// thing is one declared entity in a form that can be compared.
type thing struct {
	kind, id string
	summary  string // of a row: what stands in it
	fields   []field
}

type field struct {
	name, text string
	secret     bool
}

// Diff lists what changes from old to new, in the order of the files: what new adds or alters, then what it
// leaves out. Old may be nil. Passwords are compared, never shown.
func Diff(old, new *Catalog) []Change {
	var changes []Change
	before, after := things(old), things(new)
	was := map[[2]string]*thing{}
	for i := range before {
		was[[2]string{before[i].kind, before[i].id}] = &before[i]
	}
	for i := range after {
		n := &after[i]
		k := [2]string{n.kind, n.id}
		if o := was[k]; o != nil {
			changes = append(changes, altered(o, n)...)
			delete(was, k)
			continue
		}
		changes = append(changes, Change{Op: '+', Kind: n.kind, ID: n.id, New: n.summary})
	}
	for i := range before {
		o := &before[i]
		if was[[2]string{o.kind, o.id}] != nil {
			changes = append(changes, Change{Op: '-', Kind: o.kind, ID: o.id, New: o.summary})
		}
	}
	return changes
}

func altered(o, n *thing) []Change {
	var changes []Change
	texts := map[string]string{}
	for _, f := range o.fields {
		texts[f.name] = f.text
	}
	for _, f := range n.fields {
		prior := texts[f.name]
		delete(texts, f.name)
		if prior == f.text {
			continue
		}
		c := Change{Op: '~', Kind: n.kind, ID: n.id, Field: f.name}
		if !f.secret {
			c.Old, c.New = prior, f.text
		}
		changes = append(changes, c)
	}
	for _, f := range o.fields { // fields of links that are gone
		if prior, left := texts[f.name]; left && prior != "" {
			c := Change{Op: '~', Kind: n.kind, ID: n.id, Field: f.name}
			if !f.secret {
				c.Old = prior
			}
			changes = append(changes, c)
		}
	}
	return changes
}

func things(c *Catalog) []thing {
	if c == nil {
		return nil
	}
	var l []thing
	for i := range c.Clients {
		l = append(l, c.Clients[i].thing())
	}
	for i := range c.Carriers {
		l = append(l, c.Carriers[i].thing())
	}
	for i := range c.Networks {
		n := &c.Networks[i]
		l = append(l, rowThing("network", n.Prefix, field{name: "country", text: n.Country}, field{name: "mcc", text: n.MCC},
			field{name: "mnc", text: n.MNC}, field{name: "network", text: n.Name}))
	}
	for i := range c.Rates {
		r := &c.Rates[i]
		id := fmt.Sprintf("%s %s, %s, from %s", r.Kind, r.Party, r.Match, day(r.From))
		l = append(l, rowThing("rate", id, field{name: "price", text: r.Price.String() + " " + r.Currency}, field{name: "until", text: r.until()}))
	}
	for i := range c.Routes {
		r := &c.Routes[i]
		id := fmt.Sprintf("%s, %s, %s to %s in tier %d", r.Plan, r.Match, shownClass(r), r.Carrier, r.Tier)
		l = append(l, rowThing("route", id, field{name: "weight", text: strconv.Itoa(int(r.Weight))}, field{name: "as_class", text: r.AsText()}))
	}
	for i := range c.MO {
		r := &c.MO[i]
		l = append(l, rowThing("mo", r.match(), field{name: "client", text: r.Client}))
	}
	return l
}

func shownClass(r *Route) string {
	if r.AnyClass {
		return "any class"
	}
	return r.Class.String()
}

// until is the last day of a price; empty when it is open.
func (r *Rate) until() string {
	if r.To == openEnd {
		return ""
	}
	return day(r.To - 1)
}

// rowThing is a row whose fields are short enough to be shown whole.
func rowThing(kind, id string, fields ...field) thing {
	var s []string
	for _, f := range fields {
		if f.text != "" {
			s = append(s, f.name+" "+f.text)
		}
	}
	return thing{kind: kind, id: id, summary: strings.Join(s, ", "), fields: fields}
}

func (c *Client) thing() thing {
	var allow []string
	for _, n := range c.Allow {
		allow = append(allow, n.String())
	}
	return thing{kind: "client", id: c.ID, fields: append([]field{
		{name: "party", text: c.Party}, {name: "system_id", text: c.SystemID},
		{name: "password", text: sum(c.password, c.hash), secret: true},
		{name: "plan", text: c.Plan}, {name: "class", text: c.Class.String()}, {name: "senders", text: sendersText(c.Senders)},
		{name: "window", text: strconv.Itoa(c.Window)}, {name: "deliver_window", text: strconv.Itoa(c.DeliverWindow)},
		{name: "max_binds", text: fmt.Sprintf("tx %d rx %d trx %d", c.MaxBinds.TX, c.MaxBinds.RX, c.MaxBinds.TRX)},
		{name: "tps", text: tpsText(c.TPS)}, {name: "over_rate", text: c.OverRate.String()}, {name: "country", text: c.Country}, {name: "allow", text: strings.Join(allow, " ")},
		{name: "statuses.no_route", text: c.Statuses.NoRoute.String()},
		{name: "statuses.no_price", text: c.Statuses.NoPrice.String()},
		{name: "statuses.no_credit", text: c.Statuses.NoCredit.String()},
		{name: "validity", text: validityText(&c.Validity)}, {name: "in_order", text: strconv.FormatBool(c.InOrder)},
		{name: "receipt_keep", text: c.ReceiptKeep.String()}, {name: "modes", text: modesText(c)}, {name: "broadcast", text: c.Broadcast}, {name: "bind_error_body", text: strconv.FormatBool(c.BindErrorBody)},
		{name: "billing.mode", text: c.Billing.Mode.String()}, {name: "billing.currency", text: c.Billing.Currency},
		{name: "billing.credit_limit", text: c.Billing.CreditLimit.String()}, {name: "billing.charge", text: c.Billing.Charge.String()},
		{name: "profile", text: profileText(c.Profile)},
	}, c.Call.fields()...)}
}

func (c *Carrier) thing() thing {
	t := thing{kind: "carrier", id: c.ID, fields: []field{
		{name: "party", text: c.Party}, {name: "currency", text: c.Currency}, {name: "cost", text: c.Cost.String()},
		{name: "part_receipts", text: partReceiptWords[c.Parts]},
		{name: "receipts", text: c.Receipts.String()}, {name: "receipt_wait", text: c.ReceiptWait.String()},
		{name: "validity_max", text: c.ValidityMax.String()},
		{name: "statuses", text: statusTable(c.Statuses)}, {name: "tps", text: tpsText(c.TPS)}, {name: "window", text: tpsText(c.Window)},
	}}
	for class, p := range c.InDoubt {
		t.fields = append(t.fields, field{name: "in_doubt." + classWords[class], text: p.String()})
	}
	t.fields = append(t.fields, c.Inbound.fields()...)
	for i := range c.Links {
		t.fields = append(t.fields, c.Links[i].fields(fmt.Sprintf("link %d ", i+1))...)
	}
	return t
}

func (l *Link) fields(at string) []field {
	source := ""
	if l.Source.IsValid() {
		source = l.Source.String()
	}
	return append([]field{
		{name: at + "address", text: strings.Join(l.Addresses, " ")}, {name: at + "system_id", text: l.SystemID},
		{name: at + "password", text: sum([]byte(l.Password)), secret: true}, {name: at + "system_type", text: l.SystemType},
		{name: at + "bind", text: l.Bind.String()}, {name: at + "version", text: fmt.Sprintf("%d.%d", l.Version>>4, l.Version&15)},
		{name: at + "sessions", text: strconv.Itoa(l.Sessions)}, {name: at + "window", text: strconv.Itoa(l.Window)},
		{name: at + "deliver_window", text: strconv.Itoa(l.DeliverWindow)},
		{name: at + "tps", text: tpsText(l.TPS)}, {name: at + "source", text: source},
		{name: at + "enquire_link", text: l.EnquireEvery.String()}, {name: at + "response_timeout", text: l.ResponseTimeout.String()},
		{name: at + "bind_timeout", text: l.BindTimeout.String()}, {name: at + "pdu_timeout", text: l.PDUTimeout.String()},
		{name: at + "inactivity_timeout", text: l.InactivityTimeout.String()},
		{name: at + "profile", text: profileText(l.Profile)},
	}, append(l.TLS.fields(at), l.Called.fields(at)...)...)
}

// sum stands for secrets in comparisons.
func sum(secrets ...[]byte) string {
	h := sha256.New()
	for _, s := range secrets {
		fmt.Fprintf(h, "%d:%s", len(s), s)
	}
	return string(h.Sum(nil))
}

// validityText writes default and max of each class, "48h0m0s/72h0m0s" when they are the same for all.
func validityText(v *[ledger.Classes]Validity) string {
	var parts []string
	for c, of := range v {
		if c > 0 && of == v[0] {
			continue
		}
		text := of.Default.String() + "/" + of.Max.String()
		if c > 0 {
			text = classWords[c] + " " + text
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}
