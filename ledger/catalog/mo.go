package catalog

import (
	"strings"

	"smsplane/ledger/catalog/document"
)

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
		name(sub, "carrier", &r.Carrier)
		name(sub, "to", &r.To)
		name(sub, "prefix", &r.Prefix)
		name(sub, "keyword", &r.Keyword)
		switch {
		case r == (MORule{Line: r.Line}) && !sub.Has("carrier") && !sub.Has("to") && !sub.Has("prefix") && !sub.Has("keyword"):
			m.Fail("match", "says nothing: carrier, to, prefix, keyword")
		case r.To != "" && r.Prefix != "":
			sub.Fail("prefix", "stands beside to, which is the whole number")
		case !digits(strings.TrimPrefix(r.Prefix, "+")):
			sub.Fail("prefix", "%q is not digits", r.Prefix)
		case strings.Contains(r.Keyword, " "):
			sub.Fail("keyword", "%q is more than one word", r.Keyword)
		}
		sub.Close()
	}
	name(m, "client", &r.Client)
	m.Close()
	p.cat.MO = append(p.cat.MO, r)
}

// match writes "of south to 12345 with STOP".
func (r *MORule) match() string {
	var s []string
	for _, f := range [...]struct{ word, text string }{{"of ", r.Carrier}, {"to ", r.To}, {"to numbers from ", r.Prefix}, {"with ", r.Keyword}} {
		if f.text != "" {
			s = append(s, f.word+f.text)
		}
	}
	return strings.Join(s, " ")
}
