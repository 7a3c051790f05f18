package replica

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	pb "go.etcd.io/raft/v3/raftpb"
)

// A member's id says all that must never be misunderstood about it: which host it is, which life of its
// store, and whether it keeps payloads. Raft never uses an id twice, so a host whose store was lost comes
// back under the next incarnation; and since the witness's bit is in the id, no message, log or stored group can
// disagree on who is one.
//
//	0..15 member number, the host's place in the node file, from 1
//	16..47 incarnation   48 witness
const (
	incarnationShift = 16
	witnessBit       = 1 << 48
)

// MakeID puts a member's id together.
func MakeID(number uint16, incarnation uint32, witness bool) uint64 {
	id := uint64(number) | uint64(incarnation)<<incarnationShift
	if witness {
		id |= witnessBit
	}
	return id
}

// Number, Incarnation and IsWitness take a member's id apart.
func Number(id uint64) uint16      { return uint16(id) }
func Incarnation(id uint64) uint32 { return uint32(id >> incarnationShift) }
func IsWitness(id uint64) bool     { return id&witnessBit != 0 }

// Group is who belongs to a lane's raft group, as of the log entry Index that made it so. While several
// members change at once the group is joint: Outgoing are the voters it comes from, and both majorities count.
type Group struct {
	Index            uint64
	Voters, Learners []uint64
	Outgoing         []uint64
	LearnersNext     []uint64 // outgoing voters that will be learners
	AutoLeave        bool     // raft ends the joint state by itself
}

// Joint says that a change of several members is under way.
func (g Group) Joint() bool { return len(g.Outgoing) > 0 }

// Has says whether id is a member in any way.
func (g Group) Has(id uint64) bool { return g.Votes(id) || slices.Contains(g.Learners, id) }

// Votes says whether id is a voter, of either side in a joint group.
func (g Group) Votes(id uint64) bool {
	return slices.Contains(g.Voters, id) || slices.Contains(g.Outgoing, id)
}

// Members lists all ids, in order.
func (g Group) Members() []uint64 {
	all := slices.Concat(g.Voters, g.Outgoing, g.Learners)
	slices.Sort(all)
	return slices.Compact(all)
}

// soleVoter says that id decides by itself; alone that there is nobody else at all.
func (g Group) soleVoter(id uint64) bool {
	return len(g.Voters) == 1 && g.Voters[0] == id && len(g.Outgoing) == 0
}
func (g Group) alone(id uint64) bool { return g.soleVoter(id) && len(g.Learners) == 0 }

func (g Group) confState() *pb.ConfState {
	return &pb.ConfState{Voters: g.Voters, Learners: g.Learners, VotersOutgoing: g.Outgoing, LearnersNext: g.LearnersNext,
		AutoLeave: &g.AutoLeave}
}

func groupOf(index uint64, cs *pb.ConfState) Group {
	return Group{Index: index, Voters: cs.GetVoters(), Learners: cs.GetLearners(), Outgoing: cs.GetVotersOutgoing(),
		LearnersNext: cs.GetLearnersNext(), AutoLeave: cs.GetAutoLeave()}
}

var le = binary.LittleEndian

const groupVersion = 1

// Encode is the group as it is stored and as hosts tell it to one that joins.
//
//	0 version u8   1 leaves by itself u8   2 index u64   then four lists: count u16, ids u64
func (g Group) Encode() []byte {
	b := []byte{groupVersion, 0}
	if g.AutoLeave {
		b[1] = 1
	}
	b = le.AppendUint64(b, g.Index)
	for _, ids := range [...][]uint64{g.Voters, g.Learners, g.Outgoing, g.LearnersNext} {
		b = le.AppendUint16(b, uint16(len(ids)))
		for _, id := range ids {
			b = le.AppendUint64(b, id)
		}
	}
	return b
}

var errGroup = errors.New("not a group")

// DecodeGroup reads what Encode wrote.
func DecodeGroup(b []byte) (g Group, err error) {
	if len(b) < 10 || b[0] != groupVersion || b[1] > 1 {
		return g, errGroup
	}
	g.AutoLeave, g.Index = b[1] == 1, le.Uint64(b[2:])
	b = b[10:]
	for _, ids := range [...]*[]uint64{&g.Voters, &g.Learners, &g.Outgoing, &g.LearnersNext} {
		if len(b) < 2 || len(b) < 2+8*int(le.Uint16(b)) {
			return Group{}, errGroup
		}
		n := int(le.Uint16(b))
		for i := range n {
			*ids = append(*ids, le.Uint64(b[2+8*i:]))
		}
		b = b[2+8*n:]
	}
	if len(b) != 0 {
		return Group{}, errGroup
	}
	return g, nil
}

// check refuses groups that could not be led by anybody who has the data.
func (g Group) check() error {
	for _, ids := range [...][]uint64{g.Voters, g.Outgoing} {
		if len(ids) > 0 && !slices.ContainsFunc(ids, func(id uint64) bool { return !IsWitness(id) }) {
			return fmt.Errorf("%w: the voters %v are all witnesses", errGroup, ids)
		}
	}
	switch {
	case len(g.Voters) == 0:
		return fmt.Errorf("%w: it has no voters", errGroup)
	case slices.Contains(g.Members(), 0):
		return fmt.Errorf("%w: a member without an id", errGroup)
	}
	return nil
}
