package journal

import (
	"bytes"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// runReader reads entries in ascending order, from memory where they are resident, and through one
// iterator, which it moves forward, where they are not.
type runReader struct {
	l  *Log
	it *pebble.Iterator
	at uint64 // index the iterator stands on
}

func (r *runReader) entry(i uint64) (Entry, error) {
	l := r.l
	if i < l.win.first || i > l.last {
		return Entry{}, fmt.Errorf("lane %d index %d: outside %d..%d", l.lane, i, l.win.first, l.last)
	}
	if e, ok := l.table.entry(i); ok {
		return e, nil
	}
	key := Key(EntryKind, l.lane, i)
	found, err := r.seek(i, key)
	if err != nil {
		return Entry{}, err
	}
	if !found { // written after the iterator was made, or missing
		return l.read(i)
	}
	v, err := r.it.ValueAndErr()
	if err != nil {
		return Entry{}, damaged(l.lane, i, "read: "+err.Error())
	}
	return l.accept(i, key, bytes.Clone(v))
}

func (r *runReader) seek(i uint64, key []byte) (found bool, err error) {
	switch {
	case r.it == nil:
		_, hi := LaneRange(EntryKind, r.l.lane)
		if r.it, err = iter(r.l.d.p, key, hi); err != nil {
			return false, err
		}
		found = r.it.First()
	case r.at+1 == i && r.it.Valid():
		found = r.it.Next()
	default:
		found = r.it.SeekGE(key)
	}
	r.at = i
	if err := r.it.Error(); err != nil {
		return false, damaged(r.l.lane, i, "read: "+err.Error())
	}
	return found && bytes.Equal(r.it.Key(), key), nil
}

// close ends the iterator. An error of it was told by seek.
func (r *runReader) close() {
	if r.it != nil {
		_ = r.it.Close()
	}
}
