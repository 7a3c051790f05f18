package catalog

var networkColumns = []string{"prefix", "country", "mcc", "mnc", "network"}

func (p *parser) networks() {
	first := map[string]int{} // prefix to line
	p.table(NetworksFile, true, networkColumns, func(r *row) {
		n := Network{Prefix: r.prefix(), Country: r.text("country"), Name: r.text("network"), Line: r.line}
		n.MCC, n.MNC = r.network()
		if r.text("prefix") == "" {
			r.fail("prefix is empty")
		}
		if n.Country != "" && (len(n.Country) != 2 || !capitals(n.Country)) {
			r.fail("country: %q is not two capital letters", n.Country)
		}
		if at, twice := first[n.Prefix]; twice && n.Prefix != "" {
			r.fail("prefix %s stands on line %d already", n.Prefix, at)
			return
		}
		first[n.Prefix] = r.line
		p.cat.Networks = append(p.cat.Networks, n)
	})
}
