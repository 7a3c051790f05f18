package replica

import (
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"
)

// Leader says that this member leads and has applied everything its predecessors committed.
func (r *Replica) Leader() bool {
	return r.soft.RaftState == raft.StateLeader && r.appliedTerm == r.vote.Term
}

// LeaderID is the leader this member knows of, 0 when none.
func (r *Replica) LeaderID() uint64 { return r.soft.Lead }

// Term is raft's current term.
func (r *Replica) Term() uint64 { return r.vote.Term }

// Committed is the last index known to be committed, Applied the last handed to apply.
func (r *Replica) Committed() uint64 { return max(r.vote.Commit, r.applied) }
func (r *Replica) Applied() uint64   { return r.applied }

// InFlight is the number of entries in the log that are not applied yet.
func (r *Replica) InFlight() int { return int(r.c.Log.Last() - r.applied) }

// Needed is the lowest index that some voter may still have to be sent: the log may be dropped below it and
// below what the folds need. Only the leader of a group of several knows more than that all is needed.
func (r *Replica) Needed() uint64 {
	if len(r.c.Voters) == 1 {
		return r.applied + 1
	}
	if r.soft.RaftState != raft.StateLeader {
		return r.c.Log.First()
	}
	low := r.applied
	r.rn.WithProgress(func(id uint64, _ raft.ProgressType, p tracker.Progress) {
		if id != r.c.ID {
			low = min(low, p.Match)
		}
	})
	return low + 1
}
