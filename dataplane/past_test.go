package dataplane

import (
	"context"
	"fmt"
	"testing"

	"smsplane/dataplane/admin"
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
)

// accept journals messages of a client to numbers that no route leads to: they end at once, all of them in one pack of
// the archive.
func (n *Node) accept(t *testing.T, account uint32, from, count int) {
	t.Helper()
	n.x.call(func() { n.journal(account, from, count) })
	until(t.Context(), func() bool {
		ended := uint64(0)
		n.x.call(func() {
			for _, l := range n.x.lanes {
				ended += l.book.Counts.Ends[ledger.EndFailed]
			}
		})
		return ended == uint64(from+count-1)
	})
}

// journal is accept without the wait; on the executor.
func (n *Node) journal(account uint32, from, count int) {
	l := n.x.lanes[n.x.accounts[account].Lane]
	for i := from; i < from+count; i++ {
		s := pdu.Submit{Command: pdu.SubmitSM, Src: []byte("447700900001"), Dst: fmt.Appendf(nil, "4412345%05d", i), Text: []byte("x")}
		l.begin()
		l.open = ledger.AppendAccept(l.open, 0, ledger.MakeMsgID(l.n, uint64(i)), n.x.now, &ledger.Accept{Account: account, Parts: 1,
			Number: 4412345_00000 + uint64(i), ValidUntil: n.x.now + 1e12, PDU: s.Append(nil, 1)})
		l.recorded(n.x.now)
	}
}

// find returns what a query returns; a limit bounds the answer, not the search.
func (n *Node) find(t *testing.T, q admin.FindQuery) []admin.Found {
	t.Helper()
	found, err := n.source().Find(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestFindAmongManyOfOnePack(t *testing.T) {
	n := newTestNode(t)
	n.accept(t, 1, 1, 700)
	for _, i := range []int{1, 350, 700} {
		to := fmt.Sprintf("4412345%05d", i)
		if got := n.find(t, admin.FindQuery{To: to}); len(got) != 1 || got[0].To != to {
			t.Errorf("find --to %s: %d hits of 1", to, len(got))
		}
	}
	if got := n.find(t, admin.FindQuery{To: "44123450070*"}); len(got) != 1 {
		t.Errorf("find --to 44123450070*: %d hits of 1", len(got))
	}
	if got := n.find(t, admin.FindQuery{Client: "acme", Limit: 10}); len(got) != 10 {
		t.Errorf("find --client acme --limit 10: %d hits", len(got))
	}
	if _, err := n.source().Find(context.Background(), admin.FindQuery{Client: "nobody"}); err == nil {
		t.Error("find --client of nobody is no mistake")
	}
}

// find looks at what waits, too, however many slots the table has.
func TestFindAmongLive(t *testing.T) {
	n := newTestNode(t)
	n.x.call(func() { n.x.routers.paused = true })
	const count = 2*liveSlots + 100
	n.x.call(func() { n.journal(1, 1, count) })
	lane := n.x.accounts[1].Lane
	until(t.Context(), func() (all bool) {
		n.x.call(func() { all = n.x.lanes[lane].book.Live[book.StateAccepted] == count })
		return all
	})
	for _, i := range []int{1, liveSlots, liveSlots + 1, count} {
		to := fmt.Sprintf("4412345%05d", i)
		if got := n.find(t, admin.FindQuery{To: to}); len(got) != 1 || got[0].To != to {
			t.Errorf("find --to %s: %d hits of 1", to, len(got))
		}
	}
	if got := n.find(t, admin.FindQuery{From: "447700900001", Limit: 500}); len(got) != 500 {
		t.Errorf("%d hits of a limit of 500", len(got))
	}
	n.x.call(func() { n.journal(1, count+1, 20) })
	if !n.await(func() bool { return n.x.lanes[lane].book.Live[book.StateAccepted] == count+20 }) {
		t.Fatal("they are not accepted")
	}
	got := n.find(t, admin.FindQuery{From: "447700900001", Limit: 20})
	for _, f := range got {
		if f.To <= fmt.Sprintf("4412345%05d", count) {
			t.Errorf("%s is among the newest 20", f.To)
		}
	}
	if len(got) != 20 {
		t.Errorf("%d hits of a limit of 20", len(got))
	}
}
