package replica

import (
	"slices"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
)

// A member whose disk stands at its reserve says so, and its word is brought to every other (SetRooms). What a leader makes of it:
//
//	                        the data hosts with room make a majority of all voters    they do not, as in a pair
//	entries to a full one   withheld: its disk goes on to no end                      sent as ever: what was accepted is brought to its end
//	Cramped                 no                                                        yes: nothing new should be let in
//
// A full member votes, keeps terms and answers heartbeats. When it has room again it gets what it lacks, from the log or, behind what
// is kept of that, by a snapshot. One that is full is sent a snapshot where it would be sent entries, and its host refuses what its disk
// cannot take.
//
// Brimful is the end of the disk: a failed write ends the process, so such a member looks after itself, whatever the others know. It
// takes no entries, leaves leading to others, and hands over what it leads. For its leader it does not keep up: without it nothing
// is committed any more, or with a witness it goes on in a single copy. It may be the only one that can lead, as when all disks are at
// their end, or when it alone has what was acknowledged last: where nobody has led for a while it campaigns all the same, as long as what it
// would say can be committed. So a leader's restart changes nothing.

// Room is what a member's disk can still take.
type Room uint8

const (
	Roomy   Room = iota
	Full         // no more than its reserve is free
	Brimful      // hardly anything is
)

func (r Room) String() string { return [...]string{"", "full", "nearly at its end"}[min(r, Brimful)] }

// room is what a member knows of the disks, its own among them.
type room struct {
	of      map[uint64]Room // those that are not Roomy; not to be changed
	spared  bool            // as the leader: full voters are sent no entries
	cramped bool            // as the leader: see Cramped
}

// SetRooms says whose disks are not Roomy, by id. The map is not changed any more.
func (r *Replica) SetRooms(of map[uint64]Room) {
	before := r.room.of
	r.room.of = of
	r.tickRoom()
	for i := range r.peers {
		if id := r.peers[i].id; of[id] < before[id] {
			r.release(id)
		}
	}
	r.doLater()
}

// Cramped says of a leader that what it commits has to be on a disk that stands at its reserve: it should take nothing new.
func (r *Replica) Cramped() bool { return r.leads() && r.room.cramped }

func (r *Replica) full(id uint64) bool { return r.room.of[id] != Roomy }

// lastResort is for how many ticks nobody must have led before a member with a Brimful disk campaigns; others have had several tries by then.
const lastResort = 10 * electionTicks

// shuns says that this member does not campaign, because of its disk.
func (r *Replica) shuns() bool {
	return r.room.of[r.c.ID] == Brimful &&
		(r.ticks-r.ledAt < lastResort || !r.takers(r.group.Voters) || r.group.Joint() && !r.takers(r.group.Outgoing))
}

// takers says that voters which may take entries, and this one, make a majority.
func (r *Replica) takers(voters []uint64) bool {
	n := 0
	for _, id := range voters {
		if id == r.c.ID || r.room.of[id] != Brimful {
			n++
		}
	}
	return n > len(voters)/2
}

// tickRoom looks once a tick whether a full member is needed.
func (r *Replica) tickRoom() {
	v := &r.room
	before := v.spared
	v.spared, v.cramped = false, false
	if !r.leads() || len(v.of) == 0 {
		return // raft forgets what it knew of others when it is deposed
	}
	full := r.full(r.c.ID)
	for i := range r.peers {
		p := &r.peers[i]
		full = full || p.votes && r.full(p.id) && r.answers(p)
	}
	spared := r.roomy(r.group.Voters) && (!r.group.Joint() || r.roomy(r.group.Outgoing))
	v.spared, v.cramped = spared, full && !spared
	if before && !spared {
		for i := range r.peers {
			if id := r.peers[i].id; r.full(id) {
				r.release(id)
			}
		}
	}
}

// roomy says that data hosts with room, heard of lately, make a majority of the voters.
func (r *Replica) roomy(voters []uint64) bool {
	n := 0
	for _, id := range voters {
		if p := r.peer(id); !r.full(id) && (id == r.c.ID || p != nil && !p.witness && r.answers(p)) {
			n++
		}
	}
	return n > len(voters)/2
}

// answers says that a member was heard of lately.
func (r *Replica) answers(p *peer) bool { return r.ticks-p.heard < silentTicks }

// probe is what a member that is spared gets of an append: nothing, but that a new leader asks how far its log is. Else the leader
// would have to take it for empty later, and send it the whole lane.
func (r *Replica) probe(m *pb.Message) *pb.Message {
	if r.matches(m.GetTo()) {
		return nil
	}
	return &pb.Message{Type: m.Type, To: m.To, From: m.From, Term: m.Term, LogTerm: m.LogTerm, Index: m.Index, Commit: m.Commit}
}

// matches says that this leader has heard how far a member's log is its own.
func (r *Replica) matches(id uint64) (known bool) {
	r.rn.WithProgress(func(of uint64, _ raft.ProgressType, p tracker.Progress) { known = known || of == id && p.Match > 0 })
	return known
}

// spares says that a member must not be sent entries, because of its disk.
func (r *Replica) spares(id uint64) bool {
	return r.full(id) && (r.room.spared || r.room.of[id] == Brimful || slices.Contains(r.group.Learners, id))
}
