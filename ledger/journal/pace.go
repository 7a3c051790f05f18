package journal

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Pebble writes a full memtable to tables, and compacts tables, as fast as a core and the disk go: every few seconds under load, half a
// second in which a sync of the log waits 20 to 60 ms for 1 and all else has a core less. Nobody waits for tables. So a flush writes, and
// a compaction reads, at a pace: so much a second, and for each octet that goes to the log so many more that memtables are emptied
// faster than they fill. Nothing is paced while the log grows as fast as it can, when nobody can be spared; when level 0 grows all the
// same or writes stall; before Pace and while the store is closed; and in memory.

// Paces of tables.
const (
	paceBase     = 16 << 20 // octets a second, of flushes and of compactions
	paceBurst    = 4 << 20  // octets that may go at once
	flushShare   = 1.25     // octets that a flush writes for one of the log, which has all that a memtable has
	compactShare = 2        // octets that compactions read; most of the log is dropped before it is flushed, or behind it
	paceStep     = 20 * time.Millisecond
	fullSpeed    = 192 << 20 // octets a second of the log, over rateOver: nothing is paced for fullFor from then on
	rateOver     = 40 * time.Millisecond
	fullFor      = 2 * time.Second
	behindMost   = 2 * l0Compaction
)

// flushCategory is that of Pebble's files that a flush makes.
const flushCategory vfs.DiskWriteCategory = "pebble-memtable-flush"

// paces are those of a store.
type paces struct {
	began          time.Time // whence ns are counted: a clock that is set back must leave no budget in debt
	on             atomic.Bool
	over           chan struct{} // closed with the store
	logged         atomic.Int64  // octets written to logs
	then, thenAt   atomic.Int64  // the same at a time, ns, of late
	free           atomic.Int64  // until when nothing is paced, ns
	stalled        atomic.Bool
	behind         atomic.Int32 // flushes since something of level 0 was compacted
	flush, compact budget
}

// Pace has tables written and compacted at a pace from here on: the store's owner is ready, and others wait for its syncs.
func (d *DB) Pace() { d.paces.on.Store(true) }

// watch has the paces follow what the store does.
func (p *paces) watch(e *pebble.EventListener) {
	e.WriteStallBegin = func(pebble.WriteStallBeginInfo) { p.stalled.Store(true) }
	e.WriteStallEnd = func() { p.stalled.Store(false) }
	e.FlushEnd = func(pebble.FlushInfo) { p.behind.Add(1) }
	e.CompactionEnd = func(i pebble.CompactionInfo) {
		if len(i.Input) > 0 && i.Input[0].Level == 0 {
			p.behind.Store(0)
		}
	}
}

// now is the time of budgets, ns.
func (p *paces) now() int64 { return int64(time.Since(p.began)) }

// log counts octets that are written to a log. A race of two logs, of which one ends as the other begins, spoils a rate and no more.
func (p *paces) log(n int, now int64) {
	logged := p.logged.Add(int64(n))
	d := now - p.thenAt.Load()
	if d < int64(rateOver) {
		return
	}
	if float64(logged-p.then.Load())/float64(d)*1e9 >= fullSpeed {
		p.free.Store(now + int64(fullFor))
	}
	p.then.Store(logged)
	p.thenAt.Store(now)
}

// paced says whether tables wait at all.
func (p *paces) paced(now int64) bool {
	return p.on.Load() && !p.stalled.Load() && p.behind.Load() <= behindMost && now >= p.free.Load()
}

// wait lets n octets of a budget go when it is their time.
func (p *paces) wait(b *budget, n int) {
	for now := p.now(); p.paced(now); now = p.now() {
		d := b.spend(n, p.logged.Load(), now)
		if d == 0 {
			return
		}
		t := time.NewTimer(d)
		select {
		case <-t.C:
		case <-p.over:
			t.Stop()
			return
		}
		n = 0
	}
}

// budget is what tables of one kind may take. Any goroutine may ask.
type budget struct {
	share float64

	mu     sync.Mutex
	credit float64 // octets; below 0 are owed
	last   int64   // ns
	logged int64
}

// spend takes n octets and says after how long, in ns, to ask again with none; 0: go on. logged is how much went to the log, ever.
func (b *budget) spend(n int, logged, now int64) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last != 0 {
		b.credit += paceBase*float64(now-b.last)/1e9 + b.share*float64(logged-b.logged)
	}
	b.last, b.logged = now, logged
	b.credit = min(b.credit, paceBurst) - float64(n)
	if b.credit >= 0 {
		return 0
	}
	return min(time.Duration(-b.credit/paceBase*1e9)+time.Microsecond, paceStep)
}

// flushedFile is a table that a flush writes.
type flushedFile struct{ *watchedFile }

func (f *flushedFile) Write(p []byte) (int, error) {
	f.d.paces.wait(&f.d.paces.flush, len(p))
	return f.watchedFile.Write(p)
}

// compactedFile is a table that a compaction reads.
type compactedFile struct {
	vfs.File
	paces *paces
}

func (f *compactedFile) ReadAt(p []byte, at int64) (int, error) {
	f.paces.wait(&f.paces.compact, len(p))
	return f.File.ReadAt(p, at)
}

func onDisk(name string, f vfs.File) bool {
	return strings.HasSuffix(name, ".sst") && f.Fd() != vfs.InvalidFd
}

// Open implements vfs.FS. Compactions alone open tables to read them from end to end (pebbleOptions sees to that).
func (w *watched) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	f, err := w.FS.Open(name, o...)
	if err == nil && slices.Contains(o, vfs.SequentialReadsOption) && onDisk(name, f) {
		return &compactedFile{f, &w.d.paces}, nil
	}
	return f, err
}
