package book

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"smsplane/ledger"
	"smsplane/ledger/journal"
	"smsplane/pdu"
)

// sealed is a lane with half an hour behind it: messages that cost, charge, end or still wait, flushed every
// few blocks, so that there are seals all along.
type sealed struct {
	*shelf
	b    *Book
	log  []journal.Entry // all of it
	last int64           // when the newest block was cut
}

const sealStep = int64(10 * time.Second)

func newSealed(t *testing.T, seed uint64) *sealed {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 5))
	db := memoryStore(t)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &sealed{shelf: &shelf{t: t, db: db, blocks: map[uint64][]byte{}}}
	s.b = New(0, s, s)
	var taken []ledger.MsgID
	for i := range uint64(180) {
		s.last = int64(time.Hour) + int64(i)*sealStep
		blk, n := ledger.OpenBlock(nil), 0
		for k := range uint64(r.IntN(5)) {
			id := ledger.MakeMsgID(0, 1+i*8+k)
			sm := pdu.Submit{Src: []byte("me"), Dst: []byte("4915112345678"), Registered: 1, Text: []byte("text")}
			blk = ledger.AppendAccept(blk, 0, id, s.last, &ledger.Accept{Account: 1 + uint32(k%2), Parts: 1, Price: 7, Number: 1, ValidUntil: 1 << 60, PDU: sm.Append(nil, 1)})
			blk = ledger.AppendRoute(blk, 0, id, s.last, &ledger.Route{N: 1, Targets: [4]ledger.PlanTarget{{Carrier: 3}}})
			blk = ledger.AppendDispatch(blk, 0, 0, id, s.last, &ledger.Dispatch{Carrier: 3, Attempt: 1, Buy: 3})
			blk = ledger.AppendAnswer(blk, 0, id, s.last, &ledger.Answer{Outcome: ledger.Taken, Cost: 3, CarrierID: []byte("x")})
			taken, n = append(taken, id), n+4
		}
		for range r.IntN(5) {
			if len(taken) < 20 {
				break
			}
			k := r.IntN(len(taken))
			id := taken[k]
			taken = slices.Delete(taken, k, k+1)
			blk = ledger.AppendReceipt(blk, 0, id, s.last, &ledger.Receipt{State: 2, Cost: ledger.Micro(r.IntN(2))})
			blk = ledger.AppendFinal(blk, 0, id, s.last, &ledger.Final{End: ledger.EndDelivered, Reason: ledger.ReasonReceipt, Hold: 7, Charge: ledger.Micro(r.IntN(8))})
			n += 2
		}
		if n == 0 {
			continue
		}
		index := uint64(len(s.log)) + 1
		blk = ledger.SealBlock(blk, 0, n, s.last)
		s.log = append(s.log, journal.Entry{Index: index, Term: 1, Data: blk})
		s.blocks[index] = blk
		if err := s.b.Apply(index, blk); err != nil {
			t.Fatal(err)
		}
		if r.IntN(4) == 0 {
			s.flush(s.b)
		}
	}
	s.flush(s.b)
	return s
}

// entries reads the log from an index on that it may begin behind.
func (s *sealed) entries(first uint64) func(from uint64, f func(e journal.Entry) error) error {
	return func(from uint64, f func(e journal.Entry) error) error {
		for _, e := range s.log {
			if e.Index < max(first, from) {
				continue
			}
			if err := f(e); err == journal.ErrStop {
				return nil
			} else if err != nil {
				return err
			}
		}
		return nil
	}
}

