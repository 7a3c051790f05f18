package journal

import (
	"context"
	"errors"
	"fmt"
)

// kindNames are what people call the spans of the store.
var kindNames = map[Kind]string{storeKind: "store id", LaneMeta: "lane meta", EntryKind: "log", Moved: "stragglers", Run: "runs", Fold: "fold state",
	EDR: "edr packs", EDRIndex: "edr index", Orphan: "orphans", Catalog: "catalogs", Seal: "seals", Skip: "skipped", Taken: "texts taken", Staged: "import", Host: "host"}

func (k Kind) String() string {
	if s := kindNames[k]; s != "" {
		return s
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Size is what one kind of keys of one lane takes.
type Size struct {
	Kind  Kind
	Lane  uint16
	Keys  uint64
	Bytes uint64 // keys and values, before any compression
	Disk  uint64 // in tables, estimated; what only the WAL has is not in it
}

// Sizes counts everything in the store, which it reads from end to end.
func (d *DB) Sizes() ([]Size, error) {
	var all []Size
	err := d.Scan([]byte{0}, []byte{0xff}, func(k, v []byte) error {
		if len(k) < keyPrefix {
			return fmt.Errorf("%w: key %x", ErrCorrupt, k)
		}
		kind, lane := Kind(k[0]), be.Uint16(k[1:])
		if n := len(all); n == 0 || all[n-1].Kind != kind || all[n-1].Lane != lane {
			all = append(all, Size{Kind: kind, Lane: lane})
		}
		s := &all[len(all)-1]
		s.Keys++
		s.Bytes += uint64(len(k) + len(v))
		return nil
	})
	for i := range all {
		lo, hi := LaneRange(all[i].Kind, all[i].Lane)
		if n, e := d.p.EstimateDiskUsage(lo, hi); e == nil { // an estimate, left out where there is none
			all[i].Disk = n
		}
	}
	return all, err
}

// SizeOf is about what an Export holds, in octets of tables here; what only the WAL has is not in it, nor what cannot be estimated.
func (d *DB) SizeOf(m *Meta) (n uint64) {
	_ = shipped(func(k Kind) error {
		lo, hi := LaneRange(k, m.Lane)
		if k == EntryKind {
			lo, hi = Key(k, m.Lane, m.First), Key(k, m.Lane, m.Index+1)
		}
		size, err := d.p.EstimateDiskUsage(lo, hi)
		if err == nil {
			n += size
		}
		return nil
	})
	return n
}

// Entries hands a lane's entries from an index on to f, as they are on disk; the data is valid during the
// call. Damaged and missing ones go to problem, which returns nil to go on behind them. Any goroutine may call it: it reads
// what was there when it began.
func (d *DB) Entries(lane uint16, from uint64, f func(e Entry) error, problem func(index uint64, err error) error) error {
	now := d.p.NewSnapshot() // a lane at work is trimmed meanwhile
	_, win, err := readMeta(now, lane)
	if err != nil {
		return errors.Join(err, now.Close())
	}
	w := walk{r: now, lane: lane, next: max(from, win.first)}
	tell := func(e *Entry, err error) error { return problem(e.Index, err) }
	err = w.run(func(e *Entry, _ error) error {
		if err := checkData(lane, e); err != nil {
			return tell(e, err)
		}
		return f(*e)
	}, tell)
	return errors.Join(err, now.Close())
}

// Raw is the stored value of an entry, damaged or not; nil when there is none that can be read.
func (d *DB) Raw(lane uint16, index uint64) []byte {
	v, err := d.Get(Key(EntryKind, lane, index))
	if err != nil {
		return nil
	}
	return v
}

// Expel makes ranges leave the disk whose drop was written before the call: what still stands in memory goes to tables,
// and tables that hold dropped keys of these kinds are written anew without them. It takes as long as it takes; nobody
// waits. Pebble removes the files of the old tables in its own time, moments later.
func (d *DB) Expel(ctx context.Context, kinds ...Kind) error {
	written := make(chan struct{})
	d.Write(NewBatch(), func() { close(written) }) // behind the drops
	if d.o.Stepped {
		d.stepAll()
	}
	select {
	case <-written:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := d.p.Flush(); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	var all []error
	for _, k := range kinds {
		lo, hi := kindRange(k)
		if err := d.p.Compact(ctx, lo, hi, false); err != nil {
			all = append(all, fmt.Errorf("compact %v: %w", k, err))
		}
	}
	return errors.Join(all...)
}

// LargestCompaction bounds the space that compactions may need beside what is there, in bytes: Pebble lets
// one grow to 25 tables of the level it writes to, and never rewrites more than all of the store.
func (d *DB) LargestCompaction() uint64 {
	const lastTable, grown = 2 << 20 << 6, 25 // tables double in size from level to level, beginning at 2 MiB
	return min(maxCompactions*grown*lastTable, d.DiskUsage())
}
