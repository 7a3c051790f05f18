package dataplane

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"smsplane/dataplane/admin"
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
)

const secret = "the text that must be gone"

// admit journals messages with the secret in their text, over the executor, as a loop would.
func (n *Node) admit(t *testing.T, lane uint16, count int) (ids []ledger.MsgID) {
	t.Helper()
	n.x.call(func() {
		l := n.x.lanes[lane]
		l.begin()
		for i := range count {
			id := ledger.MakeMsgID(lane, l.book.NextSeq()+uint64(i))
			s := pdu.Submit{SrcTON: 5, Src: []byte("shop"), DstTON: 1, DstNPI: 1, Dst: fmt.Appendf(nil, "49151%07d", i), Registered: 1, Text: []byte(secret)}
			l.open = ledger.AppendAccept(l.open, 0, id, n.x.now, &ledger.Accept{Account: 1, Parts: 1, Price: 45_000, Number: 49151_0000000 + uint64(i),
				Registered: 1, ValidUntil: n.x.now + int64(48*time.Hour), PDU: s.Append(nil, 1)})
			l.recorded(n.x.now)
			ids = append(ids, id)
		}
	})
	// The message itself may have left memory by then.
	if !n.await(func() bool { return n.x.lanes[lane].book.NextSeq() > ids[count-1].Seq() }) {
		t.Fatalf("%d messages are not in the books", count)
	}
	return ids
}

// await waits until the executor says so.
func (n *Node) await(done func() bool) bool {
	limit, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	ok := false
	until(limit, func() bool { n.x.call(func() { ok = done() }); return ok })
	return ok
}

// holds says whether some file of the store has the text.
func (n *Node) holds(t *testing.T, text string) (files []string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(n.cfg.Data, "store", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if b, err := os.ReadFile(f); err == nil && bytes.Contains(b, []byte(text)) {
			files = append(files, filepath.Base(f))
		}
	}
	return files
}

