package dataplane

import (
	"slices"
	"testing"

	"smsplane/dataplane/admin"
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
)

// onDisk lets the messages 3 to 12 of the lane's only queue leave memory for a run.
func onDisk(t *testing.T, n *Node, lane uint16, ids []ledger.MsgID) (q *queue) {
	t.Helper()
	n.x.call(func() { q = n.x.lanes[lane].toRun(ids[3:13]) })
	if !n.await(func() bool { return n.x.lanes[lane].book.Spilled() == 10 }) {
		t.Fatal("nothing is on disk")
	}
	return q
}

// A client cancels and replaces what waits on disk as what waits in memory; the others keep their place.
func TestClientsChangeMessagesOnDisk(t *testing.T) {
	n := newTestNode(t)
	lane := n.x.accounts[1].Lane
	ids := n.admit(t, lane, 20)
	l := n.x.lanes[lane]
	if !n.await(func() bool { return l.book.Live[book.StateRouted] == 20 }) {
		t.Fatal("the messages are not queued")
	}
	q := onDisk(t, n, lane, ids)
	ask := func(c pdu.Command, account uint32, id ledger.MsgID, src, text string) {
		p := pdu.New(c, pdu.ROK, 1)
		p.Set("message_id", []byte(id.String())).Set("source_addr", []byte(src))
		if text != "" {
			p.Set("short_message", []byte(text))
		}
		o := &order{account: account, p: p}
		if c == pdu.CancelSM {
			l.cancel(o, n.x.now)
		} else {
			l.replace(o, n.x.now)
		}
	}
	n.x.call(func() {
		ask(pdu.CancelSM, 1, ids[4], "thief", "")
		ask(pdu.CancelSM, 2, ids[4], "shop", "")
		if len(l.rework) != 0 {
			t.Error("a run is loaded for somebody whose message it is not")
		}
		ask(pdu.CancelSM, 1, ids[5], "shop", "")
		ask(pdu.ReplaceSM, 1, ids[7], "shop", "another text")
		ask(pdu.ReplaceSM, 1, ids[8], "shop", "") // refused: no text
		if len(l.rework) != 1 {
			t.Errorf("%d runs are loaded", len(l.rework))
		}
	})
	if !n.await(func() bool {
		return l.book.Counts.Ends[ledger.EndFailed] == 1 && l.book.Spilled() == 8 && len(l.rework) == 0 && l.book.Live[book.StateRouted] == 19
	}) {
		t.Fatalf("%+v, %d on disk", l.book.Counts, l.book.Spilled())
	}
	n.x.call(func() {
		if m := l.book.Get(ids[5]); m == nil || m.Reason != ledger.ReasonCancelled {
			t.Errorf("cancelled: %+v", m)
		}
		m := l.book.Get(ids[7])
		if m == nil {
			t.Fatal("what was replaced is gone")
		}
		var v pdu.Message
		if p, err := l.book.PDU(m); err != nil || v.Parse(p) != pdu.ROK || string(v.ShortMessage()) != "another text" {
			t.Errorf("replaced: %q, %v", v.ShortMessage(), err)
		}
		var left []ledger.MsgID
		if err := l.book.EachOfRun(q.runs[0], func(m *book.Msg, _ []byte) error { left = append(left, m.ID); return nil }); err != nil {
			t.Error(err)
		}
		if want := slices.Concat(ids[3:5], ids[6:7], ids[8:13]); !slices.Equal(left, want) {
			t.Errorf("on disk are %v, want %v", left, want)
		}
		if q.spilled != 8 || q.Len() != 19 {
			t.Errorf("the queue counts %d on disk, %d in all", q.spilled, q.Len())
		}
		if got := n.x.accounts[1].Waiting.Load(); got != -1 { // admit counts none in
			t.Errorf("%d more of the client's wait", got)
		}
	})
	check(t, n)
	r, err := n.source().Deed(t.Context(), admin.Deed{Action: "purge", Client: "acme", Yes: true, Author: "t", Reason: "t"})
	if err != nil || r.Done != 19 || !n.await(func() bool { return l.book.Counts.Ends[ledger.EndFailed] == 20 && l.book.Spilled() == 0 }) {
		t.Errorf("an operator's purge: %+v, %v; %+v", r, err, l.book.Counts)
	}
	check(t, n)
}
