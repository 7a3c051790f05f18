package book

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"smsplane/ledger"
	"smsplane/ledger/journal"
)

// A seal is the state of a lane's books at one applied index, kept when the state has long gone on: balances,
// counts, and the head of a hash chain over every block applied until then. It is written with the flush
// that reaches the index, about once a minute of the blocks' own time. What the audit proves, it proves from
// a seal: the EDRs and the log between the seal and now must explain every difference.
//
// The chain hashes each block's index and header, and the header holds the checksum of all of the block. It
// finds what was changed, dropped or reordered by accident or by a fault of ours; whoever can rewrite the
// store can rewrite the chain as well, unless he kept a head elsewhere.

// sealEvery is the distance of seals, in the time that blocks were cut.
const sealEvery = int64(time.Minute)

// Chain is the head of a lane's hash chain.
type Chain [sha256.Size]byte

// LastAt is when the newest applied block was cut, by the clock of then.
func (b *Book) LastAt() int64 { return max(b.lastAt, b.sealedAt) }

// link adds a block.
func (c *Chain) link(index uint64, block []byte) {
	var in [sha256.Size + 8 + ledger.BlockHeader]byte
	copy(in[:], c[:])
	le.PutUint64(in[sha256.Size:], index)
	copy(in[sha256.Size+8:], block[:ledger.BlockHeader])
	*c = sha256.Sum256(in[:])
}

// Head is the chain's head and the index that it was begun at: 0, unless an older build made the store.
func (b *Book) Head() (head Chain, from uint64) { return b.chain, b.chainFrom }

const sealVersion = 1

func (b *Book) flushSeal(w *journal.Batch) {
	if d := b.lastAt - b.sealedAt; b.lastAt == 0 || d < sealEvery && d > -sealEvery {
		return
	}
	v := le.AppendUint64([]byte{sealVersion}, uint64(b.lastAt))
	w.Set(journal.Key(journal.Seal, b.Lane, b.applied), b.appendState(v))
	b.sealedAt = b.lastAt
}

// Seal is a stored seal, opened.
type Seal struct {
	Index uint64
	At    int64 // when the last block before it was cut
	Book  *Book // counts, balances and chain only
}

func readSeal(lane uint16, k, v []byte) (s Seal, err error) {
	if s.At, err = sealTime(lane, v); err != nil {
		return s, err
	}
	s.Index, s.Book = be.Uint64(k[len(k)-8:]), New(lane, nil, nil)
	return s, s.Book.readState(v[9:])
}

// lastSealAt finds the time of the newest seal, 0 without one.
func (b *Book) lastSealAt(s Store) error {
	lo, hi := journal.LaneRange(journal.Seal, b.Lane)
	return s.ScanReverse(lo, hi, func(_, v []byte) (err error) {
		if b.sealedAt, err = sealTime(b.Lane, v); err != nil {
			return err
		}
		return journal.ErrStop
	})
}

// sealTime is when the last block before a seal was cut.
func sealTime(lane uint16, v []byte) (int64, error) {
	if len(v) < 9 || v[0] != sealVersion {
		return 0, fmt.Errorf("%w: seal of lane %d has an unknown version", ErrBooks, lane)
	}
	return int64(le.Uint64(v[1:])), nil
}

// SealBefore is the newest seal of a lane that is not younger than at; without one the oldest there is. ok is
// false when the lane has none.
func SealBefore(s Archive, lane uint16, at int64) (v Seal, ok bool, err error) {
	lo, hi := journal.LaneRange(journal.Seal, lane)
	err = s.ScanReverse(lo, hi, func(k, b []byte) error {
		if v, err = readSeal(lane, k, b); err != nil {
			return err
		}
		ok = true
		if v.At <= at {
			return journal.ErrStop
		}
		return nil
	})
	return v, ok, err
}

// DropPast removes packs and seals that ended before at, as ranges: everything up to the newest seal that is
// that old. It returns the index up to which the past is gone, 0 when there is nothing to drop.
func DropPast(s Archive, lane uint16, at, now int64, w *journal.Batch) (uint64, error) {
	last, err := lastOf(s, journal.Seal, lane, at, now, func(v []byte) (int64, error) { return sealTime(lane, v) })
	if err != nil || last == 0 {
		return 0, err
	}
	first := last
	lo, hi := journal.LaneRange(journal.EDR, lane)
	if err := s.Scan(lo, hi, func(k, _ []byte) error {
		first = be.Uint64(k[len(k)-8:])
		return journal.ErrStop
	}); err != nil || first > last {
		return 0, err
	}
	for _, k := range []journal.Kind{journal.EDR, journal.EDRIndex} {
		w.DeleteRange(journal.Key(k, lane), journal.Key(k, lane, last+1))
	}
	w.DeleteRange(journal.Key(journal.Seal, lane), journal.Key(journal.Seal, lane, last))
	return last, nil
}

