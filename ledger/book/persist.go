package book

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"smsplane/ledger"
	"smsplane/ledger/journal"
)

// stateVersion 3 added links that operators hold and the count of repeated receipts; 2 added the chain and what carriers' open messages cost; version 1 is read, and completed from
// the live messages.
const stateVersion = 3

// Dirty says that something was applied since the last Flush; Pending is how many EDR entries wait for it, with one for each KiB of texts.
func (b *Book) Dirty() bool {
	return b.applied != b.flushed || len(b.moves) > 0 || b.System != nil && len(b.System.gone) > 0
}
func (b *Book) Pending() int { return b.pack.n + len(b.pack.texts)>>10 }

// Flush writes everything that changed since the last one into w: the state blob with the applied index in
// it, the packs, the stragglers. w must be committed whole, after the flushes before it.
func (b *Book) Flush(w *journal.Batch) error {
	if b.pack.n > 0 {
		w.Set(journal.Key(journal.EDR, b.Lane, b.applied), b.pack.body)
		w.Set(journal.Key(journal.EDRIndex, b.Lane, b.applied), b.pack.index)
		if len(b.pack.texts) > 0 {
			w.Set(journal.Key(journal.Taken, b.Lane, b.applied), b.pack.texts)
		}
		b.pack.reset()
	}
	if err := b.flushStragglers(w); err != nil {
		return err
	}
	b.flushRuns(w)
	b.flushSkips(w)
	if b.System != nil {
		b.flushSystem(w)
	}
	w.Set(journal.Key(journal.Fold, b.Lane), b.appendState(nil))
	b.flushSeal(w)
	b.flushed = b.applied
	b.flushes++
	return nil
}

// Flushes numbers the flushes so far. Stored is told the number of the latest one that can be read back:
// until then the bodies of its stragglers stay in memory.
func (b *Book) Flushes() uint64 { return b.flushes }

func (b *Book) flushSystem(w *journal.Batch) {
	s := b.System
	if s.fileVersion != s.Version {
		w.Set(journal.Key(journal.Catalog, 0, uint64(s.Version)), s.Files)
		s.fileVersion = s.Version
	}
	for _, o := range s.newOrphans {
		v := le.AppendUint64(nil, uint64(o.At))
		v = le.AppendUint16(v, o.Carrier)
		w.Set(journal.Key(journal.Orphan, 0, o.N), append(v, o.PDU...))
	}
	for _, n := range s.gone {
		w.DeleteRange(journal.Key(journal.Orphan, 0, n), journal.Key(journal.Orphan, 0, n+1))
	}
	s.newOrphans, s.gone = nil, nil
}

// State is the lane's books as a flush stores them: counts, balances and the chain's head, with the applied index. Books
// of the same blocks have the same octets.
func (b *Book) State() []byte { return b.appendState(nil) }

func (b *Book) appendState(v []byte) []byte {
	v = append(v, stateVersion)
	c := &b.Counts
	for _, n := range [...]uint64{b.applied, b.maxSeq, b.maxMO, c.Accepted, c.Resent, c.Returned, c.Doubts, c.MO, c.MOTaken, c.Orphans, c.Submitted} {
		v = le.AppendUint64(v, n)
	}
	for _, n := range c.Ends {
		v = le.AppendUint64(v, n)
	}
	v = b.acc.append(v)
	if b.System != nil {
		v = b.System.append(v)
	}
	v = le.AppendUint64(v, b.chainFrom)
	v = append(v, b.chain[:]...)
	for _, n := range slices.Sorted(maps.Keys(b.acc.carriers)) {
		v = le.AppendUint64(v, uint64(b.acc.carriers[n].Open))
	}
	return le.AppendUint64(v, b.Counts.Repeated)
}

// StateIndex is the applied index in a stored state, without reading the rest.
func StateIndex(v []byte) (uint64, error) {
	if len(v) < 9 || v[0] < 1 || v[0] > stateVersion {
		return 0, fmt.Errorf("%w: no state that this build knows", ErrBooks)
	}
	return le.Uint64(v[1:]), nil
}

func (b *Book) readState(v []byte) error {
	r := reader{b: v}
	version := r.u8()
	if version < 1 || version > stateVersion {
		return fmt.Errorf("%w: state of lane %d has an unknown version", ErrBooks, b.Lane)
	}
	c := &b.Counts
	for _, n := range [...]*uint64{&b.applied, &b.maxSeq, &b.maxMO, &c.Accepted, &c.Resent, &c.Returned, &c.Doubts, &c.MO, &c.MOTaken, &c.Orphans, &c.Submitted} {
		*n = r.u64()
	}
	for i := range c.Ends {
		c.Ends[i] = r.u64()
	}
	b.acc.read(&r)
	if b.System != nil {
		b.System.read(&r)
		if version >= 3 {
			b.System.readHeld(&r)
		}
	}
	if version == 1 {
		b.chainFrom, b.open = b.applied, true
	} else {
		b.chainFrom = r.u64()
		copy(b.chain[:], r.take(len(b.chain)))
		for _, n := range slices.Sorted(maps.Keys(b.acc.carriers)) {
			b.acc.carriers[n].Open = ledger.Micro(r.u64())
		}
	}
	if version >= 3 {
		c.Repeated = r.u64()
	}
	if r.bad || len(r.b) != 0 {
		return fmt.Errorf("%w: damaged state of lane %d", ErrBooks, b.Lane)
	}
	b.flushed = b.applied
	return nil
}

