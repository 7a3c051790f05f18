package book

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"smsplane/ledger"
	"smsplane/ledger/journal"
	"smsplane/pdu"
)

// Records that end the process are left out from where the books were last stored: what was accepted before is still
// there, with its hold, and records that name it among others do the rest of what they say. At the next start, from books
// stored behind them, it is the same.
func TestSkippedRecordsLeaveTheBooksWhole(t *testing.T) {
	db, err := journal.Open(journal.Options{FS: vfs.NewMem(), Dir: "s", Clock: func() int64 { return 1 }})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s := &shelf{t: t, db: db, blocks: map[uint64][]byte{}}
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
	w, done := journal.NewBatch(), make(chan struct{})
	Skip(w, id(2), 1, 3, "a panic")
	Skip(w, id(moSequence|1), 1, 3, "a panic")
	db.Write(w, func() { close(done) })
	<-done
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
