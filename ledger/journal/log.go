package journal

import (
	"errors"
	"fmt"
)

// Log is a lane's table of entries, first..last: their terms, and the bytes of those still resident. It is
// what raft reads as its storage and what queues read blocks from. It belongs to the lane's owner goroutine.
//
//	1 ... first-1 | first ......... stable | stable+1 ... last
//	   dropped    | on disk; may be evicted | Append not done yet: always resident
type Log struct {
	d    *DB
	lane uint16
	vote Vote

	group []byte

	win    window // in memory; the one on disk follows at flushDrop
	last   uint64
	stable uint64
	table  table

	onDisk  uint64 // first index that disk may still have
	dropped dropped
}

// dropped counts what left memory but not yet the disk.
type dropped struct {
	messages uint64
	bytes    uint64
}

// One range deletion stands for at least this much. Many small ones are worse than none at all.
const (
	dropMessages = 64 << 10
	dropBytes    = 32 << 20
)

// Log returns the lane's table, reading all its entries once to verify that they are whole and follow one
// another; none is resident afterwards. Called again it returns the same table. Different lanes may be read at a time.
func (d *DB) Log(lane uint16) (*Log, error) { return d.ReadLog(lane, 0, nil) }

// ReadLog is Log, and hands the entries up to an index to f as they are read, in order and verified, so that who needs the
// blocks at a start has them read once. The entry's data is valid during the call.
func (d *DB) ReadLog(lane uint16, upTo uint64, f func(e *Entry) error) (*Log, error) {
	if l := d.table(lane, nil); l != nil {
		return l, l.Scan(l.First(), min(upTo, l.Last()), func(e Entry) error { return f(&e) })
	}
	vote, win, err := d.readMeta(lane)
	if err != nil {
		return nil, err
	}
	l := &Log{d: d, lane: lane, vote: vote, win: win, last: win.first - 1, onDisk: win.first}
	if l.group, err = d.Get(Key(LaneMeta, lane, metaGroup)); err != nil {
		return nil, err
	}
	l.table.base = win.first / chunkLen
	w := walk{r: d.p, lane: lane, next: win.first, term: win.prevTerm}
	err = w.run(func(e *Entry, _ error) error {
		l.last++
		l.table.put(e, false)
		if e.Index > upTo {
			return nil
		}
		if err := checkData(lane, e); err != nil {
			return err
		}
		return f(e)
	}, func(_ *Entry, err error) error { return err })
	if err == nil {
		err = checkCommit(lane, vote, l.last)
	}
	if err != nil {
		return nil, err
	}
	l.stable = l.last
	return d.table(lane, l), nil
}

// table is the lane's table that all share: the one that is there, else l, from now on.
func (d *DB) table(lane uint16, l *Log) *Log {
	d.mu.Lock()
	defer d.mu.Unlock()
	if old := d.logs[lane]; old != nil {
		return old
	}
	if l != nil {
		d.logs[lane] = l
	}
	return l
}

// Lane is the lane's number.
func (l *Log) Lane() uint16 { return l.lane }

// First and Last bound what Entry can return; Last is First-1 when there is nothing.
func (l *Log) First() uint64 { return l.win.first }
func (l *Log) Last() uint64  { return l.last }

// Durable is the last entry of which disk has everything up to there.
func (l *Log) Durable() uint64 { return l.stable }

// Vote is the last one set or recovered.
func (l *Log) Vote() Vote { return l.vote }

// SetVote is the memory side of an Append with a Vote.
func (l *Log) SetVote(v Vote) { l.vote = v }

// Term is the term of entry i, also of the one just before First.
func (l *Log) Term(i uint64) (uint64, bool) {
	switch {
	case i+1 == l.win.first:
		return l.win.prevTerm, true
	case i < l.win.first || i > l.last:
		return 0, false
	}
	c, s := l.table.at(i)
	return c.terms[s], true
}

// Size is the length of entry i's data in bytes, resident or not; 0 outside First..Last.
func (l *Log) Size(i uint64) int {
	if i < l.win.first || i > l.last {
		return 0
	}
	c, s := l.table.at(i)
	return int(c.sizes[s])
}

// Entry returns entry i, from memory or read back and verified. A block read back stays evicted.
func (l *Log) Entry(i uint64) (Entry, error) {
	if i < l.win.first || i > l.last {
		return Entry{}, fmt.Errorf("lane %d index %d: outside %d..%d", l.lane, i, l.win.first, l.last)
	}
	if e, ok := l.table.entry(i); ok {
		return e, nil
	}
	return l.read(i)
}

