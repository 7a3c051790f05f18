package replica

import (
	"sync"

	pb "go.etcd.io/raft/v3/raftpb"

	"smsplane/ledger/journal"
)

// write is one MsgStorageAppend on its way through the journal. It is reused; its slices grow once.
type write struct {
	entries []journal.Entry
	vote    journal.Vote
	answers []*pb.Message // owed once it is durable
	seq     uint64
	durable func() // bound once
}

// writes is the list that carries finished writes from the syncer to the owner.
type writes struct {
	wake func()

	mu       sync.Mutex
	finished []*write

	// the owner's
	taken []*write
	free  []*write
	done  uint64 // the newest that is durable
	open  int    // handed to the journal and not taken back
	seq   uint64 // of the newest
	cut   uint64 // of the newest that overwrote entries
}

func (s *writes) get() *write {
	s.seq++
	s.open++
	if n := len(s.free); n > 0 {
		w := s.free[n-1]
		s.free = s.free[:n-1]
		w.seq = s.seq
		return w
	}
	w := &write{seq: s.seq}
	w.durable = func() { s.finish(w) }
	return w
}

// finish runs on the syncer goroutine.
func (s *writes) finish(w *write) {
	s.mu.Lock()
	s.finished = append(s.finished, w)
	s.mu.Unlock()
	s.wake()
}

// take returns what finished since the last call, in order; the slice is valid until the next call.
func (s *writes) take() []*write {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken, s.finished = s.finished, s.taken[:0]
	return s.taken
}

func (s *writes) put(w *write) {
	clear(w.entries)
	w.entries, w.answers = w.entries[:0], nil
	s.free = append(s.free, w)
	s.open--
}

// write hands a MsgStorageAppend to the journal. The memory side (Log) is done at once: raft reads entries
// from there only after they are durable, and until then holds them itself.
func (r *Replica) write(m *pb.Message) {
	hard := r.vote.Term != r.written.Term || r.vote.Voted != r.written.Voted
	snap := m.GetSnapshot()
	if len(m.GetEntries()) == 0 && !hard && snap == nil {
		if len(m.GetResponses()) == 0 {
			return // only the commit index moved: it rides with the next write
		}
		if r.writes.open == 0 {
			r.deliver(m.GetResponses()) // nothing to wait for
			return
		}
	}
	w := r.writes.get()
	for _, e := range m.GetEntries() {
		w.entries = append(w.entries, journal.Entry{Index: e.GetIndex(), Term: e.GetTerm(), Kind: uint8(e.GetType()), Data: e.GetData()})
		if e.GetType() != pb.EntryNormal {
			r.confAt = e.GetIndex()
		}
	}
	w.answers = m.GetResponses()
	a := journal.Append{Lane: r.c.Lane, Entries: w.entries, Done: w.durable}
	if r.vote != r.written {
		w.vote, r.written = r.vote, r.vote
		a.Vote = &w.vote
	}
	if snap != nil {
		a.Restore = r.restore(snap)
		r.writes.cut = w.seq
	}
	if len(w.entries) > 0 {
		if w.entries[0].Index <= r.c.Log.Last() {
			r.writes.cut = w.seq
		}
		r.c.Log.Extend(w.entries)
	}
	if r.c.faults.forgetVote {
		a.Vote = nil
	}
	r.c.DB.Append(a)
	if r.c.faults.skipSync {
		r.deliver(w.answers)
		w.answers = nil
	}
}

// finish tells the Log and raft that w is durable. Entries written before the newest overwriting are not
// called stable: disk may not hold what the table says until that one is done.
func (r *Replica) finish(w *write) {
	if n := len(w.entries); n > 0 && w.seq >= r.writes.cut {
		r.c.Log.Stable(w.entries[n-1].Index, w.entries[n-1].Term)
	}
	if len(r.late) > 0 {
		r.sendLate()
	}
	r.writes.done = w.seq
	r.deliver(w.answers)
	r.writes.put(w)
}

// writeCommit notes the commit index when nothing is in flight that it could ride with. Nobody waits for it:
// it lets a look at a closed store end where the acknowledgments did.
func (r *Replica) writeCommit() {
	if r.err == nil && r.writes.open == 0 && r.vote != r.written {
		v := r.vote
		r.written = v
		r.c.DB.Append(journal.Append{Lane: r.c.Lane, Vote: &v})
	}
}
