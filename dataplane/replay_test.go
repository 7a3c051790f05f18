package dataplane

import (
	"strings"
	"testing"
	"time"

	"smsplane/dataplane/admin"
	"smsplane/ledger/book"
	"smsplane/pdu"
)

// Receipts that are given to a client again wait in memory. Where that has no room for more nothing is added, and the operator is
// told from when on to go on later.
func TestReplayStopsWhereMemoryIsFull(t *testing.T) {
	n := newTestNode(t)
	n.endUpkeep()
	lane := n.x.accounts[1].Lane
	ids := n.queued(t, lane, 10)
	if r, err := n.source().Deed(t.Context(), admin.Deed{Action: "purge", Client: "acme", Yes: true, Author: "t", Reason: "t"}); err != nil || r.Done != 10 {
		t.Fatalf("purge: %+v, %v", r, err)
	}
	if !n.await(func() bool { return n.x.lanes[lane].book.Parked == 10 }) {
		t.Fatal("no receipts are parked")
	}
	n.x.call(func() {
		l := n.x.lanes[lane]
		for _, id := range ids {
			m := l.book.Get(id)
			l.unlist(m)
			l.release(m, 1, pdu.ROK, n.x.now)
		}
	})
	if !n.await(func() bool { return n.x.lanes[lane].book.Known() == 0 }) {
		t.Fatal("the client did not take them")
	}
	q := admin.Replay{Client: "acme", Since: time.Unix(0, n.clock()).Add(-time.Hour), Yes: true, Author: "t", Reason: "t"}
	n.x.call(func() { n.x.maxHot = -1 })
	r, err := n.source().Replay(t.Context(), q)
	if err == nil || !strings.Contains(err.Error(), "--since 2") || r.Done != 0 {
		t.Errorf("without room: %+v, %v", r, err)
	}
	n.x.call(func() { n.x.maxHot = 100 })
	if r, err = n.source().Replay(t.Context(), q); err != nil || r.Done != 10 {
		t.Errorf("with room: %+v, %v", r, err)
	}
	if !n.await(func() bool {
		return n.x.lanes[lane].book.Parked == 10 && n.x.lanes[lane].book.Live == [book.States]int{}
	}) {
		t.Error("they do not wait for the client again")
	}
}
