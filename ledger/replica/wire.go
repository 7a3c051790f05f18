package replica

import (
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"smsplane/ledger"
)

var (
	errStranger = errors.New("not from a voter to this member")
	errLocal    = errors.New("of a kind that no other member sends")
)

// decode reads another voter's message and refuses what raft must not see: strangers, local kinds, and blocks
// damaged on the way, which would be synced and acknowledged as if they were whole.
func (r *Replica) decode(b []byte) (*pb.Message, error) {
	m := new(pb.Message)
	if err := proto.Unmarshal(b, m); err != nil {
		return nil, err
	}
	switch {
	case m.GetTo() != r.c.ID || m.GetFrom() == r.c.ID || !slices.Contains(r.c.Voters, m.GetFrom()):
		return nil, fmt.Errorf("from %d to %d: %w", m.GetFrom(), m.GetTo(), errStranger)
	case raft.IsLocalMsg(m.GetType()) || m.GetType() == pb.MsgProp || m.GetType() == pb.MsgSnap:
		return nil, fmt.Errorf("%s: %w", m.GetType(), errLocal)
	}
	for _, e := range m.GetEntries() {
		if e.GetType() != pb.EntryNormal {
			return nil, fmt.Errorf("entry %d of type %s: %w", e.GetIndex(), e.GetType(), errLocal)
		}
		if len(e.GetData()) == 0 {
			continue
		}
		if err := ledger.CheckBlock(e.GetData()); err != nil {
			return nil, fmt.Errorf("entry %d: %w", e.GetIndex(), err)
		}
	}
	return m, nil
}