// InMemory is entry i's data, if it is resident.
func (l *Log) InMemory(i uint64) ([]byte, bool) {
	if i < l.win.first || i > l.last {
		return nil, false
	}
	e, ok := l.table.entry(i)
	return e.Data, ok
}

func (l *Log) read(i uint64) (Entry, error) {
	key := Key(EntryKind, l.lane, i)
	v, err := l.d.Get(key)
	if err != nil {
		return Entry{}, damaged(l.lane, i, "read: "+err.Error())
	}
	return l.accept(i, key, v)
}

// accept checks what disk says entry i is against the table; v is kept.
func (l *Log) accept(i uint64, key, v []byte) (Entry, error) {
	if v == nil {
		return Entry{}, damaged(l.lane, i, "missing")
	}
	_, e, err := parseEntry(key, v)
	if err != nil {
		return Entry{}, err
	}
	if want, _ := l.Term(i); e.Term != want {
		return Entry{}, damaged(l.lane, i, fmt.Sprintf("term %d on disk, %d in the table", e.Term, want))
	}
	return e, checkData(l.lane, &e)
}

// Scan hands the entries from..to, both included, to f in order; their data may be kept. Evicted runs are
// read forward in one go. ErrStop ends it.
func (l *Log) Scan(from, to uint64, f func(Entry) error) error {
	r := runReader{l: l}
	defer r.close()
	for i := from; i <= to; i++ {
		e, err := r.entry(i)
		if err == nil {
			err = f(e)
		}
		if errors.Is(err, ErrStop) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Extend is the memory side of an Append: e follows Last, or overwrites a suffix. The data is aliased.
func (l *Log) Extend(e []Entry) {
	if len(e) == 0 {
		return
	}
	first := e[0].Index
	if first < l.win.first || first > l.last+1 {
		panic(fmt.Sprintf("journal: lane %d: index %d does not extend %d..%d", l.lane, first, l.win.first, l.last))
	}
	for i := first; i <= l.last; i++ {
		l.table.forget(i)
	}
	l.stable = min(l.stable, first-1)
	for i := range e {
		if e[i].Index != first+uint64(i) {
			panic(fmt.Sprintf("journal: lane %d: index %d in the place of %d", l.lane, e[i].Index, first+uint64(i)))
		}
		l.table.put(&e[i], true)
	}
	l.last = first + uint64(len(e)) - 1
}

// Stable says that the Append which ended with entry i of this term is done. An entry that was overwritten
// meanwhile has another term, and says nothing.
func (l *Log) Stable(i, term uint64) {
	if t, ok := l.Term(i); ok && t == term {
		l.stable = max(l.stable, i)
	}
}

// Evict drops entry i's bytes from memory, if disk has them; Entry reads them back.
func (l *Log) Evict(i uint64) {
	if i >= l.win.first && i <= l.stable {
		l.table.forget(i)
	}
}

// Resident is the bytes of block data in memory.
func (l *Log) Resident() int64 { return l.table.resident }

// DropBelow says that entries below i are not needed any more, neither here nor by another voter. Their
// memory goes at once; the disk's copy goes in one range per 64 Ki messages or 32 MiB, and on Close, so
// after a crash some may be back.
func (l *Log) DropBelow(i uint64) {
	if i <= l.win.first {
		return
	}
	if i > l.stable+1 {
		panic(fmt.Sprintf("journal: lane %d: drop below %d, but only %d is stable", l.lane, i, l.stable))
	}
	prev, _ := l.Term(i - 1)
	for n := l.win.first; n < i; n++ {
		c, s := l.table.at(n)
		l.dropped.messages += uint64(c.messages[s])
		l.dropped.bytes += uint64(c.sizes[s])
		l.table.forget(n)
	}
	l.win = window{first: i, prevTerm: prev}
	l.table.dropChunks(i)
	if l.dropped.messages >= dropMessages || l.dropped.bytes >= dropBytes {
		l.flushDrop()
	}
}

// DropNow lets the disk's copy of what was dropped go now, however little it is.
func (l *Log) DropNow() { l.flushDrop() }

// flushDrop removes from disk what was dropped; the window moves in the same batch.
func (l *Log) flushDrop() {
	if l.onDisk == l.win.first {
		return
	}
	b := NewBatch()
	b.DeleteRange(Key(EntryKind, l.lane, l.onDisk), Key(EntryKind, l.lane, l.win.first))
	b.Set(Key(LaneMeta, l.lane, metaWindow), encodeWindow(l.win))
	l.d.Write(b, nil)
	l.onDisk, l.dropped = l.win.first, dropped{}
}
