package catalog

import (
	"strings"

	"smsplane/ledger/catalog/document"
)

// check looks at what only shows across files. A reference is judged only if the file it points into could
// be read: a broken clients.yaml should not make every rate a mistake.
func (p *parser) check() {
	clients, carriers := p.unique()
	p.checkRates()
	plans := map[string]bool{}
	for i := range p.cat.Routes {
		r := &p.cat.Routes[i]
		plans[r.Plan] = true
		if len(carriers) > 0 && !carriers[r.Carrier] {
			p.at(RoutesFile, r.Line, "no carrier has the id %q", r.Carrier)
		}
	}
	for i := range p.cat.Clients {
		if c := &p.cat.Clients[i]; len(plans) > 0 && c.Plan != "" && !plans[c.Plan] {
			p.at(ClientsFile, c.line, "client %q: plan %q has no row in %s", c.ID, c.Plan, RoutesFile)
		}
	}
	p.checkBroadcasts()
	p.checkMO(clients, carriers)
}

// unique reports ids and system_ids that stand twice, and returns the ids.
func (p *parser) unique() (clients, carriers map[string]bool) {
	clients, carriers = map[string]bool{}, map[string]bool{}
	systems := map[string]string{}
	for i := range p.cat.Clients {
		c := &p.cat.Clients[i]
		if clients[c.ID] && c.ID != "" {
			p.at(ClientsFile, c.line, "client %q is declared twice", c.ID)
		}
		if other, twice := systems[c.SystemID]; twice && c.SystemID != "" {
			p.at(ClientsFile, c.line, "client %q: system_id %q is client %q's already", c.ID, c.SystemID, other)
		}
		clients[c.ID], systems[c.SystemID] = true, c.ID
	}
	for i := range p.cat.Carriers {
		c := &p.cat.Carriers[i]
		if carriers[c.ID] && c.ID != "" {
			p.at(CarriersFile, c.line, "carrier %q is declared twice", c.ID)
		}
		carriers[c.ID] = true
		if c.Inbound == nil || c.Inbound.SystemID == "" {
			continue
		}
		if other, twice := systems[c.Inbound.SystemID]; twice {
			p.at(CarriersFile, c.line, "carrier %q: inbound system_id %q is %q's already", c.ID, c.Inbound.SystemID, other)
		}
		systems[c.Inbound.SystemID] = c.ID
	}
	return clients, carriers
}

// checkRates reports prices for nobody, and prices in another currency than the account they move.
func (p *parser) checkRates() {
	accounts := [Buy + 1]map[string][]string{Sell: {}, Buy: {}} // party to currencies
	for i := range p.cat.Clients {
		c := &p.cat.Clients[i]
		accounts[Sell][c.Party] = append(accounts[Sell][c.Party], c.Billing.Currency)
	}
	for i := range p.cat.Carriers {
		c := &p.cat.Carriers[i]
		accounts[Buy][c.Party] = append(accounts[Buy][c.Party], c.Currency)
	}
	who := [Buy + 1]string{Sell: "client", Buy: "carrier"}
	for i := range p.cat.Rates {
		r := &p.cat.Rates[i]
		currencies := accounts[r.Kind][r.Party]
		if len(currencies) == 0 && len(accounts[r.Kind]) > 0 {
			p.at(RatesFile, r.Line, "no %s has the party %q", who[r.Kind], r.Party)
		}
		for _, c := range currencies {
			if c != r.Currency && c != "" {
				p.at(RatesFile, r.Line, "the price is in %s, the account of %s %s in %s", r.Currency, who[r.Kind], r.Party, c)
				break
			}
		}
	}
}

func (p *parser) checkMO(clients, carriers map[string]bool) {
	first := map[MORule]int{}
	for i := range p.cat.MO {
		r := &p.cat.MO[i]
		if len(clients) > 0 && r.Client != "" && !clients[r.Client] {
			p.at(MOFile, r.Line, "no client has the id %q", r.Client)
		}
		if len(carriers) > 0 && r.Carrier != "" && !carriers[r.Carrier] {
			p.at(MOFile, r.Line, "no carrier has the id %q", r.Carrier)
		}
		k := MORule{Carrier: r.Carrier, To: strings.TrimPrefix(r.To, "+"), Prefix: strings.TrimPrefix(r.Prefix, "+"), Keyword: strings.ToUpper(r.Keyword)}
		if at, twice := first[k]; twice {
			p.at(MOFile, r.Line, "messages %s have a client on line %d already", r.match(), at)
		}
		first[k] = r.Line
	}
}

// excerpt is the text of a line of a file that was read before.
func (p *parser) excerpt(file string, line int) string {
	if p.lines == nil {
		p.lines = map[string]document.Lines{}
	}
	l, ok := p.lines[file]
	if !ok {
		l = document.SplitLines(p.files[file])
		p.lines[file] = l
	}
	return l.At(line)
}
