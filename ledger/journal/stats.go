package journal

import (
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
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
	if err := d.p.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return fmt.Errorf("checkpoint to %s: %w", dir, err)
	}
	return nil
}
