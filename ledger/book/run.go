package book

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"smsplane/ledger"
	"smsplane/ledger/journal"
)

// Queued messages that memory has no room for leave it in runs. A MOVE record names them; applying it packs
// their state and PDU into one value, the only copy from then on, and their slots and blocks are free. A LOAD
// record brings a run back: its messages live again, pinned by the LOAD's own place in the log as others are
// by their block, with their PDU still in the run. The run goes when none of them needs it and the log does
// not reach back to the LOAD. So a queue of any length costs memory for its runs' heads only, is written
// once more and read once, forwards.

// Run is the head of one packed run.
type Run struct {
	ID, Order uint32
	Queue     ledger.RunQueue
	Carrier   uint16
	Class     ledger.Class
	State     State // of all its messages
	Count     uint32
	Bytes     uint32
	Oldest    int64  // when the first of them was accepted
	Expires   int64  // the earliest end of a validity among them
	MinSeq    uint64 // sequences lie between these
	MaxSeq    uint64
	Loaded    uint64 // index of the LOAD; 0 while it is on disk only

	Counted bool // leader: its messages count among what their clients have waiting
	live    int  // messages whose PDU is in it
}

type runs struct {
	at    map[uint32]*Run
	last  uint32
	fresh map[uint32]freshRun // packed, and not readable from the store yet
	cache [runCache]struct {
		id   uint32
		data []byte
	}
	gone  []uint32
	dirty bool
}

type freshRun struct {
	data  []byte
	flush uint64 // that stores it
}

// runCache is how many runs read back are kept at hand.
const runCache = 8

func newRuns() runs { return runs{at: map[uint32]*Run{}, fresh: map[uint32]freshRun{}} }

func (r *runs) stored(flush uint64) {
	maps.DeleteFunc(r.fresh, func(_ uint32, f freshRun) bool { return f.flush != 0 && f.flush <= flush })
}

// NextRun is the id for the next run, above id, which the leader may have given out already.
func (b *Book) NextRun(id uint32) uint32 { return max(b.runs.last, id) + 1 }

// Spilled is the number of messages in runs that are on disk only.
func (b *Book) Spilled() (n int) {
	for _, r := range b.runs.at {
		if r.Loaded == 0 {
			n += int(r.Count)
		}
	}
	return n
}

// Runs lists the runs on disk in the order in which their queues are read.
func (b *Book) Runs() []*Run {
	rs := slices.Collect(maps.Values(b.runs.at))
	rs = slices.DeleteFunc(rs, func(r *Run) bool { return r.Loaded != 0 })
	slices.SortFunc(rs, func(a, b *Run) int { return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.ID, b.ID)) })
	return rs
}

// RunOf is the head of a run, nil when there is none.
func (b *Book) RunOf(id uint32) *Run { return b.runs.at[id] }

// move folds a MOVE.
func (b *Book) move(index uint64, r *ledger.Record) error {
	var v ledger.Move
	if !r.Move(&v) {
		return bad(r, nil, "cut short")
	}
	b.runs.last = max(b.runs.last, v.Run)
	if b.replay {
		return ledger.EachID(v.IDs, func(id ledger.MsgID) error {
			if m := b.t.get(id); m != nil && m.asOf < index && !b.spared(id, index) {
				if m.moved { // by a REPLACE that the replay has just folded
					b.moves[id.Seq()] = false
				}
				b.leave(m) // the run is counted by its head
			}
			return nil
		})
	}
	if b.runs.at[v.Run] != nil {
		return bad(r, nil, fmt.Sprintf("run %d is there already", v.Run))
	}
	run := &Run{ID: v.Run, Order: v.Order, Queue: v.Queue, Carrier: v.Carrier, Class: v.Class, MinSeq: ^uint64(0), Counted: true}
	var data []byte
	err := ledger.EachID(v.IDs, func(id ledger.MsgID) error {
		if b.spared(id, index) {
			return nil
		}
		m := b.t.get(id)
		if m == nil || m.State != queued[v.Queue] {
			return bad(r, m, fmt.Sprintf("%v is not in that queue", id))
		}
		p, err := b.PDU(m)
		if err != nil {
			return err
		}
		run.take(m)
		data = packed(data, m, index, p)
		if m.moved {
			b.moves[id.Seq()] = false
		}
		b.Live[m.State]++ // leave takes it away; the run keeps it
		b.leave(m)
		return nil
	})
	if err != nil {
		return err
	}
	run.Bytes = uint32(len(data))
	b.runs.at[run.ID], b.runs.fresh[run.ID], b.runs.dirty = run, freshRun{data: data}, true
	return b.tell(r, nil)
}

