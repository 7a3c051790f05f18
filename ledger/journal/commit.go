package journal

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// The two goroutines. The appender alone writes entries and so alone knows each lane's last index on disk;
// the syncer alone acknowledges. A Done enters pending after its batch was committed, and the syncer takes
// pending before it syncs, so the sync covers every Done it then runs.

// maxBatch is where the appender cuts a Pebble batch: far below half a memtable, from where Pebble would
// flush each batch on its own.
const maxBatch = 4 << 20

// Append queues entries and vote; see the type. It waits only while the queue is at its bound.
func (d *DB) Append(a Append) {
	r := request{Append: a, size: 64}
	for i := range a.Entries {
		r.size += len(a.Entries[i].Data) + 64
	}
	d.queue.put(&r)
}

// Write queues b, which is the journal's from here on. It is committed in order with everything queued
// before, unsynced: the next sync carries it. done (or nil) runs on the appender once readers can see b.
func (d *DB) Write(b *Batch, done func()) {
	d.queue.put(&request{Append: Append{Done: done}, batch: b, size: b.Size() + 64})
}

func (d *DB) appendLoop() {
	defer d.wg.Done()
	defer d.pending.close()
	var items []request
	for {
		clear(items)
		if items = d.queue.take(items[:0]); items == nil {
			return
		}
		d.writer.write(items)
	}
}

// write commits items in as few batches as they fill.
func (w *writer) write(items []request) {
	for i := range items {
		w.add(&items[i])
		if w.b.Len() >= maxBatch || i == len(items)-1 {
			w.commit()
		}
	}
}

// writer is the appender's batch under construction, reused.
type writer struct {
	d      *DB
	b      *pebble.Batch
	seen   []func() // run once the batch is visible
	synced []func() // handed to the syncer
	key    []byte
	vote   []byte
}

func (w *writer) add(r *request) {
	if r.batch != nil {
		w.addBatch(r.batch)
		if r.Done != nil {
			w.seen = append(w.seen, r.Done)
		}
		return
	}
	if r.Restore != nil {
		w.restore(r.Lane, r.Restore)
	}
	if len(r.Entries) > 0 {
		w.addEntries(r.Lane, r.Entries)
	}
	if r.Vote != nil {
		w.key = AppendKey(w.key[:0], LaneMeta, r.Lane, metaVote)
		w.vote = appendVote(w.vote[:0], *r.Vote)
		w.must(w.b.Set(w.key, w.vote, nil))
	}
	if r.Done != nil {
		w.synced = append(w.synced, r.Done)
	}
	w.d.stats.appends.Add(1)
}

// restore drops all entries of the lane; a drop that is queued before or behind it finds nothing.
func (w *writer) restore(lane uint16, to *Restore) {
	lo, hi := LaneRange(EntryKind, lane)
	w.must(w.b.DeleteRange(lo, hi, nil))
	w.must(w.b.Set(Key(LaneMeta, lane, metaWindow), encodeWindow(window{to.Index + 1, to.Term}), nil))
	w.must(w.b.Set(Key(LaneMeta, lane, metaGroup), to.Group, nil))
	w.d.last[lane] = to.Index
}

func (w *writer) addEntries(lane uint16, entries []Entry) {
	first, last := entries[0].Index, w.d.last[lane]
	switch {
	case first == 0 || first > last+1:
		panic(fmt.Sprintf("journal: lane %d: append of index %d behind %d leaves a gap", lane, first, last))
	case first <= last:
		// The suffix goes in the same batch as its replacement: a longer old tail must not come back.
		w.must(w.b.DeleteRange(Key(EntryKind, lane, first), Key(EntryKind, lane, last+1), nil))
	}
	for i := range entries {
		e := &entries[i]
		if e.Index != first+uint64(i) {
			panic(fmt.Sprintf("journal: lane %d: index %d in the place of %d", lane, e.Index, first+uint64(i)))
		}
		op := w.b.SetDeferred(keyPrefix+8, entryHeader+len(e.Data))
		AppendKey(op.Key[:0], EntryKind, lane, e.Index)
		putEntryHeader(op.Value, op.Key, e)
		copy(op.Value[entryHeader:], e.Data)
		w.must(op.Finish())
	}
	w.d.last[lane] = first + uint64(len(entries)) - 1
	w.d.stats.entries.Add(uint64(len(entries)))
}

func (w *writer) addBatch(b *Batch) {
	w.must(b.each(func(op byte, key, value []byte) error {
		return change(w.b, op, key, value)
	}))
	if b.last > 0 {
		w.d.last[b.lane] = b.last
	}
	b.release()
	w.d.stats.writes.Add(1)
}

func (w *writer) commit() {
	if !w.b.Empty() {
		w.d.stats.batches.Add(1)
		w.d.stats.bytes.Add(uint64(w.b.Len()))
		w.must(w.b.Commit(pebble.NoSync))
	}
	w.b.Reset()
	for i, f := range w.seen {
		f()
		w.seen[i] = nil
	}
	if len(w.synced) > 0 {
		w.d.pending.put(w.synced)
	}
	clear(w.synced)
	w.seen, w.synced = w.seen[:0], w.synced[:0]
}

func (w *writer) must(err error) {
	if err != nil {
		w.d.fatal(fmt.Errorf("append: %w", err))
	}
}

func (d *DB) syncLoop() {
	defer d.wg.Done()
	var dones []func()
	for {
		clear(dones)
		if dones = d.pending.take(dones[:0]); dones == nil {
			return
		}
		if !d.acknowledge(dones) {
			return
		}
	}
}

// acknowledge makes all that was committed durable, then runs the Dones; false once a write has failed.
func (d *DB) acknowledge(dones []func()) bool {
	if !d.o.NoSync {
		if err := d.p.LogData(nil, pebble.Sync); err != nil {
			d.fatal(fmt.Errorf("sync: %w", err))
		}
		d.stats.syncs.Add(1)
	}
	for _, done := range dones {
		if d.dead.Load() {
			return false
		}
		done()
	}
	return true
}
