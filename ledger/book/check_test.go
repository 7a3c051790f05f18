package book

import (
	"testing"

	"smsplane/ledger"
	"smsplane/ledger/journal"
	"smsplane/pdu"
)

// asOf reads runs as they were at one moment, and counts that.
type asOf struct {
	*shelf
	then *journal.View
	runs int
}

func (a *asOf) Run(_ uint16, run, piece uint32) ([]byte, error) {
	a.runs++
	return a.then.Get(RunKey(0, run, piece))
}

// What a check takes of a book while its owner waits reads no run. The rest is read from the store as it was then, whatever has
// become of the runs meanwhile.
func TestTallyReadsNoRun(t *testing.T) {
	s := newShelf(t)
	defer s.db.Close()
	b := s.book()
	const count, price = 50, 5
	mv := ledger.Move{Run: 1, Order: 1, Queue: ledger.RunExternal}
	blk := ledger.OpenBlock(nil)
	for n := range uint64(count) {
		id := ledger.MakeMsgID(0, n+1)
		mv.IDs = ledger.AppendID(mv.IDs, id)
		sm := pdu.Submit{Src: []byte("me"), Dst: []byte("4915112345678"), DstTON: 1, DstNPI: 1, Text: []byte("text")}
		blk = ledger.AppendAccept(blk, 0, id, 1, &ledger.Accept{Account: 1, Parts: 1, Price: price, Number: 4915112345678, ValidUntil: 1 << 60, PDU: sm.Append(nil, 1)})
	}
	s.apply(b, blk, count)
	s.apply(b, ledger.AppendMove(ledger.OpenBlock(nil), 2, &mv), 1)
	s.flush(b)

	then := s.db.View()
	read := &asOf{shelf: s, then: then}
	b.strag = read
	tally := b.Tally()
	b.Counts.Accepted++
	wrong := b.Tally()
	b.Counts.Accepted--
	if read.runs > 0 {
		t.Errorf("%d pieces of runs were read while the owner waited", read.runs)
	}
	b.strag = s
	s.apply(b, ledger.AppendLoad(ledger.OpenBlock(nil), 3, 1), 1)
	blk = ledger.OpenBlock(nil)
	for n := range uint64(count) {
		blk = ledger.AppendFinal(blk, 0, ledger.MakeMsgID(0, n+1), 4, &ledger.Final{End: ledger.EndFailed, Reason: ledger.ReasonOperator, Hold: price})
	}
	s.apply(b, blk, count)
	for range 3 {
		s.apply(b, ledger.OpenBlock(nil), 0)
		s.flush(b)
	}
	if _, err := s.Run(0, 1, 1); err == nil {
		t.Error("the run is still there: nothing is shown")
	}
	for _, err := range append(tally.Check(read), b.Check()...) {
		t.Error(err)
	}
	if read.runs == 0 {
		t.Error("no run was read")
	}
	if errs := wrong.Check(read); len(errs) != 1 {
		t.Errorf("one message too many was accepted, and the check finds %v", errs)
	}
	if err := then.Close(); err != nil {
		t.Error(err)
	}
}
