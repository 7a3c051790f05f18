package sim

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"smsplane/dataplane"
	"smsplane/dataplane/cluster"
	"smsplane/dataplane/config"
	"smsplane/ledger/journal"
)

// host is a machine: its disk stays, its processes come and go.
type host struct {
	w    *world
	name string
	cfg  *config.Node
	rng  *rand.Rand // its own pace

	disk  *disk
	db    *journal.DB
	m     *dataplane.SteppedMember // of a cluster; nil on a single host
	s     *dataplane.Stepped
	wit   *dataplane.SteppedWitness // in place of s
	alive bool
	life  int
	fatal chan error
	ends  []*end // of its connections, in this life

	lanes  int
	owning int           // the links to carriers, for the n-th time; 0: it does not
	hold   int64         // octets of log that it keeps for a member that is away
	free   func() uint64 // octets that its disk can still take; nil: any number

	store cluster.ID
	old   *disk // that it had before its store was lost
	spare bool  // it is no member, and off

	clock               float64 // how fast its clock goes,
	clockAt, clockSince int64   // which showed clockAt then

	careAt int64 // when it looks after the members

	hot     int64 // there is work, probably, until then
	idle    int   // steps in which nothing was done
	tickAt  int64
	stalled int64 // the disk does nothing until then
	failing bool  // the next sync of the disk fails, and every write from then on
}

// killed is panicked with where a process dies in the middle of something.
type killed struct{}

func (w *world) newHost(name string, lanes int, retainAll bool) *host {
	cfg, err := config.Parse("sim.yaml", fmt.Appendf(nil, "node: %s\ndata: ./data\nlanes: %d\nsmpp:\n  listen: [\"127.0.0.1:2775\"]\ncatalog: ./catalog\n", name, lanes))
	must(err)
	cfg.Journal.RetainAll = retainAll
	if w.chance(3) { // queues leave memory early
		cfg.Memory = 8 << 10
	}
	h := &host{w: w, lanes: lanes, clock: 1, clockAt: begin, clockSince: begin, name: name, cfg: cfg, disk: newDisk(), rng: rand.New(rand.NewPCG(w.rng.Uint64(), 3))}
	w.hosts = append(w.hosts, h)
	return h
}

// start begins a new life on the disk as it is; a life can end before it has begun.
func (h *host) start() {
	w := h.w
	h.life++
	h.fatal, h.ends, h.alive = make(chan error, 1), nil, true
	h.tickAt, h.careAt = w.now, w.now+int64(time.Second)
	w.tell("%s starts, life %d", h.name, h.life)
	h.mortal(h.open)
	switch {
	case !h.alive:
	case w.net == nil:
		w.keepLinks(h)
	default:
		w.dial(h)
	}
}

// open brings the process up.
func (h *host) open() {
	o := dataplane.Surroundings{Store: journal.Options{FS: h.disk.fs(), Dir: "store", Logger: slog.New(&teller{h}), Fatal: h.broken},
		Clock: h.now, Seed: h.rng.Uint64(), Wait: h.wait, Opened: func(db *journal.DB) { h.db = db }}
	h.warm()
	var err error
	if h.w.net == nil {
		h.s, err = dataplane.OpenStepped(h.cfg, o)
	} else {
		o.Fellows = h.fellows()
		h.m, err = dataplane.OpenSteppedMember(h.cfg, o)
	}
	switch {
	case err != nil:
		h.w.fail("%s does not start: %v", h.name, err)
	case h.m != nil:
		h.store = h.m.Hello().Store
		h.serve()
	case h.s.Version() == 0:
		must(h.s.Apply(h.w.catalog(1), "sim"))
	}
}

// now is the time as the host's clock has it.
func (h *host) now() int64 { return h.clockAt + int64(float64(h.w.now-h.clockSince)*h.clock) }

// mortal does some of the host's work; when the process dies of it, it is dead afterwards.
func (h *host) mortal(f func()) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case killed:
			if h.alive {
				h.die("killed in the middle of its work", h.disk.killed(), false)
			}
		default:
			panic(p)
		}
	}()
	f()
}

// wait is what a host does that cannot go on before the journal has done something.
func (h *host) wait() {
	h.w.now += h.rng.Int64N(200e3)
	h.stalled = 0
	h.journal()
	if !h.alive || !h.w.calm && h.rng.IntN(8000) == 0 {
		panic(killed{})
	}
}

// broken is the store's Fatal: the process is gone, and with it whoever called.
func (h *host) broken(err error) {
	select {
	case h.fatal <- err:
	default:
	}
	select {} // in a process nothing would run any more; and Pebble's goroutines hold locks
}

func (h *host) busy() bool { return h.alive && h.w.now < h.hot }

func (h *host) next() int64 {
	if !h.alive {
		return 1 << 62
	}
	return h.tickAt
}

// warm says that there is, or soon will be, something to do.
func (h *host) warm() { h.hot, h.idle = h.w.now+int64(time.Millisecond), 0 }

