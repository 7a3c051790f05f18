package book

import (
	"fmt"

	"smsplane/ledger"
)

// Check walks the whole book and returns every contradiction it finds: each accepted message in exactly one
// state, holds equal to what live messages hold, accounts that sum to zero. It is what `store check`, the
// audit and the tests run.
func (b *Book) Check() []error { return b.Tally().Check(b.strag) }

// Tally is a book at one moment, counted but for what is in runs: to read those takes long when much is queued, and the book's
// owner has other work. Check goes on with it, on any goroutine.
type Tally struct {
	lane     uint16
	errs     []error
	live     [States]int // found in memory
	held     map[uint32]ledger.Micro
	runs     []tallied
	says     [States]int // the book
	holds    map[uint32]ledger.Micro
	accepted uint64
	ended    uint64
	sum      ledger.Micro
}

// tallied is a run on disk, and its bytes if they were at hand.
type tallied struct {
	id, pieces uint32
	bytes      Pieces
}

func (t *Tally) fail(format string, a ...any) {
	t.errs = append(t.errs, fmt.Errorf("lane %d: "+format, append([]any{t.lane}, a...)...))
}

// Tally counts what is in memory. It reads nothing from disk.
func (b *Book) Tally() *Tally {
	t := &Tally{lane: b.Lane, held: map[uint32]ledger.Micro{}, says: b.Live, holds: map[uint32]ledger.Micro{}, accepted: b.Counts.Accepted, sum: b.Sum()}
	open := map[uint16]ledger.Micro{}
	parked := 0
	blocks := map[uint64]uint32{}
	b.Each(0, int(b.t.used)+1, func(m *Msg) {
		if b.t.get(m.ID) != m {
			t.fail("message %v is not where its number says", m.ID)
		}
		if !m.moved {
			blocks[m.Block]++
		}
		if m.State == StateEnded && m.Return {
			parked++
		}
		if m.MO {
			return
		}
		t.live[m.State]++
		if m.State != StateEnded {
			t.held[m.Account] += m.Hold
			open[m.Carrier] += m.Cost
		}
	})
	spilled := 0
	for _, r := range b.Runs() {
		t.runs = append(t.runs, tallied{r.ID, r.Pieces, b.Packed(r.ID)})
		spilled += int(r.Count)
	}
	if spilled != b.Spilled() {
		t.fail("messages on disk %d, counted %d", spilled, b.Spilled())
	}
	if parked != b.Parked {
		t.fail("receipts parked %d, counted %d", parked, b.Parked)
	}
	for n, c := range b.acc.clients {
		t.holds[n] = c.Held
	}
	for n, c := range b.acc.carriers {
		if c.Open != open[n] {
			t.fail("carrier %d: messages that have not ended cost %v, counted %v", n, open[n], c.Open)
		}
	}
	for i, n := range blocks {
		if b.live.count(i) != n {
			t.fail("block %d carries %d live messages, counted %d", i, n, b.live.count(i))
		}
	}
	for _, n := range b.Counts.Ends {
		t.ended += n
	}
	return t
}

// Check adds what is in runs, which it reads from s as that was at the moment of the tally, and returns every contradiction. It is
// called once.
func (t *Tally) Check(s Straggler) []error {
	for _, r := range t.runs {
		p, err := r.bytes, error(nil)
		if p == nil {
			p, err = ReadRun(s, t.lane, r.id, r.pieces)
		}
		if err == nil {
			err = p.Each(func(m *Msg, _ []byte) error {
				t.live[m.State]++
				t.held[m.Account] += m.Hold
				return nil
			})
		}
		if err != nil {
			t.fail("reading runs: %v", err)
			break
		}
	}
	if t.live != t.says {
		t.fail("live messages by state %v, counted %v", t.live, t.says)
	}
	for n, holds := range t.holds {
		if holds != t.held[n] {
			t.fail("client %d holds %v, its live messages %v", n, holds, t.held[n])
		}
	}
	going := uint64(0)
	for s := StateAccepted; s < StateEnded; s++ {
		going += uint64(t.live[s])
	}
	if t.accepted != going+t.ended {
		t.fail("accepted %d, ended %d, open %d", t.accepted, t.ended, going)
	}
	if t.sum != 0 {
		t.fail("accounts sum to %v", t.sum)
	}
	return t.errs
}
