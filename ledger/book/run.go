package book

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
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
//
// A run is stored in pieces of about 64 KiB, whole messages each, so that to read one message costs a piece and not the
// run. Whoever decides on a LOAD has the run read and taken apart beforehand, on a goroutine that may wait (ReadRun, Unpack), and
// brings it (Bring): then folding the LOAD only puts its messages into the table. Folding it unread is the same, and waits for the disk.

// Run is the head of one packed run.
type Run struct {
	ID, Order uint32
	Queue     ledger.RunQueue
	Carrier   uint16
	Class     ledger.Class
	State     State // of all its messages
	Count     uint32
	Bytes     uint32
	Pieces    uint32 // under keys from 1 on; 0: written whole, by a build before there were pieces
	Oldest    int64  // when the first of them was accepted
	Expires   int64  // the earliest end of a validity among them
	MinSeq    uint64 // sequences lie between these
	MaxSeq    uint64
	Loaded    uint64 // index of the LOAD; 0 while it is on disk only

	Counted bool // leader: its messages count among what their clients have waiting
	live    int  // messages whose PDU is in it
}

type runs struct {
	at      map[uint32]*Run
	spent   map[uint32]*Run // of them those that were loaded and whose messages have gone
	since   uint64          // index of the oldest LOAD among those
	last    uint32
	spilled int                  // messages of those that are on disk only
	pages   map[uint32]*runPage  // of those, by id
	fresh   map[uint32]freshRun  // packed, and not readable from the store yet
	brought map[uint32]*Unpacked // read for a LOAD that is on its way
	cache   [pieceCache]cachedPiece
	full    int             // octets at which a piece ends; tests make it small
	changed map[uint32]bool // heads to be stored (true) or gone (false) since the last flush

	kept   map[uint32]Pieces // of runs that were loaded last
	order  []*Run            // in which they were; of some nothing is kept any more
	octets int               // of what is kept
}

// cachedPiece is a piece of a loaded run that was read back.
type cachedPiece struct {
	run, piece uint32
	data       []byte
}

// Pieces are a run as it is stored, in order.
type Pieces [][]byte

type freshRun struct {
	data  Pieces
	flush uint64 // that stores it
}

// pieceOctets is where a piece of a run ends; the message that crosses it is its last. pieceShift is where the number of
// the piece stands in the place of a PDU: a run has a few thousand messages at most, a PDU 64 KiB and some.
const (
	pieceOctets = 64 << 10
	pieceShift  = 19
)

// keptOctets and keptRuns bound the runs of a lane whose pieces are kept from their LOAD on, the newest: what is sent next is in them,
// and what is answered and ends soon after. A queue has ten runs in front at most, of 400 KiB if its texts are short. pieceCache is how
// many pieces are at hand that were read back.
const (
	keptOctets = 8 << 20
	keptRuns   = 256
	pieceCache = 64
)

func newRuns() runs {
	return runs{at: map[uint32]*Run{}, spent: map[uint32]*Run{}, pages: map[uint32]*runPage{}, fresh: map[uint32]freshRun{}, brought: map[uint32]*Unpacked{}, changed: map[uint32]bool{}, kept: map[uint32]Pieces{}, full: pieceOctets}
}

func (r *runs) stored(flush uint64) {
	maps.DeleteFunc(r.fresh, func(_ uint32, f freshRun) bool { return f.flush != 0 && f.flush <= flush })
}

// RunKey is where a piece of a run is stored.
func RunKey(lane uint16, run, piece uint32) []byte {
	if piece == 0 {
		return journal.Key(journal.Run, lane, uint64(run))
	}
	return journal.Key(journal.Run, lane, uint64(run), uint64(piece))
}

// NextRun is the id for the next run, above id, which the leader may have given out already.
func (b *Book) NextRun(id uint32) uint32 { return max(b.runs.last, id) + 1 }

// Spilled is the number of messages in runs that are on disk only.
func (b *Book) Spilled() int { return b.runs.spilled }

// Runs lists the runs on disk in the order in which their queues are read.
func (b *Book) Runs() []*Run {
	rs := slices.Collect(maps.Values(b.runs.at))
	rs = slices.DeleteFunc(rs, func(r *Run) bool { return r.Loaded != 0 })
	slices.SortFunc(rs, func(a, b *Run) int { return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.ID, b.ID)) })
	return rs
}

// RunsWith lists the runs on disk that can hold a message, by its sequence.
func (b *Book) RunsWith(seq uint64) (rs []*Run) {
	for _, n := range b.runs.pagesWith(seq) {
		for id := n << pageRunBits; id>>pageRunBits == n; id++ {
			if r := b.runs.at[id]; r != nil && r.Loaded == 0 && seq >= r.MinSeq && seq <= r.MaxSeq {
				rs = append(rs, r)
			}
		}
	}
	return rs
}

