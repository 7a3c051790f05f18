package dataplane

import (
	"context"
	"sync"
	"time"

	"smsplane/ledger/replica"
)

// upkeep is what a node does beside messages: it watches the disk, and lets the past go when its time is
// over. It runs on a goroutine of its own and ends before the store is closed.
type upkeep struct {
	stop   chan struct{}
	cancel func() // of a long compaction
	wg     sync.WaitGroup
}

// upkeepEvery is how often the disk is looked at.
const upkeepEvery = time.Second

// watch looks for the first time: a node that starts on a full disk accepts nothing.
func (n *Node) watch() {
	n.guard.need, n.guard.tell = n.db.LargestCompaction, n.tellRoom
	n.guard.look()
}

// tellRoom refuses clients while the disk has no room, and lets the other hosts know.
func (n *Node) tellRoom(room replica.Room) {
	for _, l := range n.loops {
		n.engine.Post(l.index, func() { l.desk.Full = room != replica.Roomy })
	}
	if n.members != nil {
		n.members.tellRoom(room)
	}
}

func (n *Node) beginUpkeep() {
	n.heedClock()
	n.upkeep.stop = make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	n.upkeep.cancel = cancel
	n.upkeep.wg.Go(func() {
		t := time.NewTicker(upkeepEvery)
		defer t.Stop()
		for {
			select {
			case <-n.upkeep.stop:
				return
			case <-t.C:
			}
			n.guard.look()
			n.takeCare()
			if err := n.forgetCrashes(); err != nil {
				n.log.Error("the notes about crashes cannot be written", "err", err)
			}
			if err := n.retain(ctx, n.clock()); err != nil && ctx.Err() == nil {
				n.x.fail(err)
			}
		}
	})
}

func (n *Node) endUpkeep() {
	if n.upkeep.stop != nil {
		close(n.upkeep.stop)
		n.upkeep.cancel()
		n.upkeep.wg.Wait()
		n.upkeep.stop = nil
	}
}
