package dataplane

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"smsplane/dataplane/admin"
	"smsplane/dataplane/config"
	"smsplane/dataplane/entry"
	"smsplane/dataplane/gate"
	"smsplane/dataplane/transport"
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/catalog"
	"smsplane/ledger/journal"
	"smsplane/ring"
	"smsplane/router"
)

// Node is one running appliance.
type Node struct {
	cfg     *config.Node
	log     *slog.Logger
	clock   func() int64
	started time.Time

	store   journal.Options // what else it is opened with; nothing, but in tests
	db      *journal.DB
	folder  folder
	doors   *doors
	members *membership // of the cluster; nil on a single host
	x       *executor
	engine  *transport.Engine
	loops   []*loop
	links   *links
	gate    *gate.Gate
	lobby   *transport.Lobby
	calls   *calls
	binder  *binder

	admissions admissions

	applying sync.Mutex // one operator's catalog after the other

	plan        plan
	guard       *guard
	upkeep      upkeep
	shipments   shipments
	retention   retention
	quarantined []crashNote
	progress    *progress
	ids         atomic.Uint32
	ready       atomic.Bool
	relays      *relays                // nil: clients are not carried to other hosts
	passage     atomic.Pointer[relays] // the same while the node serves
	quorate     atomic.Bool            // the cluster has a leader; on a single host nobody asks
	state       atomic.Value           // string, see admin.Status
}

// States of a node.
const (
	stateStarting = "starting"
	stateServing  = "serving"
	stateDraining = "draining"
)

// heapSlack is by how much Go's heap outgrows what lives before the collector runs, in percent, unless the environment sets GOGC. At Go's own
// 100 each octet that a queue needs is two of memory, and the collector takes 0.7 % of the CPU that the appliance does.
const heapSlack = 50

// Serve runs the appliance of a node file until drain ends, then stops it in order and returns nil. When kill
// ends, too, it stops without waiting for anybody. An error is why it could not start, or had to stop.
func Serve(drain, kill context.Context, cfgPath string, log *slog.Logger) error {
	cfg, err := config.Load(cfgPath)
	if err != nil {
		return err
	}
	if cfg.Witness() {
		return fmt.Errorf("%s: %s is a witness: smsplane witness runs it", cfgPath, cfg.Name)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapSlack)
	}
	n := &Node{cfg: cfg, log: log, clock: monotonic(), started: time.Now(), progress: &progress{log: log, lanes: cfg.Lanes}}
	n.state.Store(stateStarting)
	return n.serve(drain, kill)
}

// monotonic is the clock of the host, without its steps: wall time at the start, and what has passed since.
func monotonic() func() int64 {
	start := time.Now()
	base := start.UnixNano()
	return func() int64 { return base + int64(time.Since(start)) }
}

func (n *Node) serve(drain, kill context.Context) (err error) {
	// Listen before the store is touched: a second process on the same ports must change nothing.
	open, err := openDoors(&n.cfg.SMPP, n.log)
	if err != nil {
		return err
	}
	n.doors = &doors{cfg: &n.cfg.SMPP, log: n.log, open: open}
	defer n.doors.end()
	answers, err := admin.Listen(n.cfg.Admin.Listen)
	if err != nil {
		return err
	}
	server := admin.NewServer(n.source(), n.cfg.Name)
	defer server.Close()
	go func() { _ = server.Serve(answers) }() // it ends with Close
	if n.cfg.Cluster != nil {
		hosts, err := listenHosts(n.cfg.Cluster)
		if err != nil {
			return err
		}
		defer hosts.Close()
		if formed, err := n.join(drain, hosts); err != nil || !formed {
			return err
		}
	}
	if err := n.open(); err != nil {
		return err
	}
	go n.x.run()
	if n.members == nil {
		if err := n.firstCatalog(); err != nil {
			n.halt()
			return err
		}
		n.ready.Store(true)
	}
	n.doors.serve(n.lobby, n.x.fail)
	if n.members != nil {
		n.members.lobby.Store(n.lobby)
		n.passage.Store(n.relays)
	}
	n.state.Store(stateServing)
	n.db.Pace()
	n.log.Info("serving", "node", n.cfg.Name, "smpp", n.cfg.SMPP.Listen, "smpp_tls", n.cfg.SMPP.TLSListen, "admin", n.cfg.Admin.Listen, "loops", len(n.loops), "lanes", len(n.x.lanes))
	select {
	case err = <-n.x.failed:
		n.log.Error("stopping: the node cannot go on", "err", err)
		os.Exit(exitBroken)
	case <-drain.Done():
	}
	return n.drain(kill)
}