// step does some of what the host's threads would do now, in any order, until it has done nothing for a while and leaves nothing out:
// then it sleeps until something happens to it or its clock ticks.
func (h *host) step() {
	if !h.busy() && h.w.now < h.tickAt {
		return
	}
	order := [...]int{2, 1, 0, 3}
	if h.idle++; h.idle <= lazy {
		h.rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	} else {
		h.hot = 0
	}
	for _, what := range order {
		if !h.alive {
			return
		}
		if h.w.aside != nil {
			h.w.aside()
		}
		if h.alive {
			h.mortal(func() { h.do(what) })
		}
	}
	if h.s != nil && h.w.net != nil {
		h.w.holds(h)
	}
}

// lazy is how often in a row a host may find nothing to do where it does not look everywhere.
const lazy = 2

// may is true with a chance of n in m, and always once the host has found nothing to do for a while.
func (h *host) may(n, m int) bool { return h.idle > lazy || h.rng.IntN(m) < n }

func (h *host) do(what int) {
	switch {
	case what == 0:
		h.journal()
	case h.s != nil:
		h.doData(what)
	case what == 1:
		h.doWitness()
	}
}

// doData is what threads of a host do that stores messages.
func (h *host) doData(what int) {
	switch what {
	case 1:
		if h.may(3, 4) && h.s.Execute() > 0 {
			h.warm()
		}
		if err := h.s.Failed(); err != nil {
			h.w.fail("%s gives up: %v", h.name, err)
		}
		h.found()
	case 2:
		if h.w.now >= h.tickAt {
			h.tickAt = h.w.now + int64(10*time.Millisecond)
			h.s.Tick()
		}
		h.s.Turn()
		if h.m != nil && h.w.now >= h.careAt {
			h.careAt = h.w.now + int64(time.Second)
			h.s.Care()
		}
	case 3:
		if h.rng.IntN(500) == 0 {
			h.db.Trim()
		}
	}
}

// journal lets the appender and the syncer do some of their work.
func (h *host) journal() {
	if h.w.now < h.stalled {
		return
	}
	if h.may(2, 3) && h.db.Step(1+h.rng.IntN(6)) > 0 {
		h.warm()
	}
	if h.may(1, 3) {
		h.sync()
	}
}

// sync makes what was committed durable. On a disk that fails it never returns, and the process dies.
func (h *host) sync() {
	if !h.failing {
		if h.db.Sync() > 0 {
			h.warm()
		}
		return
	}
	h.disk.failing.Store(true)
	done, db := make(chan struct{}), h.db // which is nil once another write of it has failed
	go func() {
		defer close(done)
		db.Sync()
	}()
	var err error
	select {
	case err = <-h.fatal:
	case <-done:
		select {
		case err = <-h.fatal:
		default: // there was nothing to sync
			h.disk.failing.Store(false)
			return
		}
	}
	h.w.tell("%s: %v", h.name, err)
	h.db = nil // Pebble is stuck in it
	h.die("disk error", h.disk.cut([]int{0, 30, 100}[h.rng.IntN(3)], h.rng), false)
}

// die ends the process; the next one finds disk.
func (h *host) die(why string, next *disk, silent bool) {
	w := h.w
	w.tell("%s dies: %s", h.name, why)
	w.faults[why]++
	h.alive = false
	for _, e := range h.ends {
		e.die(silent)
	}
	h.abandon()
	if h.s != nil {
		w.faults["a guest sends"] += int(h.s.ForGuests())
	}
	h.disk, h.m, h.s, h.wit, h.failing, h.owning = next, nil, nil, nil, false, 0
	life := h.life
	w.after(w.between(10*time.Millisecond, 3*time.Second), func() {
		if !h.alive && h.life == life && !h.spare {
			h.start()
		}
	})
}

// abandon lets go of the store: the old disk is nobody's any more.
func (h *host) abandon() {
	switch {
	case h.db == nil:
	case h.s != nil:
		_ = h.s.Abandon()
	default:
		_ = h.db.Abandon()
	}
	h.db = nil
}

// adopt makes a host the owner of an end.
func (h *host) adopt(e *end, a *dataplane.Attached) {
	h.ends = append(h.ends, e)
	e.data = func(b []byte) {
		h.warm()
		h.mortal(func() { a.Data(b) })
	}
	e.closed = func(err error) {
		h.warm()
		h.mortal(func() { a.Closed(err) })
	}
}

// ask runs a question that waits for the journal.
func (h *host) ask(f func(ctx context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	var done sync.WaitGroup
	ended := make(chan struct{})
	done.Go(func() {
		err = f(ctx)
		close(ended)
	})
	for {
		select {
		case <-ended:
			done.Wait()
			if err != nil {
				h.w.fail("%s: %v", h.name, err)
			}
			return
		default:
			h.db.Step(1 << 20)
			h.db.Sync()
			runtime.Gosched()
		}
	}
}

// teller puts a host's warnings into the story.
type teller struct{ h *host }

func (t *teller) Enabled(_ context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && t.h.w.verbose
}

func (t *teller) Handle(_ context.Context, r slog.Record) error {
	line := t.h.name + " says: " + r.Message
	r.Attrs(func(a slog.Attr) bool {
		line += " " + a.String()
		return true
	})
	fmt.Println(line)
	return nil
}

func (t *teller) WithAttrs([]slog.Attr) slog.Handler { return t }
func (t *teller) WithGroup(string) slog.Handler      { return t }