// AppliedIn reads the applied index out of a stored state.
func AppliedIn(fold []byte) (uint64, error) {
	r := reader{b: fold}
	version, applied := r.u8(), r.u64()
	if r.bad || version < 1 || version > stateVersion {
		return 0, fmt.Errorf("%w: a stored state of %d octets and version %d", ErrBooks, len(fold), version)
	}
	return applied, nil
}

// Store is the part of the journal that a book loads from.
type Store interface {
	Get(key []byte) ([]byte, error)
	Scan(lo, hi []byte, f func(k, v []byte) error) error
	ScanReverse(lo, hi []byte, f func(k, v []byte) error) error
}

// Load brings an empty book to the applied index that was last flushed: state blob, stragglers, and the live messages from
// the log. blocks reads the log from its first entry on and hands the blocks up to an index to f; a block is valid during the
// call. It is called once, however little there is to load.
func (b *Book) Load(s Store, blocks func(upTo uint64, f func(index uint64, block []byte) error) error) error {
	if err := b.LoadStored(s); err != nil {
		return err
	}
	if err := blocks(b.applied, b.Replay); err != nil {
		return err
	}
	b.Loaded()
	return nil
}

// LoadStored, Replay and Loaded are Load in steps, for who must do something else in between. LoadStored loads what has keys of
// its own, up to Applied; Replay takes each block of the log from the low-water mark of that flush, or from before it, up to there;
// then Loaded makes it a book that goes on with Apply.
func (b *Book) LoadStored(s Store) error {
	err := b.loadStored(s)
	b.replay = true
	return err
}

// loadStored loads what has keys of its own.
func (b *Book) loadStored(s Store) error {
	if err := b.loadSkips(s); err != nil {
		return err
	}
	v, err := s.Get(journal.Key(journal.Fold, b.Lane))
	if err != nil || v == nil {
		return err
	}
	if err := b.readState(v); err != nil {
		return err
	}
	lo, hi := journal.LaneRange(journal.Moved, b.Lane)
	if err := s.Scan(lo, hi, func(_, v []byte) error { return b.loadStraggler(v) }); err != nil {
		return err
	}
	if b.System != nil {
		if err := b.loadSystem(s); err != nil {
			return err
		}
	}
	if err := b.loadRuns(s); err != nil {
		return err
	}
	return b.lastSealAt(s)
}

// Replay brings messages of a block back that live; nil is an entry of raft itself. The block is valid during the call.
func (b *Book) Replay(index uint64, block []byte) error {
	if block == nil {
		return nil
	}
	b.lastAt = ledger.BlockAt(block)
	if err := b.walk(index, block); err != nil {
		return fmt.Errorf("block %d of lane %d: %w", index, b.Lane, err)
	}
	return nil
}

// Loaded says that every block up to Applied was replayed.
func (b *Book) Loaded() {
	b.replay = false
	b.nameAll()
	if b.open {
		b.addOpen()
	}
}

// addOpen adds up what an older build did not keep.
func (b *Book) addOpen() {
	b.Each(0, int(b.t.used)+1, func(m *Msg) {
		if !m.MO && m.State != StateEnded && m.Cost != 0 {
			b.acc.carrier(m.Carrier).Open += m.Cost
		}
	})
	b.open = false
}

func (b *Book) loadStraggler(v []byte) error {
	var m Msg
	parts, _, err := readMsg(&m, v)
	if err != nil {
		return err
	}
	if m.ID.Lane() != b.Lane {
		return fmt.Errorf("%w: straggler %v in lane %d", ErrBooks, m.ID, b.Lane)
	}
	t := b.t.add(m.ID)
	m.slot = t.slot
	*t = m
	if m.Return {
		b.Parked++
	}
	if !m.MO {
		b.Live[m.State]++
	}
	if parts != nil {
		b.adoptSplit(t, parts)
	}
	return nil
}

func (b *Book) loadSystem(s Store) error {
	if b.System.Version > 0 {
		v, err := s.Get(journal.Key(journal.Catalog, 0, uint64(b.System.Version)))
		if err != nil {
			return err
		}
		if v == nil {
			return fmt.Errorf("%w: catalog version %d is missing", ErrBooks, b.System.Version)
		}
		b.System.Files = v
	}
	lo, hi := journal.LaneRange(journal.Orphan, 0)
	return s.Scan(lo, hi, func(k, v []byte) error {
		r := reader{b: v}
		o := &Orphan{N: be.Uint64(k[len(k)-8:]), At: int64(r.u64()), Carrier: r.u16()}
		if r.bad {
			return errors.Join(ErrBooks, errors.New("damaged orphan"))
		}
		o.PDU = append([]byte(nil), r.b...)
		b.System.keep(o)
		return nil
	})
}

// LowWater is the first block that the books still need, given what was flushed: everything below may be
// dropped from the log.
func (b *Book) LowWater() uint64 {
	low := b.flushed + 1
	if l, ok := b.live.lowest(); ok {
		low = min(low, l)
	}
	return low
}