// exitBroken is the exit code after a failed disk or contradicting books: the supervisor starts the process
// again, and recovery decides from the log.
const exitBroken = 70

// openStore opens the store of the node file, or makes it, if that was not done yet.
func (n *Node) openStore() (err error) {
	if n.db != nil {
		return nil
	}
	if err := os.MkdirAll(n.cfg.Data, 0o700); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	n.guard = newGuard(n.cfg, n.log)
	n.guard.relieve()
	o := n.store
	o.Dir, o.Logger, o.Clock, o.Damaged = filepath.Join(n.cfg.Data, "store"), n.log, n.clock, n.keepTable
	limit, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	until(limit, func() bool {
		n.db, err = journal.Open(o)
		return !errors.Is(err, syscall.EAGAIN)
	})
	if errors.Is(err, syscall.EAGAIN) {
		return fmt.Errorf("another process has the store in %s open, a node or a command that reads it: %w", n.cfg.Data, err)
	}
	if err != nil {
		return fmt.Errorf("opening the store in %s: %w", n.cfg.Data, err)
	}
	return nil
}

// lockWait is how long a store that another process has open is waited for: a command that asks a host which is just starting looks
// into the store itself, and must not be what keeps the host from starting.
const lockWait = 2 * time.Second

// open brings store, lanes and loops up, and the lanes' messages back to work.
func (n *Node) open() (err error) {
	if err := n.openStore(); err != nil {
		return err
	}
	if err := n.formed(); err != nil {
		return err
	}
	n.x = n.executor()
	n.x.fellows = n.fellows()
	if err := n.heedCrashes(); err != nil {
		return err
	}
	defer n.x.crashed()
	if err := n.recover(n.x.park); err != nil {
		return err
	}
	if err := n.transport(); err != nil {
		return err
	}
	if err := n.x.recallPauses(); err != nil {
		return err
	}
	n.watch()
	if n.members == nil {
		n.lead()
	}
	n.beginUpkeep()
	return nil
}

func (n *Node) executor() *executor {
	w := n.cfg.Workers
	x := &executor{log: n.log, db: n.db, clock: n.clock, rand: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())), bell: ring.NewBell(),
		shared: new(atomic.Pointer[router.Table]), sharedAccounts: new(atomic.Pointer[map[uint32]*entry.Account]), recent: router.NewRecent(),
		accounts: map[uint32]*entry.Account{}, carriers: map[uint16]*carrier{}, links: map[uint32]*linkSession{}, clients: map[uint32]*clientSession{},
		external: newLayer("external messaging", config.Worker{Count: 1}), routers: newLayer("routing", w.Router),
		verifiers: newLayer("verification", w.Verifier), senders: newLayer("delivery", w.Egress), billers: newLayer("billing", w.Billing),
		early: newEarly(), doubts: doubts{}, errands: map[ledger.MsgID]errand{}, texts: new([mobileTexts]mobileText), areas: map[ledger.MsgID][]byte{}, ended: newEndedTable(), failed: make(chan error, 1), done: make(chan struct{}),
		maxWindow: maxWindow, scattered: scatteredWindow, reloadTurn: reloadTurn, maxResident: n.cfg.Memory, maxHot: int(n.cfg.Memory / hotShare),
		maxLive: int(mostMemory(n.cfg, hostMemory()) / hotShare), maxPlanned: externalCap, lull: lull}
	x.quarantine = filepath.Join(n.cfg.Data, rotFolder)
	x.die = func(p any) { panic(p) }
	x.progress, x.ids = n.progress, &n.ids
	x.retainAll, x.aged = n.cfg.Journal.RetainAll, int64(n.cfg.Retention.Bodies)/agedShare
	x.now = n.clock()
	x.grace = x.now + startGrace - downFor
	x.table = router.Compile(&catalog.Catalog{}, 0, numbers{})
	x.shared.Store(x.table)
	x.sharedAccounts.Store(&x.accounts)
	return x
}

// hotShare is how many bytes of the memory setting stand for one message in memory, besides its block: what its slot takes, and
// its place in the index.
const hotShare = 512

// scatteredWindow is how many entries of a lane's log in a row may be without a live message before those that hold them
// are moved out of the log.
const scatteredWindow = 256

// maxWindow is how many entries a lane's log holds before stragglers are moved out of it.
const maxWindow = 20_000

