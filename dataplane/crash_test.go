package dataplane

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"smsplane/dataplane/admin"
	"smsplane/ledger"
	"smsplane/ledger/book"
)

// A message over which the process dies twice is held by a record at the third start, and everything else
// goes on; an operator may purge it.
func TestCrashingMessageIsQuarantined(t *testing.T) {
	file := testNodeFile(t)
	n, stop := startTestNode(t, file)
	lane := n.x.accounts[1].Lane
	n.x.call(func() { n.x.routers.paused = true; n.x.rememberPauses() })
	bad := n.admit(t, lane, 1)[0]
	stop()
	notes := filepath.Join(n.cfg.Data, crashFile)
	for i := range 2 {
		n, stop = startTestNode(t, file)
		died := make(chan any, 1)
		n.x.call(func() {
			n.x.die = func(p any) { died <- p }
			n.x.rand = nil
			n.x.routers.paused = false
		})
		<-died
		stop()
		all, err := crashNotes(notes)
		if err != nil || len(all) != i+1 || all[i].ID != bad || all[i].Layer != inRouter || all[i].Text == "" {
			t.Fatalf("after crash %d: %+v, %v", i+1, all, err)
		}
	}
	for range 2 { // the record holds it at every start from here on
		n, stop = startTestNode(t, file)
		n.x.call(func() { n.x.routers.paused = false })
		good := n.admit(t, lane, 1)[0]
		if !n.await(func() bool {
			l := n.x.lanes[lane]
			b, g := l.book.Get(bad), l.book.Get(good)
			return b.Held && b.Phase == phaseOperator && b.State == book.StateAccepted && g.State == book.StateRouted
		}) {
			t.Fatal("the message is not held, or the others do not go on")
		}
		if !n.await(func() bool { _, err := os.Stat(notes); return os.IsNotExist(err) }) {
			t.Error("the notes stay behind the record")
		}
		check(t, n)
		stop()
	}
	n, stop = startTestNode(t, file)
	defer stop()
	lines, err := n.source().Dump(t.Context(), admin.DumpQuery{ID: bad.String(), Limit: 100})
	if err != nil || !slices.ContainsFunc(lines, func(l admin.DumpLine) bool {
		return l.Kind == "OPERATOR" && l.Detail == "quarantine of 1 message(s) by smsplane: crashed twice in layer router"
	}) {
		t.Errorf("%+v, %v", lines, err)
	}
	if r, err := n.source().Deed(t.Context(), admin.Deed{Action: "purge", Prefix: "491510000000", Client: "acme", Yes: true, Reason: "poison", Author: "t"}); err != nil || r.Done < 1 {
		t.Errorf("purge: %+v, %v", r, err)
	}
	if !n.await(func() bool { return n.x.lanes[lane].book.Get(bad).State == book.StateEnded }) {
		t.Error("the quarantined message cannot be purged")
	}
}

