package dataplane

import (
	"bytes"
	"testing"
	"time"

	"smsplane/dataplane/admin"
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/journal"
	"smsplane/pdu"
	"smsplane/pdu/profile"
)

// admitQuietly admits messages whose client asked for no receipt, each in a block of its own. It runs on the executor.
func (l *lane) admitQuietly(count int) {
	for range count {
		s := pdu.Submit{SrcTON: 5, Src: []byte("shop"), DstTON: 1, DstNPI: 1, Dst: []byte("491510000001"), Text: []byte("quiet")}
		id := ledger.MakeMsgID(l.n, l.book.NextSeq())
		l.begin()
		l.open = ledger.AppendAccept(l.open, 0, id, l.x.now, &ledger.Accept{Account: 1, Parts: 1, Price: 45_000, Number: 491510000001,
			ValidUntil: l.x.now + int64(48*time.Hour), PDU: s.Append(nil, 1)})
		l.recorded(l.x.now)
		at := l.book.NextSeq()
		l.commit(func() bool { return l.book.NextSeq() != at })
	}
}

// commit proposes the open state block and waits until it is folded.
func (l *lane) commit(folded func() bool) {
	for l.cut(l.x.now, true); !folded(); l.x.park() {
		if _, err := l.rep.DoWork(l.x.clock(), l.apply); err != nil {
			panic(err)
		}
	}
}

// depose forgets what was decided ahead of the log, as demote does, of a lane that nobody else leads.
func (l *lane) depose() {
	l.leading = false
	l.x.forget(l)
	l.clear()
}

// sentElsewhere is what another leader records that gives a message to a carrier; the message is in a state then.
func (l *lane) sentElsewhere(id ledger.MsgID, carrier uint16, st book.State, then func(b []byte) []byte) {
	l.begin()
	l.open = then(ledger.AppendDispatch(l.open, 0, 0, id, l.x.now, &ledger.Dispatch{Carrier: carrier, Attempt: 1, Session: 1}))
	l.records++
	l.recorded(l.x.now)
	l.commit(func() bool { return l.book.Live[st] > 0 })
}

// The books of a lane that was deposed are loaded anew in turns of a bounded size, from the block on that the flush before needs, though
// the log begins long before it. They are the lane's when they are whole, and as they were.
func TestBooksAreLoadedAnewInTurns(t *testing.T) {
	n := newTestNode(t)
	x, l := n.x, n.x.lanes[n.x.accounts[1].Lane]
	const old, more = 30, 5
	x.call(func() {
		x.retainAll = true // as for a member that is away
		l.admitQuietly(old)
	})
	if !n.await(func() bool { return l.book.Live[book.StateRouted] == old }) {
		t.Fatal("the messages are not queued")
	}
	r, err := n.source().Deed(t.Context(), admin.Deed{Action: "purge", Client: "acme", Yes: true, Author: "ann", Reason: "why"})
	if err != nil || r.Done != old || !n.await(func() bool { return l.book.InMemory() == 0 }) {
		t.Fatalf("%+v, %v; they are still there", r, err)
	}
	n.queued(t, l.n, 10)
	x.call(func() {
		l.flushNow(x.now)
		flushed := make(chan struct{})
		x.db.Write(journal.NewBatch(), func() { close(flushed) })
		<-flushed
		low, stored := l.lowWater, l.book.Applied()
		if low < l.log.First()+old {
			t.Errorf("the log begins at %d and is needed from %d on: nothing is tested", l.log.First(), low)
		}
		l.admitQuietly(more)
		state, live, applied := l.book.State(), l.book.InMemory(), l.book.Applied()
		l.depose()
		l.unload()
		x.reloadTurn = 1
		turns := uint64(0)
		for ; l.loading && turns < 1000; turns++ {
			if n := l.reload(); n > 1 {
				t.Errorf("%d entries are folded in a turn that has room for one", n)
			}
			if l.anew.next <= stored && l.book.InMemory() > 0 {
				t.Error("half of a book is the lane's")
			}
		}
		if want := applied - low + 1; l.anew.entries != want || turns != want {
			t.Errorf("%d entries are folded anew in %d turns; %d to %d are needed", l.anew.entries, turns, low, applied)
		}
		if !bytes.Equal(l.book.State(), state) || l.book.InMemory() != live || live != 10+more {
			t.Errorf("%d messages live, %d did before; the same state: %v", l.book.InMemory(), live, bytes.Equal(l.book.State(), state))
		}
		l.lead(x.now)
	})
}