func (s *sealed) prove(at int64, first uint64) Proof {
	s.t.Helper()
	p, err := Prove(s.db, 0, at, s.entries(first))
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// write changes the store behind the book's back.
func (s *sealed) write(f func(w *journal.Batch)) {
	w, done := journal.NewBatch(), make(chan struct{})
	f(w)
	s.db.Write(w, func() { close(done) })
	<-done
}

// From every seal on, the past explains the books, and the log hashes to its head as far as it is there.
func TestProof(t *testing.T) {
	for seed := range uint64(5) {
		s := newSealed(t, seed)
		seals := 0
		for at := int64(0); at < s.last+sealEvery; at += sealEvery {
			p := s.prove(at, 0)
			if len(p.Problems) > 0 || !p.ChainWhole || p.Chained != len(s.log) {
				t.Fatalf("seed %d from %d: %+v", seed, at, p)
			}
			if p.To != s.b.Applied() || p.At > max(at, int64(time.Hour)+20*sealStep) {
				t.Fatalf("seed %d from %d: proven from %d to index %d of %d", seed, at, p.At, p.To, s.b.Applied())
			}
			if p.At == at {
				seals++
			}
		}
		half := uint64(len(s.log) / 2)
		p := s.prove(0, half)
		if len(p.Problems) > 0 || !p.ChainWhole || p.Chained == 0 || p.ChainFrom < half {
			t.Errorf("seed %d, log from %d: %+v", seed, half, p)
		}
		if n, err := Refold(s.db, 0, &shelf{blocks: s.all()}, nil, s.entries(0)); err != nil || n != len(s.log) {
			t.Errorf("seed %d: %d blocks folded from empty: %v", seed, n, err)
		}
		if _, err := Refold(s.db, 0, &shelf{blocks: s.all()}, nil, s.entries(2)); err == nil {
			t.Errorf("seed %d: a log without its beginning folded from empty", seed)
		}
	}
}

func (s *sealed) all() map[uint64][]byte {
	m := map[uint64][]byte{}
	for _, e := range s.log {
		m[e.Index] = e.Data
	}
	return m
}

// Whatever is changed, dropped or added behind the books' back is found.
func TestProofFindsChanges(t *testing.T) {
	packs := func(s *sealed) (keys [][]byte) {
		lo, hi := journal.LaneRange(journal.EDR, 0)
		if err := s.db.Scan(lo, hi, func(k, _ []byte) error { keys = append(keys, slices.Clone(k)); return nil }); err != nil {
			t.Fatal(err)
		}
		return keys
	}
	for name, change := range map[string]func(s *sealed){
		"a pack is gone": func(s *sealed) {
			k := packs(s)
			s.write(func(w *journal.Batch) { w.DeleteRange(k[len(k)/2], k[len(k)/2+1]) })
		},
		"a pack is there twice": func(s *sealed) {
			k := packs(s)
			v, _ := s.db.Get(k[len(k)-1])
			s.write(func(w *journal.Batch) { w.Set(journal.Key(journal.EDR, 0, be.Uint64(k[len(k)-2][3:])+1), v) })
		},
		"revenue grew out of a balance": func(s *sealed) {
			s.b.acc.client(1).Revenue++
			s.b.acc.client(1).Balance--
			s.flush(s.b)
		},
		"a debt to a carrier vanished": func(s *sealed) {
			s.b.acc.carrier(3).Cost--
			s.b.acc.carrier(3).Payable++
			s.flush(s.b)
		},
		"an end was counted as another": func(s *sealed) {
			s.b.Counts.Ends[ledger.EndDelivered]--
			s.b.Counts.Ends[ledger.EndExpired]++
			s.flush(s.b)
		},
		"a block has other bytes and a right checksum": func(s *sealed) {
			e := &s.log[len(s.log)/2]
			e.Data = slices.Clone(e.Data)
			e.Data[len(e.Data)-1] ^= 1
			e.Data = ledger.SealBlock(e.Data, 0, ledger.BlockRecords(e.Data), ledger.BlockAt(e.Data))
		},
		"a block was cut at another time": func(s *sealed) {
			e := &s.log[len(s.log)/2]
			e.Data = ledger.SealBlock(slices.Clone(e.Data), 0, ledger.BlockRecords(e.Data), ledger.BlockAt(e.Data)+1)
		},
		"a block is gone": func(s *sealed) { s.log = slices.Delete(s.log, len(s.log)/2, len(s.log)/2+1) },
	} {
		s := newSealed(t, 1)
		if p := s.prove(0, 0); len(p.Problems) > 0 {
			t.Fatalf("before: %v", p.Problems)
		}
		change(s)
		if p := s.prove(0, 0); len(p.Problems) == 0 {
			t.Errorf("%s: nothing was found", name)
		}
	}
}

// The past goes as ranges, up to the newest seal that is old enough; what is left still proves.
func TestDropPast(t *testing.T) {
	s := newSealed(t, 3)
	middle := s.last - 10*int64(time.Minute)
	dropped := uint64(0)
	s.write(func(w *journal.Batch) {
		var err error
		if dropped, err = DropPast(s.db, 0, middle, s.last, w); err != nil || dropped == 0 {
			t.Fatalf("dropped up to %d: %v", dropped, err)
		}
	})
	var ended []int64
	if err := Walk(s.db, 0, Past{EDR: func(e *EDR) error { ended = append(ended, e.Ended); return nil }}); err != nil {
		t.Fatal(err)
	}
	if len(ended) == 0 || slices.Min(ended) < middle-3*int64(time.Minute) || slices.Max(ended) < middle {
		t.Errorf("%d EDRs are left, from %d on; dropped before %d", len(ended), slices.Min(ended), middle)
	}
	if p := s.prove(0, 0); len(p.Problems) > 0 || p.From != dropped {
		t.Errorf("after the drop: %+v", p)
	}
	s.write(func(w *journal.Batch) {
		if again, err := DropPast(s.db, 0, middle, s.last, w); err != nil || again != 0 || w.Len() != 0 {
			t.Errorf("a second drop up to %d, %d changes: %v", again, w.Len(), err)
		}
	})
}

// sealReader counts the seals that are read.
type sealReader struct {
	*journal.DB
	seals int
}

func (r *sealReader) counted(f func(k, v []byte) error) func(k, v []byte) error {
	return func(k, v []byte) error {
		if k[0] == byte(journal.Seal) {
			r.seals++
		}
		return f(k, v)
	}
}

func (r *sealReader) Scan(lo, hi []byte, f func(k, v []byte) error) error {
	return r.DB.Scan(lo, hi, r.counted(f))
}

func (r *sealReader) ScanReverse(lo, hi []byte, f func(k, v []byte) error) error {
	return r.DB.ScanReverse(lo, hi, r.counted(f))
}

// There are as many seals as the past has minutes, 130,000 in ninety days. A start reads one, the look for what may go, which is
// made each minute, stops at the first that stays, and a proof reads those that its log and its span have.
func TestSealsAreNotAllRead(t *testing.T) {
	s := newSealed(t, 3)
	all := &sealReader{DB: s.db}
	lo, hi := journal.LaneRange(journal.Seal, 0)
	if err := all.Scan(lo, hi, func(_, _ []byte) error { return nil }); err != nil || all.seals < 15 {
		t.Fatalf("%d seals: %v", all.seals, err)
	}
	r := &sealReader{DB: s.db}
	b := New(0, s, s)
	if err := b.Load(r, func(uint64, func(uint64, []byte) error) error { return nil }); err != nil || r.seals != 1 || b.sealedAt != s.b.sealedAt {
		t.Errorf("to begin reads %d seals, and finds one of %d where there is one of %d: %v", r.seals, b.sealedAt, s.b.sealedAt, err)
	}
	r.seals = 0
	if gone, err := DropPast(r, 0, int64(time.Hour)-1, s.last, journal.NewBatch()); err != nil || gone != 0 || r.seals != 1 {
		t.Errorf("to drop nothing, %d, reads %d seals: %v", gone, r.seals, err)
	}
	r.seals = 0
	last := uint64(len(s.log))
	if p, err := Prove(r, 0, s.last-2*int64(time.Minute), s.entries(last-10)); err != nil || len(p.Problems) > 0 || r.seals > all.seals/2 {
		t.Errorf("a proof of the end reads %d of %d seals: %+v, %v", r.seals, all.seals, p, err)
	}
}

// Seals of a clock that had leapt ahead keep nothing of the past longer than it may stay.
func TestDropPastBehindALeap(t *testing.T) {
	s := newSealed(t, 3)
	lo, hi := journal.LaneRange(journal.Seal, 0)
	var first []byte
	if err := s.db.Scan(lo, hi, func(k, _ []byte) error { first = slices.Clone(k); return journal.ErrStop }); err != nil {
		t.Fatal(err)
	}
	s.write(func(w *journal.Batch) {
		v, err := s.db.Get(first)
		if err != nil {
			t.Fatal(err)
		}
		le.PutUint64(v[1:], uint64(s.last)+uint64(time.Hour))
		w.Set(first, v)
	})
	if gone, err := DropPast(s.db, 0, s.last-10*int64(time.Minute), s.last, journal.NewBatch()); err != nil || gone == 0 {
		t.Errorf("dropped up to %d: %v", gone, err)
	}
}
