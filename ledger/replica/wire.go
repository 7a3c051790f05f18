package replica

import (
	"errors"
	"fmt"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"smsplane/ledger"
)

// The wire's version is a message's first octet, so that hosts of two builds can talk during an upgrade: a build
// reads all versions from WireOldest on and writes the newest, which the transport's hello has checked that the
// other side reads.
//
//	1 one octet, then a raftpb.Message; a heartbeat's context is stamp i64 and Needed u64, little endian
const (
	WireOldest = 1
	WireNewest = 1
)

var (
	errStranger = errors.New("not for this member")
	errLocal    = errors.New("of a kind that no other member sends")
	errVersion  = errors.New("wire version")
	errPayload  = errors.New("payload for a witness")

	// ErrLostLog says that the leader knows this member to have had entries that it does not have. Its store
	// was lost or replaced under the same id; it must come back under the next incarnation.
	ErrLostLog = errors.New("the leader knows more of this log than it holds: the store was lost")
)

func encode(b []byte, m *pb.Message) ([]byte, error) {
	return proto.MarshalOptions{}.MarshalAppend(append(b, WireNewest), m)
}

// decode reads another member's message and refuses what raft must not see: messages for others, local kinds, and
// blocks damaged on the way, which would be synced and acknowledged as if they were whole.
func (r *Replica) decode(b []byte) (*pb.Message, error) {
	if len(b) == 0 || b[0] < WireOldest || b[0] > WireNewest {
		return nil, fmt.Errorf("%w: of %d octets; this build reads %d to %d", errVersion, len(b), WireOldest, WireNewest)
	}
	m := new(pb.Message)
	if err := proto.Unmarshal(b[1:], m); err != nil {
		return nil, err
	}
	t := m.GetType()
	switch {
	case m.GetTo() != r.c.ID || m.GetFrom() == r.c.ID || Number(m.GetFrom()) == 0 || raft.IsLocalMsgTarget(m.GetFrom()):
		return nil, fmt.Errorf("from %x to %x: %w", m.GetFrom(), m.GetTo(), errStranger)
	case raft.IsLocalMsg(t) || t == pb.MsgProp || t == pb.MsgTransferLeader,
		t == pb.MsgSnap && !r.witness, t == pb.MsgTimeoutNow && r.witness, t == pb.MsgReadIndex || t == pb.MsgReadIndexResp || t == pb.MsgForgetLeader,
		(t == pb.MsgVote || t == pb.MsgPreVote || t == pb.MsgApp || t == pb.MsgHeartbeat) && IsWitness(m.GetFrom()):
		return nil, fmt.Errorf("%s: %w", t, errLocal)
	}
	for _, e := range m.GetEntries() {
		if err := r.checkEntry(e); err != nil {
			return nil, fmt.Errorf("entry %d: %w", e.GetIndex(), err)
		}
	}
	return m, r.checkLost(m)
}

func (r *Replica) checkEntry(e *pb.Entry) error {
	switch {
	case e.GetType() == pb.EntryConfChangeV2:
		return proto.Unmarshal(e.GetData(), new(pb.ConfChangeV2))
	case e.GetType() != pb.EntryNormal:
		return fmt.Errorf("type %s: %w", e.GetType(), errLocal)
	case len(e.GetData()) == 0:
		return nil
	case r.witness:
		return errPayload
	}
	return ledger.CheckBlock(e.GetData())
}

// checkLost refuses a heartbeat that says more is committed and known to be here than there is. Raft would
// panic over it.
func (r *Replica) checkLost(m *pb.Message) error {
	if m.GetType() != pb.MsgHeartbeat || m.GetCommit() <= r.c.Log.Last() {
		return nil
	}
	if r.settle(); m.GetCommit() <= r.c.Log.Last() {
		return nil
	}
	return fmt.Errorf("index %d of %d: %w", m.GetCommit(), r.c.Log.Last(), ErrLostLog)
}
