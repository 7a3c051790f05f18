package replica

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"smsplane/ledger/journal"
)

// Config says what the member is made of.
type Config struct {
	DB      *journal.DB
	Log     *journal.Log // of the same lane and DB
	Lane    uint16
	ID      uint64 // this member, see MakeID
	Group   Group  // used only while the journal holds no newer one: the group that was formed, or that was told to one that joins
	Applied uint64 // what the folds recovered; entries up to here are not handed to apply again. A witness has no folds
	Tick    time.Duration
	Clock   func() int64  // ns, for leases: must not stop or jump, also not in suspend (CLOCK_BOOTTIME). nil: DoWork's time
	Lease   time.Duration // T of the sending lease; the same on all hosts. Default 400 ms
	Turn    int           // bytes of entries after which DoWork returns, though more are committed; 0: it applies them all
	Hold    int64         // bytes of log kept at most for a member that is away. Default 256 MiB

	Wake     func()                      // any goroutine: DoWork has something to do; nil: nobody needs to know
	Send     func(to uint64, msg []byte) // owner goroutine; msg is valid during the call; may be lost. nil on one host
	Snapshot func(to uint64)             // owner goroutine: begin to stream the lane to that host; ReportSnapshot ends it. nil: cannot
	Logger   *slog.Logger

	faults faults
}

// faults are the mutants of the simulation: each breaks one promise, and each must be caught.
type faults struct {
	skipSync   bool // answer before the disk has it
	forgetVote bool // the vote is not written
	eager      bool // the witness is fed always
	early      bool // the witness may have what no data host's disk has
	dropSnap   bool // snapshots vanish and nobody is told
	ownLease   bool // the lease does not wait for echoes
}

// Timers, in ticks: on a LAN of 20 ms ticks a lost leader is replaced within about 200 ms.
const (
	defaultTick    = 20 * time.Millisecond
	electionTicks  = 8
	heartbeatTicks = 1
)

// Bounds of one lane's memory, in bytes but for the messages.
const (
	maxSizePerMsg   = 1 << 20
	maxApplying     = 16 << 20
	maxUncommitted  = 8 << 20
	maxInflight     = 16 << 20 // per other voter
	maxInflightMsgs = 256
)

// Replica is a lane's raft member. See the package comment.
type Replica struct {
	c     Config
	rn    *raft.RawNode
	store *storage
	prop  *pb.Message // reused: raft copies the (empty) entry
	err   error       // the member is dead, for good

	group      Group
	alone      bool // there is no other member: no ticks, no messages
	witness    bool
	confAt     uint64 // the newest membership entry in the log
	peers      []peer
	ticks      int64
	ledAt      int64 // tick at which a leader was known last
	now        int64 // DoWork's
	lease      int64
	leaseFloor int64
	sendFrom   int64
	feed       feeder
	single     bool
	late       []*pb.Message // for witnesses, until the own disk has their entries
	told       uint64        // the leader's Needed
	hold       hold
	stall      stall
	room       room
	unfit      bool
	todo       []func()

	soft        raft.SoftState
	vote        journal.Vote // raft's newest hard state
	written     journal.Vote // the newest handed to the journal
	uncommitted int          // bytes proposed and not yet applied
	nextTick    int64        // unix ns; 0 before the first DoWork

	toApply     []*pb.Message
	turned      int // bytes applied in this DoWork
	applied     uint64
	appliedTerm uint64

	writes    writes
	wireBytes []byte
}

