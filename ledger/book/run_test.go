package book

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"smsplane/ledger"
	"smsplane/ledger/journal"
	"smsplane/pdu"
)

// shelf is a lane's log and store for a book under test.
type shelf struct {
	t      *testing.T
	db     *journal.DB
	blocks map[uint64][]byte
	low    uint64
	reads  int // of runs
}

// memoryStore is a store in memory; the caller closes it.
func memoryStore(t *testing.T) *journal.DB {
	t.Helper()
	db, err := journal.Open(journal.Options{FS: vfs.NewMem(), Dir: "s", Clock: func() int64 { return 1 }})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	return &shelf{t: t, db: memoryStore(t), blocks: map[uint64][]byte{}}
}

// apply appends a block of so many records to the log and folds it.
func (s *shelf) apply(b *Book, blk []byte, records int) {
	s.t.Helper()
	i := b.Applied() + 1
	s.blocks[i] = ledger.SealBlock(blk, 0, records, int64(i))
	if err := b.Apply(i, s.blocks[i]); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shelf) Block(i uint64) ([]byte, error) {
	b, ok := s.blocks[i]
	if !ok {
		return nil, fmt.Errorf("block %d was dropped", i)
	}
	return b, nil
}

func (s *shelf) get(k journal.Kind, n uint64) ([]byte, error) {
	v, err := s.db.Get(journal.Key(k, 0, n))
	if err == nil && v == nil {
		err = fmt.Errorf("kind %d number %d is missing", k, n)
	}
	return v, err
}
func (s *shelf) Stragglers(_ uint16, from uint64, f func([]byte) error) error {
	_, hi := journal.LaneRange(journal.Moved, 0)
	return s.db.Scan(journal.Key(journal.Moved, 0, from), hi, func(_, v []byte) error { return f(v) })
}
func (s *shelf) Run(_ uint16, run, piece uint32) ([]byte, error) {
	s.reads++
	v, err := s.db.Get(RunKey(0, run, piece))
	if err == nil && v == nil {
		err = fmt.Errorf("piece %d of run %d is missing", piece, run)
	}
	return v, err
}

func (s *shelf) flush(b *Book) {
	w, low := journal.NewBatch(), b.LowWater()
	if err := b.Flush(w); err != nil {
		s.t.Fatal(err)
	}
	for _, r := range b.runs.at {
		if r.Loaded != 0 && r.Loaded < low && r.live == 0 {
			s.t.Errorf("run %d, loaded by block %d, is still there; nothing lives below %d", r.ID, r.Loaded, low)
		}
	}
	n, done := b.Flushes(), make(chan struct{})
	s.db.Write(w, func() { close(done) })
	<-done
	b.Stored(n)
	for s.low = b.LowWater(); ; {
		i := uint64(0)
		for k := range s.blocks {
			if k < s.low && (i == 0 || k < i) {
				i = k
			}
		}
		if i == 0 {
			return
		}
		delete(s.blocks, i)
	}
}

// book is an empty one whose runs have many pieces.
func (s *shelf) book() *Book {
	b := New(0, s, s)
	b.runs.full = 1
	return b
}

