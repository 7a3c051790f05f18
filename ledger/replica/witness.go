package replica

import (
	"slices"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
)

// A witness votes and keeps terms, but no payload. Raft knows nothing of it: it is a voter whose messages pass a
// filter here, at the leader and at the witness.
//
//   - Entries for it are stripped of their blocks; index, term, kind and membership changes stay.
//   - It never campaigns: its MsgPreVote and MsgVote are dropped, and nobody sends it MsgTimeoutNow. It ticks, or
//     the lease that CheckQuorum gives a dead leader would never run out and it would refuse every vote.
//   - Appends and snapshots to it are withheld while the data hosts can make a majority of all voters. So an
//     acknowledgment rests on that many hosts having the bytes, and a pair with a witness fails over without losing
//     any. The trap that this avoids: a witness fed eagerly lets one slow moment of the other host end in an
//     acknowledgment that only the leader's disk stands for.
//   - When they cannot (silent for silentTicks, or nothing was committed for blockedTicks) the witness is
//     fed, and SingleCopy says so from before the first entry goes to it until the data hosts have all it was given.
//   - An entry goes to it only once the leader's own disk has it. Else a leader that loses power could come back with less
//     than the witness has a line of, and with the other host away nobody could ever be elected again.
//   - Snapshots to it are metadata. One that is withheld leaves raft waiting for it, which costs nothing per
//     message; feeding begins with telling raft that it failed.
const (
	silentTicks  = electionTicks
	blockedTicks = 2 * electionTicks
	calmTicks    = electionTicks // the data hosts must be level this long before the witness is left alone
	witnessKeeps = 256           // entries behind its applied index
)

// peer is another member as this one sees it.
type peer struct {
	id      uint64
	witness bool
	votes   bool
	heard   int64 // tick of its last message, or of when it became known
	stamp   int64 // newest send stamp of this term that it echoed; see lease.go
	hold    uint64
}

func (r *Replica) peer(id uint64) *peer {
	for i := range r.peers {
		if r.peers[i].id == id {
			return &r.peers[i]
		}
	}
	return nil
}

// feeder decides on the leader whether witnesses are sent anything.
type feeder struct {
	on    bool
	to    uint64 // highest entry that a witness was sent in this term
	calm  int
	lasts [blockedTicks]uint64 // last index at each of the past ticks
	at    int
}

// SingleCopy says of a leader that what it commits now may be on the disk of fewer data hosts than make a
// majority: in a pair with a witness, on one. What was committed while it was false is on both.
func (r *Replica) SingleCopy() bool { return r.leads() && r.single }

// withheld says whether messages with entries must not go to this witness.
func (r *Replica) withheld() bool { return !r.feed.on && !r.c.faults.eager }

// newFeeder begins a leadership: who has been silent for long is not waited for again.
func (r *Replica) newFeeder() {
	r.feed, r.single, r.late = feeder{}, false, nil
	if r.leads() && r.witnesses() && !r.dataAnswers() {
		r.beginFeeding()
	}
}

func (r *Replica) witnesses() bool {
	return slices.ContainsFunc(r.peers, func(p peer) bool { return p.witness && p.votes })
}

// dataAnswers says whether data hosts heard of lately make a majority of the voters.
func (r *Replica) dataAnswers() bool {
	answer := func(voters []uint64) bool {
		n := 0
		for _, id := range voters {
			p := r.peer(id)
			if id == r.c.ID || p != nil && !p.witness && r.answers(p) {
				n++
			}
		}
		return n > len(voters)/2
	}
	return answer(r.group.Voters) && (!r.group.Joint() || answer(r.group.Outgoing))
}

// dataMatch is the highest entry that data hosts alone would have committed.
func (r *Replica) dataMatch() uint64 {
	match := make(map[uint64]uint64, len(r.peers)+1)
	r.rn.WithProgress(func(id uint64, _ raft.ProgressType, p tracker.Progress) {
		if !IsWitness(id) {
			match[id] = p.Match
		}
	})
	of := func(voters []uint64) uint64 {
		have := make([]uint64, len(voters))
		for i, id := range voters {
			have[i] = match[id]
		}
		slices.Sort(have)
		return have[len(have)-(len(have)/2+1)]
	}
	m := of(r.group.Voters)
	if r.group.Joint() {
		m = min(m, of(r.group.Outgoing))
	}
	return m
}