// Open starts the member from what the journal recovered. A group of one campaigns at once: it leads as soon
// as its first entry is synced and applied.
func Open(c Config) (r *Replica, err error) {
	if c.Tick <= 0 {
		c.Tick = defaultTick
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Wake == nil {
		c.Wake = func() {}
	}
	if c.Lease <= 0 {
		c.Lease = defaultLease
	}
	if c.Hold <= 0 {
		c.Hold = defaultHold
	}
	r = &Replica{c: c, witness: IsWitness(c.ID), vote: c.Log.Vote(), written: c.Log.Vote()}
	if err := r.recover(); err != nil {
		return nil, fmt.Errorf("lane %d: %w", c.Lane, err)
	}
	r.prop = &pb.Message{Type: pb.MsgProp.Enum(), From: &r.c.ID, Entries: []*pb.Entry{{}}}
	r.writes.wake = c.Wake
	if r.rn, err = raft.NewRawNode(r.raftConfig()); err != nil {
		return nil, fmt.Errorf("lane %d: raft: %w", c.Lane, err)
	}
	if r.alone {
		r.campaign()
	}
	return r, r.err
}

// recover takes the group from the journal, or the first one from the Config, and finds where a witness
// stands: it has no folds, so what is known to be committed counts as applied.
func (r *Replica) recover() error {
	c := &r.c
	g := c.Group
	if b := c.Log.Group(); b != nil {
		var err error
		if g, err = DecodeGroup(b); err != nil {
			return fmt.Errorf("%w: of %d octets in the journal", err, len(b))
		}
	}
	if err := g.check(); err != nil {
		return err
	}
	if r.witness {
		c.Applied = max(c.Log.First()-1, min(c.Log.Vote().Commit, c.Log.Last()))
	}
	r.group, r.alone = g, g.alone(c.ID)
	if err := check(c, r.alone); err != nil {
		return err
	}
	r.applied = c.Applied
	r.appliedTerm, _ = c.Log.Term(c.Applied)
	r.hold.next, r.hold.from = c.Log.First(), 1
	r.store = newStorage(r)
	r.setGroup(g)
	if c.Log.Group() == nil && !r.alone {
		r.writeGroup() // so that an export has it
	}
	return r.scanConf()
}

// scanConf finds the newest membership entry that is not applied yet.
func (r *Replica) scanConf() error {
	return r.c.Log.Scan(r.applied+1, r.c.Log.Last(), func(e journal.Entry) error {
		if e.Kind != journal.KindBlock {
			r.confAt = e.Index
		}
		return nil
	})
}

// check refuses what raft would panic over.
func check(c *Config, alone bool) error {
	first, last := c.Log.First(), c.Log.Last()
	switch {
	case Number(c.ID) == 0:
		return fmt.Errorf("%x is no member's id", c.ID)
	case c.Applied > last:
		return fmt.Errorf("the folds stand at index %d, the log ends at %d", c.Applied, last)
	case c.Applied+1 < first:
		return fmt.Errorf("the folds stand at index %d, the log begins at %d", c.Applied, first)
	case !alone && c.Send == nil:
		return errors.New("several members and no way to send")
	}
	return nil
}

// maxApplying is what raft hands out to be applied before some of it is.
func (r *Replica) maxApplying() uint64 {
	if r.c.Turn > 0 {
		return uint64(r.c.Turn)
	}
	return maxApplying
}

func (r *Replica) raftConfig() *raft.Config {
	return &raft.Config{
		ID: r.c.ID, Storage: r.store, Applied: r.c.Applied, Logger: raftLogger{r.c.Logger.With("lane", r.c.Lane)},
		ElectionTick: electionTicks, HeartbeatTick: heartbeatTicks, PreVote: true, CheckQuorum: true,
		AsyncStorageWrites: true, DisableProposalForwarding: true, StepDownOnRemoval: true,
		MaxSizePerMsg: maxSizePerMsg, MaxCommittedSizePerReady: r.maxApplying(), MaxUncommittedEntriesSize: maxUncommitted,
		MaxInflightMsgs: maxInflightMsgs, MaxInflightBytes: maxInflight,
	}
}

// Campaign asks to be elected now instead of when a leader has been silent for long enough. The others refuse
// while they hear one. Formation uses it, so that nobody waits for a timeout.
func (r *Replica) Campaign() {
	if r.err == nil && !r.witness {
		r.campaign()
	}
}

func (r *Replica) campaign() {
	defer r.guard()
	if err := r.rn.Campaign(); err != nil {
		r.err = fmt.Errorf("lane %d: campaign: %w", r.c.Lane, err)
		return
	}
	r.settle()
}

// Propose gives a sealed block to raft and the journal. It keeps the slice, which is immutable from here on.
// False means dropped and never to be committed: not the leader, or 8 MiB are uncommitted already. True
// promises nothing: only apply says that the block is committed, and a leader that was deposed may never
// say so.
func (r *Replica) Propose(block []byte) (taken bool) {
	if len(block) == 0 {
		panic("replica: proposal of an empty block")
	}
	if r.err != nil || !r.Leader() || r.uncommitted > 0 && r.uncommitted+len(block) > maxUncommitted {
		return false
	}
	defer r.guard()
	if err := r.rn.Step(r.prop); err != nil {
		return false
	}
	r.uncommitted += len(block)
	r.ready(block)
	return true
}

// Step takes a message that another member's Send gave out. An error says why it was dropped, which raft
// survives as it survives a loss. DoWork does what follows from it. Whether the sender is who it says is the
// transport's to know.
func (r *Replica) Step(msg []byte) error {
	if r.err != nil {
		return r.err
	}
	m, err := r.decode(msg)
	if err != nil {
		return fmt.Errorf("lane %d: message: %w", r.c.Lane, err)
	}
	defer r.guard()
	return r.hear(m)
}

// hear does what this package needs to know of a message before raft gets it.
func (r *Replica) hear(m *pb.Message) error {
	p := r.peer(m.GetFrom())
	if p != nil {
		p.heard = r.ticks
	}
	switch m.GetType() {
	case pb.MsgHeartbeat:
		if ctx := m.GetContext(); len(ctx) == stampBytes && m.GetTerm() >= r.vote.Term {
			r.told = le.Uint64(ctx[8:])
		}
	case pb.MsgTimeoutNow:
		if r.unfit {
			return nil // lost: whoever hands over goes on leading
		}
	case pb.MsgApp:
		if len(m.GetEntries()) > 0 && r.room.of[r.c.ID] == Brimful {
			return nil // lost: a disk that hardly has room must not be written full
		}
	case pb.MsgHeartbeatResp:
		r.echoed(m, p)
		if p != nil && (p.witness && r.withheld() || r.spares(p.id) && r.matches(p.id)) {
			r.store.deny = true
			defer func() { r.store.deny = false }()
		}
	}
	return r.rn.Step(m)
}

// DoWork does all that is due: ticks (in groups of several), what became durable, what arrived, and apply for
// every newly committed entry; block is nil for a leader's empty entry, for a membership change, and always on a witness. apply may call Propose. An error of
// apply, or of reading the log back, is final. n counts entries applied and writes completed.
func (r *Replica) DoWork(now int64, apply func(index uint64, block []byte) error) (n int, err error) {
	if r.err != nil {
		return 0, r.err
	}
	defer func() { err = r.err }()
	defer r.guard()
	r.now = now
	r.tick(now)
	for _, w := range r.writes.take() {
		r.finish(w)
		n++
	}
	r.turned = 0
	for r.settle(); len(r.toApply) > 0 && r.err == nil && !r.turnOver(); r.settle() {
		n += r.applyAll(apply)
	}
	r.writeCommit()
	if r.witness {
		r.cutWitness()
	}
	return n, nil
}

// turnOver says that the owner has its word: what it proposes now is written while the rest is applied. DoWork returned that
// it did something, and is called again.
func (r *Replica) turnOver() bool { return r.c.Turn > 0 && r.turned >= r.c.Turn }

// tick tells raft of the time. An owner that was held up ticks once, not for all it missed: it has not
// listened in that time either, so it must not conclude that the others were silent.
func (r *Replica) tick(now int64) {
	if r.quiescent() || now < r.nextTick {
		return
	}
	if r.nextTick != 0 {
		r.ticks++
		r.rn.Tick()
		if r.soft.Lead != 0 {
			r.ledAt = r.ticks
		}
		r.tickRoom()
		r.tickWitness()
		r.tickStall()
	}
	r.nextTick += int64(r.c.Tick)
	if r.nextTick <= now {
		r.nextTick = now + int64(r.c.Tick)
	}
}

// quiescent says that time means nothing: the only member leads. One that became the only one while it
// followed still has to be elected, and so has one that raft does not let campaign at its start, because a
// change of members is to be applied before.
func (r *Replica) quiescent() bool { return r.alone && r.leads() }

// Next is when DoWork must be called even if nothing wakes it, unix ns; 0: only when woken.
func (r *Replica) Next() int64 {
	switch {
	case len(r.toApply) > 0: // the turn was over before
		return r.now
	case r.quiescent():
		return 0
	}
	return r.nextTick
}

// settle empties raft's outbox: to the journal, to the other voters, to toApply.
func (r *Replica) settle() {
	for r.err == nil && r.rn.HasReady() {
		r.ready(nil)
		r.doLater()
	}
}

// ready handles one Ready. own is the block of a proposal made just before: raft copies entry data on
// proposal, so the proposal was empty and the block is put into the entry here, before anything looked at
// it. Log, append, apply and the messages to other voters all hold this same entry.
func (r *Replica) ready(own []byte) {
	rd := r.rn.Ready()
	if own != nil {
		e := rd.Entries[len(rd.Entries)-1]
		if len(e.GetData()) != 0 || e.GetTerm() != r.vote.Term {
			panic(fmt.Sprintf("replica: lane %d: the proposal is not the newest entry, %d is", r.c.Lane, e.GetIndex()))
		}
		e.Data = own
	}
	changed := rd.SoftState != nil && rd.RaftState != r.soft.RaftState
	if rd.SoftState != nil {
		r.soft = *rd.SoftState
	}
	if !raft.IsEmptyHardState(rd.HardState) {
		r.vote = journal.Vote{Term: rd.HardState.GetTerm(), Voted: rd.HardState.GetVote(), Commit: rd.HardState.GetCommit()}
		r.c.Log.SetVote(r.vote)
	}
	if changed {
		r.uncommitted = 0 // what an earlier leadership left open is not counted, as in raft
		r.newLease()
		r.newFeeder()
		r.tickRoom() // before the first entry goes out
	}
	for _, m := range rd.Messages {
		switch m.GetTo() {
		case raft.LocalAppendThread:
			r.write(m)
		case raft.LocalApplyThread:
			r.toApply = append(r.toApply, m)
		default:
			r.send(m)
		}
	}
}

// applyAll hands over what is in toApply, also what is added meanwhile by proposals that apply makes.
func (r *Replica) applyAll(apply func(index uint64, block []byte) error) (n int) {
	for i := 0; i < len(r.toApply); i++ {
		m := r.toApply[i]
		for _, e := range m.GetEntries() {
			if err := r.applyOne(e, apply); err != nil {
				r.err = err
			}
			if r.err != nil { // also of a proposal inside apply
				return n
			}
			n++
		}
		r.deliver(m.GetResponses())
	}
	clear(r.toApply)
	r.toApply = r.toApply[:0]
	return n
}

func (r *Replica) applyOne(e *pb.Entry, apply func(index uint64, block []byte) error) error {
	if r.witness && e.GetIndex() <= r.applied {
		return nil // a snapshot came meanwhile
	}
	if e.GetIndex() != r.applied+1 {
		panic(fmt.Sprintf("replica: lane %d: entry %d of type %s after %d", r.c.Lane, e.GetIndex(), e.GetType(), r.applied))
	}
	data := e.GetData()
	if e.GetType() != pb.EntryNormal {
		if err := r.applyConf(e); err != nil {
			return fmt.Errorf("lane %d: %w", r.c.Lane, err)
		}
		data = nil
	}
	r.uncommitted = max(0, r.uncommitted-len(data))
	r.turned += len(data)
	r.applied, r.appliedTerm = e.GetIndex(), e.GetTerm()
	if len(data) == 0 {
		data = nil
	}
	if err := apply(r.applied, data); err != nil {
		return fmt.Errorf("lane %d: apply index %d: %w", r.c.Lane, r.applied, err)
	}
	return nil
}

// deliver hands raft's answers to whom they are for: itself, or another voter.
func (r *Replica) deliver(answers []*pb.Message) {
	for _, m := range answers {
		if m.GetTo() != r.c.ID {
			r.send(m)
			continue
		}
		err := r.rn.Step(m)
		if errors.Is(err, raft.ErrProposalDropped) || errors.Is(err, raft.ErrStepPeerNotFound) && !r.group.Has(r.c.ID) {
			continue // a member that was removed hears of its last writes
		}
		if err != nil {
			panic(fmt.Sprintf("replica: lane %d: %s: %v", r.c.Lane, m.GetType(), err))
		}
	}
}

// send passes a message through the filter for witnesses and gives it out.
func (r *Replica) send(m *pb.Message) {
	if m = r.passes(m); m != nil {
		r.emit(m)
	}
}

func (r *Replica) emit(m *pb.Message) {
	if m.GetType() == pb.MsgHeartbeat {
		r.stamp(m)
	}
	b, err := encode(r.wireBytes[:0], m)
	if err != nil {
		panic(fmt.Sprintf("replica: lane %d: encode %s: %v", r.c.Lane, m.GetType(), err))
	}
	r.wireBytes = b
	r.c.Send(m.GetTo(), b)
}

// guard turns a failed read of the log inside raft, which can only panic there, into the member's error.
func (r *Replica) guard() {
	switch p := recover().(type) {
	case nil:
	case *readError:
		r.err = fmt.Errorf("lane %d: %w", r.c.Lane, p.err)
	default:
		panic(p)
	}
}
