package book

import (
	"fmt"

	"smsplane/ledger"
)

// Check walks the whole book and returns every contradiction it finds: each accepted message in exactly one
// state, holds equal to what live messages hold, accounts that sum to zero. It is what `store check`, the
// audit and the tests run.
func (b *Book) Check() []error {
	var errs []error
	fail := func(format string, a ...any) {
		errs = append(errs, fmt.Errorf("lane %d: "+format, append([]any{b.Lane}, a...)...))
	}
	var live [States]int
	held := map[uint32]ledger.Micro{}
	open := map[uint16]ledger.Micro{}
	parked := 0
	blocks := map[uint64]uint32{}
	b.Each(0, int(b.t.used)+1, func(m *Msg) {
		if b.t.get(m.ID) != m {
			fail("message %v is not where its number says", m.ID)
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
		live[m.State]++
		if m.State != StateEnded {
			held[m.Account] += m.Hold
			open[m.Carrier] += m.Cost
		}
	})
	if err := b.EachSpilled(0, func(m *Msg, _ []byte) error {
		live[m.State]++
		held[m.Account] += m.Hold
		return nil
	}); err != nil {
		fail("reading runs: %v", err)
	}
	if live != b.Live {
		fail("live messages by state %v, counted %v", live, b.Live)
	}
	if parked != b.Parked {
		fail("receipts parked %d, counted %d", parked, b.Parked)
	}
	for n, c := range b.acc.clients {
		if c.Held != held[n] {
			fail("client %d holds %v, its live messages %v", n, c.Held, held[n])
		}
	}
	for n, c := range b.acc.carriers {
		if c.Open != open[n] {
			fail("carrier %d: messages that have not ended cost %v, counted %v", n, open[n], c.Open)
		}
	}
	for i, n := range blocks {
		if b.live.count(i) != n {
			fail("block %d carries %d live messages, counted %d", i, n, b.live.count(i))
		}
	}
	going := uint64(0)
	for s := StateAccepted; s < StateEnded; s++ {
		going += uint64(live[s])
	}
	ends := uint64(0)
	for _, n := range b.Counts.Ends {
		ends += n
	}
	if b.Counts.Accepted != going+ends {
		fail("accepted %d, ended %d, open %d", b.Counts.Accepted, ends, going)
	}
	if s := b.Sum(); s != 0 {
		fail("accounts sum to %v", s)
	}
	return errs
}
