package dataplane

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"smsplane/dataplane/admin"
	"smsplane/dataplane/cluster"
	"smsplane/dataplane/config"
	"smsplane/ledger/replica"
	"smsplane/ring"
)

// witness is a member that votes and remembers terms and indexes. It folds nothing and takes no clients.
type witness struct {
	node   *Node
	bell   *ring.Bell
	inbox  inbox
	lanes  []*replica.Replica
	failed error
}

// Witness runs the witness of a node file until stop ends.
func Witness(stop context.Context, cfgPath string, log *slog.Logger) error {
	cfg, err := config.Load(cfgPath)
	if err != nil {
		return err
	}
	if !cfg.Witness() {
		return fmt.Errorf("%s: %s is no witness by its cluster section: smsplane serve runs it", cfgPath, cfg.Name)
	}
	n := &Node{cfg: cfg, log: log, clock: monotonic(), started: time.Now()}
	n.state.Store(stateStarting)
	hosts, err := listenHosts(cfg.Cluster)
	if err != nil {
		return err
	}
	defer hosts.Close()
	answers, err := admin.Listen(cfg.Admin.Listen)
	if err != nil {
		return err
	}
	server := admin.NewServer(n.source(), n.cfg.Name)
	defer server.Close()
	go func() { _ = server.Serve(answers) }() // it ends with Close
	if formed, err := n.join(stop, hosts); err != nil || !formed {
		return err
	}
	w := &witness{node: n, bell: ring.NewBell()}
	if err := w.open(); err != nil {
		return err
	}
	n.state.Store(stateWitnessing)
	n.ready.Store(true)
	log.Info("witnessing", "node", cfg.Name, "cluster", cfg.Cluster.Listen, "lanes", len(w.lanes))
	w.run(stop)
	if w.failed != nil {
		log.Error("stopping: the witness cannot go on", "err", w.failed)
		os.Exit(exitBroken)
	}
	n.members.close()
	return n.db.Close()
}

const stateWitnessing = "witnessing"

// open opens the member of every lane.
func (w *witness) open() error {
	n := w.node
	t := n.members.table()
	wake := w.bell.Ring
	n.members.listen(func(_ *cluster.Peer, k cluster.Kind, lane uint16, payload []byte) {
		if k == cluster.Raft && w.inbox.put(letter{lane: lane, data: payload}) {
			wake()
		}
	}, w.inbox.miss)
	id := t.Find(n.cfg.Name).Raft()
	for i := range uint16(t.Lanes) {
		if err := w.lane(replica.Config{DB: n.db, Lane: i, ID: id, Group: groupOf(t), Clock: boottime, Wake: wake, Logger: n.log,
			Send: func(to uint64, msg []byte) { n.members.send(to, i, msg) }}); err != nil {
			return err
		}
	}
	return nil
}

// lane opens the member of one lane.
func (w *witness) lane(c replica.Config) (err error) {
	if c.Log, err = c.DB.Log(c.Lane); err != nil {
		return fmt.Errorf("lane %d: %w", c.Lane, err)
	}
	r, err := replica.Open(c)
	if err == nil {
		w.lanes = append(w.lanes, r)
	}
	return err
}

// run is the owner of all members.
func (w *witness) run(stop context.Context) {
	go func() {
		<-stop.Done()
		w.bell.Ring()
	}()
	for stop.Err() == nil {
		next, err := w.turn(w.node.clock())
		if err != nil {
			w.failed = err
			return
		}
		if d := next - w.node.clock(); d > 0 {
			w.bell.Wait(time.Duration(d), w.inbox.waiting)
		}
	}
}

// turn does all there is to do now, and says when there is something again.
func (w *witness) turn(now int64) (next int64, err error) {
	all, _ := w.inbox.take()
	for i := range all {
		if v := &all[i]; int(v.lane) < len(w.lanes) {
			_ = w.lanes[v.lane].Step(v.data)
		}
	}
	w.inbox.give(all)
	next = now + int64(idleFor)
	for _, r := range w.lanes {
		if _, err := r.DoWork(now, func(uint64, []byte) error { return nil }); err != nil {
			return 0, err
		}
		next = min(next, r.Next())
	}
	return next, nil
}