// tickWitness looks once a tick whether feeding must begin or may end.
func (r *Replica) tickWitness() {
	if !r.leads() || !r.witnesses() {
		return
	}
	f := &r.feed
	blocked := f.lasts[f.at] > r.vote.Commit
	f.lasts[f.at] = r.c.Log.Last()
	f.at = (f.at + 1) % blockedTicks
	answers := r.dataAnswers()
	if !f.on {
		if !answers || blocked {
			r.beginFeeding()
		}
	} else if match := r.dataMatch(); answers && match >= r.vote.Commit {
		if f.calm++; f.calm >= calmTicks {
			f.on = false
		}
	} else {
		f.calm = 0
	}
	r.single = r.single && (f.on || r.dataMatch() < f.to)
}

func (r *Replica) beginFeeding() {
	r.feed.on, r.feed.calm, r.single = true, 0, true
	for i := range r.peers {
		if p := &r.peers[i]; p.witness {
			r.release(p.id)
		}
	}
	r.doLater()
}

// release has raft send a member again what was withheld from it. It takes effect with doLater.
func (r *Replica) release(to uint64) {
	if !r.leads() {
		return
	}
	r.rn.WithProgress(func(id uint64, _ raft.ProgressType, p tracker.Progress) {
		switch {
		case id != to:
		case p.State == tracker.StateSnapshot:
			r.todo = append(r.todo, func() { r.rn.ReportSnapshot(id, raft.SnapshotFailure) })
		default:
			r.todo = append(r.todo, func() { r.rn.ReportUnreachable(id) })
		}
	})
}

// passes is the filter for what raft sends. It returns the message to send, or nil.
func (r *Replica) passes(m *pb.Message) *pb.Message {
	to := IsWitness(m.GetTo())
	switch m.GetType() {
	case pb.MsgVote, pb.MsgPreVote:
		if r.witness || r.Stalled() || r.shuns() {
			return nil
		}
	case pb.MsgTimeoutNow:
		if to || r.room.of[m.GetTo()] == Brimful {
			return nil
		}
	case pb.MsgApp:
		if r.spares(m.GetTo()) {
			return r.probe(m)
		}
		if !to {
			return m
		}
		if r.withheld() {
			return nil
		}
		return r.afterDisk(r.strip(m))
	case pb.MsgSnap:
		if !to {
			if !r.spares(m.GetTo()) {
				r.askSnapshot(m.GetTo())
			}
			return nil
		}
		if r.withheld() {
			return nil
		}
		return r.snapWitness(m)
	}
	return m
}

// strip is m without the blocks of its entries, which the log and other messages share.
func (r *Replica) strip(m *pb.Message) *pb.Message {
	if len(m.GetEntries()) == 0 {
		return m
	}
	out := &pb.Message{Type: m.Type, To: m.To, From: m.From, Term: m.Term, LogTerm: m.LogTerm, Index: m.Index, Commit: m.Commit}
	for _, e := range m.GetEntries() {
		if e.GetType() == pb.EntryNormal {
			e = &pb.Entry{Term: e.Term, Index: e.Index, Type: e.Type}
		}
		out.Entries = append(out.Entries, e)
		r.feed.to = max(r.feed.to, e.GetIndex())
	}
	return out
}

// maxLate bounds the appends that wait for the own disk; what is too much is lost, as on a network.
const maxLate = 2 * maxInflightMsgs

// afterDisk keeps an append for a witness back until the own disk has what is in it, in order.
func (r *Replica) afterDisk(m *pb.Message) *pb.Message {
	if len(r.late) == 0 && lastOf(m) <= r.c.Log.Durable() || r.c.faults.early {
		return m
	}
	if len(r.late) < maxLate {
		r.late = append(r.late, m)
	}
	return nil
}

func lastOf(m *pb.Message) uint64 { return m.GetIndex() + uint64(len(m.GetEntries())) }

// sendLate lets go what the disk has now.
func (r *Replica) sendLate() {
	n := 0
	for n < len(r.late) && lastOf(r.late[n]) <= r.c.Log.Durable() {
		r.emit(r.late[n])
		n++
	}
	r.late = slices.Delete(r.late, 0, n)
}

// snapWitness lets a snapshot through. It is small and may be lost, so raft is told at once to go on probing
// behind it: if it did not arrive, the probe's rejection says so and the next is made.
func (r *Replica) snapWitness(m *pb.Message) *pb.Message {
	id := m.GetTo()
	if r.c.faults.dropSnap {
		return nil
	}
	r.todo = append(r.todo, func() { r.rn.ReportSnapshot(id, raft.SnapshotFinish) })
	return m
}

// cutWitness drops a witness's log behind what is committed: it keeps what votes need, the last entries.
func (r *Replica) cutWitness() {
	if below := r.applied - min(r.applied, witnessKeeps); below > r.c.Log.First()+witnessKeeps {
		r.c.Log.DropBelow(below)
	}
}
