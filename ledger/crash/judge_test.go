package crash

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/journal"
	"smsplane/pdu"
)

// fate is what the blocks say of one message, without any book.
type fate struct {
	mo       bool
	text     []byte
	ended    uint64 // index of its FINAL
	owed     bool   // a receipt, or the message itself, waits for the client
	returned bool
}

// fates reads blocks 1 to last.
func fates(blocks map[uint64][]byte, last uint64) (map[ledger.MsgID]*fate, error) {
	all := map[ledger.MsgID]*fate{}
	for i := uint64(1); i <= last; i++ {
		if blocks[i] == nil {
			continue
		}
		err := ledger.Walk(blocks[i], func(r *ledger.Record) error {
			switch r.Kind {
			case ledger.KindAccept:
				all[r.ID] = &fate{text: textOf(r.ID, r.At)}
			case ledger.KindMO:
				all[r.ID] = &fate{text: textOf(r.ID, r.At), mo: true, owed: true}
			case ledger.KindReplace:
				all[r.ID].text = textOf(r.ID, r.At)
			case ledger.KindFinal:
				var f ledger.Final
				r.Final(&f)
				all[r.ID].ended, all[r.ID].owed = i, f.Return
			case ledger.KindReturn:
				all[r.ID].returned = true
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// kept says that the books must still know the message.
func (f *fate) kept() bool { return (f.ended == 0 || f.owed) && !f.returned }

// judge holds a host that has just recovered against the blocks and the acknowledgments of the lives before.
func (h *host) judge(told memory) error {
	if err := h.db.Check(); err != nil {
		return err
	}
	for _, l := range h.lanes {
		if err := l.judge(&told); err != nil {
			return fmt.Errorf("lane %d: %w", l.n, err)
		}
	}
	return nil
}

func (l *lane) judge(told *memory) error {
	acked, blocks := told.acked[l.n], told.blocks[l.n]
	// The last entry is the empty one of the new leader.
	last := l.book.Applied()
	if last <= acked {
		return fmt.Errorf("block %d was acknowledged, the log ends at %d", acked, last-1)
	}
	for i := l.log.First(); i <= last; i++ {
		e, err := l.log.Entry(i)
		if err != nil {
			return err
		}
		if !bytes.Equal(e.Data, blocks[i]) {
			return fmt.Errorf("index %d holds %d octets, proposed were %d", i, len(e.Data), len(blocks[i]))
		}
	}
	for _, err := range l.book.Check() {
		return err
	}
	if err := l.sameAsFolded(blocks, last); err != nil {
		return err
	}
	if err := l.eachOnce(blocks, last, told.dropped[l.n]); err != nil {
		return err
	}
	return l.proven()
}

// shelf is a log that was never dropped, for a fold from empty.
type shelf map[uint64][]byte

func (s shelf) Block(i uint64) ([]byte, error) { return s[i], nil }
func (shelf) Stragglers(uint16, uint64, func([]byte) error) error {
	return errors.New("a fold from empty has no stragglers")
}
func (shelf) Run(uint16, uint32, uint32) ([]byte, error) {
	return nil, errors.New("a fold from empty has its runs at hand")
}

// sameAsFolded folds all blocks from empty and compares counts, balances, chain and every live message.
func (l *lane) sameAsFolded(blocks shelf, last uint64) error {
	b := book.New(l.n, blocks, blocks)
	for i := uint64(1); i <= last; i++ {
		if err := b.Apply(i, blocks[i]); err != nil {
			return fmt.Errorf("fold from empty: %w", err)
		}
	}
	if !bytes.Equal(b.State(), l.book.State()) {
		return fmt.Errorf("the state up to index %d is not that of a fold from empty", last)
	}
	want, err := summaries(b)
	if err != nil {
		return err
	}
	got, err := summaries(l.book)
	if err != nil {
		return err
	}
	for id, w := range want {
		if g := got[id]; !reflect.DeepEqual(g, w) {
			return fmt.Errorf("message %v is %+v, in a fold from empty %+v", id, g, w)
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("%d messages are live, in a fold from empty %d", len(got), len(want))
	}
	return nil
}

// summary is what two books must say alike of a message.
type summary struct {
	edr    book.EDR
	state  book.State
	policy ledger.Policy
	held   bool
	due    int64
	valid  int64
	run    bool // on disk only
}

func summaries(b *book.Book) (map[ledger.MsgID]summary, error) {
	all := map[ledger.MsgID]summary{}
	var twice ledger.MsgID
	add := func(m *book.Msg, run bool) {
		if _, ok := all[m.ID]; ok {
			twice = m.ID
		}
		s := summary{edr: m.Summary(nil, nil), state: m.State, policy: m.Policy, held: m.Held, due: m.Due, valid: m.ValidUntil, run: run}
		s.edr.Coding = 0 // noted when the EDR is written
		all[m.ID] = s
	}
	b.Each(0, b.Slots()+1, func(m *book.Msg) { add(m, false) })
	err := b.EachSpilled(0, func(m *book.Msg, _ []byte) error { add(m, true); return nil })
	if err == nil && twice != 0 {
		err = fmt.Errorf("message %v is in the books twice", twice)
	}
	return all, err
}

// eachOnce holds table, runs and archive against the messages' fates: each is where it must be, once, with its text.
func (l *lane) eachOnce(blocks shelf, last, dropped uint64) error {
	all, err := fates(blocks, last)
	if err != nil {
		return err
	}
	live, ended := map[ledger.MsgID]int{}, map[ledger.MsgID]int{}
	look := func(m *book.Msg, p []byte) error {
		f := all[m.ID]
		var v pdu.Message
		switch live[m.ID]++; {
		case f == nil:
			return fmt.Errorf("message %v was never accepted", m.ID)
		case v.Parse(p) != pdu.ROK:
			return fmt.Errorf("message %v does not parse", m.ID)
		case !m.Stripped && !bytes.Equal(v.ShortMessage(), f.text):
			return fmt.Errorf("message %v says %q, accepted was %q", m.ID, v.ShortMessage(), f.text)
		}
		return nil
	}
	l.book.Each(0, l.book.Slots()+1, func(m *book.Msg) {
		p, perr := l.book.PDU(m)
		if perr == nil {
			perr = look(m, p)
		}
		err = errors.Join(err, perr)
	})
	if err := errors.Join(err, l.book.EachSpilled(0, look)); err != nil {
		return err
	}
	past := book.Past{EDR: func(e *book.EDR) error { ended[e.ID]++; return nil }}
	if err := errors.Join(book.Walk(l.h.db, l.n, past), l.book.Unflushed(past)); err != nil {
		return err
	}
	for id, f := range all {
		wantLive, wantEnded := 0, 0
		if f.kept() {
			wantLive = 1
		}
		if f.ended > 0 {
			wantEnded = 1
		}
		if live[id] != wantLive {
			return fmt.Errorf("message %v is in the books %d times, must be %d: %+v", id, live[id], wantLive, *f)
		}
		if n := ended[id]; n != wantEnded && (n != 0 || f.ended > dropped) {
			return fmt.Errorf("message %v is in the archive %d times, must be %d: %+v", id, n, wantEnded, *f)
		}
	}
	return nil
}

// proven flushes and runs the audit, and finds a few of the archive by its index.
func (l *lane) proven() error {
	if err := l.flush(); err != nil {
		return err
	}
	l.h.db.Step(1 << 20)
	p, err := book.Prove(l.h.db, l.n, 0, func(from uint64, f func(e journal.Entry) error) error {
		return l.h.db.Entries(l.n, from, f, func(_ uint64, err error) error { return err })
	})
	if err != nil {
		return err
	}
	if len(p.Problems) > 0 {
		return p.Problems[0]
	}
	_, errs := book.CheckArchive(l.h.db, l.n)
	return errors.Join(errs...)
}
