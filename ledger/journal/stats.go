package journal

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

type counters struct{ appends, writes, entries, batches, bytes, syncs atomic.Uint64 }

// Stats are counts since Open, and what the store holds now.
type Stats struct {
	Appends, Writes, Entries uint64 // requests and entries taken by the appender
	Batches, Bytes           uint64 // Pebble batches committed, and their bytes
	Syncs                    uint64
	Queued, QueuedBytes      int // waiting for the appender
	Disk                     uint64
	L0Files                  int64
}

// Stats is cheap enough for every scrape, not for every message.
func (d *DB) Stats() Stats {
	s := Stats{Appends: d.stats.appends.Load(), Writes: d.stats.writes.Load(), Entries: d.stats.entries.Load(),
		Batches: d.stats.batches.Load(), Bytes: d.stats.bytes.Load(), Syncs: d.stats.syncs.Load()}
	d.queue.mu.Lock()
	s.Queued, s.QueuedBytes = len(d.queue.items), d.queue.bytes
	d.queue.mu.Unlock()
	m := d.p.Metrics()
	s.Disk, s.L0Files = m.DiskSpaceUsage(), m.Levels[0].TablesCount
	return s
}

// DiskUsage is the store's bytes on disk, WAL included.
func (d *DB) DiskUsage() uint64 { return d.p.Metrics().DiskSpaceUsage() }

// Checkpoint makes a copy of the store in dir, which must not exist; it holds all that readers can see.
func (d *DB) Checkpoint(dir string) error {
	err := error(nil)
	if d.readOnly {
		err = d.copyFiles(dir)
	} else {
		err = d.p.Checkpoint(dir, pebble.WithFlushedWAL())
	}
	if err != nil {
		return fmt.Errorf("checkpoint to %s: %w", dir, err)
	}
	return nil
}

// copyFiles copies a store that nobody writes: it is open here for reading, and so locked.
func (d *DB) copyFiles(dir string) error {
	fs := d.o.FS
	names, err := fs.List(d.o.Dir)
	if err != nil {
		return err
	}
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, n := range names {
		if n == "LOCK" {
			continue
		}
		if err := vfs.Copy(fs, fs.PathJoin(d.o.Dir, n), fs.PathJoin(dir, n)); err != nil {
			return err
		}
	}
	to, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(to.Sync(), to.Close())
}