// applyTurn is how many octets of a lane's entries are applied in one turn of the executor: what came meanwhile is proposed,
// and on its way to the disk, before the next are.
const applyTurn = 32 << 10

// park waits a little for somebody to ring.
func (x *executor) park() {
	x.woken.Store(false)
	x.bell.Wait(10*time.Millisecond, x.ready)
}

// wake is rung by the journal's syncer.
func (x *executor) wake() {
	x.woken.Store(true)
	x.bell.Ring()
}

// blocks reads blocks for a book. Those that left memory are read back whole; since neighbours are mostly
// wanted one after the other, the last few stay at hand.
type blocks struct {
	log  *journal.Log
	cold [coldBlocks]journal.Entry
}

const coldBlocks = 16

func (b *blocks) Block(i uint64) ([]byte, error) {
	if d, ok := b.log.InMemory(i); ok {
		return d, nil
	}
	c := &b.cold[i%coldBlocks]
	if c.Index != i {
		e, err := b.log.Entry(i)
		if err != nil {
			return nil, err
		}
		*c = e
	}
	return c.Data, nil
}

// stragglers reads what left the log, from the store or from a view of it.
type stragglers struct {
	db interface {
		Get(key []byte) ([]byte, error)
		Scan(lo, hi []byte, f func(k, v []byte) error) error
	}
}

func (s stragglers) Stragglers(lane uint16, from uint64, f func(v []byte) error) error {
	_, hi := journal.LaneRange(journal.Moved, lane)
	return s.db.Scan(journal.Key(journal.Moved, lane, from), hi, func(_, v []byte) error { return f(v) })
}

func (s stragglers) Run(lane uint16, run, piece uint32) ([]byte, error) {
	v, err := s.db.Get(book.RunKey(lane, run, piece))
	if err == nil && v == nil {
		err = fmt.Errorf("%w: piece %d of run %d of lane %d is missing", journal.ErrCorrupt, piece, run, lane)
	}
	return v, err
}

// loopCount is how many loops the cores carry: one up to three, half of them up to seven, then all but those
// that the executor, the journal and the runtime need.
func loopCount(cores int) int {
	switch {
	case cores <= 3:
		return 1
	case cores < 8:
		return cores / 2
	}
	return cores/2 - 1
}

// transport starts the loops, each with the lanes it serves.
func (n *Node) transport() error {
	x := n.x
	var err error
	if n.plan, err = threads(thisHost(), n.cfg.Pin, n.cfg.Workers.Entry.Count); err != nil {
		return err
	}
	count := n.plan.loops
	n.log.Info("threads", "plan", n.plan.String())
	most, err := n.maxConnections()
	if err != nil {
		return err
	}
	n.gate = gate.New(gate.Options{MaxConnections: most, MaxPerSource: n.cfg.SMPP.MaxPerSource,
		BindTimeout: n.cfg.SMPP.BindTimeout, Allow: n.cfg.SMPP.Allow, Deny: n.cfg.SMPP.Deny})
	n.makeLoops(count)
	n.engine, err = transport.Start(transport.Options{Loops: count, Logger: n.log, Clock: n.clock}, func(i int) transport.LoopHandler { return n.loops[i] })
	if err != nil {
		return err
	}
	x.wakeUp = func(i int) { n.engine.Wake(i) }
	n.arrange()
	n.links = &links{log: n.log, x: x, engine: n.engine, loops: n.loops, ids: &n.ids, clock: n.clock, keep: map[linkKey]*keptLink{}, lost: make(chan struct{})}
	if x.fellows != nil {
		n.links.fence = &x.fellows.fence
	}
	for i, l := range n.loops {
		n.engine.Post(i, func() { // it ticks already
			l.hurry, l.worked = n.engine.Hurry, func() time.Duration { return n.engine.Worked(i) }
		})
	}
	x.onCatalog, x.onOrder = n.follow, n.links.ordered
	n.binder = &binder{cfg: n.cfg, gate: n.gate, x: x, loops: n.loops, ids: &n.ids, ready: &n.ready, relays: n.relays, engine: n.engine, clock: n.clock}
	n.lobby = transport.NewLobby(n.engine, n.gate, transport.LobbyOptions{MaxPDU: n.cfg.SMPP.MaxPDU, Logger: n.log, Bound: n.admissions.add, Outbind: n.links.called}, n.binder.admit)
	n.calls = newCalls(n.log, n.lobby)
	x.onWanted = n.calls.wanted
	return nil
}

