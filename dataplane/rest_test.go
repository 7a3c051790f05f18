package dataplane

import (
	"testing"
	"time"
)

// turns counts the executor's turns within a moment.
func (n *Node) turns() int {
	count, before, after := 0, 0, 0
	n.x.call(func() {
		clock := n.x.clock
		n.x.clock = func() int64 { count++; return clock() }
	})
	n.x.call(func() { before = count })
	<-time.After(100 * time.Millisecond)
	n.x.call(func() { after = count })
	return after - before
}

// manyTurns are more than anything that is due by itself makes in a moment, and a hundredth of what a thread makes that never rests.
const manyTurns = 1000

// With the verifier paused the router stops when enough is planned, and then the executor rests: what waits before the router does
// not keep it awake.
func TestExecutorRestsBehindAPausedVerifier(t *testing.T) {
	n := newTestNode(t)
	lane := n.x.accounts[1].Lane
	n.x.call(func() { n.x.maxPlanned, n.x.verifiers.paused = 100, true })
	n.admit(t, lane, 300)
	l := n.x.lanes[lane]
	if !n.await(func() bool { return l.verifying.Len() == 100 && l.routing.Len() == 200 }) {
		t.Fatal("the router did not stop")
	}
	if k := n.turns(); k > manyTurns {
		t.Errorf("%d turns with nothing to do", k)
	}
	n.x.call(func() { n.x.verifiers.paused = false })
	if !n.await(func() bool { return l.verifying.Len() == 0 && l.routing.Len() == 0 }) {
		t.Error("the router does not go on")
	}
}

// While the ring to a loop is full the executor rests, too, and goes on when the loop has made room.
func TestExecutorRestsBeforeAFullRing(t *testing.T) {
	n := newTestNode(t)
	held, gate := make(chan struct{}), make(chan struct{})
	n.engine.Post(0, func() { close(held); <-gate })
	<-held
	n.x.call(func() {
		for range ringSize + 10 {
			n.x.ports[0].push(event{kind: evReply}) // to nobody
		}
	})
	if k := n.turns(); k > manyTurns {
		t.Errorf("%d turns with nothing to do", k)
	}
	stuck := 0
	n.x.call(func() { stuck = len(n.x.ports[0].waiting) })
	close(gate)
	if !n.await(func() bool { return len(n.x.ports[0].waiting) == 0 }) || stuck != 10 {
		t.Errorf("%d events stood before the full ring, and do so still", stuck)
	}
}