// Records whose folding kills the process are skipped after the second time, up to where the next leader begins; the sequence of the message is not given out again.
func TestCrashingRecordIsSkipped(t *testing.T) {
	file := testNodeFile(t)
	n, stop := startTestNode(t, file)
	lane := n.x.accounts[1].Lane
	ids := n.admit(t, lane, 3)
	var accepted uint64
	n.x.call(func() { accepted = n.x.lanes[lane].book.Get(ids[2]).Block })
	stop()
	notes := filepath.Join(n.cfg.Data, crashFile)
	for range 2 {
		if err := noteCrash(notes, crashNote{Layer: inFold, ID: ids[2], Text: "test", Index: accepted}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		n, stop = startTestNode(t, file)
		if !n.await(func() bool {
			l := n.x.lanes[lane]
			return l.book.Get(ids[2]) == nil && l.book.Get(ids[1]) != nil && l.book.NextSeq() == ids[2].Seq()+1
		}) {
			t.Error("the records were not skipped, or more than those")
		}
		stop()
	}
	n, stop = startTestNode(t, file)
	defer stop()
	more := n.admit(t, lane, 2)
	if more[0] <= ids[2] || slices.Contains(ids, more[0]) {
		t.Errorf("id %v was given out twice", more[0])
	}
}

// A message that was accepted before a record about it killed the process is not taken away with the record.
func TestAcceptedMessageOutlivesItsRecord(t *testing.T) {
	file := testNodeFile(t)
	n, stop := startTestNode(t, file)
	lane := n.x.accounts[1].Lane
	ids := n.admit(t, lane, 3)
	var routed uint64
	n.await(func() bool {
		routed = n.x.lanes[lane].log.Last()
		return n.x.lanes[lane].book.Get(ids[2]).State == book.StateRouted
	})
	stop()
	for range 2 {
		if err := noteCrash(filepath.Join(n.cfg.Data, crashFile), crashNote{Layer: inFold, ID: ids[2], Text: "test", Index: routed}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		n, stop = startTestNode(t, file)
		if !n.await(func() bool {
			m := n.x.lanes[lane].book.Get(ids[2])
			return m != nil && m.Held && m.State == book.StateAccepted
		}) {
			t.Errorf("the message is gone, or not held: %+v", n.x.lanes[lane].book.Get(ids[2]))
		}
		check(t, n)
		stop()
	}
}

// A panic of the fold is noted with the message whose record it was.
func TestFoldNamesItsMessage(t *testing.T) {
	n, stop := startTestNode(t, testNodeFile(t))
	lane := n.x.accounts[1].Lane
	n.x.call(func() {
		l := n.x.lanes[lane]
		on := l.book.On
		l.book.On = func(r *ledger.Record, m *book.Msg) error {
			if r.Kind == ledger.KindAccept && r.ID.Seq()%2 == 0 {
				panic("fold")
			}
			return on(r, m)
		}
		l.begin()
	})
	note := n.diesOf(t, stop, func() {
		l := n.x.lanes[lane]
		for seq := uint64(1); seq <= 2; seq++ {
			l.open = ledger.AppendAccept(l.open, 0, ledger.MakeMsgID(lane, seq), n.x.now, &ledger.Accept{Account: 1, PDU: []byte("no PDU at all")})
			l.recorded(n.x.now)
		}
	})
	if note.Layer != inFold || note.ID != ledger.MakeMsgID(lane, 2) || note.Index == 0 {
		t.Errorf("%+v", note)
	}
}

// diesOf ends the process by what f has the executor do, and reads the one note that is left about that.
func (n *Node) diesOf(t *testing.T, stop func(), f func()) crashNote {
	t.Helper()
	died := make(chan any, 1)
	n.x.call(func() { n.x.die = func(p any) { died <- p } })
	n.x.post(f)
	<-died
	stop()
	all, err := crashNotes(filepath.Join(n.cfg.Data, crashFile))
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	return all[0]
}

// What a leader does about a record that is folded is no fault of the fold: other hosts have folded it, so it is not skipped.
func TestFollowingIsNotFolding(t *testing.T) {
	n, stop := startTestNode(t, testNodeFile(t))
	lane := n.x.accounts[1].Lane
	ids := n.queued(t, lane, 2)
	note := n.diesOf(t, stop, func() {
		l := n.x.lanes[lane]
		m := l.book.Get(ids[1])
		l.unlist(m)
		m.Transact = true // its answer goes to a loop
		l.final(m, ledger.Final{End: ledger.EndFailed, Reason: ledger.ReasonOperator}, n.x.now)
		l.loop = 1 << 20 // that is not there
	})
	if note.Layer != inFollow || note.ID != ids[1] || note.Index != 0 {
		t.Errorf("%+v", note)
	}
}

// So is one while messages are looked through for those whose time is over.
func TestSweepNamesItsMessage(t *testing.T) {
	n, stop := startTestNode(t, testNodeFile(t))
	lane := n.x.accounts[1].Lane
	ids := n.queued(t, lane, 3)
	note := n.diesOf(t, stop, func() {
		l := n.x.lanes[lane]
		m := l.book.Get(ids[1])
		m.ValidUntil = 1
		n.x.table = nil // by which it is settled who pays
		for range 2 {
			l.sweep(n.x.now)
		}
	})
	if note.Layer != inSweep || note.ID != ids[1] {
		t.Errorf("%+v", note)
	}
}
