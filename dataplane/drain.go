package dataplane

import (
	"context"
	"time"

	"smsplane/ledger/book"
	"smsplane/pdu/session"
)

// drain stops the node in order: no new binds, no new messages, blocks committed, carriers' answers awaited,
// what is left in doubt by record, both sides unbound, the state of every lane on disk. When kill ends, the
// waits are skipped, the records are not.
func (n *Node) drain(kill context.Context) error {
	n.log.Info("draining", "at_most", n.cfg.Drain)
	n.cede(kill)
	n.dismissRelayed(kill)
	n.refuse(kill)
	n.ready.Store(false) // who sees this is refused already
	n.state.Store(stateDraining)
	n.lobby.Close()
	n.calls.close()
	n.x.call(func() { n.x.senders.paused = true })
	limit, cancel := context.WithTimeout(kill, n.cfg.Drain)
	defer cancel()
	until(limit, func() bool { return n.uncommitted() == 0 && n.unanswered() == 0 })
	if left := n.unanswered(); left > 0 {
		n.log.Warn("carriers have not answered everything; the rest is in doubt", "messages", left)
	}
	n.unbindClients(kill)
	n.links.close(kill)
	n.engine.Close()
	n.settle()
	n.halt()
	n.log.Info("stopped")
	return nil
}

// refuse has every loop refuse new messages, and waits until all do.
func (n *Node) refuse(kill context.Context) {
	n.tellLoops(kill, func(l *loop) { l.desk.Draining = true })
}

// tellLoops runs f on every loop, and waits until all have.
func (n *Node) tellLoops(kill context.Context, f func(l *loop)) {
	limit, cancel := context.WithTimeout(kill, unbindGrace)
	defer cancel()
	did := make(chan struct{}, len(n.loops))
	for _, l := range n.loops {
		if !n.engine.Post(l.index, func() { f(l); did <- struct{}{} }) {
			did <- struct{}{}
		}
	}
	for range n.loops {
		select {
		case <-did:
		case <-limit.Done():
		}
	}
}

// until asks done every few milliseconds until it says yes or ctx ends.
func until(ctx context.Context, done func() bool) {
	t := time.NewTicker(5 * time.Millisecond)
	defer t.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// uncommitted is the number of blocks and state blocks on their way.
func (n *Node) uncommitted() (k int) {
	for _, l := range n.loops {
		k += int(l.inflight.Load())
	}
	n.x.call(func() { k += n.x.proposals() })
	return k
}

// heard says that no event of a loop waits to be handled.
func (x *executor) heard() bool {
	for _, p := range x.ports {
		if p.up.Len() > 0 {
			return false
		}
	}
	return true
}

func (x *executor) proposals() (k int) {
	for _, l := range x.lanes {
		k += len(l.proposed) - l.head + len(l.backlog) + l.records
	}
	return k
}

// unanswered is the number of messages that carriers have, or are about to get, without an answer.
func (n *Node) unanswered() (k int) {
	n.x.call(func() {
		for _, s := range n.x.links {
			k += s.out
		}
	})
	return k
}

// unbindClients says good-bye to every client and waits a moment for the last answers.
func (n *Node) unbindClients(kill context.Context) {
	for _, l := range n.loops {
		n.engine.Post(l.index, func() {
			for _, c := range l.clients {
				c.sess.Unbind(n.clock())
				c.touch()
			}
			for _, k := range l.links {
				if k.config.Role == session.Server {
					k.unbind(n.clock())
				}
			}
		})
	}
	limit, cancel := context.WithTimeout(kill, unbindGrace)
	defer cancel()
	until(limit, func() bool { return n.binder.bound.Load() == 0 })
}

// settle waits until all that the loops left behind is journaled and every record committed, then writes the
// state of every lane. The loops have ended: nothing comes after it, and this goroutine may flush for them.
func (n *Node) settle() {
	limit, cancel := context.WithTimeout(context.Background(), unbindGrace)
	defer cancel()
	until(limit, func() (done bool) {
		heard := true
		for _, l := range n.loops {
			_, all := l.up.flush()
			heard = heard && all
		}
		n.x.call(func() {
			for _, l := range n.x.lanes {
				l.cut(n.x.now, true)
			}
			done = heard && n.x.proposals() == 0 && n.x.heard()
		})
		return done
	})
	n.x.call(func() {
		for _, l := range n.x.lanes {
			if l.book.Dirty() {
				l.flushNow(n.x.now)
			}
		}
	})
}

// halt ends the executor and closes the store.
func (n *Node) halt() {
	n.endUpkeep()
	if n.links != nil {
		n.links.close(context.Background())
	}
	n.x.call(func() { n.x.halt = true })
	<-n.x.done
	n.x.shutSearches()
	n.members.close()
	if n.engine != nil {
		n.engine.Close()
	}
	if err := n.db.Close(); err != nil {
		n.log.Error("closing the store", "err", err)
	}
}

// inFlight counts the messages of a lane that have not ended and are not in doubt.
func inFlight(b *book.Book) (k uint64) {
	for s := book.StateAccepted; s < book.StateEnded; s++ {
		if s != book.StateDoubt {
			k += uint64(b.Live[s])
		}
	}
	return k
}
