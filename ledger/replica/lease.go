package replica

import (
	"math"
	"slices"
	"time"

	pb "go.etcd.io/raft/v3/raftpb"
)

// The sending lease: who may hand messages of the lane to carriers.
//
// A leader's heartbeats carry the time at which they were sent; followers echo it. An echo proves that its
// sender still belonged to this term at that time or later. Once a quorum has echoed stamps of s or later, any
// later leader must have won the vote of one of them after s; it then waits 1.25 T before it sends. The old
// one stops at s + 0.75 T. With clocks that run up to 10 % wrong either way:
//
//	old stops by     s + 0.75 T / 0.9 = s + 0.83 T
//	new begins after s + 1.25 T / 1.1 = s + 1.14 T
//
// Nothing here rests on ticks, on votes that are withheld, or on clocks that agree; only on their rate. The lease
// bounds duplicates, nothing else: acknowledgments and books never look at it.
const defaultLease = 400 * time.Millisecond

// stampBytes is a heartbeat's context: send stamp i64, Needed of the leader u64.
const stampBytes = 16

// Lease is until when this member may hand messages to carriers, on Config.Clock; 0 when it does not lead or
// no quorum has answered. The only voter's lease never ends. Look at SendFrom too.
func (r *Replica) Lease() int64 {
	if r.c.faults.ownLease && r.leads() {
		return r.clock() + r.leaseSpan()
	}
	return r.lease
}

// SendFrom is from when a leader may hand messages to carriers, on Config.Clock: leases of its predecessors
// have run out by then. Only meaningful while Lease is not 0.
func (r *Replica) SendFrom() int64 { return r.sendFrom }

func (r *Replica) clock() int64 {
	if r.c.Clock == nil {
		return r.now
	}
	return r.c.Clock()
}

func (r *Replica) leaseSpan() int64 { return int64(r.c.Lease) * 3 / 4 }

// stamp puts the time into an outgoing heartbeat.
func (r *Replica) stamp(m *pb.Message) {
	b := le.AppendUint64(make([]byte, 0, stampBytes), uint64(r.clock()))
	m.Context = le.AppendUint64(b, r.Needed())
}

// echoed takes the stamp off a heartbeat's answer. Raft gives a context a meaning of its own, so it goes.
func (r *Replica) echoed(m *pb.Message, p *peer) {
	ctx := m.GetContext()
	m.Context = nil
	if len(ctx) != stampBytes || m.GetTerm() != r.vote.Term || !r.leads() || p == nil {
		return
	}
	if s := int64(le.Uint64(ctx)); s > p.stamp && s <= r.clock() {
		p.stamp = s
		r.renewLease()
	}
}

// renewLease computes the lease from the stamps.
func (r *Replica) renewLease() {
	switch {
	case !r.leads():
		r.lease, r.leaseFloor = 0, 0
	case r.group.soleVoter(r.c.ID):
		r.lease = math.MaxInt64
	default:
		s := r.quorumStamp(r.group.Voters)
		if r.group.Joint() {
			s = min(s, r.quorumStamp(r.group.Outgoing))
		}
		r.lease = r.leaseFloor
		if s > 0 {
			r.lease = max(r.lease, min(s, r.clock())+r.leaseSpan())
		}
	}
}

// quorumStamp is the newest time by which a majority of the voters had followed this leader; its own counts
// as now.
func (r *Replica) quorumStamp(voters []uint64) int64 {
	var buf [9]int64
	stamps := buf[:0]
	for _, id := range voters {
		if id == r.c.ID {
			stamps = append(stamps, math.MaxInt64)
		} else if p := r.peer(id); p != nil {
			stamps = append(stamps, p.stamp)
		} else {
			stamps = append(stamps, 0)
		}
	}
	slices.Sort(stamps)
	return stamps[len(stamps)-(len(stamps)/2+1)]
}

// newLease begins a leadership.
func (r *Replica) newLease() {
	for i := range r.peers {
		r.peers[i].stamp = 0
	}
	r.leaseFloor, r.sendFrom = 0, 0
	if r.leads() && !r.group.soleVoter(r.c.ID) {
		r.sendFrom = r.clock() + int64(r.c.Lease)*5/4
	}
	r.renewLease()
}