// leave takes a message out of the table without ending it.
func (b *Book) leave(m *Msg) {
	if m.Of > 0 { // its first part was refused: the next dispatch cuts it anew
		b.unsplit(m)
	}
	b.Live[m.State]--
	b.unpin(m)
	b.t.drop(m)
}

// queued is the state of the messages in a queue.
var queued = [...]State{ledger.RunExternal: StateAccepted, ledger.RunInternal: StateRouted}

func (r *Run) take(m *Msg) {
	r.State = m.State
	r.Count++
	if r.Oldest == 0 || m.Accepted < r.Oldest {
		r.Oldest = m.Accepted
	}
	if r.Expires == 0 || m.ValidUntil < r.Expires {
		r.Expires = m.ValidUntil
	}
	r.MinSeq, r.MaxSeq = min(r.MinSeq, m.ID.Seq()), max(r.MaxSeq, m.ID.Seq())
}

// packed appends one message behind its length.
func packed(data []byte, m *Msg, index uint64, p []byte) []byte {
	at := len(data)
	data = le.AppendUint32(data, 0)
	data = appendMsg(data, m, nil, index, p)
	le.PutUint32(data[at:], uint32(len(data)-at-4))
	return data
}

// unpack visits the messages of a run; off is where the PDU stands in data. m is reused.
func unpack(data []byte, f func(m *Msg, off int, p []byte) error) error {
	for at := 0; at < len(data); {
		r := reader{b: data[at:]}
		n := int(r.u32())
		if r.bad || n > len(r.b) {
			return fmt.Errorf("%w: damaged run", ErrBooks)
		}
		var m Msg
		_, p, err := readMsg(&m, data[at+4:at+4+n])
		if err != nil {
			return err
		}
		m.moved = false
		at += 4 + n
		if err := f(&m, at-len(p), p); err != nil {
			return err
		}
	}
	return nil
}

// load folds a LOAD. On is told of each message in the order of the queue, then, with none, of the record.
func (b *Book) load(index uint64, r *ledger.Record) error {
	id, ok := r.Load()
	if !ok {
		return bad(r, nil, "cut short")
	}
	run := b.runs.at[id]
	switch {
	case run == nil && b.replay:
		return nil // all its messages have ended, or were moved since
	case run == nil || !b.replay && run.Loaded != 0:
		return bad(r, nil, fmt.Sprintf("run %d is not on disk", id))
	}
	data, err := b.runData(id)
	if err != nil {
		return err
	}
	run.Loaded, b.runs.dirty = index, true
	err = unpack(data, func(v *Msg, off int, p []byte) error {
		if v.ID.Lane() != b.Lane {
			return fmt.Errorf("%w: message %v in run %d of lane %d", ErrBooks, v.ID, id, b.Lane)
		}
		if b.t.get(v.ID) != nil {
			return nil // a straggler by now, with a later state
		}
		m := b.t.add(v.ID)
		v.slot = m.slot
		*m = *v
		m.Block, m.run, m.Off, m.Len = index, id, uint32(off), uint32(len(p))
		b.live.add(index)
		run.live++
		if b.replay {
			b.Live[m.State]++
			return nil
		}
		return b.tell(r, m)
	})
	if err != nil {
		return err
	}
	return b.tell(r, nil)
}

// eachLoaded visits the messages of a LOAD's run that still live.
func (b *Book) eachLoaded(r *ledger.Record, f func(m *Msg) error) error {
	id, ok := r.Load()
	if !ok || b.runs.at[id] == nil || b.runs.at[id].live == 0 {
		return nil
	}
	data, err := b.runData(id)
	if err != nil {
		return err
	}
	return unpack(data, func(v *Msg, _ int, _ []byte) error {
		if m := b.t.get(v.ID); m != nil && m.run == id {
			return f(m)
		}
		return nil
	})
}

// inRun is the PDU of a message that a run holds.
func (b *Book) inRun(m *Msg) ([]byte, error) {
	data, err := b.runData(m.run)
	if err != nil {
		return nil, err
	}
	if int(m.Off)+int(m.Len) > len(data) {
		return nil, fmt.Errorf("%w: message %v lies outside run %d", ErrBooks, m.ID, m.run)
	}
	return data[m.Off : m.Off+m.Len : m.Off+m.Len], nil
}