// reload is what a process that died after the last flush finds.
func (s *shelf) reload(last uint64) *Book {
	b := s.book()
	err := b.Load(s.db, func(upTo uint64, f func(uint64, []byte) error) error {
		for i := s.low; i <= upTo; i++ {
			if blk, ok := s.blocks[i]; ok {
				if err := f(i, blk); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	for i := b.Applied() + 1; i <= last; i++ {
		if err := b.Apply(i, s.blocks[i]); err != nil {
			s.t.Fatal(err)
		}
	}
	return b
}

func wantWhole(t *testing.T, b *Book, texts map[ledger.MsgID]string, when string) {
	t.Helper()
	for _, err := range b.Check() {
		t.Fatalf("%s: %v", when, err)
	}
	seen := map[ledger.MsgID]bool{}
	look := func(m *Msg, p []byte) {
		var v pdu.Message
		if v.Parse(p) != pdu.ROK || string(v.ShortMessage()) != texts[m.ID] || seen[m.ID] {
			t.Fatalf("%s: message %v has the text %q, want %q; seen before: %v", when, m.ID, v.ShortMessage(), texts[m.ID], seen[m.ID])
		}
		seen[m.ID] = true
	}
	b.Each(0, b.Slots()+1, func(m *Msg) {
		p, err := b.PDU(m)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		look(m, p)
	})
	if err := b.EachSpilled(0, func(m *Msg, p []byte) error { look(m, p); return nil }); err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	if len(seen) != len(texts) {
		t.Fatalf("%s: %d messages are there, %d live", when, len(seen), len(texts))
	}
}

// asOlderBuild rewrites what is stored of runs as builds did before there were pieces: each run in one value, their heads in
// another.
func (s *shelf) asOlderBuild(b *Book) {
	w := journal.NewBatch()
	heads := le.AppendUint32([]byte{1}, b.runs.last)
	for _, r := range b.runs.at {
		whole, err := ReadRun(s, 0, r.ID, r.Pieces)
		if err != nil {
			s.t.Fatal(err)
		}
		w.DeleteRange(RunKey(0, r.ID, 0), RunKey(0, r.ID+1, 0))
		w.Set(RunKey(0, r.ID, 0), bytes.Join(whole, nil))
		for _, f := range r.words(1) {
			heads = le.AppendUint32(heads, *f)
		}
		at := len(r.words(runsVersion)) * 4
		heads = append(heads, r.append(nil)[at:]...)
		w.DeleteRange(headKey(0, r.ID), headKey(0, r.ID+1))
	}
	w.Set(journal.Key(journal.Fold, 0, runsKey), heads)
	done := make(chan struct{})
	s.db.Write(w, func() { close(done) })
	<-done
}

// Random histories of accepts, plans, replacements, moves, loads and ends, with flushes, dropped logs, stragglers and
// reloads anywhere between: every live message is there once, with its own text, and the books add up.
func TestMovedMessagesStayInTheBooks(t *testing.T) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 99))
		s := newShelf(t)
		b := s.book()
		texts, holds := map[ledger.MsgID]string{}, map[ledger.MsgID]ledger.Micro{}
		var routed []ledger.MsgID
		var onDisk []uint32
		ids := map[uint32][]ledger.MsgID{}
		next, run, index := uint64(1), uint32(0), uint64(0)
		for step := range 400 {
			blk, n := ledger.OpenBlock(nil), 0
			switch r.IntN(7) {
			case 0, 1:
				for range 1 + r.IntN(20) {
					id := ledger.MakeMsgID(0, next)
					next++
					texts[id], holds[id] = fmt.Sprint("text ", id), 5
					sm := pdu.Submit{Src: []byte("me"), Dst: []byte("4915112345678"), DstTON: 1, DstNPI: 1, Text: []byte(texts[id])}
					blk = ledger.AppendAccept(blk, 0, id, int64(step), &ledger.Accept{Account: 1, Parts: 1, Price: 5, Number: 4915112345678,
						ValidUntil: 1 << 60, PDU: sm.Append(nil, 1)})
					blk = ledger.AppendRoute(blk, 0, id, int64(step), &ledger.Route{N: 1, Targets: [4]ledger.PlanTarget{{Carrier: 3}}})
					routed = append(routed, id)
					n += 2
				}
			case 2:
				if k := r.IntN(len(routed) + 1); k > 0 {
					run++
					mv := ledger.Move{Run: run, Order: run, Queue: ledger.RunInternal, Carrier: 3}
					for _, id := range routed[:k] {
						mv.IDs = ledger.AppendID(mv.IDs, id)
					}
					ids[run] = slices.Clone(routed[:k])
					routed = slices.Clone(routed[k:])
					onDisk = append(onDisk, run)
					blk, n = ledger.AppendMove(blk, int64(step), &mv), 1
				}
			case 3:
				if len(onDisk) > 0 {
					i := r.IntN(len(onDisk))
					blk, n = ledger.AppendLoad(blk, int64(step), onDisk[i]), 1
					routed = append(routed, ids[onDisk[i]]...)
					onDisk = slices.Delete(onDisk, i, i+1)
				}
			case 4:
				for range r.IntN(len(routed) + 1) {
					i := r.IntN(len(routed))
					id := routed[i]
					routed = slices.Delete(routed, i, i+1)
					delete(texts, id)
					blk = ledger.AppendFinal(blk, 0, id, int64(step), &ledger.Final{End: ledger.EndFailed, Reason: ledger.ReasonOperator, Hold: holds[id]})
					n++
				}
			case 6:
				for range min(3, len(routed)) {
					id := routed[r.IntN(len(routed))]
					texts[id], holds[id] = fmt.Sprint("replaced at ", step, " ", n), ledger.Micro(step)
					sm := pdu.Submit{Src: []byte("me"), Dst: []byte("4915112345678"), DstTON: 1, DstNPI: 1, Text: []byte(texts[id])}
					blk = ledger.AppendReplace(blk, 0, id, int64(step), &ledger.Replace{Parts: 2, Price: holds[id], ValidUntil: 1 << 60, PDU: sm.Append(nil, 1)})
					blk = ledger.AppendRoute(blk, 0, id, int64(step), &ledger.Route{N: 1, Targets: [4]ledger.PlanTarget{{Carrier: 3}}})
					n += 2
				}
			case 5:
				switch r.IntN(4) {
				case 0:
					s.flush(b)
				case 1:
					if _, err := b.Move(1000); err != nil {
						t.Fatal(err)
					}
				case 2:
					b = s.reload(index)
				case 3:
					s.flush(b)
					s.asOlderBuild(b)
					b = s.reload(index)
				}
			}
			if n > 0 {
				index++
				s.blocks[index] = ledger.SealBlock(blk, 0, n, int64(step))
				if err := b.Apply(index, s.blocks[index]); err != nil {
					t.Fatal(err)
				}
			}
			if step%20 == 0 {
				wantWhole(t, b, texts, fmt.Sprintf("seed %d step %d", seed, step))
				wantWhole(t, s.reload(index), texts, fmt.Sprintf("seed %d step %d, reloaded", seed, step))
			}
		}
		if err := s.db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Who loads a run has it read before. What is sent of it then is at hand, also when all of a queue's front was loaded: the executor
// reads nothing again.
func TestLoadedRunIsAtHand(t *testing.T) {
	s := newShelf(t)
	defer s.db.Close()
	b := s.book()
	texts := map[ledger.MsgID]string{}
	const runs, messages = 10, 7 // each has a piece of its own
	for run := range uint32(runs) {
		blk, mv := ledger.OpenBlock(nil), ledger.Move{Run: run + 1, Order: run + 1, Queue: ledger.RunInternal, Carrier: 3}
		for i := range uint64(messages) {
			id := ledger.MakeMsgID(0, uint64(run)*messages+i+1)
			texts[id] = fmt.Sprint("text ", id)
			sm := pdu.Submit{Src: []byte("me"), Dst: []byte("4915112345678"), DstTON: 1, DstNPI: 1, Text: []byte(texts[id])}
			blk = ledger.AppendAccept(blk, 0, id, 1, &ledger.Accept{Account: 1, Parts: 1, Number: 4915112345678, ValidUntil: 1 << 60, PDU: sm.Append(nil, 1)})
			blk = ledger.AppendRoute(blk, 0, id, 1, &ledger.Route{N: 1, Targets: [4]ledger.PlanTarget{{Carrier: 3}}})
			mv.IDs = ledger.AppendID(mv.IDs, id)
		}
		s.apply(b, blk, 2*messages)
		s.apply(b, ledger.AppendMove(ledger.OpenBlock(nil), 1, &mv), 1)
	}
	s.flush(b)
	for run := range uint32(runs) {
		pieces, err := ReadRun(s, 0, run+1, b.RunOf(run+1).Pieces)
		if err != nil {
			t.Fatal(err)
		}
		u, err := pieces.Unpack(0, b.RunOf(run+1).Count)
		if err != nil {
			t.Fatal(err)
		}
		b.Bring(run+1, u)
	}
	s.reads = 0
	for run := range uint32(runs) {
		s.apply(b, ledger.AppendLoad(ledger.OpenBlock(nil), 1, run+1), 1)
	}
	wantWhole(t, b, texts, "loaded")
	if s.flush(b); len(b.runs.spent) > 0 {
		t.Errorf("%d runs whose messages live are looked at with each flush", len(b.runs.spent))
	}
	if s.reads > 0 {
		t.Errorf("%d pieces were read again", s.reads)
	}
	blk := ledger.OpenBlock(nil)
	for id := range texts {
		blk = ledger.AppendFinal(blk, 0, id, 1, &ledger.Final{End: ledger.EndFailed, Reason: ledger.ReasonOperator})
	}
	s.apply(b, blk, runs*messages)
	if b.runs.octets != 0 {
		t.Errorf("%d octets are kept of messages that are gone", b.runs.octets)
	}
	for range 3 { // until the log has gone on behind the LOADs
		s.flush(b)
		s.apply(b, ledger.AppendAccept(ledger.OpenBlock(nil), 0, ledger.MakeMsgID(0, 1000+b.Applied()), 1, &ledger.Accept{Account: 1, Parts: 1, ValidUntil: 1 << 60}), 1)
	}
	if b.RunOf(1) != nil {
		t.Fatal("the run is still there")
	}
}

// What is kept of loaded runs has a bound, in octets and in runs, however long their messages live: the newest are kept.
func TestKeptRunsAreBounded(t *testing.T) {
	for _, octets := range []uint32{1, keptOctets / 10} {
		r, all := newRuns(), []*Run{}
		for i := range uint32(2 * keptRuns) {
			run := &Run{ID: i + 1, Pieces: 1, Bytes: octets}
			r.keep(run, Pieces{{0}})
			if all = append(all, run); i == keptRuns { // one whose messages are gone gives its room to the next
				r.forget(run)
			}
		}
		n, sum := 0, 0
		for _, run := range all {
			if r.kept[run.ID] != nil {
				n, sum = n+1, sum+int(run.Bytes)
			}
		}
		if sum > keptOctets || n > keptRuns || n < min(keptRuns, keptOctets/int(octets))-1 || r.octets != sum || len(r.order) > keptRuns {
			t.Errorf("of runs of %d octets %d are kept, %d octets, counted %d, listed %d", octets, n, sum, r.octets, len(r.order))
		}
		for _, run := range all[len(all)-n:] {
			if r.kept[run.ID] == nil && run.ID != keptRuns+1 {
				t.Errorf("run %d is not kept, and older ones are", run.ID)
			}
		}
	}
}

// A client that asks about a message does not have all heads looked at: those of a hundred thousand runs take a millisecond.
func TestFewPagesAreLookedAt(t *testing.T) {
	b := New(0, nil, nil)
	const runs, each = 10_000, 100
	for id := range uint32(runs) {
		r := &Run{ID: id + 1, Count: each, MinSeq: uint64(id) * each, MaxSeq: uint64(id)*each + each - 1}
		b.runs.at[r.ID] = r
		b.runs.leave(r)
	}
	for _, id := range []uint32{1, 63, 64, 6000, runs} {
		seq := uint64(id)*each - 1
		if rs, ns := b.RunsWith(seq), b.runs.pagesWith(seq); len(rs) != 1 || rs[0].ID != id || len(ns) != 1 {
			t.Errorf("message %d of run %d is looked for in %d runs, %d pages", seq, id, len(rs), len(ns))
		}
	}
	if ns := b.runs.pagesWith(runs * each); ns != nil {
		t.Errorf("a message that is in no run is looked for in %d pages", len(ns))
	}
	for id := range uint32(runs) {
		b.runs.back(b.runs.at[id+1])
	}
	if len(b.runs.pages) > 0 || b.Spilled() != 0 {
		t.Errorf("%d pages and %d messages are left of runs that are loaded", len(b.runs.pages), b.Spilled())
	}
}
