package measure

import (
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/journal"
	"smsplane/ledger/replica"
	"smsplane/pdu"
)

// As the appliance's lanes do.
const (
	flushEvery   = 20 * time.Millisecond
	flushEntries = 2048
	stateBytes   = 96 << 10
	applyTurn    = 32 << 10
	pduOctets    = 152
)

// lane is one lane on a store of its own, driven as the executor drives it, with a leader that has no doubts: every
// message is planned, dispatched, taken, received and ended as soon as the step before is committed.
type lane struct {
	t     testing.TB
	dir   string
	db    *journal.DB
	log   *journal.Log
	rep   *replica.Replica
	book  *book.Book
	bell  chan struct{}
	seq   uint64
	open  []byte
	n     int
	flush time.Time

	plan     ledger.Route
	proposed []time.Time // of ACCEPT blocks not applied yet
	latency  []time.Duration
	ended    int
	until    ledger.Kind   // lives end with this record
	slowest  time.Duration // fold of a block
}

func (l *lane) Block(i uint64) ([]byte, error) {
	if b, ok := l.log.InMemory(i); ok {
		return b, nil
	}
	e, err := l.log.Entry(i)
	return e.Data, err
}
func (l *lane) get(k journal.Kind, n uint64) ([]byte, error) {
	v, err := l.db.Get(journal.Key(k, 0, n))
	if err == nil && v == nil {
		err = fmt.Errorf("%v %d is missing", k, n)
	}
	return v, err
}
func (l *lane) Stragglers(_ uint16, from uint64, f func([]byte) error) error {
	_, hi := journal.LaneRange(journal.Moved, 0)
	return l.db.Scan(journal.Key(journal.Moved, 0, from), hi, func(_, v []byte) error { return f(v) })
}
func (l *lane) Run(_ uint16, run, piece uint32) ([]byte, error) {
	v, err := l.db.Get(book.RunKey(0, run, piece))
	if err == nil && v == nil {
		err = fmt.Errorf("piece %d of run %d is missing", piece, run)
	}
	return v, err
}

// urge puts the calling goroutine where the appliance puts its executor, as far as the kernel allows it: before compactions and the
// collector, with a processor of the runtime to spare. Raw is driven from there, too.
func urge() {
	runtime.LockOSThread()
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, -10)
	runtime.GOMAXPROCS(runtime.NumCPU() + 2)
}

// openLane opens a lane in dir; opened again it is what a restart finds.
func openLane(t testing.TB, dir string) *lane {
	t.Helper()
	l := &lane{t: t, dir: dir, bell: make(chan struct{}, 1), until: ledger.KindFinal}
	l.plan = ledger.Route{N: 1, Targets: [ledger.MaxTargets]ledger.PlanTarget{{Carrier: 3, Tier: 1, Weight: 1, Buy: 31_000}}}
	var err error
	l.db, err = journal.Open(journal.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	l.must(err)
	l.log, err = l.db.Log(0)
	l.must(err)
	l.book = book.New(0, l, l)
	l.must(l.book.Load(l.db, func(upTo uint64, f func(uint64, []byte) error) error {
		return l.log.Scan(l.log.First(), upTo, func(e journal.Entry) error {
			if e.Kind != journal.KindBlock || len(e.Data) == 0 {
				return nil
			}
			return f(e.Index, e.Data)
		})
	}))
	l.rep, err = replica.Open(replica.Config{DB: l.db, Log: l.log, ID: 1, Group: replica.Group{Voters: []uint64{1}}, Applied: l.book.Applied(), Turn: applyTurn,
		Wake: l.wake, Logger: slog.New(slog.DiscardHandler)})
	l.must(err)
	for !l.rep.Leader() {
		l.work()
		l.wait(time.Second)
	}
	l.book.On = l.on
	l.seq = l.book.NextSeq()
	urge()
	l.db.Pace()
	return l
}

func (l *lane) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *lane) wake() {
	select {
	case l.bell <- struct{}{}:
	default:
	}
}

func (l *lane) wait(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-l.bell:
	case <-t.C:
	}
}

func (l *lane) close() { l.must(l.db.Close()) }

// work is a turn: apply, propose the state, flush. It says how much there was to do.
func (l *lane) work() int {
	n, err := l.rep.DoWork(time.Now().UnixNano(), func(index uint64, block []byte) error {
		began := time.Now()
		err := l.book.Apply(index, block)
		l.slowest = max(l.slowest, time.Since(began))
		return err
	})
	l.must(err)
	l.cut()
	if now := time.Now(); l.book.Dirty() && (now.Sub(l.flush) >= flushEvery || l.book.Pending() >= flushEntries) {
		l.flush = now
		l.flushNow()
	}
	return n
}

