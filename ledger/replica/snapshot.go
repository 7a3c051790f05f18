package replica

import (
	"slices"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"

	"smsplane/ledger/journal"
)

// A member that the log cannot bring up to date any more is sent a snapshot. Raft's message of it says only
// where and who; to a witness it goes as it is. For a data host the message is kept here, and Config.Snapshot
// asks the owner to stream the lane (journal.Export) to that host, which stages it (journal.Import), closes
// the lane's replica, installs it and opens the lane anew: to raft that is a restart of the member on a
// newer log. ReportSnapshot then lets raft go on from there.

// defaultHold is how much log is kept for a member that is away.
const defaultHold = 256 << 20

// askSnapshot has the owner stream the lane to a data host. All that is in the log now is held meanwhile.
func (r *Replica) askSnapshot(to uint64) {
	if r.c.faults.dropSnap {
		return
	}
	if r.c.Snapshot == nil {
		r.todo = append(r.todo, func() { r.rn.ReportSnapshot(to, raft.SnapshotFailure) })
		return
	}
	if p := r.peer(to); p != nil {
		p.hold = r.c.Log.First()
	}
	r.todo = append(r.todo, func() { r.c.Snapshot(to) })
}

// HoldFor says that the snapshot being streamed to a member ends with this index: the log from behind it is
// held until the member has it, or ReportSnapshot says that it failed.
func (r *Replica) HoldFor(id, index uint64) {
	if p := r.peer(id); p != nil && p.hold > 0 {
		p.hold = index + 1
	}
}

// ReportSnapshot says how the snapshot that Config.Snapshot asked for ended: whether the member has opened its
// lane on it. It must be called behind each, at any time later, and once where it was asked for again on its way; one that failed is
// asked for again when the member answers the next heartbeat.
func (r *Replica) ReportSnapshot(id uint64, ok bool) {
	if p := r.peer(id); p != nil && !ok {
		p.hold = 0
	}
	if r.err != nil {
		return
	}
	defer r.guard()
	status := raft.SnapshotFailure
	if ok {
		status = raft.SnapshotFinish
	}
	r.rn.ReportSnapshot(id, status)
}

// ReportUnreachable says that messages to a member are being lost: raft then probes instead of streaming.
func (r *Replica) ReportUnreachable(id uint64) {
	if r.err == nil {
		r.rn.ReportUnreachable(id)
	}
}

// doLater does what must not happen inside raft's own calls.
func (r *Replica) doLater() {
	for len(r.todo) > 0 {
		todo := r.todo
		r.todo = nil
		for _, f := range todo {
			f()
		}
	}
}

// Needed is the lowest entry that some member may still have to be sent: the log may be dropped below it and
// below what the folds need. The leader goes by what each data member has, and tells the others with its
// heartbeats. For one that is away no more than Config.Hold bytes are kept; it gets a snapshot then.
func (r *Replica) Needed() uint64 {
	if r.alone {
		return r.applied + 1
	}
	if r.witness {
		return r.c.Log.First()
	}
	low := r.applied + 1
	held := low
	if r.leads() {
		r.rn.WithProgress(func(id uint64, _ raft.ProgressType, p tracker.Progress) {
			if id != r.c.ID && !IsWitness(id) {
				low = min(low, p.Match+1)
				if m := r.peer(id); m != nil && p.Match+1 >= m.hold {
					m.hold = 0
				}
			}
		})
		for i := range r.peers {
			if h := r.peers[i].hold; h > 0 {
				held = min(held, h)
			}
		}
	} else {
		low = min(low, r.told)
	}
	r.slideHold()
	return min(max(low, r.hold.from), max(held, r.hold.long))
}

// holdMark remembers how many bytes had been applied when an index was.
type holdMark struct {
	index uint64
	bytes int64
}

// holdOverhead is what an entry counts beside its bytes: the Log's table keeps a line for each in memory.
const holdOverhead = 256

// slideHold moves the two ends of what is kept for others: Hold bytes, and four times as much while a
// snapshot is on its way. It counts in steps of a 64th of Hold.
func (r *Replica) slideHold() {
	h := &r.hold
	for ; h.next <= r.applied; h.next++ {
		h.total += int64(r.c.Log.Size(h.next)) + holdOverhead
		if n := len(h.marks); n == 0 || h.total-h.marks[n-1].bytes >= r.c.Hold/64 {
			h.marks = append(h.marks, holdMark{h.next, h.total})
		}
	}
	drop := 0
	for drop < len(h.marks) && h.total-h.marks[drop].bytes > 4*r.c.Hold {
		h.long = h.marks[drop].index + 1
		drop++
	}
	h.marks = slices.Delete(h.marks, 0, drop)
	for _, m := range h.marks {
		if h.total-m.bytes <= r.c.Hold {
			break
		}
		h.from = m.index + 1
	}
}

// hold counts what has been applied, to bound what is kept for members that are away.
type hold struct {
	next       uint64 // to be counted
	total      int64
	marks      []holdMark
	from, long uint64
}

// restore takes raft's snapshot into a witness's log: everything up to its index is known to be committed and
// is dropped. Only witnesses get here. What is returned goes with the append, which makes it durable.
func (r *Replica) restore(s *pb.Snapshot) *journal.Restore {
	m := s.GetMetadata()
	g := groupOf(m.GetIndex(), m.GetConfState())
	to := &journal.Restore{Index: m.GetIndex(), Term: m.GetTerm(), Group: g.Encode()}
	r.c.Log.Restore(to)
	r.applied, r.appliedTerm = m.GetIndex(), m.GetTerm()
	r.setGroup(g)
	return to
}
