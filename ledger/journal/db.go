package journal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// DB is a host's store. See the package comment for who may call what.
type DB struct {
	o        Options
	p        *pebble.DB
	id       [16]byte
	version  uint32
	readOnly bool
	opened   atomic.Bool
	paces    paces
	dead     atomic.Bool // a write failed: nothing is acknowledged from here on

	queue   queue
	writer  *writer // the appender's
	pending pending
	wg      sync.WaitGroup
	last    map[uint16]uint64 // appender's: last index on disk by lane
	stats   counters

	mu      sync.Mutex
	logs    map[uint16]*Log
	imports map[uint16]*Import

	installBytes int // of one batch of an Install; tests make it small
	closing      atomic.Bool
}

// Open opens or makes the store in o.Dir and starts its two goroutines.
func Open(o Options) (*DB, error) { return open(o, false) }

// OpenReadOnly opens a store that no process has open, for looking only: Append, Write and DropBelow panic.
func OpenReadOnly(o Options) (*DB, error) { return open(o, true) }

func open(o Options, readOnly bool) (*DB, error) {
	d := &DB{o: o.withDefaults(), last: map[uint16]uint64{}, logs: map[uint16]*Log{}, imports: map[uint16]*Import{}, installBytes: retainedBatch}
	d.paces.began = time.Now()
	d.paces.over, d.paces.flush.share, d.paces.compact.share = make(chan struct{}), flushShare, compactShare
	d.queue.init()
	d.pending.init()
	p, err := pebble.Open(o.Dir, d.pebbleOptions(readOnly))
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", o.Dir, err)
	}
	d.p = p
	d.opened.Store(true)
	if err := d.recover(readOnly); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", o.Dir, err), p.Close())
	}
	if d.readOnly = readOnly; readOnly {
		d.queue.closed = true
		return d, nil
	}
	d.writer = &writer{d: d, b: p.NewBatch(pebble.WithMaxRetainedSizeBytes(2 * maxBatch))}
	if o.Stepped {
		return d, nil
	}
	d.wg.Add(2)
	go d.appendLoop()
	go d.syncLoop()
	return d, nil
}

// recover reads or makes the store's id and finds each lane's last index. That the entries between are all
// there is verified when the lane's Log is made, which reads them anyway.
func (d *DB) recover(readOnly bool) error {
	if err := d.recoverID(readOnly); err != nil {
		return err
	}
	if !readOnly {
		if err := d.finishInstalls(); err != nil {
			return err
		}
	}
	lanes, err := d.Lanes()
	if err != nil {
		return err
	}
	for _, lane := range lanes {
		if d.last[lane], err = d.lastOnDisk(lane); err != nil {
			return err
		}
	}
	return nil
}

// recoverID reads the store's id, or makes one: random, once, so that peers can refuse a wiped store that
// comes back under a known name.
func (d *DB) recoverID(readOnly bool) error {
	key := Key(storeKind, 0)
	b, err := d.Get(key)
	switch {
	case err != nil:
		return err
	case b == nil && readOnly:
		return errors.New("not a journal: it has no id")
	case b == nil:
		if _, err := rand.Read(d.id[:]); err != nil {
			return fmt.Errorf("make the store's id: %w", err)
		}
		d.version = storeVersion
		b = append(be.AppendUint32(nil, storeVersion), d.id[:]...)
		b = be.AppendUint64(b, uint64(d.o.Clock()))
		if err := d.p.Set(key, b, pebble.Sync); err != nil {
			return fmt.Errorf("write the store's id: %w", err)
		}
		// Pebble opens a new store's first WAL before it has set the format, so without the chunks that tell
		// damage from a torn tail. A flush moves on to the next WAL, which has them.
		return d.p.Flush()
	case len(b) != 28:
		return fmt.Errorf("%w: store id of %d octets", ErrCorrupt, len(b))
	}
	if err := d.checkVersion(key, b, readOnly); err != nil {
		return err
	}
	copy(d.id[:], b[4:])
	return nil
}

// ID is the store's random name, made once.
func (d *DB) ID() [16]byte { return d.id }

// Lanes lists the lanes that have a meta or an entry, in order.
func (d *DB) Lanes() ([]uint16, error) {
	var lanes []uint16
	for _, k := range []Kind{LaneMeta, EntryKind} {
		lo, hi := kindRange(k)
		it, err := iter(d.p, lo, hi)
		if err != nil {
			return nil, err
		}
		for ok := it.First(); ok; {
			lane, _, err := parseKey(it.Key())
			if err != nil {
				return nil, errors.Join(err, it.Close())
			}
			lanes = append(lanes, lane)
			_, next := LaneRange(k, lane)
			ok = it.SeekGE(next)
		}
		if err := it.Close(); err != nil {
			return nil, fmt.Errorf("list lanes: %w", err)
		}
	}
	slices.Sort(lanes)
	return slices.Compact(lanes), nil
}

// lastOnDisk is the last index of a lane: its last entry, or the one before the window when all is dropped.
func (d *DB) lastOnDisk(lane uint16) (uint64, error) {
	_, w, err := d.readMeta(lane)
	if err != nil {
		return 0, err
	}
	lo, hi := LaneRange(EntryKind, lane)
	it, err := iter(d.p, lo, hi)
	if err != nil {
		return 0, err
	}
	last := w.first - 1
	if it.Last() {
		_, last, err = parseKey(it.Key())
	}
	if err := errors.Join(err, it.Close()); err != nil {
		return 0, fmt.Errorf("lane %d: last entry: %w", lane, err)
	}
	return last, nil
}

// Close drops what is due, writes and syncs everything queued, and closes the store. The lanes' owners have
// stopped before. After Fatal there is no closing: nothing may be written any more.
func (d *DB) Close() error {
	close(d.paces.over)
	if d.queue.isClosed() { // read only
		return d.p.Close()
	}
	d.mu.Lock()
	for _, l := range d.logs {
		l.flushDrop()
	}
	d.mu.Unlock()
	if d.o.Stepped {
		d.stepAll()
	}
	d.queue.close()
	d.wg.Wait()
	d.closing.Store(true)
	return d.p.Close()
}

// fatal ends the process through Options.Fatal; nothing is acknowledged after it began.
func (d *DB) fatal(err error) {
	d.dead.Store(true)
	d.o.Fatal(err)
	panic("journal: Options.Fatal returned after: " + err.Error())
}

// backgroundError hears of failed flushes and compactions. They end the process as a failed commit does:
// what cannot be written to a table now will stop the writers soon, and the peer should lead before that.
func (d *DB) backgroundError(err error) {
	ours := d.closing.Load() || errors.Is(err, pebble.ErrCancelledCompaction)
	if !ours && !pebble.IsCorruptionError(err) {
		d.fatal(fmt.Errorf("store: background: %w", err))
	}
}

// dataCorruption hears of damaged tables, which are told and survived: whoever reads the entry gets an error
// that names it, and a check can go on to find the others.
func (d *DB) dataCorruption(info pebble.DataCorruptionInfo) {
	d.o.Logger.Error("the store has a damaged table", "dir", d.o.Dir, "file", info.Path, "err", info.Details)
	if d.o.Damaged != nil && !info.IsRemote {
		d.o.Damaged(info.Path)
	}
}
