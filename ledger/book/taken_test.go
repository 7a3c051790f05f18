package book

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"smsplane/ledger"
	"smsplane/ledger/journal"
)

// newTaken is the store of a lane in which a client took messages from carriers at the times 1000, 2000 and 3000, two each, each time
// in a flush of its own. Beside them stand what is not to be given again: news of a message of its own, a message that nobody took,
// and one that came from no carrier.
func newTaken(t *testing.T) *sealed {
	t.Helper()
	s := newSealed(t, 1)
	b := New(0, s, s)
	s.b = b
	for i := range int64(3) {
		blk, n, now := ledger.OpenBlock(nil), 0, 1000*(i+1)
		for k := range uint64(5) {
			id := ledger.MakeMsgID(0, moSequence|(uint64(i)*5+k+1))
			m := ledger.MO{Account: 1, Carrier: 3, Notice: k == 2, PDU: fmt.Appendf(nil, "text %d", k)}
			taken := ledger.Return{Session: 7}
			switch k {
			case 3:
				taken.Session = 0
			case 4:
				m.Carrier = 0
			}
			blk = ledger.AppendMO(blk, 0, id, now, &m)
			blk = ledger.AppendReturn(blk, 0, id, now, &taken)
			n += 2
		}
		index := uint64(1000 + i)
		s.blocks[index] = ledger.SealBlock(blk, 0, n, now)
		if err := b.Apply(index, s.blocks[index]); err != nil {
			t.Fatal(err)
		}
		s.flush(b)
	}
	return s
}

// taken is what can be given again, in words.
func (s *sealed) taken() (all []string) {
	s.t.Helper()
	wanted := func(r *Returned) bool { return r.At > 1000 }
	if err := WalkTaken(s.db, 0, wanted, func(r *Returned, p []byte) error {
		all = append(all, fmt.Sprintf("%d %x %d %q", r.Account, r.ID.Seq()&^moSequence, r.At, p))
		return nil
	}); err != nil {
		s.t.Fatal(err)
	}
	return all
}

// Texts of messages from carriers are kept until they are dropped, a flush at a time; that the messages were taken stays known.
func TestTextsAreKeptAndDropped(t *testing.T) {
	s := newTaken(t)
	want := []string{`1 6 2000 "text 0"`, `1 7 2000 "text 1"`, `1 b 3000 "text 0"`, `1 c 3000 "text 1"`}
	if got := s.taken(); !slices.Equal(got, want) {
		t.Errorf("kept %q", got)
	}
	drop := func(at, now int64) {
		s.write(func(w *journal.Batch) {
			if err := DropTexts(s.db, 0, at, now, w); err != nil {
				t.Fatal(err)
			}
		})
	}
	if drop(1999, 1<<62); !slices.Equal(s.taken(), want) {
		t.Errorf("kept %q, one of them too young to drop", s.taken())
	}
	want[0], want[1] = `1 6 2000 ""`, `1 7 2000 ""`
	if drop(2000, 1<<62); !slices.Equal(s.taken(), want) {
		t.Errorf("kept %q", s.taken())
	}
	// A time that has yet to come was told by a clock that had leapt: it keeps nothing behind it.
	s.edit(journal.Key(journal.Taken, 0, 1002), func(v []byte) []byte {
		le.PutUint64(v, uint64(time.Hour))
		return v
	})
	s.write(func(w *journal.Batch) {
		v, _ := s.db.Get(journal.Key(journal.Taken, 0, 1002))
		le.PutUint64(v, 2500)
		w.Set(journal.Key(journal.Taken, 0, 1003), v)
	})
	want[2], want[3] = `1 b 3000 ""`, `1 c 3000 ""`
	if drop(2500, 9000); !slices.Equal(s.taken(), want) {
		t.Errorf("behind a leap %q", s.taken())
	}
}

// The check of an archive reads texts, and misses the pack of one.
func TestCheckReadsTexts(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(s *sealed)
		text string
	}{
		"nothing": {func(*sealed) {}, ""},
		"texts cut": {func(s *sealed) {
			s.edit(journal.Key(journal.Taken, 0, 1001), func(v []byte) []byte { return v[:len(v)-1] })
		}, "texts 1001"},
		"another message": {func(s *sealed) {
			s.edit(journal.Key(journal.Taken, 0, 1001), func(v []byte) []byte { v[8] ^= 0x80; return v })
		}, "does not know"},
	} {
		s := newTaken(t)
		c.do(s)
		_, errs := CheckArchive(s.db, 0)
		if said := fmt.Sprint(errs); (c.text == "") != (len(errs) == 0) || !strings.Contains(said, c.text) {
			t.Errorf("%s: %s, want %q", name, said, c.text)
		}
	}
}
