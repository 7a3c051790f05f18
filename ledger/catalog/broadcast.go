package catalog

import (
	"slices"

	"smsplane/ledger/catalog/document"
)

// broadcast reads the number that stands for the areas of a client's broadcasts.
func broadcast(m *document.Map, v *string) {
	s, ok := m.Text("broadcast")
	if !ok {
		return
	}
	if len(s) < minDigits || len(s) > maxDigits || !digits(s) || s[0] == '0' {
		m.Fail("broadcast", "%q is not a number of %d to %d digits, such as 9990001, that rows of %s and %s are for", s, minDigits, maxDigits, RoutesFile, RatesFile)
		return
	}
	*v = s
}

// checkBroadcasts reports clients whose broadcasts no carrier could ever be given.
func (p *parser) checkBroadcasts() {
	able := map[string]bool{} // plans
	for i := range p.cat.Routes {
		r := &p.cat.Routes[i]
		for j := range p.cat.Carriers {
			if c := &p.cat.Carriers[j]; c.ID == r.Carrier && slices.ContainsFunc(c.Links, Link.broadcasts) {
				able[r.Plan] = true
			}
		}
	}
	for i := range p.cat.Clients {
		if c := &p.cat.Clients[i]; c.Broadcast != "" && len(p.cat.Carriers) > 0 && len(p.cat.Routes) > 0 && !able[c.Plan] {
			p.at(ClientsFile, c.line, "client %q: broadcast: no carrier of plan %q has a link of version 5.0 that sends", c.ID, c.Plan)
		}
	}
}

// broadcasts says whether broadcast_sm may go over the link.
func (l Link) broadcasts() bool { return l.Sends() && l.Version >= 0x50 }
