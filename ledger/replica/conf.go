package replica

import (
	"errors"
	"fmt"

	"go.etcd.io/raft/v3/confchange"
	pb "go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"google.golang.org/protobuf/proto"

	"smsplane/ledger/journal"
)

// Change is one member's part of a membership change.
type Change struct {
	Kind ChangeKind
	ID   uint64
}

// ChangeKind says what happens to the member.
type ChangeKind uint8

const (
	AddVoter ChangeKind = iota
	AddLearner
	Remove
)

var kinds = map[ChangeKind]pb.ConfChangeType{
	AddVoter: pb.ConfChangeAddNode, AddLearner: pb.ConfChangeAddLearnerNode, Remove: pb.ConfChangeRemoveNode,
}

// Reasons why a membership change is not proposed. All may be tried again but ErrGroup.
var (
	ErrNotLeader = errors.New("the lane is not led here")
	ErrPending   = errors.New("another membership change is under way")
	ErrDropped   = errors.New("dropped by raft: leadership is being handed over")
	ErrGroup     = errGroup
)

// ProposeConf proposes a change of the group: one member, or several at once through a joint group that raft
// leaves by itself. It takes effect when the entry is applied; Group tells. A new data host joins as a learner
// first and is made a voter once Progress shows that it follows; replacing a host is one change: its new
// incarnation becomes a voter and the old one is removed. Nil promises no more than Propose's true.
func (r *Replica) ProposeConf(changes ...Change) error {
	switch {
	case r.err != nil:
		return r.err
	case !r.Leader():
		return ErrNotLeader
	case r.confAt > r.applied || r.group.Joint():
		return ErrPending
	}
	cc := &pb.ConfChangeV2{}
	for _, c := range changes {
		if Number(c.ID) == 0 {
			return fmt.Errorf("%w: %x is no member's id", errGroup, c.ID)
		}
		cc.Changes = append(cc.Changes, &pb.ConfChangeSingle{Type: kinds[c.Kind].Enum(), NodeId: &c.ID})
	}
	after, err := r.group.with(cc)
	if err == nil {
		err = after.check()
	}
	if err != nil {
		return err
	}
	defer r.guard()
	if r.rn.ProposeConfChange(cc) != nil {
		return ErrDropped
	}
	r.settle()
	return r.err
}

// with is the group after a change, or why raft could not make it.
func (g Group) with(cc *pb.ConfChangeV2) (Group, error) {
	c := confchange.Changer{Tracker: tracker.MakeProgressTracker(1, 1)}
	cfg, trk, err := confchange.Restore(c, g.confState())
	if err != nil {
		return Group{}, fmt.Errorf("%w: %w", errGroup, err)
	}
	c.Tracker.Config, c.Tracker.Progress = cfg, trk
	if auto, joint := cc.EnterJoint(); cc.LeaveJoint() {
		cfg, trk, err = c.LeaveJoint()
	} else if joint {
		cfg, trk, err = c.EnterJoint(auto, cc.Changes...)
	} else {
		cfg, trk, err = c.Simple(cc.Changes...)
	}
	if err != nil {
		return Group{}, fmt.Errorf("%w: %w", errGroup, err)
	}
	c.Tracker.Config, c.Tracker.Progress = cfg, trk
	return groupOf(0, c.Tracker.ConfState()), nil
}

// applyConf makes a committed change the group, and durable before any fold that stands behind it. What the
// journal already knew when this life began is not made again.
func (r *Replica) applyConf(e *pb.Entry) error {
	cc := new(pb.ConfChangeV2)
	if err := proto.Unmarshal(e.GetData(), cc); err != nil {
		return fmt.Errorf("index %d: membership: %w", e.GetIndex(), err)
	}
	if e.GetIndex() <= r.group.Index {
		return nil
	}
	if _, err := r.group.with(cc); err != nil { // raft would panic
		return fmt.Errorf("index %d: membership: %w", e.GetIndex(), err)
	}
	r.setGroup(groupOf(e.GetIndex(), r.rn.ApplyConfChange(cc)))
	r.writeGroup()
	return nil
}

func (r *Replica) writeGroup() {
	w := journal.NewBatch()
	journal.SetGroup(w, r.c.Lane, r.group.Encode())
	r.c.DB.Write(w, nil)
}

// setGroup takes over who the members are, keeping what is known of those that stay.
func (r *Replica) setGroup(g Group) {
	wasSole := r.group.soleVoter(r.c.ID)
	r.group, r.alone = g, g.alone(r.c.ID)
	var peers []peer
	for _, id := range g.Members() {
		if id == r.c.ID {
			continue
		}
		p := peer{id: id, witness: IsWitness(id), heard: r.ticks}
		if old := r.peer(id); old != nil {
			p = *old
		}
		p.votes = g.Votes(id)
		peers = append(peers, p)
	}
	r.peers = peers
	if wasSole && r.leads() { // until now nobody else could be elected
		r.leaseFloor = r.clock() + r.leaseSpan()
	}
	r.renewLease()
}

// Group is who belongs to the lane's group as far as this member has applied. The lists are not to be changed.
func (r *Replica) Group() Group { return r.group }

// Alone rewrites a closed lane's group to this one member, which from then on answers for nobody's copy but
// its own: the operator's manual promotion when the others are gone for good. Whatever the others acknowledged
// without it is lost, and they must never come back under their ids. done runs on the syncer once it is durable;
// the lane is opened after that.
func Alone(d *journal.DB, log *journal.Log, id uint64, done func()) {
	b := Group{Index: log.Last(), Voters: []uint64{id}}.Encode()
	w := journal.NewBatch()
	journal.SetGroup(w, log.Lane(), b)
	log.SetGroup(b)
	d.Write(w, nil)
	d.Append(journal.Append{Lane: log.Lane(), Done: done})
}