// runPage is what the runs with neighbouring ids that are on disk only have in common: who looks for a message passes over most
// of them together. Of a hundred thousand runs there are fifteen hundred pages.
type runPage struct {
	runs        int
	first, last uint64 // sequences lie between these
}

const pageRunBits = 6

// leave counts a run among those that are on disk only, back counts it out.
func (r *runs) leave(run *Run) {
	r.spilled += int(run.Count)
	p := r.pages[run.ID>>pageRunBits]
	if p == nil {
		p = &runPage{first: math.MaxUint64}
		r.pages[run.ID>>pageRunBits] = p
	}
	p.runs++
	p.first, p.last = min(p.first, run.MinSeq), max(p.last, run.MaxSeq)
}

func (r *runs) back(run *Run) {
	r.spilled -= int(run.Count)
	n := run.ID >> pageRunBits
	if r.pages[n].runs--; r.pages[n].runs == 0 {
		delete(r.pages, n)
	}
}

// pagesWith lists the pages that can hold a message.
func (r *runs) pagesWith(seq uint64) (ns []uint32) {
	for n, p := range r.pages {
		if seq >= p.first && seq <= p.last {
			ns = append(ns, n)
		}
	}
	return ns
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
	var data Pieces
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
		data = data.pack(b.runs.full, m, index, p)
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
	if data == nil {
		data = Pieces{nil}
	}
	run.Pieces = uint32(len(data))
	for _, piece := range data {
		run.Bytes += uint32(len(piece))
	}
	b.runs.at[run.ID], b.runs.fresh[run.ID], b.runs.changed[run.ID] = run, freshRun{data: data}, true
	b.runs.leave(run)
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

// pack appends one message behind its length; a piece that has so many octets is full.
func (p Pieces) pack(octets int, m *Msg, index uint64, pdu []byte) Pieces {
	if len(p) == 0 || len(p[len(p)-1]) >= octets {
		p = append(p, make([]byte, 0, octets+4<<10))
	}
	data := p[len(p)-1]
	at := len(data)
	data = le.AppendUint32(data, 0)
	data = appendMsg(data, m, nil, index, pdu)
	le.PutUint32(data[at:], uint32(len(data)-at-4))
	p[len(p)-1] = data
	return p
}

// Each visits the messages of a run; m is reused.
func (p Pieces) Each(f func(m *Msg, pdu []byte) error) error {
	return p.unpack(func(m *Msg, _ uint32, pdu []byte) error { return f(m, pdu) })
}

// unpack visits the messages of a run; off is the place of the PDU, as inRun reads it. m is reused.
func (p Pieces) unpack(f func(m *Msg, off uint32, pdu []byte) error) error {
	var m Msg
	for i, data := range p {
		for at := 0; at < len(data); {
			r := reader{b: data[at:]}
			n := int(r.u32())
			if r.bad || n > len(r.b) {
				return fmt.Errorf("%w: damaged run", ErrBooks)
			}
			m = Msg{}
			_, pdu, err := readMsg(&m, data[at+4:at+4+n])
			if err != nil {
				return err
			}
			m.moved = false
			at += 4 + n
			if err := f(&m, uint32(i+1)<<pieceShift+uint32(at-len(pdu)), pdu); err != nil {
				return err
			}
		}
	}
	return nil
}

// Unpacked is a run taken apart, as the fold of its LOAD needs it.
type Unpacked struct {
	Pieces   Pieces
	Messages []Msg // with the places of their PDUs, as inRun reads them
}

// packedLeast is fewer octets than any packed message takes.
const packedLeast = 256

// Unpack takes a run of a lane apart, of which its head says how many messages it has. Any goroutine may call it.
func (p Pieces) Unpack(lane uint16, count uint32) (*Unpacked, error) {
	octets := 0
	for _, data := range p {
		octets += len(data)
	}
	u := &Unpacked{Pieces: p, Messages: make([]Msg, 0, min(int(count), octets/packedLeast))}
	err := p.unpack(func(m *Msg, off uint32, pdu []byte) error {
		if m.ID.Lane() != lane {
			return fmt.Errorf("%w: message %v in a run of lane %d", ErrBooks, m.ID, lane)
		}
		m.Off, m.Len = off, uint32(len(pdu))
		u.Messages = append(u.Messages, *m)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return u, nil
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
	u, err := b.unpacked(run)
	if err != nil {
		return run.damaged(b.Lane, err)
	}
	delete(b.runs.brought, id)
	b.runs.keep(run, u.Pieces)
	if run.Loaded == 0 {
		b.runs.back(run)
	}
	run.Loaded, b.runs.changed[id] = index, true
	for i := range u.Messages {
		v := &u.Messages[i]
		if b.t.get(v.ID) != nil {
			continue // a straggler by now, with a later state
		}
		m := b.t.add(v.ID)
		v.slot = m.slot
		*m = *v
		m.Block, m.run = index, id
		b.live.add(index)
		run.live++
		if b.replay {
			b.Live[m.State]++
			continue
		}
		if err := b.tell(r, m); err != nil {
			return err
		}
	}
	if run.live == 0 {
		b.runs.spend(run)
	}
	return b.tell(r, nil)
}

// unpacked is a run taken apart, which is done here if nobody did it before.
func (b *Book) unpacked(run *Run) (*Unpacked, error) {
	if u := b.runs.brought[run.ID]; u != nil {
		return u, nil
	}
	data, err := b.pieces(run)
	if err != nil {
		return nil, err
	}
	return data.Unpack(b.Lane, run.Count)
}

// DamagedRun says that a run is not what was written, and which. It is a journal.ErrCorrupt.
type DamagedRun struct {
	Lane       uint16
	ID, Pieces uint32
	Err        error
}

func (d *DamagedRun) Error() string   { return fmt.Sprintf("run %d of lane %d: %v", d.ID, d.Lane, d.Err) }
func (d *DamagedRun) Unwrap() []error { return []error{journal.ErrCorrupt, d.Err} }

// damaged adds to an error of reading or unpacking a run which one it is.
func (r *Run) damaged(lane uint16, err error) error {
	if errors.Is(err, journal.ErrCorrupt) || errors.Is(err, ErrBooks) {
		return &DamagedRun{Lane: lane, ID: r.ID, Pieces: r.Pieces, Err: err}
	}
	return fmt.Errorf("run %d of lane %d: %w", r.ID, lane, err)
}

// eachLoaded visits the messages of a LOAD's run that still live.
func (b *Book) eachLoaded(r *ledger.Record, f func(m *Msg) error) error {
	id, ok := r.Load()
	if !ok || b.runs.at[id] == nil || b.runs.at[id].live == 0 {
		return nil
	}
	data, err := b.pieces(b.runs.at[id])
	if err != nil {
		return err
	}
	return data.Each(func(v *Msg, _ []byte) error {
		if m := b.t.get(v.ID); m != nil && m.run == id {
			return f(m)
		}
		return nil
	})
}

// pieces is the whole of a run, read from the store if nobody brought it.
func (b *Book) pieces(run *Run) (Pieces, error) {
	if p := b.runs.kept[run.ID]; p != nil {
		return p, nil
	}
	if f, ok := b.runs.fresh[run.ID]; ok {
		return f.data, nil
	}
	if u := b.runs.brought[run.ID]; u != nil {
		return u.Pieces, nil
	}
	return ReadRun(b.strag, b.Lane, run.ID, run.Pieces)
}

// ReadRun reads a run, of which its head says how many pieces it has. Any goroutine may call it if any may read s.
func ReadRun(s Straggler, lane uint16, run, pieces uint32) (Pieces, error) {
	first := min(pieces, 1)
	p := make(Pieces, 0, pieces+1-first)
	for n := first; n <= pieces; n++ {
		data, err := s.Run(lane, run, n)
		if err != nil {
			return nil, err
		}
		p = append(p, data)
	}
	return p, nil
}

// AtHand says that to fold the LOAD of a run, nothing has to be read.
func (b *Book) AtHand(run uint32) bool { return b.Packed(run) != nil }

// Packed is a run on disk that is at hand; nil when it has to be read.
func (b *Book) Packed(run uint32) Pieces {
	if f, ok := b.runs.fresh[run]; ok {
		return f.data
	}
	if u := b.runs.brought[run]; u != nil {
		return u.Pieces
	}
	return nil
}

// Run is the run that holds m's PDU, which a LOAD brought; 0 is none.
func (m *Msg) Run() uint32 { return m.run }

// Bring keeps what was read and taken apart until the LOAD of the run is folded.
func (b *Book) Bring(run uint32, u *Unpacked) { b.runs.brought[run] = u }

// EachSpilled visits messages that are on disk only, of the runs that can hold seq, or of all runs when seq
// is 0. It reads the runs: a question of an operator, not a step of a message.
func (b *Book) EachSpilled(seq uint64, f func(m *Msg, p []byte) error) error {
	rs := b.RunsWith(seq)
	if seq == 0 {
		rs = b.Runs()
	}
	for _, r := range rs {
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
	data, err := b.pieces(b.RunOf(id))
	if err != nil {
		return err
	}
	return data.Each(f)
}
