package journal

import (
	"bytes"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// Import stages an Export of a lane on this host, and makes it the lane. Until Install nothing of the lane is
// touched: it goes on voting with the log it has. What is staged survives a restart. Install first notes, in
// order with everything else, that it began; a crash behind that note ends in the same lane, because opening the
// store does the rest. One goroutine at a time.
//
//	staged: Staged lane 0      meta           LaneMeta lane 3: an Install began
//	        Staged lane 1..    chunks, as they came
type Import struct {
	d      *DB
	meta   Meta
	after  []byte
	chunks uint64
	bytes  uint64

	installing bool        // under the DB's lock: it is the lane soon, and nothing else is staged meanwhile
	installed  atomic.Bool // it is
}

// ErrSuperseded says that the lane's own log already reaches as far as the Export.
var ErrSuperseded = errors.New("the lane has what would be imported")

// Import begins to stage an Export, or goes on with what this store has of it. There is one per lane: what
// was staged of another Export is dropped. While one is being installed, which reads what is staged, it refuses.
func (d *DB) Import(meta Meta) (*Import, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch i := d.imports[meta.Lane]; {
	case i == nil:
	case i.installed.Load():
		delete(d.imports, meta.Lane)
	case i.installing:
		return nil, fmt.Errorf("import lane %d: another is being installed", meta.Lane)
	case i.meta.ID == meta.ID:
		return i, nil
	}
	i := &Import{d: d, meta: meta}
	if d.imports[meta.Lane] == nil {
		if err := i.resume(); err != nil {
			return nil, fmt.Errorf("import lane %d: %w", meta.Lane, err)
		}
	}
	if i.chunks == 0 {
		b := NewBatch()
		lo, hi := LaneRange(Staged, meta.Lane)
		b.DeleteRange(lo, hi)
		b.Set(Key(Staged, meta.Lane, 0), meta.Encode())
		d.Write(b, nil)
	}
	d.imports[meta.Lane] = i
	return i, nil
}

// resume finds what an earlier life of the process staged.
func (i *Import) resume() error {
	v, err := i.d.Get(Key(Staged, i.meta.Lane, 0))
	if err != nil || !bytes.Equal(v, i.meta.Encode()) {
		return err
	}
	_, hi := LaneRange(Staged, i.meta.Lane)
	return i.d.Scan(Key(Staged, i.meta.Lane, 1), hi, func(k, v []byte) error {
		i.chunks++
		i.bytes += uint64(len(v))
		return pairs(v, func(k, _ []byte) error {
			i.after = append(i.after[:0], k...)
			return nil
		})
	})
}

// After is the last key that is staged, nil at the start: the exporter goes on behind it. Bytes is what is staged.
func (i *Import) After() []byte { return i.after }
func (i *Import) Bytes() uint64 { return i.bytes }

// Add stages the next chunk. done (or nil) runs on the appender once the chunk can be read, which all must be before
// Install; it is not synced then, so what a crash takes is sent again.
func (i *Import) Add(chunk []byte, done func()) error {
	i.d.mu.Lock()
	current := i.current()
	i.d.mu.Unlock()
	if !current {
		return i.givenUp()
	}
	last := i.after
	err := pairs(chunk, func(k, _ []byte) error {
		if bytes.Compare(k, last) <= 0 || len(k) < keyPrefix || Kind(k[0]) < EntryKind || Kind(k[0]) >= Staged || be.Uint16(k[1:]) != i.meta.Lane {
			return fmt.Errorf("%w: key %x behind %x", ErrCorrupt, k, last)
		}
		last = k
		return nil
	})
	if err != nil {
		return fmt.Errorf("import lane %d: %w", i.meta.Lane, err)
	}
	i.after = bytes.Clone(last)
	i.chunks++
	i.bytes += uint64(len(chunk))
	b := NewBatch()
	b.Set(Key(Staged, i.meta.Lane, i.chunks), chunk)
	i.d.Write(b, done)
	return nil
}

// current says that what is staged is of this Import. The DB's lock is held.
func (i *Import) current() bool { return i.d.imports[i.meta.Lane] == i && !i.installing }

func (i *Import) givenUp() error {
	return fmt.Errorf("import lane %d: it was given up", i.meta.Lane)
}

// Abort forgets what is staged, unless that is another Import's.
func (i *Import) Abort() {
	i.d.mu.Lock()
	current := i.current()
	if current {
		delete(i.d.imports, i.meta.Lane)
	}
	i.d.mu.Unlock()
	if !current {
		return
	}
	b := NewBatch()
	lo, hi := LaneRange(Staged, i.meta.Lane)
	b.DeleteRange(lo, hi)
	i.d.Write(b, nil)
}

// Needed says whether the lane, as its Log stands, is behind the Export; the Log's owner may ask. A log that goes on
// beside the Export in another term holds nothing that was acknowledged there.
func (i *Import) Needed(l *Log) error {
	if t, ok := l.Term(i.meta.Index); l.Vote().Commit >= i.meta.Index || ok && t == i.meta.Term {
		return fmt.Errorf("import lane %d: index %d: %w", i.meta.Lane, i.meta.Index, ErrSuperseded)
	}
	return nil
}

// Install makes what is staged the lane. The lane's owner has stopped, and no Log or replica of it is used
// any more: once done runs, on the syncer, all of it is durable and DB.Log returns the new one. It reads and writes the
// whole lane, so it is not for a goroutine that others wait for.
func (i *Import) Install(done func()) error {
	l, err := i.d.Log(i.meta.Lane)
	if err != nil {
		return err
	}
	if err := i.Needed(l); err != nil {
		i.Abort()
		return err
	}
	return i.instead(l, 0, done)
}

// Renew is Install for a lane whose folds are damaged, though its log may reach further than the Export. What the log has
// behind the Export was acknowledged, and stays. It refuses an Export that ends before the log begins: what is between is
// neither here nor there.
func (i *Import) Renew(done func()) error {
	l, err := i.d.Log(i.meta.Lane)
	if err != nil {
		return err
	}
	if i.Needed(l) == nil {
		return i.instead(l, 0, done)
	}
	if t, ok := l.Term(i.meta.Index); !ok || t != i.meta.Term {
		i.Abort()
		return fmt.Errorf("import lane %d: index %d of term %d is not in the log, which begins at %d: %w", i.meta.Lane, i.meta.Index, i.meta.Term, l.First(), ErrSuperseded)
	}
	return i.instead(l, l.Last(), done)
}

// instead puts what is staged in the place of the lane; its log stays from behind the Export up to last, unless last is 0.
func (i *Import) instead(l *Log, last uint64, done func()) error {
	d, lane := i.d, i.meta.Lane
	vote := l.Vote()
	if vote.Commit = max(i.meta.Index, min(vote.Commit, last)); vote.Term < i.meta.VoteTerm {
		vote.Term, vote.Voted = i.meta.VoteTerm, 0
	}
	d.mu.Lock()
	current := i.current()
	if current {
		delete(d.logs, lane)
		i.installing = true
	}
	d.mu.Unlock()
	if !current {
		return i.givenUp()
	}
	b := NewBatch()
	b.Set(Key(LaneMeta, lane, metaInstall), be.AppendUint64(appendVote(nil, vote), last))
	d.Write(b, nil)
	if err := d.install(i.meta, vote, last, func(b *Batch) error { d.Write(b, nil); return nil }); err != nil {
		d.fatal(fmt.Errorf("install lane %d: %w", lane, err)) // half of it is there; opening the store ends it
	}
	d.Append(Append{Lane: lane, Done: func() {
		i.installed.Store(true)
		if done != nil {
			done()
		}
	}})
	return nil
}

// install hands the batches that turn what is staged into the lane to write, in order. Doing it twice does no
// harm. The log stays from behind the Export up to last, unless last is 0.
func (d *DB) install(meta Meta, vote Vote, last uint64, write func(*Batch) error) error {
	lane := meta.Lane
	b := NewBatch()
	_ = shipped(func(k Kind) error {
		lo, hi := LaneRange(k, lane)
		if k == EntryKind && last > 0 {
			hi = Key(k, lane, meta.Index+1)
		}
		b.DeleteRange(lo, hi)
		return nil
	})
	lo, hi := LaneRange(Staged, lane)
	err := d.Scan(Key(Staged, lane, 1), hi, func(_, chunk []byte) error {
		if err := pairs(chunk, func(k, v []byte) error { b.Set(k, v); return nil }); err != nil {
			return err
		}
		if b.Size() < d.installBytes {
			return nil
		}
		full := b
		b = NewBatch()
		return write(full)
	})
	if err != nil {
		return err
	}
	b.Set(Key(LaneMeta, lane, metaVote), appendVote(nil, vote))
	b.Set(Key(LaneMeta, lane, metaWindow), encodeWindow(window{meta.First, meta.PrevTerm}))
	b.Set(Key(LaneMeta, lane, metaGroup), meta.Group)
	b.DeleteRange(Key(LaneMeta, lane, metaInstall), Key(LaneMeta, lane, metaInstall+1))
	b.DeleteRange(lo, hi)
	b.lane, b.last = lane, max(meta.Index, last)
	return write(b)
}

// finishInstalls ends what a crash interrupted, before anybody looks at the lanes.
func (d *DB) finishInstalls() error {
	lanes, err := d.Lanes()
	if err != nil {
		return err
	}
	for _, lane := range lanes {
		v, err := d.Get(Key(LaneMeta, lane, metaInstall))
		if err != nil || v == nil {
			if err != nil {
				return err
			}
			continue
		}
		staged, err := d.Get(Key(Staged, lane, 0))
		if err != nil {
			return err
		}
		meta, err := DecodeMeta(staged)
		if err == nil && len(v) == voteBytes { // of an older build, which kept nothing
			v = be.AppendUint64(v, 0)
		}
		if err == nil && len(v) != voteBytes+8 {
			err = fmt.Errorf("%w: lane %d: vote of %d octets", ErrCorrupt, lane, len(v))
		}
		if err == nil {
			err = d.install(meta, parseVote(v), be.Uint64(v[voteBytes:]), d.writeNow)
		}
		if err != nil {
			return fmt.Errorf("install lane %d: %w", lane, err)
		}
		d.o.Logger.Info("the lane's import was ended, which a crash had interrupted", "lane", lane, "index", meta.Index)
	}
	return nil
}

// writeNow commits a batch outside the appender, which does not run yet.
func (d *DB) writeNow(b *Batch) error {
	defer b.release()
	w := d.p.NewBatch()
	err := b.each(func(op byte, key, value []byte) error {
		return change(w, op, key, value)
	})
	return errors.Join(err, w.Commit(pebble.Sync))
}
