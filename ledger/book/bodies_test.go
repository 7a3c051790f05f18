package book

import (
	"testing"

	"smsplane/ledger"
	"smsplane/pdu"
)

// readings counts how often the store is asked for stragglers, and how many of them one reading brings at most.
type readings struct {
	*shelf
	n    int
	most int
	rots uint64 // one that is not what was written
}

func (r *readings) Stragglers(lane uint16, from uint64, f func([]byte) error) error {
	r.n++
	brought := 0
	return r.shelf.Stragglers(lane, from, func(v []byte) error {
		brought++
		r.most = max(r.most, brought)
		if at := from + uint64(brought) - 1; r.rots > 0 && at == r.rots {
			return ErrBooks
		}
		return f(v)
	})
}

// shelved is a book of n stragglers of lane 0 whose texts are so long, and how blocks are applied to it.
func shelved(t *testing.T, n, octets int) (s *readings, b *Book, apply func(blk []byte, records int)) {
	t.Helper()
	s = &readings{shelf: newShelf(t)}
	b = New(0, s, s)
	apply = func(blk []byte, records int) {
		t.Helper()
		s.apply(b, blk, records)
	}
	sm := pdu.Submit{Src: []byte("me"), Dst: []byte("4915112345678"), DstTON: 1, DstNPI: 1, Text: []byte("text")}
	if octets > 0 {
		sm.Text, sm.TLVs = nil, pdu.AppendTLV(nil, pdu.TagMessagePayload, make([]byte, octets))
	}
	blk := ledger.OpenBlock(nil)
	for i := range uint64(n) {
		blk = ledger.AppendAccept(blk, 0, ledger.MakeMsgID(0, i+1), 1, &ledger.Accept{Account: 1, Parts: 1, Price: 5, Number: 4915112345678, ValidUntil: 1 << 60, PDU: sm.Append(nil, 1)})
	}
	apply(blk, n)
	if moved, err := b.Move(n); err != nil || moved != n {
		t.Fatal(moved, err)
	}
	s.flush(b)
	return s, b, apply
}

// What one reading brings is bounded, in number from the first one on, and in octets.
func TestReadingsAlongAreBounded(t *testing.T) {
	for octets, most := range map[int]int{0: mostAlong, 32 << 10: alongOctets / (32 << 10)} {
		s, b, _ := shelved(t, 600, octets)
		for seq := range uint64(600) {
			if _, err := b.PDU(b.Get(ledger.MakeMsgID(0, seq+1))); err != nil {
				t.Fatal(err)
			}
			if seq == 0 && s.most != 1 {
				t.Errorf("the first reading of all brought %d", s.most)
			}
		}
		if s.most > most {
			t.Errorf("a reading brought %d bodies of %d octets", s.most, octets)
		}
	}
}

// A straggler is read whatever rots behind it; the one that rots is told of when it is asked for.
func TestStragglersAreReadBesideOnesThatRot(t *testing.T) {
	s, b, _ := shelved(t, 64, 0)
	s.rots = 40
	for seq := range uint64(64) {
		if p, err := b.PDU(b.Get(ledger.MakeMsgID(0, seq+1))); (err != nil) != (seq+1 == s.rots) || err == nil && len(p) == 0 {
			t.Errorf("straggler %d: %v", seq+1, err)
		}
	}
}

// A flush reads the bodies of what changed along, too.
func TestAFlushReadsAlong(t *testing.T) {
	const n = 4096
	s, b, apply := shelved(t, n, 0)
	blk := ledger.OpenBlock(nil)
	for i := range uint64(n) {
		blk = ledger.AppendRoute(blk, 0, ledger.MakeMsgID(0, i+1), 2, &ledger.Route{N: 1})
	}
	apply(blk, n)
	s.n = 0
	s.flush(b)
	if s.n > n/mostAlong+16 {
		t.Errorf("a flush of %d stragglers took %d readings", n, s.n)
	}
}

// A queue of stragglers is read in a few readings, whether their bodies are wanted once or again a little later; when they
// have ended nothing of them is in the store.
func TestStragglersAreReadAlong(t *testing.T) {
	const n = 4096
	s, b, apply := shelved(t, n, 0)
	for i := range uint64(n) {
		for _, seq := range []uint64{i + 1, max(i, 1000) - 999} { // sent, and the end of one sent before
			if _, err := b.PDU(b.Get(ledger.MakeMsgID(0, seq))); err != nil {
				t.Fatal(err)
			}
		}
	}
	if s.n > n/mostAlong+16 {
		t.Errorf("%d bodies of a queue took %d readings", n, s.n)
	}
	blk := ledger.OpenBlock(nil)
	ends := 0
	for i := range uint64(n) {
		if i%3 != 1 || i > n/2 { // neighbours and single ones
			blk, ends = ledger.AppendFinal(blk, 0, ledger.MakeMsgID(0, i+1), 2, &ledger.Final{End: ledger.EndFailed, Reason: ledger.ReasonOperator, Hold: 5}), ends+1
		}
	}
	apply(blk, ends)
	s.flush(b)
	left := 0
	if err := s.Stragglers(0, 0, func([]byte) error { left++; return nil }); err != nil || left != n-ends {
		t.Errorf("%d stragglers are stored, %d live (%v)", left, n-ends, err)
	}
}
