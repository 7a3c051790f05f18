package replica

import (
	"errors"
	"fmt"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"
)

// leads says that raft leads, whatever is applied.
func (r *Replica) leads() bool { return r.soft.RaftState == raft.StateLeader }

// Leader says that this member leads and has applied everything its predecessors committed.
func (r *Replica) Leader() bool { return r.leads() && r.appliedTerm == r.vote.Term }

// Role is what the owner looks at after each DoWork. A leader that finds leader false, or another term than
// the one it began to lead in, was deposed in between: its proposals may be lost, and it gives up what it
// decided on but did not see applied.
func (r *Replica) Role() (leader bool, term, lead uint64) {
	return r.Leader(), r.vote.Term, r.soft.Lead
}

// LeaderID is the leader this member knows of, 0 when none.
func (r *Replica) LeaderID() uint64 { return r.soft.Lead }

// Term is raft's current term.
func (r *Replica) Term() uint64 { return r.vote.Term }

// Committed is the last index known to be committed, Applied the last handed to apply.
func (r *Replica) Committed() uint64 { return max(r.vote.Commit, r.applied) }
func (r *Replica) Applied() uint64   { return r.applied }

// InFlight is the number of entries in the log that are not applied yet.
func (r *Replica) InFlight() int { return int(r.c.Log.Last() - min(r.applied, r.c.Log.Last())) }

// Member is how far another member is, as its leader knows.
type Member struct {
	ID       uint64
	Match    uint64 // has all entries up to here durable; of a member that is sent none: had, when it was last asked
	Active   bool   // was heard of within an election timeout
	Learner  bool
	Snapshot bool // waits for one
}

// Progress tells of each other member; only a leader knows.
func (r *Replica) Progress(f func(Member)) {
	if !r.leads() {
		return
	}
	r.rn.WithProgress(func(id uint64, t raft.ProgressType, p tracker.Progress) {
		if id == r.c.ID {
			return
		}
		peer := r.peer(id)
		f(Member{ID: id, Match: p.Match, Learner: t == raft.ProgressTypeLearner, Snapshot: p.State == tracker.StateSnapshot && !r.spares(id),
			Active: peer != nil && r.ticks-peer.heard < electionTicks})
	})
}

// ErrNoSuccessor says that leadership cannot go to a member: it is no voter with data, or not there.
var ErrNoSuccessor = errors.New("cannot lead this lane")

// Transfer hands leadership to a member, as soon as it has all of the log. Meanwhile, for an election timeout
// at most, proposals are not taken. Role tells whether it happened. to 0 chooses: the active data voter that has
// most, or whom it is being handed to already.
func (r *Replica) Transfer(to uint64) error {
	if r.err != nil {
		return r.err
	}
	if !r.leads() {
		return ErrNotLeader
	}
	if to == 0 {
		if r.rn.BasicStatus().LeadTransferee != 0 {
			return nil
		}
		to = r.successor()
	}
	if to == r.c.ID || IsWitness(to) || !r.group.Votes(to) {
		return fmt.Errorf("%x: %w", to, ErrNoSuccessor)
	}
	defer r.guard()
	r.rn.TransferLeader(to)
	r.settle()
	return r.err
}

// SetUnfit says whether the owner could lead to work: as long as it could not, leadership that another member hands over is not taken.
// This member may still be elected where nobody leads.
func (r *Replica) SetUnfit(unfit bool) { r.unfit = unfit }

// successor is the active data voter that has most, of those with most room. One that waits for a snapshot could not take over in
// time, and until that is noticed no proposals would be taken.
func (r *Replica) successor() (best uint64) {
	var match uint64
	room := Full // no lane goes to one that is Brimful
	r.Progress(func(m Member) {
		of := r.room.of[m.ID]
		if m.Active && !m.Learner && !m.Snapshot && !IsWitness(m.ID) && (of < room || of == room && (best == 0 || m.Match > match)) {
			best, match, room = m.ID, m.Match, of
		}
	})
	return best
}

// stall watches the disk: mark is a write, at the tick when it was the newest.
type stall struct {
	mark uint64
	tick int64
}

func (r *Replica) tickStall() {
	if s := &r.stall; r.writes.open == 0 || r.writes.done >= s.mark {
		s.mark, s.tick = r.writes.seq, r.ticks
	}
	if r.leads() && (r.Stalled() || r.room.of[r.c.ID] == Brimful) {
		r.todo = append(r.todo, func() { _ = r.Transfer(0) }) // nobody to hand over to: the next tick tries again
	}
}

// Stalled says that a write of this member has not become durable for two election timeouts. A leader then
// hands over by itself, if there is somebody, and no such member campaigns.
func (r *Replica) Stalled() bool {
	return !r.alone && r.writes.open > 0 && r.ticks-r.stall.tick > 2*electionTicks
}