func (b *Book) runData(id uint32) ([]byte, error) {
	if f, ok := b.runs.fresh[id]; ok {
		return f.data, nil
	}
	c := &b.runs.cache[id%runCache]
	if c.id != id {
		data, err := b.strag.Run(b.Lane, id)
		if err != nil {
			return nil, err
		}
		c.id, c.data = id, data
	}
	return c.data, nil
}

// EachSpilled visits messages that are on disk only, of the runs that can hold seq, or of all runs when seq
// is 0. It reads the runs: a question of an operator, not a step of a message.
func (b *Book) EachSpilled(seq uint64, f func(m *Msg, p []byte) error) error {
	for _, r := range b.Runs() {
		if seq != 0 && (seq < r.MinSeq || seq > r.MaxSeq) {
			continue
		}
		if err := b.EachOfRun(r.ID, f); err != nil {
			return err
		}
	}
	return nil
}

// EachOfRun is EachSpilled of one run; one that is not on disk only, or no more, has nothing.
func (b *Book) EachOfRun(id uint32, f func(m *Msg, p []byte) error) error {
	if r := b.RunOf(id); r == nil || r.Loaded != 0 {
		return nil
	}
	data, err := b.runData(id)
	if err != nil {
		return err
	}
	return unpack(data, func(m *Msg, _ int, p []byte) error { return f(m, p) })
}

const runsVersion = 1

// flushRuns stores new runs, drops those that nobody and no replay needs, and the table of heads.
func (b *Book) flushRuns(w *journal.Batch) {
	for id, f := range b.runs.fresh {
		if f.flush == 0 {
			w.Set(journal.Key(journal.Run, b.Lane, uint64(id)), f.data)
			b.runs.fresh[id] = freshRun{f.data, b.flushes + 1}
		}
	}
	low := b.LowWater()
	for id, r := range b.runs.at {
		if r.Loaded != 0 && r.live == 0 && r.Loaded < low {
			key := journal.Key(journal.Run, b.Lane, uint64(id))
			w.DeleteRange(key, journal.Key(journal.Run, b.Lane, uint64(id)+1))
			delete(b.runs.at, id)
			delete(b.runs.fresh, id)
			b.runs.dirty = true
		}
	}
	if !b.runs.dirty {
		return
	}
	b.runs.dirty = false
	v := []byte{runsVersion}
	v = le.AppendUint32(v, b.runs.last)
	for _, r := range b.runs.at {
		v = r.append(v)
	}
	w.Set(journal.Key(journal.Fold, b.Lane, runsKey), v)
}

// runsKey tells the table of heads from the state blob of the lane.
const runsKey = 1

func (r *Run) words() []*uint32 { return []*uint32{&r.ID, &r.Order, &r.Count, &r.Bytes} }
func (r *Run) times() []*int64  { return []*int64{&r.Oldest, &r.Expires} }
func (r *Run) places() []*uint64 {
	return []*uint64{&r.MinSeq, &r.MaxSeq, &r.Loaded}
}

func (r *Run) append(v []byte) []byte {
	for _, f := range r.words() {
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

func (r *Run) read(d *reader) {
	for _, f := range r.words() {
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

// loadRuns reads the table of heads. Runs on disk count by it; those that were loaded again are counted when
// the replay comes to their LOAD.
func (b *Book) loadRuns(s Store) error {
	v, err := s.Get(journal.Key(journal.Fold, b.Lane, runsKey))
	if err != nil || v == nil {
		return err
	}
	d := reader{b: v}
	if d.u8() != runsVersion {
		return fmt.Errorf("%w: runs of lane %d have an unknown version", ErrBooks, b.Lane)
	}
	b.runs.last = d.u32()
	for len(d.b) > 0 && !d.bad {
		r := &Run{}
		r.read(&d)
		if int(r.State) >= States {
			d.bad = true
			break
		}
		b.runs.at[r.ID] = r
		if r.Loaded == 0 {
			b.Live[r.State] += int(r.Count)
		}
	}
	if d.bad {
		return fmt.Errorf("%w: damaged table of runs of lane %d", ErrBooks, b.Lane)
	}
	return nil
}
