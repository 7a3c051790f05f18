package dataplane

import (
	"context"
	"fmt"

	"smsplane/dataplane/admin"
	"smsplane/dataplane/cluster"
	"smsplane/ledger/replica"
)

// cluster tells what this host knows of the others; nil on a single host.
func (n *Node) cluster() *admin.ClusterStatus {
	if n.members == nil {
		return nil
	}
	m := n.members
	c := &admin.ClusterStatus{Store: cluster.ID(n.db.ID()).String(), Waits: m.waits()}
	c.Relayed = n.passage.Load().count()
	t := m.table()
	if t != nil {
		c.ID, c.Epoch = t.Cluster.String(), t.Epoch
	}
	seen := map[string]bool{}
	add := func(name string, witness bool) *admin.HostStatus {
		seen[name] = true
		c.Hosts = append(c.Hosts, admin.HostStatus{Name: name, Witness: witness, Self: name == n.cfg.Name})
		h := &c.Hosts[len(c.Hosts)-1]
		if p := m.mesh.Peer(name); p != nil {
			s := p.Status()
			h.Address, h.Sending, h.Hearing, h.Since, h.Reason, h.Lost = s.Address, s.Sending, s.Hearing, s.Since.UTC(), s.Reason, s.Lost
		}
		return h
	}
	if t != nil {
		for i := range t.Members {
			v := &t.Members[i]
			h := add(v.Name, v.Witness)
			h.Store, h.Incarnation, h.Joining = v.Store.String(), v.Incarnation, v.Joining
			h.Disk = m.room(v.Raft()).String()
		}
	}
	for _, v := range n.cfg.Cluster.Members {
		if !seen[v.Name] {
			add(v.Name, v.Witness)
		}
	}
	return c
}

// muster adds what the lanes know.
func (x *executor) muster(c *admin.ClusterStatus) {
	if c == nil {
		return
	}
	c.Quorum = !x.fellows.without
	at := map[string]*admin.HostStatus{}
	for i := range c.Hosts {
		at[c.Hosts[i].Name] = &c.Hosts[i]
	}
	for _, l := range x.lanes {
		if h := at[x.fellows.name(l.rep.LeaderID())]; h != nil {
			h.Leads++
		}
		c.SingleCopy = c.SingleCopy || l.leading && l.rep.SingleCopy()
		l.others(func(v admin.LaneLag) {
			if h := at[v.Host]; h != nil {
				h.Lag = max(h.Lag, v.Lag)
			}
		})
	}
}

// others tells how far the other data hosts are in a lane that is led here.
func (l *lane) others(f func(admin.LaneLag)) {
	l.rep.Progress(func(m replica.Member) {
		if replica.IsWitness(m.ID) {
			return
		}
		v := admin.LaneLag{Host: l.x.fellows.name(m.ID), Active: m.Active, Snapshot: m.Snapshot}
		if last := l.log.Last(); last > m.Match {
			v.Lag = last - m.Match
		}
		f(v)
	})
}

// ranked adds to a lane's status who leads it and how the others follow.
func (l *lane) ranked(st *admin.LaneStatus) {
	if l.x.fellows == nil || l.rep == nil {
		return
	}
	st.LedBy = l.x.fellows.name(l.rep.LeaderID())
	st.SingleCopy, st.Fenced, st.Loading = l.rep.SingleCopy(), l.leading && l.fenced, l.loading
	if l.spoilt != nil {
		st.Damaged = l.spoilt.Error()
	}
	l.others(func(v admin.LaneLag) { st.Others = append(st.Others, v) })
}

// mustLead refuses what only the host can do that leads a lane.
func (x *executor) mustLead(l *lane) error {
	if x.fellows == nil || l.leading {
		return nil
	}
	if by := x.fellows.name(l.rep.LeaderID()); by != "" && by != x.fellows.name(x.fellows.me) {
		return admin.Unavailable("lane %d is led by %s; ask there", l.n, by)
	}
	return admin.Unavailable("lane %d is led by nobody just now; ask again", l.n)
}

// ClusterOrder implements admin.Operations.
func (s *source) ClusterOrder(_ context.Context, o admin.ClusterOrder) (r admin.Report, err error) {
	n := s.n
	if n.members == nil || n.links == nil {
		return r, admin.Unavailable("this node belongs to no cluster, or does not run")
	}
	if o.Verb == "promote" {
		return s.promote(o)
	}
	if err := s.ask(func(x *executor) error { return x.mustLead(x.lanes[0]) }); err != nil {
		return r, err
	}
	switch o.Verb {
	case "lead":
		return s.lead(o)
	case "move":
		return s.move(o)
	}
	err = n.members.change(func(f *cluster.Formation) (*cluster.Table, error) {
		switch o.Verb {
		case "add":
			return f.Add(o.Name, o.Address)
		case "remove":
			return f.Remove(o.Name)
		}
		return f.Replace(o.Name)
	})
	if err != nil {
		return r, admin.BadRequest("%v", err)
	}
	n.log.Warn("an operator changed the members", "verb", o.Verb, "host", o.Name, "author", o.Author)
	r.OK = true
	r.Lines = append(r.Lines, fmt.Sprintf("%s %s: ordered; the lanes follow one after the other, `smsplane cluster status` tells", o.Verb, o.Name))
	return r, nil
}

// move has another host lead one lane, from now on; with AnyHost whichever it suits.
func (s *source) move(o admin.ClusterOrder) (r admin.Report, err error) {
	if !s.n.cfg.Cluster.Spread {
		return r, admin.BadRequest("all lanes are led by one host, as cluster.spread says; `smsplane lane lead` moves them together")
	}
	name := o.Name
	if name == admin.AnyHost {
		name = ""
	}
	if err := s.n.members.change(func(f *cluster.Formation) (*cluster.Table, error) { return f.Lead(uint16(o.Lane), name) }); err != nil {
		return r, admin.BadRequest("%v", err)
	}
	s.n.log.Warn("an operator ordered who leads a lane", "lane", o.Lane, "host", o.Name, "author", o.Author)
	r.OK, r.Lines = true, []string{fmt.Sprintf("lane %d: %s is to lead it; `smsplane lane list` tells when it does", o.Lane, o.Name)}
	return r, nil
}

// lead has another host lead lane 0, and unless leaders are spread all others with it.
func (s *source) lead(o admin.ClusterOrder) (r admin.Report, err error) {
	m := s.n.members.table().Find(o.Name)
	if m == nil || m.Witness {
		return r, admin.BadRequest("%s is not a member that stores messages", o.Name)
	}
	if by := s.n.members.table().Leads[0]; by != "" {
		return r, admin.BadRequest("lane 0 is led by %s as an operator said; `smsplane lane move 0 %s` says otherwise", by, o.Name)
	}
	err = s.ask(func(x *executor) error {
		if m.Raft() == x.fellows.me {
			return nil
		}
		for _, l := range x.lanes {
			if !l.leading || x.fellows.spread.on && l.n > 0 {
				continue
			}
			if err := l.cedeTo(m.Raft()); err != nil {
				return admin.Unavailable("lane %d: %v", l.n, err)
			}
		}
		return nil
	})
	if err != nil {
		return r, err
	}
	s.n.log.Warn("an operator ordered who leads", "host", o.Name, "author", o.Author)
	what := "every lane"
	if s.n.cfg.Cluster.Spread {
		what = "lane 0, and with it to keep the links to carriers"
	}
	r.OK, r.Lines = true, []string{o.Name + " is asked to lead " + what}
	return r, nil
}
