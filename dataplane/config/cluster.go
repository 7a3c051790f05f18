package config

import (
	"slices"
	"time"

	"smsplane/ledger/catalog/document"
)

func (n *Node) cluster(top *document.Map) {
	m := top.Map("cluster")
	if m == nil {
		return
	}
	c := &Cluster{}
	m.Need("listen", "members")
	if s, ok := m.Text("listen"); ok {
		if err := document.HostPort(s, true); err != nil {
			m.Fail("listen", "%v", err)
		}
		c.Listen = s
	}
	c.members(m, n.Name)
	c.witnesses(m)
	m.Bool("insecure_plaintext", &c.InsecurePlaintext)
	n.clusterTLS(m, c)
	c.Relay = true
	m.Bool("relay", &c.Relay)
	c.Spread = true
	m.Bool("spread", &c.Spread)
	c.Settle = 5 * time.Second
	m.Duration("settle", &c.Settle, 100*time.Millisecond, time.Hour)
	c.Keep = 256 << 20
	size(m, "keep", &c.Keep)
	c.plaintext(m)
	m.Close()
	n.Cluster = c
}

func (c *Cluster) members(m *document.Map, self string) {
	sub := m.Map("members")
	if sub == nil {
		return
	}
	addresses := map[string]string{}
	for _, it := range sub.Items() {
		if err := document.HostPort(it.Text, false); err != nil {
			sub.FailAt(it.Line, "%s: %v", it.Key, err)
		}
		if other, twice := addresses[it.Text]; twice {
			sub.FailAt(it.Line, "%s: %s is the address of %s already", it.Key, it.Text, other)
		}
		addresses[it.Text] = it.Key
		c.Members = append(c.Members, Member{Name: it.Key, Address: it.Text})
	}
	if !slices.ContainsFunc(c.Members, func(x Member) bool { return x.Name == self }) {
		m.Fail("members", "this node, %q, is not among them", self)
	}
}

// witnesses marks members that only vote.
func (c *Cluster) witnesses(m *document.Map) {
	stores := len(c.Members)
	for _, it := range m.Texts("witness") {
		i := slices.IndexFunc(c.Members, func(x Member) bool { return x.Name == it.Text })
		switch {
		case i < 0:
			m.FailAt(it.Line, "witness: %q is not a member", it.Text)
		case c.Members[i].Witness:
			m.FailAt(it.Line, "witness: %q stands twice", it.Text)
		default:
			c.Members[i].Witness = true
			stores--
		}
	}
	if len(c.Members) > 0 && stores == 0 {
		m.Fail("witness", "every member is a witness; somebody has to store the messages")
	}
}

// clusterTLS reads what this host shows the others, and who signs what they show.
func (n *Node) clusterTLS(cluster *document.Map, c *Cluster) {
	m := cluster.Map("tls")
	if m == nil {
		return
	}
	m.Need("cert", "key", "ca")
	n.path(m, "cert", &c.TLS.Cert)
	n.path(m, "key", &c.TLS.Key)
	n.path(m, "ca", &c.TLS.ClientCA)
	m.Close()
}

// plaintext holds the border: what is not encrypted may not leave this host.
func (c *Cluster) plaintext(m *document.Map) {
	switch {
	case m.Has("tls") && c.InsecurePlaintext:
		m.Fail("insecure_plaintext", "contradicts tls")
		return
	case m.Has("tls"):
		return
	case !c.InsecurePlaintext:
		m.Fail("insecure_plaintext", "must be true where there is no tls: hosts trust what they hear")
		return
	}
	if c.Listen != "" && document.HostPort(c.Listen, true) == nil && !loopback(c.Listen) {
		m.Fail("listen", "%s is not a loopback address, and plaintext stays on this host", c.Listen)
	}
	for _, x := range c.Members {
		if document.HostPort(x.Address, false) == nil && !loopback(x.Address) {
			m.Fail("members", "%s at %s is not a loopback address, and plaintext stays on this host", x.Name, x.Address)
		}
	}
}