// lastOf is the index of the last value of a kind that is not younger than at, 0 when there is none. There may be one for each minute
// of months, so it looks from the oldest on and stops at the first that may stay; what is later than now is of a clock that had
// leapt, and is passed over.
func lastOf(s Archive, kind journal.Kind, lane uint16, at, now int64, when func(v []byte) (int64, error)) (last uint64, err error) {
	lo, hi := journal.LaneRange(kind, lane)
	err = s.Scan(lo, hi, func(k, v []byte) error {
		switch t, err := when(v); {
		case err != nil:
			return err
		case t <= at:
			last = be.Uint64(k[len(k)-8:])
		case t <= now:
			return journal.ErrStop
		}
		return nil
	})
	return last, err
}

// ErrProof says that the stored past does not explain the books.
var ErrProof = errors.New("the past does not explain the books")

// Proof is what an audit of one lane found.
type Proof struct {
	From, To   uint64 // indexes: the seal, and the persisted state that was proven
	At         int64  // of the seal; 0: from the beginning
	Ended      uint64 // EDRs recounted
	Charged    ledger.Micro
	Owed       ledger.Micro
	ChainFrom  uint64 // blocks behind this index were hashed again
	Chained    int
	ChainWhole bool // the chain's head was reached again
	Problems   []error
}

// Prove recounts what ended since the newest seal not younger than at, from EDRs, and hashes the log as far
// as it is there; both must lead to the persisted state. Whoever calls it has flushed the books before. Any
// goroutine may call it. entries reads the lane's log from an index on.
func Prove(s Archive, lane uint16, at int64, entries func(from uint64, f func(e journal.Entry) error) error) (p Proof, err error) {
	v, err := s.Get(journal.Key(journal.Fold, lane))
	if err != nil || v == nil {
		return p, err
	}
	now := New(lane, nil, nil)
	if err := now.readState(v); err != nil {
		return p, err
	}
	seal, ok, err := SealBefore(s, lane, at)
	if err != nil {
		return p, err
	}
	if !ok {
		seal.Book = New(lane, nil, nil)
		if now.chainFrom > 0 { // an older build wrote the beginning, and no seal since
			seal.Book = now
			seal.Index = now.applied
		}
	}
	p.From, p.To, p.At = seal.Index, now.applied, seal.At
	if err := p.recount(s, lane, seal.Book, now); err != nil {
		return p, err
	}
	return p, p.chain(s, lane, now, entries)
}

func (p *Proof) fail(lane uint16, format string, a ...any) {
	p.Problems = append(p.Problems, fmt.Errorf("%w: lane %d: "+format, append([]any{ErrProof, lane}, a...)...))
}

// recount adds what ended since the seal to the seal's books and holds the sum against today's.
func (p *Proof) recount(s Archive, lane uint16, was, now *Book) error {
	ends := was.Counts.Ends
	revenue, cost := map[uint32]ledger.Micro{}, map[uint16]ledger.Micro{}
	if was != now {
		err := s.Scan(journal.Key(journal.EDR, lane, p.From+1), journal.Key(journal.EDR, lane, p.To+1), func(_, v []byte) error {
			past := Past{EDR: func(e *EDR) error {
				p.Ended++
				p.Charged += e.Charge
				p.Owed += e.Cost
				ends[e.End]++
				revenue[e.Account] += e.Charge
				cost[e.Carrier] += e.Cost
				return nil
			}}
			return past.walk(v)
		})
		if err != nil {
			return err
		}
	}
	for e := ledger.EndDelivered; int(e) < ledger.Ends; e++ {
		if ends[e] != now.Counts.Ends[e] {
			p.fail(lane, "%v: %d at the seal and in EDRs since, %d in the books", e, ends[e], now.Counts.Ends[e])
		}
	}
	for n, c := range now.acc.clients {
		if got := was.acc.client(n).Revenue + revenue[n]; got != c.Revenue {
			p.fail(lane, "client %d: revenue %v at the seal and in EDRs since, %v in the books", n, got, c.Revenue)
		}
		if c.Balance+c.Held+c.Revenue != 0 {
			p.fail(lane, "client %d: balance %v, held %v and revenue %v do not sum to zero", n, c.Balance, c.Held, c.Revenue)
		}
	}
	for n, c := range now.acc.carriers {
		o := was.acc.carrier(n)
		if got := o.Cost - o.Open + cost[n]; got != c.Cost-c.Open {
			p.fail(lane, "carrier %d: cost %v at the seal and in EDRs since, %v in the books", n, got, c.Cost-c.Open)
		}
		if c.Payable+c.Cost != 0 {
			p.fail(lane, "carrier %d: payable %v and cost %v do not sum to zero", n, c.Payable, c.Cost)
		}
	}
	return nil
}

