package book

import (
	"bytes"
	"maps"
	"testing"

	"smsplane/ledger"
	"smsplane/ledger/journal"
	"smsplane/pdu"
)

// Records that end the process are left out from where the books were last stored: what was accepted before is still
// there, with its hold, and records that name it among others do the rest of what they say. At the next start, from books
// stored behind them, it is the same.
func TestSkippedRecordsLeaveTheBooksWhole(t *testing.T) {
	s := newShelf(t)
	defer s.db.Close()
	id := func(seq uint64) ledger.MsgID { return ledger.MakeMsgID(0, seq) }
	text := pdu.Submit{Command: pdu.SubmitSM, Src: []byte("shop"), DstTON: 1, DstNPI: 1, Dst: []byte("4915112345678"), Text: []byte("hello")}
	body := text.Append(nil, 1)
	block := func(index uint64, records int, f func(b []byte) []byte) {
		s.blocks[index] = ledger.SealBlock(f(ledger.OpenBlock(nil)), 0, records, int64(index)*second)
	}
	block(1, 3, func(b []byte) []byte {
		for seq := uint64(1); seq <= 3; seq++ {
			b = ledger.AppendAccept(b, 0, id(seq), second, &ledger.Accept{Account: 7, Parts: 1, Price: 45_000, ValidUntil: 1000 * second, PDU: body})
		}
		return b
	})
	block(2, 5, func(b []byte) []byte {
		for seq := uint64(1); seq <= 3; seq++ {
			b = ledger.AppendRoute(b, 0, id(seq), 2*second, &ledger.Route{N: 1, Targets: [ledger.MaxTargets]ledger.PlanTarget{{Carrier: 3}}})
		}
		b = ledger.AppendMO(b, 0, id(moSequence|1), 2*second, &ledger.MO{Account: 7, Carrier: 3, PDU: body})
		return ledger.AppendOperator(b, 2*second, &ledger.Operator{Action: ledger.ActionHold, IDs: []ledger.MsgID{id(2), id(moSequence | 1)}})
	})
	block(3, 1, func(b []byte) []byte {
		m := ledger.Move{Run: 1, Order: 1, Queue: ledger.RunInternal, Carrier: 3}
		for seq := uint64(1); seq <= 3; seq++ {
			m.IDs = ledger.AppendID(m.IDs, id(seq))
		}
		return ledger.AppendMove(b, 3*second, &m)
	})
	b := New(0, s, s)
	if err := b.Apply(1, s.blocks[1]); err != nil {
		t.Fatal(err)
	}
	s.flush(b)
	s.skip(id(2), 1)
	s.skip(id(moSequence|1), 1)
	for _, when := range []string{"the start that skips", "the next"} {
		b = s.reload(3)
		for _, err := range b.Check() {
			t.Errorf("%s: %v", when, err)
		}
		m := b.Get(id(2))
		if m == nil || m.State != StateAccepted || m.Held || b.Spilled() != 2 || b.InMemory() != 1 {
			t.Fatalf("%s: it is %+v; %d are spilled, %d in memory", when, m, b.Spilled(), b.InMemory())
		}
		if b.NextMO() != id(moSequence|2) {
			t.Errorf("%s: the next message from a carrier is %v: an id twice", when, b.NextMO())
		}
		s.flush(b)
	}
}

// Two hosts whom the same record ended skip the same, though the log of one ended behind the other's by then: both up to where the next
// leader begins, and fold what that decides, also from a log that begins behind there.
func TestHostsSkipTheSame(t *testing.T) {
	id := func(seq uint64) ledger.MsgID { return ledger.MakeMsgID(0, seq) }
	text := pdu.Submit{Command: pdu.SubmitSM, Src: []byte("shop"), DstTON: 1, DstNPI: 1, Dst: []byte("4915112345678"), Text: []byte("hello")}
	route := &ledger.Route{N: 1, Targets: [ledger.MaxTargets]ledger.PlanTarget{{Carrier: 3}}}
	seal := func(index uint64, records ...[]byte) []byte {
		b := ledger.OpenBlock(nil)
		for _, r := range records {
			b = append(b, r...)
		}
		return ledger.SealBlock(b, 0, len(records), int64(index)*second)
	}
	deed := func(a ledger.Action) []byte {
		return ledger.AppendOperator(nil, 5*second, &ledger.Operator{Action: a, IDs: []ledger.MsgID{id(1)}})
	}
	blocks := map[uint64][]byte{ // 4 is the next leader's first entry
		1: seal(1, ledger.AppendAccept(nil, 0, id(1), second, &ledger.Accept{Account: 7, Parts: 1, Price: 45_000, ValidUntil: 1000 * second, PDU: text.Append(nil, 1)})),
		2: seal(2, ledger.AppendRoute(nil, 0, id(1), 2*second, route)), // which ends the process
		3: seal(3, ledger.AppendDispatch(nil, 0, 0, id(1), 3*second, &ledger.Dispatch{Carrier: 3, Attempt: 1})),
		5: seal(5, deed(ledger.ActionQuarantine)),
		6: seal(6, deed(ledger.ActionRelease), ledger.AppendRoute(nil, 0, id(1), 6*second, route)),
	}
	var states [][]byte
	for _, last := range []uint64{2, 3} {
		s := newShelf(t)
		defer s.db.Close()
		s.blocks = maps.Clone(blocks)
		b := New(0, s, s)
		if err := b.Apply(1, s.blocks[1]); err != nil {
			t.Fatal(err)
		}
		s.flush(b)
		s.skip(id(1), 1)
		b = s.reload(3)
		if m := b.Get(id(1)); m.State != StateAccepted {
			t.Errorf("log to %d: %v before the next leader", last, m.State)
		}
		for _, upTo := range []uint64{3, 4, 6, 6} { // it restarts at each
			for i := b.Applied() + 1; i <= upTo; i++ {
				if err := b.Apply(i, s.blocks[i]); err != nil {
					t.Fatalf("log to %d: %v", last, err)
				}
			}
			s.flush(b)
			s.skip(id(1), 1) // its notes may be there yet
			b = s.reload(upTo)
		}
		m := b.Get(id(1))
		if m.State != StateRouted || m.Held || m.Routed != 0 || m.Verified != 6*second {
			t.Errorf("log to %d: %+v", last, m)
		}
		for _, err := range b.Check() {
			t.Errorf("log to %d: %v", last, err)
		}
		states = append(states, b.State())
	}
	if !bytes.Equal(states[0], states[1]) {
		t.Error("the books are not the same")
	}
}

func (s *shelf) skip(id ledger.MsgID, after uint64) {
	s.t.Helper()
	w, done := journal.NewBatch(), make(chan struct{})
	if err := Skip(s.db, w, id, after, "a panic"); err != nil {
		s.t.Fatal(err)
	}
	s.db.Write(w, func() { close(done) })
	<-done
}