// What was in doubt in a lane when it was deposed is found by its number afterwards, too, at the host that keeps the links: a receipt
// with an id that nobody knows can be about it alone.
func TestDoubtsOfADeposedLaneAreFound(t *testing.T) {
	n := newTestNode(t)
	x, l := n.x, n.x.lanes[n.x.accounts[1].Lane]
	id := n.queued(t, l.n, 1)[0]
	x.call(func() {
		m := l.book.Get(id)
		carrier, number := m.Present().Carrier, m.Number
		l.depose()
		l.sentElsewhere(id, carrier, book.StateDoubt, func(b []byte) []byte { return ledger.AppendDoubt(b, 0, id, x.now, ledger.PolicyHold, 0) })
		x.guests = &guests{of: map[uint64]*guest{}, lanes: make([]*guest, len(x.lanes))}
		l.unload()
		for l.loading {
			l.reload()
		}
		if got := x.doubtful(party{carrier, number}); len(got) != 1 || got[0] != id {
			t.Errorf("%v is in doubt at the carrier for its number, found are %v", id, got)
		}
		x.guests = nil
		l.lead(x.now)
	})
}

// A receipt that the owner of the links hears while the books of its message's lane are loaded anew finds it afterwards, whether its answer
// was folded before or is in what is loaded: its carrier will not tell it again.
func TestReceiptWaitsForTheBooks(t *testing.T) {
	n := newTestNode(t)
	x, l := n.x, n.x.lanes[n.x.accounts[1].Lane]
	id := n.queued(t, l.n, 1)[0]
	x.call(func() {
		carrier := l.book.Get(id).Present().Carrier
		l.depose()
		l.sentElsewhere(id, carrier, book.StateTaken, func(b []byte) []byte {
			return ledger.AppendAnswer(b, 0, id, x.now, &ledger.Answer{Outcome: ledger.Taken, CarrierID: []byte("c-7")})
		})
		g := &guest{handed: map[uint32]*handed{}}
		x.guests = &guests{of: map[uint64]*guest{}, lanes: make([]*guest, len(x.lanes))}
		x.guests.lanes[l.n] = g
		l.unload()
		k := &link{ids: profile.NewLearner(profile.IDs{})}
		r := pdu.Receipt{ID: []byte("c-7"), State: pdu.StateDelivered, Err: []byte("000"), SubmitDate: x.now, DoneDate: x.now, Sub: 1, Dlvrd: 1}
		s := pdu.Submit{Command: pdu.DeliverSM, Src: []byte("491510000001"), SrcTON: 1, SrcNPI: 1, Dst: []byte("shop"), ESMClass: pdu.ESMReceipt, Text: pdu.AppendReceiptText(nil, &r)}
		if x.view.Parse(s.Append(nil, 1)) != pdu.ROK || !k.decl.Profile.ParseReceipt(&x.view, &x.receipt) {
			t.Fatal("the receipt is none")
		}
		x.seek.link = k
		if _, m, _ := x.correlate(carrier, x.receipt.ID); m != nil {
			t.Error("it is found in books that are not here")
		}
		x.orphaned(carrier, x.view.PDU(), nil, x.now)
		x.tryStrays(x.now + int64(patience))
		for l.loading {
			l.reload()
		}
		x.tryStrays(x.now)
		if len(g.handed) != 1 || g.handed[1].id != id {
			t.Errorf("%d receipts are handed to who leads the lane", len(g.handed))
		}
		x.guests = nil
		l.lead(x.now)
	})
}
