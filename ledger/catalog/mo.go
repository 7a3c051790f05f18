package catalog

import "smsplane/ledger/catalog/document"

func (p *parser) mo() {
	top := p.open(MOFile, true)
	if top == nil {
		return
	}
	top.Need("mo")
	for _, m := range top.Maps("mo") {
		p.moRule(m)
	}
	top.Close()
}

func (p *parser) moRule(m *document.Map) {
	m.Label("mo rule")
	r := MORule{Line: m.Line("match")}
	m.Need("match", "client")
	if sub := m.Map("match"); sub != nil {
		sub.Need("carrier", "to")
		name(sub, "carrier", &r.Carrier)
		name(sub, "to", &r.To)
		sub.Close()
	}
	name(m, "client", &r.Client)
	m.Close()
	p.cat.MO = append(p.cat.MO, r)
}