func (l *lane) flushNow() {
	w := journal.NewBatch()
	l.must(l.book.Flush(w))
	n := l.book.Flushes()
	l.db.Write(w, func() {})
	l.book.Stored(n - min(n, 8)) // what was flushed a while ago can be read by now; only the latest must be kept
	l.log.DropBelow(l.book.LowWater())
}

// begin opens the state block.
func (l *lane) begin() []byte {
	if l.n == 0 {
		l.open = ledger.OpenBlock(make([]byte, 0, stateBytes+4<<10))
	}
	l.n++
	return l.open
}

// recorded takes the block back, and proposes it when it is full.
func (l *lane) recorded(b []byte) {
	if l.open = b; len(b) >= stateBytes {
		l.cut()
	}
}

func (l *lane) cut() {
	if l.n == 0 {
		return
	}
	b := ledger.SealBlock(l.open, 0, l.n, time.Now().UnixNano())
	if l.n = 0; !l.rep.Propose(b) {
		l.t.Fatal("a proposal was dropped")
	}
}

// on follows each record with the next of the message's life.
func (l *lane) on(r *ledger.Record, m *book.Msg) error {
	now := r.At
	if m == nil {
		return nil
	}
	if r.Kind == ledger.KindAccept && len(l.proposed) > 0 && l.first(m) {
		l.latency = append(l.latency, time.Since(l.proposed[0]))
		l.proposed = l.proposed[1:]
	}
	if r.Kind == l.until {
		l.ended++
		return nil
	}
	switch r.Kind {
	case ledger.KindAccept:
		l.plan.CommittedAt, l.plan.RoutedAt = now, now
		l.recorded(ledger.AppendRoute(l.begin(), 1, m.ID, now, &l.plan))
	case ledger.KindRoute:
		l.recorded(ledger.AppendDispatch(l.begin(), 2, 0, m.ID, now, &ledger.Dispatch{Carrier: 3, Attempt: 1, Session: 7, Buy: 31_000}))
	case ledger.KindDispatch:
		l.recorded(ledger.AppendAnswer(l.begin(), 2, m.ID, now, &ledger.Answer{Outcome: ledger.Taken, Cost: 31_000, CarrierID: []byte("0123456789")}))
	case ledger.KindAnswer:
		l.recorded(ledger.AppendReceipt(l.begin(), 3, m.ID, now, &ledger.Receipt{State: uint8(pdu.StateDelivered), Done: now, Err: []byte("000"), ID: []byte("0123456789")}))
		l.recorded(ledger.AppendFinal(l.begin(), 4, m.ID, now, &ledger.Final{End: ledger.EndDelivered, Reason: ledger.ReasonReceipt, Hold: 45_000, Charge: 45_000}))
	}
	return nil
}

// clear ends whatever lives, in a block after the other.
func (l *lane) clear() {
	was := l.until
	defer func() { l.until = was }()
	l.until = ledger.KindFinal
	for at := uint32(0); l.book.InMemory() > 0; {
		now := time.Now().UnixNano()
		n := 0
		at = l.book.Each(at, 4096, func(m *book.Msg) {
			n++
			l.recorded(ledger.AppendFinal(l.begin(), 4, m.ID, now, &ledger.Final{End: ledger.EndExpired, Reason: ledger.ReasonValidity, Hold: 45_000}))
		})
		if n == 0 {
			continue // none lives in these slots
		}
		l.cut()
		for want := l.book.Applied(); l.rep.InFlight() > 0 || l.book.Applied() == want; {
			if l.work() == 0 && l.rep.InFlight() > 0 {
				l.wait(flushEvery)
			}
		}
	}
	l.flushNow()
}

// first says that m is the first of its ACCEPT block.
func (l *lane) first(m *book.Msg) bool { return m.Off == ledger.BlockHeader+24+ledger.AcceptPDUOffset }

// accepts makes a block of n messages, as the desk does.
func (l *lane) accepts(n int) []byte {
	b := ledger.OpenBlock(make([]byte, 0, n*(pduOctets+100)))
	now := time.Now().UnixNano()
	for range n {
		s := pdu.Submit{SrcTON: 5, Src: []byte("smsbench"), DstTON: 1, DstNPI: 1, Dst: fmt.Appendf(nil, "4915%08d", l.seq%100_000_000), Registered: 1}
		s.Text = make([]byte, pduOctets-len(s.Append(nil, 0)))
		b = ledger.AppendAccept(b, 1, ledger.MakeMsgID(0, l.seq), now, &ledger.Accept{Account: 1, Session: 5, Row: 1, Catalog: 1, Parts: 1, Registered: 1, Price: 45_000,
			Number: 491500000000 + l.seq, ValidUntil: now + int64(48*time.Hour), PDU: s.Append(nil, 1)})
		l.seq++
	}
	return ledger.SealBlock(b, 0, n, now)
}

// cpu is the process's user and system time.
func cpu() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