// chain hashes the log again from the oldest seal that it still reaches back to.
func (p *Proof) chain(s Archive, lane uint16, now *Book, entries func(from uint64, f func(e journal.Entry) error) error) error {
	var head Chain
	var begun, reached bool
	begin := func(from uint64, c Chain) { p.ChainFrom, head, begun = from, c, true }
	if now.chainFrom == 0 {
		begin(0, head)
	}
	var seals map[uint64]Chain
	next := uint64(0)
	err := entries(0, func(e journal.Entry) (err error) {
		if e.Index > p.To {
			return journal.ErrStop
		}
		if next == 0 {
			if seals, err = heads(s, lane, e.Index); err != nil {
				return err
			}
		}
		if next == 0 && e.Index > 1 { // the log's beginning is gone: begin at the first seal behind it
			begun = false
		}
		next = e.Index + 1
		if block := e.Block(); begun && block != nil && e.Index > now.chainFrom {
			head.link(e.Index, block)
			p.Chained++
		}
		if want, ok := seals[e.Index]; ok {
			if begun && head != want {
				p.fail(lane, "the log up to index %d does not hash to its seal", e.Index)
			}
			if !begun {
				begin(e.Index, want)
			}
		}
		reached = e.Index == p.To
		return nil
	})
	if err != nil {
		return err
	}
	p.ChainWhole = begun && reached
	if p.ChainWhole && !bytes.Equal(head[:], now.chain[:]) {
		p.fail(lane, "the log from index %d to %d does not hash to the books' head", p.ChainFrom+1, p.To)
	}
	return nil
}

// heads are those of the seals from an index on.
func heads(s Archive, lane uint16, from uint64) (map[uint64]Chain, error) {
	heads := map[uint64]Chain{}
	_, hi := journal.LaneRange(journal.Seal, lane)
	err := s.Scan(journal.Key(journal.Seal, lane, from), hi, func(k, v []byte) error {
		seal, err := readSeal(lane, k, v)
		if err == nil {
			heads[seal.Index] = seal.Book.chain
		}
		return err
	})
	return heads, err
}

// Refold folds a lane's whole log from empty and compares the outcome with the persisted state, octet by
// octet. It needs a log that was kept whole.
func Refold(s Archive, lane uint16, log Log, strag Straggler, entries func(from uint64, f func(e journal.Entry) error) error) (blocks int, err error) {
	v, err := s.Get(journal.Key(journal.Fold, lane))
	if err != nil || v == nil {
		return 0, err
	}
	now := New(lane, nil, nil)
	if err := now.readState(v); err != nil {
		return 0, err
	}
	b := New(lane, log, strag)
	b.chainFrom = now.chainFrom
	if err := b.loadSkips(s); err != nil {
		return 0, err
	}
	err = entries(0, func(e journal.Entry) error {
		if b.applied == 0 && e.Index != 1 {
			return fmt.Errorf("%w: lane %d: the log begins at index %d; to fold from empty needs journal: {retain: all} since the store was made", ErrProof, lane, e.Index)
		}
		if e.Index > now.applied {
			return journal.ErrStop
		}
		block := e.Block()
		if block != nil {
			blocks++
		}
		b.pack.reset()
		return b.Apply(e.Index, block)
	})
	if err != nil {
		return blocks, err
	}
	for _, e := range b.Check() {
		return blocks, fmt.Errorf("%w: folded from empty: %w", ErrProof, e)
	}
	if !bytes.Equal(b.appendState(nil), now.appendState(nil)) {
		return blocks, fmt.Errorf("%w: lane %d folded from empty up to index %d is not what is stored", ErrProof, lane, now.applied)
	}
	return blocks, nil
}