// follow brings links and clients' sessions in line with the catalog that came into force.
func (n *Node) follow(t router.Numbers, c *catalog.Catalog) {
	if n.x.ownsLinks() {
		n.links.set(t, c)
	}
	if n.members != nil {
		n.ranked()
	}
	for _, l := range n.loops {
		n.engine.Post(l.index, func() { l.dismiss(n.clock()) })
	}
}

// makeLoops makes the loops' state, each with the lanes it serves, and the rings to the executor.
func (n *Node) makeLoops(count int) {
	x, first := n.x, 0
	for i := range count {
		lanes := make([]*entry.Lane, len(x.lanes))
		for _, l := range x.lanes {
			if l.loop = int(l.n) % count; l.loop == i {
				lanes[l.n] = entry.NewLane(l.n, l.book.NextSeq())
			}
		}
		down, up := ring.New[event](ringSize), ring.New[event](ringSize)
		lp := &loop{index: i, clients: map[uint32]*clientPort{}, links: map[uint32]*linkPort{}, down: down, up: outbox{ring: up}, bell: x.bell, duty: -1}
		w := n.cfg.Workers.Entry
		mine := w.Count / count
		if i < w.Count%count {
			mine++
		}
		lp.desk = entry.NewDesk(lp, x.shared.Load, lanes, mine, w.TPS)
		lp.desk.First, first = uint8(first), first+mine
		lp.desk.MaxWaiting = maxWaiting
		lp.desk.Ordered, lp.desk.MaxOrdered = &x.lined, max(minOrdered, int64(x.maxHot))
		lp.desk.Live, lp.desk.MaxLive = &x.live, int64(x.maxLive)
		if x.fellows != nil {
			lp.fence = &x.fellows.fence
		}
		for _, l := range lanes {
			if l != nil && n.members != nil { // opened when the lane is led here
				lp.desk.Close(l.Number)
			}
		}
		n.loops = append(n.loops, lp)
		x.ports = append(x.ports, &loopPort{outbox: outbox{ring: down}, up: up, index: i})
	}
}

// maxWaiting bounds one client's messages between accept and carrier; above it ESME_RMSGQFUL.
const maxWaiting = 100_000_000

// minOrdered is how many messages of in_order clients may wait however little memory there is for messages.
const minOrdered = 10_000

// lead puts the catalog in force and every lane to work.
func (n *Node) lead() {
	x := n.x
	if x.lanes[0].book.System.Version > 0 {
		if err := x.install(); err != nil {
			x.fail(err)
			return
		}
	}
	doubts := 0
	for _, l := range x.lanes {
		doubts += l.lead(x.now)
		l.led.Store(true)
	}
	if doubts > 0 {
		n.log.Warn("messages were with carriers when the process ended; their fate is in doubt", "messages", doubts)
	}
}

// firstCatalog applies the folder of the node file when the store has no catalog yet.
func (n *Node) firstCatalog() error {
	var version uint32
	n.x.call(func() { version = n.x.lanes[0].book.System.Version })
	if version > 0 || n.cfg.Catalog == "" {
		return nil
	}
	files, err := catalog.Read(n.cfg.Catalog)
	if err != nil {
		return err
	}
	_, err = n.applyCatalog(files, false, "first start")
	return err
}

// catalogWait bounds how long an operator waits for lane 0 to commit a catalog and for it to be compiled: a million routes take
// seconds on a busy machine.
const catalogWait = time.Minute

// errCatalogBusy says that a catalog did not come into force in time.
var errCatalogBusy = errors.New("the catalog was journaled but is not in force yet")

// applyCatalog checks files and, unless dry, puts them in force; it returns what changes.
func (n *Node) applyCatalog(files map[string][]byte, dry bool, author string) ([]catalog.Change, error) {
	c, err := catalog.Parse(files)
	if err != nil {
		return nil, err
	}
	n.applying.Lock()
	defer n.applying.Unlock()
	x := n.x
	changes := catalog.Diff(x.shared.Load().Catalog(), c)
	if dry || len(changes) == 0 && x.shared.Load().Version() > 0 {
		return changes, nil
	}
	before := x.shared.Load().Version()
	taken := false
	if !x.call(func() { taken = x.apply(c, files, author, x.now) }) {
		return nil, errStopped
	}
	if !taken {
		return nil, errCatalogBusy
	}
	limit, cancel := context.WithTimeout(context.Background(), catalogWait)
	defer cancel()
	until(limit, func() bool { return x.shared.Load().Version() > before })
	if x.shared.Load().Version() == before {
		return nil, errCatalogBusy
	}
	return changes, nil
}