// Texts leave the store in the time they may stay: the blocks of ended messages, those of messages that still
// live beside them, and those of receipts that wait for their client. The receipts stay, and so do the messages.
func TestBodiesLeave(t *testing.T) {
	file := testNodeFile(t)
	n, stop := startTestNode(t, file)
	n.endUpkeep()
	lane := n.x.accounts[1].Lane
	ids := n.queued(t, lane, 60)
	r, err := n.source().Deed(t.Context(), admin.Deed{Action: "purge", Prefix: "491510000", Yes: true, Author: "t", Reason: "t"})
	if err != nil || r.Done != 60 {
		t.Fatalf("purge: %+v, %v", r, err)
	}
	if !n.await(func() bool { return n.x.lanes[lane].book.Parked == 60 }) {
		t.Fatal("the receipts are not parked")
	}
	if len(n.holds(t, secret)) == 0 {
		t.Fatal("the store never had the text: nothing is tested")
	}
	later := n.clock() + int64(n.cfg.Retention.Bodies)*2/3
	n.x.call(func() { n.x.lanes[lane].sweep(later) })
	if err := n.retain(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	var in []string
	if !n.await(func() bool { // files of tables that were written anew go moments later
		in = slices.DeleteFunc(n.holds(t, secret), func(f string) bool { return strings.HasSuffix(f, ".log") })
		return len(in) == 0
	}) {
		t.Errorf("tables %v still hold the text", in)
	}
	stop()
	n, stop = startTestNode(t, file)
	defer stop()
	if !n.await(func() bool { in = n.holds(t, secret); return len(in) == 0 }) {
		t.Errorf("%v still hold the text", in)
	}
	n.x.call(func() {
		l := n.x.lanes[lane]
		if l.book.Parked != 60 {
			t.Errorf("%d receipts are parked", l.book.Parked)
		}
		var v pdu.Message
		for _, id := range ids {
			m := l.book.Get(id)
			if m == nil || m.State != book.StateEnded || !m.Stripped {
				t.Fatalf("%v: %+v", id, m)
			}
			if p, err := l.book.PDU(m); err != nil || v.Parse(p) != pdu.ROK || string(v.SrcAddr()) != "shop" || len(v.UserData()) > 0 {
				t.Fatalf("%v: %v, %q from %q", id, err, v.UserData(), v.SrcAddr())
			}
		}
	})
	check(t, n)
}

// A live message keeps its text when its block grows old; the block goes without it.
func TestLiveMessagesOutliveTheirBlocks(t *testing.T) {
	n := newTestNode(t)
	n.endUpkeep()
	lane := n.x.accounts[1].Lane
	ids := n.queued(t, lane, 40)
	if err := n.retain(t.Context(), n.clock()+int64(n.cfg.Retention.Bodies)*2/3); err != nil {
		t.Fatal(err)
	}
	n.x.call(func() {
		l := n.x.lanes[lane]
		if low := l.book.LowWater(); low <= 3 {
			t.Errorf("the log is still needed from index %d on", low)
		}
		for _, id := range ids {
			if p, err := l.book.PDU(l.book.Get(id)); err != nil || !bytes.Contains(p, []byte(secret)) {
				t.Fatalf("%v lost its text: %v", id, err)
			}
		}
	})
	check(t, n)
}

// What came back from a run stays known as its messages while a deed is being done: it would not find them otherwise.
func TestNothingAgesDuringADeed(t *testing.T) {
	n := newTestNode(t)
	n.endUpkeep()
	l, q, ids := n.inTwoRuns(t)
	n.x.call(func() { l.parts(q); l.deeds, q.loading = 1, 0 })
	if !n.await(func() bool { return l.book.Spilled() == 0 && l.rep.InFlight() == 0 }) {
		t.Fatal("the runs do not come back from disk")
	}
	n.x.call(func() {
		inRun := func() bool { return l.book.Get(ids[0]).Run() > 0 }
		age := func() {
			more, err := true, error(nil)
			for more && err == nil {
				more, err = l.age(n.x.now + int64(n.cfg.Retention.Bodies))
			}
			if err != nil {
				t.Error(err)
			}
		}
		if age(); !inRun() {
			t.Error("a deed does not find the messages of its run")
		}
		l.deeds = 0
		if age(); inRun() {
			t.Error("nothing is moved")
		}
	})
	check(t, n)
}

// journal: {retain: all} keeps the log: it folds from empty to what is stored, and a change to the state is
// found.
func TestRefold(t *testing.T) {
	file := testNodeFile(t)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(b, "journal: {retain: all}\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	n, stop := startTestNode(t, file)
	n.endUpkeep()
	lane := n.x.accounts[1].Lane
	n.admit(t, lane, 30)
	if _, err := n.source().Deed(t.Context(), admin.Deed{Action: "purge", Client: "acme", Yes: true, Author: "t", Reason: "t"}); err != nil {
		t.Fatal(err)
	}
	if err := n.retain(t.Context(), n.clock()+int64(100*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r, err := n.source().Refold(t.Context())
		if err != nil || !r.OK {
			t.Fatalf("refold: %v\n%s", err, strings.Join(r.Lines, "\n"))
		}
		if first := n.x.lanes[lane].log.First(); first != 1 {
			t.Errorf("the log begins at %d", first)
		}
		check(t, n)
		stop()
		n, stop = startTestNode(t, file)
	}
	n.x.call(func() { n.x.lanes[lane].book.Counts.Resent++ })
	n.admit(t, lane, 1)
	if r, err := n.source().Refold(t.Context()); err != nil || r.OK {
		t.Errorf("refold of a falsified state: %v\n%s", err, strings.Join(r.Lines, "\n"))
	}
	stop()
}

// Orphans are forgotten when their time is over, in memory and in the store.
func TestOrphansAreDropped(t *testing.T) {
	n := newTestNode(t)
	n.endUpkeep()
	text := pdu.AppendReceiptText(nil, &pdu.Receipt{ID: []byte("nobody"), State: pdu.StateDelivered})
	s := pdu.Submit{Command: pdu.DeliverSM, Src: []byte("491511234567"), Dst: []byte("shop"), ESMClass: pdu.ESMReceipt, Text: text}
	n.x.call(func() {
		p := s.Append(nil, 1)
		n.x.view.Parse(p)
		pdu.ParseReceipt(&n.x.view, &n.x.receipt)
		n.x.orphaned(1, p, nil, n.x.now)
	})
	count := func() (k int) { n.x.call(func() { k = len(n.x.lanes[0].book.System.Orphans) }); return k }
	if !n.await(func() bool { return len(n.x.lanes[0].book.System.Orphans) == 1 }) {
		t.Fatal("no orphan")
	}
	keep := int64(n.cfg.Retention.Orphans)
	if err := n.retain(t.Context(), n.clock()+keep-int64(time.Hour)); err != nil || count() != 1 {
		t.Fatalf("%d orphans an hour before their time, %v", count(), err)
	}
	if err := n.retain(t.Context(), n.clock()+keep+int64(time.Hour)); err != nil || count() != 0 {
		t.Fatalf("%d orphans after their time, %v", count(), err)
	}
	if err := n.source().flushed(t.Context()); err != nil {
		t.Fatal(err)
	}
	sizes, err := n.db.Sizes()
	for _, v := range sizes {
		if v.Kind.String() == "orphans" {
			t.Errorf("the store keeps %d", v.Keys)
		}
	}
	if err != nil || len(n.x.early.byID) != 0 {
		t.Errorf("%v, %d remembered", err, len(n.x.early.byID))
	}
}

func check(t *testing.T, n *Node) {
	t.Helper()
	r, err := n.source().Check(t.Context())
	if err != nil || !r.OK {
		t.Fatalf("check: %v\n%s", err, strings.Join(r.Lines, "\n"))
	}
}
