package book

import (
	"fmt"

	"smsplane/ledger"
	"smsplane/ledger/journal"
)

// runsVersion 2 added pieces and put each head under a key of its own; 1 was one value with all of them, and is read.
const runsVersion = 2

// flushRuns stores new runs, drops those that nobody and no replay needs, and the heads that changed.
func (b *Book) flushRuns(w *journal.Batch) {
	for id, f := range b.runs.fresh {
		if f.flush == 0 {
			for i, data := range f.data {
				w.Set(RunKey(b.Lane, id, uint32(i+1)), data)
			}
			b.runs.fresh[id] = freshRun{f.data, b.flushes + 1}
		}
	}
	for _, r := range b.runs.gone(b.LowWater()) {
		for n := min(r.Pieces, 1); n <= r.Pieces; n++ { // one by one: many small ranges make every reading slow
			w.Delete(RunKey(b.Lane, r.ID, n))
			if c := b.runs.cached(r.ID, n); c.run == r.ID {
				*c = cachedPiece{}
			}
		}
		delete(b.runs.at, r.ID)
		delete(b.runs.fresh, r.ID)
		delete(b.runs.brought, r.ID)
		b.runs.forget(r)
		b.runs.changed[r.ID] = false
	}
	if len(b.runs.changed) == 0 {
		return
	}
	w.Set(journal.Key(journal.Fold, b.Lane, runsKey), le.AppendUint32([]byte{runsVersion}, b.runs.last))
	for id, there := range b.runs.changed {
		if there {
			w.Set(headKey(b.Lane, id), b.runs.at[id].append(nil))
		} else {
			w.Delete(headKey(b.Lane, id))
		}
	}
	clear(b.runs.changed)
}

// runsKey tells what is kept of runs from the state blob of the lane.
const runsKey = 1

func headKey(lane uint16, run uint32) []byte {
	return journal.Key(journal.Fold, lane, runsKey, uint64(run))
}

func (r *Run) words(version uint8) []*uint32 {
	w := []*uint32{&r.ID, &r.Order, &r.Count, &r.Bytes, &r.Pieces}
	if version == 1 {
		return w[:4]
	}
	return w
}
func (r *Run) times() []*int64 { return []*int64{&r.Oldest, &r.Expires} }
func (r *Run) places() []*uint64 {
	return []*uint64{&r.MinSeq, &r.MaxSeq, &r.Loaded}
}

func (r *Run) append(v []byte) []byte {
	for _, f := range r.words(runsVersion) {
		v = le.AppendUint32(v, *f)
	}
	for _, f := range r.times() {
		v = le.AppendUint64(v, uint64(*f))
	}
	for _, f := range r.places() {
		v = le.AppendUint64(v, *f)
	}
	v = append(v, byte(r.Queue), byte(r.Class), byte(r.State))
	return le.AppendUint16(v, r.Carrier)
}

func (r *Run) read(d *reader, version uint8) {
	for _, f := range r.words(version) {
		*f = d.u32()
	}
	for _, f := range r.times() {
		*f = int64(d.u64())
	}
	for _, f := range r.places() {
		*f = d.u64()
	}
	r.Queue, r.Class, r.State = ledger.RunQueue(d.u8()), ledger.Class(d.u8()), State(d.u8())
	r.Carrier = d.u16()
}

// loadRuns reads the heads. Runs on disk count by theirs; those that were loaded again are counted when the replay comes to
// their LOAD.
func (b *Book) loadRuns(s Store) error {
	v, err := s.Get(journal.Key(journal.Fold, b.Lane, runsKey))
	if err != nil || v == nil {
		return err
	}
	d := reader{b: v}
	version := d.u8()
	if version < 1 || version > runsVersion {
		return fmt.Errorf("%w: runs of lane %d have an unknown version", ErrBooks, b.Lane)
	}
	b.runs.last = d.u32()
	if version == 1 {
		for len(d.b) > 0 && err == nil {
			err = b.loadHead(&d, version)
		}
		for id := range b.runs.at { // the next flush stores them as this build does
			b.runs.changed[id] = true
		}
	} else {
		err = s.Scan(headKey(b.Lane, 0), journal.Key(journal.Fold, b.Lane, runsKey+1), func(_, v []byte) error {
			d := reader{b: v}
			return b.loadHead(&d, version)
		})
	}
	return err
}

func (b *Book) loadHead(d *reader, version uint8) error {
	r := &Run{}
	if r.read(d, version); d.bad || int(r.State) >= States {
		return fmt.Errorf("%w: damaged head of a run of lane %d", ErrBooks, b.Lane)
	}
	b.runs.at[r.ID] = r
	if r.Loaded == 0 {
		b.Live[r.State] += int(r.Count)
		b.runs.leave(r)
	} else {
		b.runs.spend(r) // unless the replay brings messages of it
	}
	return nil
}
