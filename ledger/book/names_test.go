package book

import (
	"log/slog"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"smsplane/ledger"
	"smsplane/ledger/journal"
	"smsplane/pdu"
)

// A book that is loaded knows messages by the same names of carriers as the one that folded them: of two with one name the one
// that was answered later, none that has ended, and a straggler by the name that it left the log with.
func TestNamesComeBack(t *testing.T) {
	db, err := journal.Open(journal.Options{FS: vfs.NewMem(), Dir: "x", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s := &shelf{t: t, db: db, blocks: map[uint64][]byte{}}
	b := s.book()
	id := func(n uint64) ledger.MsgID { return ledger.MakeMsgID(0, n) }
	apply := func(record func(v []byte, n uint64) []byte, of ...uint64) {
		t.Helper()
		v := ledger.OpenBlock(nil)
		for _, n := range of {
			v = record(v, n)
		}
		i := b.Applied() + 1
		s.blocks[i] = ledger.SealBlock(v, 0, len(of), int64(i))
		if err := b.Apply(i, s.blocks[i]); err != nil {
			t.Fatal(err)
		}
	}
	p := pdu.Submit{Src: []byte("shop"), Dst: []byte("4915112345678"), Text: []byte("text")}
	text := p.Append(nil, 1)
	accept := func(v []byte, n uint64) []byte {
		return ledger.AppendAccept(v, 0, id(n), 1, &ledger.Accept{Account: 1, Parts: 1, Price: 5, PDU: text})
	}
	send := func(v []byte, n uint64) []byte {
		return ledger.AppendDispatch(v, 0, 0, id(n), 1, &ledger.Dispatch{Carrier: 3, Attempt: 1})
	}
	taken := func(name string, at int64) func(v []byte, n uint64) []byte {
		return func(v []byte, n uint64) []byte {
			return ledger.AppendAnswer(v, 0, id(n), at, &ledger.Answer{Outcome: ledger.Taken, CarrierID: []byte(name)})
		}
	}
	apply(accept, 1)
	if n, err := b.Move(10); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	apply(accept, 2, 3, 4, 5)
	apply(func(v []byte, n uint64) []byte {
		return ledger.AppendRoute(v, 0, id(n), 1, &ledger.Route{N: 1, Targets: [ledger.MaxTargets]ledger.PlanTarget{{Carrier: 3}}})
	}, 1, 2, 3, 4, 5)
	apply(send, 1, 2, 3, 4, 5)
	apply(taken("straggler", 10), 1)
	apply(taken("twice", 10), 3)
	apply(taken("twice", 20), 2)
	apply(taken("other", 20), 4)
	apply(taken("ended", 20), 5)
	apply(func(v []byte, n uint64) []byte {
		return ledger.AppendFinal(v, 0, id(n), 30, &ledger.Final{End: ledger.EndUnknown, Reason: ledger.ReasonReceiptWait, Hold: 5})
	}, 5)
	s.flush(b)
	for when, b := range map[string]*Book{"folded": b, "loaded": s.reload(b.Applied())} {
		for name, want := range map[string]uint64{"straggler": 1, "twice": 2, "other": 4, "ended": 0, "never": 0} {
			switch m := b.ByName(NameOf(3, []byte(name))); {
			case want == 0 && m != nil, want != 0 && (m == nil || m.ID != id(want)):
				t.Errorf("%s: %q is %+v, want message %d", when, name, m, want)
			}
		}
		if m := b.ByName(NameOf(4, []byte("other"))); m != nil {
			t.Errorf("%s: another carrier's name is %v", when, m.ID)
		}
	}
}

// The table of names has what a map has, whatever is put in and taken out; many tags share their places.
func TestNamesAgainstAMap(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var n names
	type entry struct{ tag, slot uint32 }
	want := map[entry]bool{}
	for step := range 200_000 {
		e := entry{tag: uint32(r.IntN(300)), slot: 1 + uint32(r.IntN(20))}
		if r.IntN(4) == 0 {
			e.tag |= 1 << 31 // the same place, another tag
		}
		found := n.find(e.tag, func(slot uint32) bool { return slot == e.slot }) >= 0
		if found != want[e] {
			t.Fatalf("step %d: %+v is there: %v, want %v", step, e, found, want[e])
		}
		if grows := step/50_000%2 == 0; found && (!grows || r.IntN(3) == 0) {
			n.drop(e.tag, e.slot)
			delete(want, e)
		} else if !found && (grows || r.IntN(3) == 0) {
			n.put(e.tag, e.slot)
			want[e] = true
		} else {
			n.drop(e.tag, 99)
		}
		if n.n != len(want) {
			t.Fatalf("step %d: %d, want %d", step, n.n, len(want))
		}
	}
	for e := range want {
		if n.find(e.tag, func(slot uint32) bool { return slot == e.slot }) < 0 {
			t.Errorf("%+v is lost", e)
		}
	}
}
