package replica

import (
	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"smsplane/ledger/journal"
)

// storage shows raft the lane's Log.
type storage struct {
	r    *Replica
	log  *journal.Log
	hard *pb.HardState
	deny bool // say that entries are gone: raft then stops reading them for a member that must not get them
}

// readError carries a failed read through raft, which panics with it.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }

// newStorage takes the recovered vote. The folds may stand behind its commit index, or before it: what was
// applied was committed, even if the note of it was lost.
func newStorage(r *Replica) *storage {
	c := &r.c
	v := c.Log.Vote()
	commit := max(v.Commit, c.Applied)
	return &storage{r: r, log: c.Log, hard: &pb.HardState{Term: &v.Term, Vote: &v.Voted, Commit: &commit}}
}

func (s *storage) InitialState() (*pb.HardState, *pb.ConfState, error) {
	return s.hard, s.r.group.confState(), nil
}
func (s *storage) FirstIndex() (uint64, error) { return s.log.First(), nil }
func (s *storage) LastIndex() (uint64, error)  { return s.log.Last(), nil }

func (s *storage) Term(i uint64) (uint64, error) {
	if t, ok := s.log.Term(i); ok {
		return t, nil
	}
	if i < s.log.First() {
		return 0, raft.ErrCompacted
	}
	return 0, raft.ErrUnavailable
}

// Snapshot says where the folds stand and who the members are there; what goes with it is streamed by the
// owner. Just after a start the stored group may be newer than what is applied again; then it is "later".
func (s *storage) Snapshot() (*pb.Snapshot, error) {
	r := s.r
	if r.applied == 0 || r.group.Index > r.applied {
		return nil, raft.ErrSnapshotTemporarilyUnavailable
	}
	index, term := r.applied, r.appliedTerm
	return &pb.Snapshot{Metadata: &pb.SnapshotMetadata{Index: &index, Term: &term, ConfState: r.group.confState()}}, nil
}

// entryOverhead is what an entry's header may add to its data in raft's count of bytes.
const entryOverhead = 32

// Entries returns [lo, hi) up to maxSize bytes, at least one. Resident blocks are aliased.
func (s *storage) Entries(lo, hi, maxSize uint64) ([]*pb.Entry, error) {
	if lo < s.log.First() || s.deny {
		return nil, raft.ErrCompacted
	}
	if hi > s.log.Last()+1 {
		return nil, raft.ErrUnavailable
	}
	n, size := uint64(0), uint64(0)
	for i := lo; i < hi; i++ {
		size += uint64(s.log.Size(i)) + entryOverhead
		if n > 0 && size > maxSize {
			break
		}
		n++
	}
	b := makeEntries(int(n))
	err := s.log.Scan(lo, lo+n-1, func(e journal.Entry) error {
		b.add(&e)
		return nil
	})
	if err != nil {
		return nil, &readError{err}
	}
	return b.list, nil
}

// entries makes raft's entries of a range with four allocations, however long it is.
type entries struct {
	list  []*pb.Entry
	all   []pb.Entry
	nums  []uint64
	types []pb.EntryType
}

func makeEntries(n int) *entries {
	return &entries{list: make([]*pb.Entry, 0, n), all: make([]pb.Entry, n), nums: make([]uint64, 2*n), types: make([]pb.EntryType, n)}
}

func (b *entries) add(e *journal.Entry) {
	n := len(b.list)
	b.nums[2*n], b.nums[2*n+1], b.types[n] = e.Index, e.Term, pb.EntryType(e.Kind)
	p := &b.all[n]
	p.Index, p.Term, p.Type, p.Data = &b.nums[2*n], &b.nums[2*n+1], &b.types[n], e.Data
	b.list = append(b.list, p)
}
