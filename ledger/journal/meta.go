package journal

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// A lane's meta is several keys, because they are written on different occasions: the vote travels with the
// appends, the window with the drops, the group when its members change.
const (
	metaVote   = 0 // term u64, voted for u64, commit u64
	metaWindow = 1 // first index u64, term of the entry before it u64
	metaGroup  = 2 // who belongs to the lane's raft group; only ledger/replica reads it

	metaInstall = 3 // an import is being installed, with this vote, and the log behind it stays up to here (u64, 0: not at all)
)

const voteBytes = 24

// SetGroup writes a lane's group into b.
func SetGroup(b *Batch, lane uint16, group []byte) { b.Set(Key(LaneMeta, lane, metaGroup), group) }

// Group is the lane's group as it was when the Log was made, or as SetGroup or Restore brought it; nil when none
// was ever written.
func (l *Log) Group() []byte { return l.group }

// SetGroup is the memory side of the package's SetGroup, for who opens the lane again.
func (l *Log) SetGroup(group []byte) { l.group = group }

// Restore is a log that begins anew behind Index: all that it held is dropped, in the same batch. Group is
// what SetGroup writes.
type Restore struct {
	Index, Term uint64
	Group       []byte
}

// Restore is the memory side of an Append with a Restore.
func (l *Log) Restore(r *Restore) {
	for i := l.win.first; i <= l.last; i++ {
		l.table.forget(i)
	}
	l.table = table{base: (r.Index + 1) / chunkLen}
	l.win = window{first: r.Index + 1, prevTerm: r.Term}
	l.last, l.stable, l.onDisk, l.group, l.dropped = r.Index, r.Index, r.Index+1, r.Group, dropped{}
}

// window is where a lane's log begins.
type window struct{ first, prevTerm uint64 }

func appendVote(dst []byte, v Vote) []byte {
	dst = be.AppendUint64(dst, v.Term)
	dst = be.AppendUint64(dst, v.Voted)
	return be.AppendUint64(dst, v.Commit)
}

func encodeWindow(w window) []byte {
	return be.AppendUint64(be.AppendUint64(make([]byte, 0, 16), w.first), w.prevTerm)
}

func parseVote(b []byte) Vote {
	return Vote{Term: be.Uint64(b), Voted: be.Uint64(b[8:]), Commit: be.Uint64(b[16:])}
}

func (d *DB) readMeta(lane uint16) (v Vote, w window, err error) { return readMeta(d.p, lane) }

// readMeta reads a lane's vote and window; a lane nobody wrote begins at index 1.
func readMeta(r pebble.Reader, lane uint16) (v Vote, w window, err error) {
	w = window{first: 1}
	b, err := get(r, Key(LaneMeta, lane, metaVote))
	if err != nil {
		return v, w, err
	}
	if b != nil {
		if len(b) != voteBytes {
			return v, w, fmt.Errorf("%w: lane %d: vote of %d octets", ErrCorrupt, lane, len(b))
		}
		v = parseVote(b)
	}
	b, err = get(r, Key(LaneMeta, lane, metaWindow))
	if err != nil {
		return v, w, err
	}
	if b != nil {
		if len(b) != 16 || be.Uint64(b) == 0 {
			return v, w, fmt.Errorf("%w: lane %d: window of %d octets", ErrCorrupt, lane, len(b))
		}
		w = window{first: be.Uint64(b), prevTerm: be.Uint64(b[8:])}
	}
	return v, w, nil
}
