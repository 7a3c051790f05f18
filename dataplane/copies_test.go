package dataplane

import (
	"testing"

	"smsplane/ledger/book"
)

// Between the read buffer and a link's output the bytes of a message lie in the block that made it durable and nowhere else: what a
// loop is told to send is that block. So there are two copies of ours, into the block and out of it.
func TestNoCopyBetweenBlockAndLink(t *testing.T) {
	n := newTestNode(t)
	lane := n.x.accounts[1].Lane
	l := n.x.lanes[lane]
	id := n.admit(t, lane, 1)[0]
	if !n.await(func() bool { return l.book.Get(id).Phase == phaseQueued }) {
		t.Fatal("the message is not queued")
	}
	held, gate := make(chan struct{}), make(chan struct{})
	n.engine.Post(0, func() { close(held); <-gate }) // so that the ring keeps what it is given
	<-held
	defer close(gate)
	n.x.call(func() {
		c := n.x.carrier(l.book.Get(id).Present().Carrier)
		decl := n.x.table.CarrierOf(c.n)
		s := newLinkSession(newKeptLink(decl, c.n, 0, nil).link, 9999, 0, c)
		n.x.links[s.id] = s
		n.x.raise(s, n.x.now)
	})
	down := n.loops[0].down
	if !n.await(func() bool { return down.Len() > 0 }) {
		t.Fatal("nothing is sent")
	}
	var sent []byte
	for _, e := range down.Peek(down.Len()) {
		if e.kind == evSend && e.id == id {
			sent = e.data
		}
	}
	n.x.call(func() {
		m := l.book.Get(id)
		block, ok := l.log.InMemory(m.Block)
		if m.State != book.StateDispatched || !ok || len(sent) != int(m.Len) || &sent[0] != &block[m.Off] {
			t.Errorf("%d octets sent, message %v of %d in a block of %d: not the same memory", len(sent), m.State, m.Len, len(block))
		}
		n.x.linkDown(9999, n.x.now)
	})
}
