package dataplane

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"smsplane/ledger/book"
	"smsplane/ledger/replica"
)

// recover brings every lane up: the books as they were flushed last, with what lives in the log up to there; then what was
// committed behind that. Lanes share nothing, so their books are loaded side by side, on as many cores as there are; from
// the replicas on it is the executor's thread alone. wait is called while the journal has the word.
func (n *Node) recover(wait func()) error {
	x := n.x
	began := time.Now()
	if err := n.loadLanes(); err != nil {
		return err
	}
	for _, l := range x.lanes {
		err := n.openReplica(l)
		if err == nil && l.spoilt != nil && !l.hasFellows() {
			err = l.spoilt
		}
		if err != nil {
			return n.rotten(l.n, fmt.Errorf("lane %d: %w", l.n, err))
		}
	}
	for _, l := range x.lanes {
		for x.fellows == nil && !l.rep.Leader() {
			x.now = n.clock()
			k, err := l.rep.DoWork(x.now, l.apply)
			if err != nil {
				return n.rotten(l.n, fmt.Errorf("lane %d: %w", l.n, err))
			}
			if k == 0 {
				wait()
			}
		}
	}
	if x.fellows == nil {
		x.recallOrphans()
	} else if x.lanes[0].book.System.Version > 0 {
		x.onCatalog = noLinks
		if err := x.install(); err != nil {
			return err
		}
	}
	live := 0
	for _, l := range x.lanes {
		for s, k := range l.book.Live {
			if book.State(s) != book.StateEnded {
				live += k
			}
		}
	}
	n.log.Info("recovered", "lanes", len(x.lanes), "messages", live, "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// loadLanes loads the books of all lanes. The first lane that cannot be loaded is told of; a panic goes on here, as if this
// goroutine had met it, so that it is noted (crash.go).
func (n *Node) loadLanes() error {
	x := n.x
	for i := range n.cfg.Lanes {
		l := &lane{n: uint16(i), x: x}
		l.clear()
		x.lanes = append(x.lanes, l)
	}
	workers := min(runtime.GOMAXPROCS(0), len(x.lanes))
	if x.stepped { // one after the other, always in the same order
		workers = 1
	}
	errs, panics := make([]error, len(x.lanes)), make([]any, len(x.lanes))
	var next atomic.Int64
	var failed atomic.Bool
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for !failed.Load() {
				i := int(next.Add(1) - 1)
				if i >= len(x.lanes) {
					return
				}
				errs[i], panics[i] = n.loadLane(x.lanes[i])
				if errs[i] != nil || panics[i] != nil {
					failed.Store(true)
				}
			}
		})
	}
	wg.Wait()
	for i, l := range x.lanes {
		if panics[i] != nil {
			x.doing, x.folding = step{layer: inFold}, l.book
			panic(panics[i])
		}
		if errs[i] != nil {
			return n.rotten(l.n, fmt.Errorf("lane %d: %w", i, errs[i]))
		}
	}
	return nil
}

// loadLane loads the book of one lane on any goroutine; what it panicked with comes back.
func (n *Node) loadLane(l *lane) (err error, panicked any) {
	defer func() {
		if panicked = recover(); panicked != nil {
			n.log.Error("loading the books of a lane ended in a panic", "lane", l.n, "panic", panicked, "stack", string(debug.Stack()))
		}
	}()
	n.x.progress.at(readingLog, l.n, 0, 0)
	if err = l.load(); err != nil && l.spoiltAtStart(err) {
		err = nil
	}
	return err, nil
}

// openReplica opens the raft member of a lane whose book is loaded.
func (n *Node) openReplica(l *lane) (err error) {
	x, i := n.x, l.n
	c := replica.Config{DB: n.db, Log: l.log, Lane: i, ID: 1, Group: replica.Group{Voters: []uint64{1}}, Applied: max(l.book.Applied(), l.folded), Turn: applyTurn, Wake: x.wake, Logger: n.log}
	if f := x.fellows; f != nil {
		c.ID, c.Group, c.Clock, c.Hold = f.me, f.group, f.clock, f.hold
		c.Send = func(to uint64, msg []byte) {
			if !f.send(to, i, msg) {
				f.unreached[to] = true
			}
		}
		if f.ship != nil {
			c.Snapshot = func(to uint64) { f.ship(i, to) }
		}
	}
	l.config = c
	l.rep, err = replica.Open(c)
	return err
}
