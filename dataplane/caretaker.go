package dataplane

import (
	"slices"

	"smsplane/dataplane/cluster"
	"smsplane/ledger/replica"
)

// The raft groups of the lanes follow the table of members: whoever leads a lane compares the two and proposes one
// change at a time, until nothing differs. So a change goes on whatever fails in between.
//
//	in the table, not in the group:  a witness is made a voter at once, a data host a learner
//	a learner that follows:          becomes a voter, and the store before it goes, in one change
//	in the group, not in the table:  is removed
//
// Where leaders are not spread, who leads lane 0 leads all. So whoever votes in lane 0 votes in every lane: it is made a voter there
// last, and removed from there first. Else a host could be elected there whom the other lanes cannot follow.

// caughtUp is how many entries behind a learner may be that is made a voter.
const caughtUp = 256

// care does what is due for the lanes led here, whether they are led to work or about to be led elsewhere.
func (x *executor) care(t *cluster.Table) {
	for _, l := range x.lanes {
		if l.away || !l.rep.Leader() {
			continue
		}
		if c := l.change(t); len(c) > 0 {
			if err := l.rep.ProposeConf(c...); err != nil {
				x.log.Debug("a change of members has to wait", "lane", l.n, "err", err)
			} else {
				x.log.Info("a change of members is proposed", "lane", l.n, "changes", c)
			}
		}
	}
}

// change is the next step from the lane's group to the table, nil when they are alike.
func (l *lane) change(t *cluster.Table) []replica.Change {
	g := l.rep.Group()
	for i := range t.Members {
		m := &t.Members[i]
		id := m.Raft()
		switch {
		case g.Votes(id):
		case !m.Witness && !g.Has(id):
			return []replica.Change{{Kind: replica.AddLearner, ID: id}}
		case l.n == 0 && !l.x.votesBehind(id):
		case m.Witness || l.follows(id):
			return append([]replica.Change{{Kind: replica.AddVoter, ID: id}}, former(&g, id)...)
		}
	}
	first := l.x.lanes[0].rep.Group()
	for _, id := range g.Members() {
		if t.ByRaft(id) == nil && !replacing(t, id) && (l.n == 0 || !first.Has(id)) {
			return []replica.Change{{Kind: replica.Remove, ID: id}}
		}
	}
	return nil
}

// votesBehind says that a member votes in every lane but lane 0.
func (x *executor) votesBehind(id uint64) bool {
	return !slices.ContainsFunc(x.lanes[1:], func(l *lane) bool { g := l.rep.Group(); return !g.Votes(id) })
}

// former removes the earlier stores of a member.
func former(g *replica.Group, id uint64) (c []replica.Change) {
	for _, old := range g.Members() {
		if old != id && replica.Number(old) == replica.Number(id) {
			c = append(c, replica.Change{Kind: replica.Remove, ID: old})
		}
	}
	return c
}

// replacing says that an id is the earlier store of a member that joins: it goes when the new one votes.
func replacing(t *cluster.Table, id uint64) bool {
	for i := range t.Members {
		if t.Members[i].Number == replica.Number(id) && t.Members[i].Joining {
			return true
		}
	}
	return false
}

// follows says that a learner has nearly all of the log.
func (l *lane) follows(id uint64) (yes bool) {
	l.rep.Progress(func(m replica.Member) {
		if m.ID == id {
			yes = m.Active && !m.Snapshot && m.Match+caughtUp >= l.rep.Committed()
		}
	})
	return yes
}

// settled says that a member votes in every lane, and its earlier stores are gone.
func (x *executor) settled(id uint64) bool {
	for _, l := range x.lanes {
		g := l.rep.Group()
		if g.Joint() || !g.Votes(id) || len(former(&g, id)) > 0 {
			return false
		}
	}
	return true
}

// takeCare runs once a second or so, away from the executor: it looks where the table of members leads.
func (n *Node) takeCare() {
	if n.members == nil {
		return
	}
	t := n.members.table()
	var done []string
	n.x.call(func() {
		n.x.care(t)
		for i := range t.Members {
			if m := &t.Members[i]; m.Joining && n.x.lanes[0].leading && n.x.settled(m.Raft()) {
				done = append(done, m.Name)
			}
		}
	})
	for _, name := range done {
		if err := n.members.change(func(f *cluster.Formation) (*cluster.Table, error) { return f.Settled(name), nil }); err != nil {
			n.log.Error("the table of members is not changed", "err", err)
		}
		n.log.Info("a member votes in every lane", "host", name)
	}
}
