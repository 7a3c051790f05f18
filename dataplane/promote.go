package dataplane

import (
	"fmt"

	"smsplane/dataplane/admin"
	"smsplane/dataplane/cluster"
	"smsplane/ledger/replica"
)

// A pair without a third place cannot know whether the other host is dead or only not heard, so neither goes on
// alone until an operator says that the other is gone for good. Both had to sync what was acknowledged: the one that
// is left has all of it.
//
//	table of members: this host alone ─▶ stored ─▶ every lane's group: this member alone ─▶ stored ─▶ lanes opened anew
//
// After a crash in between the order is given again. The other host must not be promoted, too: both would serve, and
// nothing brings the two together again. When it comes back with its old store it is refused; with an empty folder
// `cluster add` takes it in as a new member.

// promote makes this host the only member.
func (s *source) promote(o admin.ClusterOrder) (r admin.Report, err error) {
	n := s.n
	if o.Name != n.cfg.Name {
		return r, admin.BadRequest("this host is %s: give the order at the host that is to go on alone, with its own name", n.cfg.Name)
	}
	for _, p := range n.members.mesh.Peers() {
		if v := p.Status(); v.Sending || v.Hearing {
			return r, admin.BadRequest("%s is reached: where it is alive, nobody has to go on alone", v.Name)
		}
	}
	if err := s.ask((*executor).leaderless); err != nil {
		return r, err
	}
	if err := n.members.change((*cluster.Formation).Promote); err != nil {
		return r, admin.BadRequest("%v", err)
	}
	alone := make(chan error, n.cfg.Lanes)
	err = s.ask(func(x *executor) error {
		if err := x.leaderless(); err != nil { // once more: what it said before may have changed
			return err
		}
		for _, l := range x.lanes {
			l.goAlone(alone)
		}
		return nil
	})
	if err != nil {
		return r, err
	}
	for range n.cfg.Lanes {
		select {
		case err := <-alone:
			if err != nil {
				return r, err
			}
		case <-n.x.done:
			return r, errStopped
		}
	}
	n.log.Warn("an operator promoted this host: it is the only member from now on", "author", o.Author)
	r.OK = true
	r.Lines = append(r.Lines, fmt.Sprintf("%s is the only member and leads every lane; the other host's store must never serve again: empty its folder, start it, and `smsplane cluster add` it here", o.Name))
	return r, nil
}

// leaderless refuses where some lane has a leader, or is on its way from one state to another.
func (x *executor) leaderless() error {
	for _, l := range x.lanes {
		if by := l.rep.LeaderID(); by != 0 {
			return admin.BadRequest("lane %d is led by %s: nothing is to be promoted", l.n, x.fellows.name(by))
		}
		if l.away || l.loading || l.leading {
			return admin.Unavailable("lane %d is being loaded; ask again", l.n)
		}
	}
	return nil
}

// goAlone opens the lane anew as that of a group of one.
func (l *lane) goAlone(told chan<- error) {
	x := l.x
	l.away = true
	l.unload()
	replica.Alone(x.db, l.log, x.fellows.me, func() {
		x.post(func() {
			last, _ := l.log.Term(l.log.Last())
			l.log.Stable(l.log.Last(), last) // all that was appended before is durable, and the member that awaited it is gone
			err := l.reopen("a lane goes on alone")
			if err != nil {
				err = fmt.Errorf("lane %d: opening it alone: %w", l.n, err)
				x.fail(err)
			}
			told <- err
		})
	})
}
