package replica

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	pb "go.etcd.io/raft/v3/raftpb"

	"smsplane/ledger"
	"smsplane/ledger/journal"
)

func mustEncode(t testing.TB, m *pb.Message) []byte {
	t.Helper()
	b, err := encode(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// follower opens member 1 of three, which hears only what the test sends.
func follower(t testing.TB) (*Replica, *journal.DB, bell) {
	d := mustOpenDB(t, vfs.NewMem(), "j")
	l, err := d.Log(0)
	if err != nil {
		t.Fatal(err)
	}
	wake := newBell()
	r, err := Open(Config{DB: d, Log: l, ID: 1, Group: Group{Voters: []uint64{1, 2, 3}}, Send: func(uint64, []byte) {}, Wake: wake.ring, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	return r, d, wake
}

func appendMessage(from, to uint64, kind pb.EntryType, data []byte) *pb.Message {
	term, zero, one := uint64(5), uint64(0), uint64(1)
	return &pb.Message{Type: pb.MsgApp.Enum(), From: &from, To: &to, Term: &term, Index: &zero, LogTerm: &zero, Commit: &one,
		Entries: []*pb.Entry{{Index: &one, Term: &term, Type: kind.Enum(), Data: data}}}
}

func TestStepRefuses(t *testing.T) {
	good := testBlock(0, 3, 1)
	bad := testBlock(0, 3, 1)
	bad[40] ^= 4
	local := appendMessage(2, 1, pb.EntryNormal, nil)
	local.Type = pb.MsgHup.Enum()
	snap := appendMessage(2, 1, pb.EntryNormal, nil)
	snap.Type = pb.MsgSnap.Enum()
	for name, c := range map[string]struct {
		msg  []byte
		want error
	}{
		"damaged block":  {mustEncode(t, appendMessage(2, 1, pb.EntryNormal, bad)), ledger.ErrBlock},
		"from nobody":    {mustEncode(t, appendMessage(0, 1, pb.EntryNormal, good)), errStranger},
		"from a witness": {mustEncode(t, appendMessage(MakeID(3, 1, true), 1, pb.EntryNormal, good)), errLocal},
		"for another":    {mustEncode(t, appendMessage(2, 3, pb.EntryNormal, good)), errStranger},
		"from ourselves": {mustEncode(t, appendMessage(1, 1, pb.EntryNormal, good)), errStranger},
		"old membership": {mustEncode(t, appendMessage(2, 1, pb.EntryConfChange, nil)), errLocal},
		"local kind":     {mustEncode(t, local), errLocal},
		"snapshot":       {mustEncode(t, snap), errLocal},
		"not a message":  {[]byte("nonsense"), nil},
		"truncated":      {mustEncode(t, appendMessage(2, 1, pb.EntryNormal, good))[:30], nil},
		"empty":          {nil, errVersion},
		"newer wire":     {append([]byte{WireNewest + 1}, mustEncode(t, appendMessage(2, 1, pb.EntryNormal, good))[1:]...), errVersion},
		"only a version": {[]byte{WireNewest}, errStranger},
	} {
		r, d, _ := follower(t)
		err := r.Step(c.msg)
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if _, err := r.DoWork(1, nil); err != nil || r.Term() != 0 {
			t.Errorf("%s: it reached raft: term %d, %v", name, r.Term(), err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFollowerAppliesAfterDurable(t *testing.T) {
	r, d, wake := follower(t)
	defer d.Close()
	block := testBlock(0, 3, 1)
	if err := r.Step(mustEncode(t, appendMessage(2, 1, pb.EntryNormal, block))); err != nil {
		t.Fatal(err)
	}
	var applied []byte
	for applied == nil {
		_, err := r.DoWork(1, func(_ uint64, b []byte) error {
			if d.Stats().Syncs == 0 {
				t.Error("applied before any sync")
			}
			applied = b
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if applied == nil {
			<-wake
		}
	}
	if string(applied) != string(block) || r.Leader() || r.LeaderID() != 2 || r.Propose(block) {
		t.Errorf("applied %x, leader %d", applied, r.LeaderID())
	}
	if r.Needed() != 1 {
		t.Errorf("a follower thinks it may drop below %d", r.Needed())
	}
}

func FuzzStep(f *testing.F) {
	f.Add(mustEncode(f, appendMessage(2, 1, pb.EntryNormal, testBlock(0, 2, 1))))
	f.Add(mustEncode(f, appendMessage(3, 1, pb.EntryNormal, nil)))
	f.Add([]byte{0x08, 0x03, 0x10, 0x01, 0x18, 0x02})
	r, d, _ := follower(f)
	f.Cleanup(func() { _ = d.Close() })
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = r.decode(b) // what raft makes of a well-formed lie is raft's; decode must not fall over
	})
}
