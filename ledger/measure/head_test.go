package measure

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"smsplane/ledger"
	"smsplane/ledger/book"
)

var (
	behind = flag.Int("behind", 10_000_000, "messages consumed behind the head of the queue")
	ahead  = flag.Int("ahead", 5_000_000, "messages of the queue that wait on disk")
)

const runMessages = 1024 // of one run, as in the appliance

// long is a queue of one lane that is mostly in runs: what comes is moved to the end at once, what is sent is loaded from
// the front.
type long struct {
	*lane
	runs []uint32
	run  uint32

	reads []time.Duration // of each run as it is read beside the serving thread
	loads []time.Duration // what the serving thread pays for the fold of its LOAD
	each  []time.Duration // what it pays for a message, its bytes and, for the first of a run, the LOAD
}

// fill accepts, plans and moves one run.
func (q *long) fill() {
	var ids []byte
	first := q.seq
	blk := q.accepts(runMessages)
	q.propose(blk)
	for seq := first; seq < q.seq; seq++ {
		q.recorded(ledger.AppendRoute(q.begin(), 1, ledger.MakeMsgID(0, seq), 1, &q.plan))
		ids = ledger.AppendID(ids, ledger.MakeMsgID(0, seq))
	}
	q.run++
	q.recorded(ledger.AppendMove(q.begin(), 1, &ledger.Move{Run: q.run, Order: q.run, Queue: ledger.RunInternal, Carrier: 3, IDs: ids}))
	q.runs = append(q.runs, q.run)
	q.settle()
}

// consume loads the first run as the appliance does, read beforehand by another goroutine; reads what is in it, and ends it.
func (q *long) consume() {
	run := q.runs[0]
	q.runs = q.runs[1:]
	read, head := make(chan *book.Unpacked), *q.book.RunOf(run)
	began := time.Now()
	if !q.book.AtHand(run) { // it may not be stored yet
		go func() {
			p, err := book.ReadRun(q.lane, 0, run, head.Pieces)
			if err != nil {
				q.t.Error(err)
			}
			u, err := p.Unpack(0, head.Count)
			if err != nil {
				q.t.Error(err)
			}
			read <- u
		}()
		q.book.Bring(run, <-read)
	}
	q.reads = append(q.reads, time.Since(began))
	q.recorded(ledger.AppendLoad(q.begin(), 1, run))
	q.slowest = 0
	q.settle()
	load := q.slowest
	q.loads = append(q.loads, load)
	q.book.Each(0, q.book.Slots()+1, func(m *book.Msg) {
		began := time.Now()
		if _, err := q.book.PDU(m); err != nil {
			q.t.Fatal(err)
		}
		q.each = append(q.each, time.Since(began)+load)
		load = 0
		q.recorded(ledger.AppendFinal(q.begin(), 4, m.ID, 1, &ledger.Final{End: ledger.EndFailed, Reason: ledger.ReasonOperator, Hold: m.Hold}))
	})
	q.settle()
}

func (q *long) propose(b []byte) {
	for !q.rep.Propose(b) {
		q.work()
		q.wait(flushEvery)
	}
}

// settle waits until everything proposed is applied.
func (q *long) settle() {
	q.cut()
	for n := q.work(); n > 0 || q.rep.InFlight() > 0; n = q.work() {
		if n == 0 {
			q.wait(flushEvery)
		}
	}
}

// BenchmarkHeads reads the head of a queue with millions consumed behind it and millions before it, then opens the store
// again. One round is the whole measurement.
func BenchmarkHeads(b *testing.B) { heads(b, *behind, *ahead).close() }

func heads(b testing.TB, behind, ahead int) *long {
	q := &long{lane: openLane(b, b.TempDir())}
	q.book.On = nil // nothing follows by itself
	began, memory := time.Now(), []memory{memoryOf(b)}
	for i := range ahead / runMessages {
		if q.fill(); (i+1)%max(ahead/runMessages/memoryLooks, 1) == 0 {
			memory = append(memory, memoryOf(b))
		}
	}
	b.Logf("%d queued in %v; memory, resident and of it what Go keeps, from none to all: %v", q.book.Spilled(), time.Since(began).Round(time.Second), memory)
	began = time.Now()
	for range behind / runMessages {
		q.fill()
		q.consume()
	}
	took := time.Since(began)
	reads, loads, each := newest(q.reads, 500), newest(q.loads, 500), newest(q.each, 500*runMessages)
	b.Logf("%d consumed, %d on disk, %.0f/s in and out; of the last %d runs of %d messages each:", behind, q.book.Spilled(), float64(behind)/took.Seconds(), len(loads), runMessages)
	for _, v := range []struct {
		what string
		of   []time.Duration
	}{{"beside the serving thread, a run read", reads}, {"the serving thread, the fold of a LOAD", loads}, {"the serving thread, a message with its share of the LOAD or without", each}} {
		b.Logf("%s: p50 %.4f ms, p99 %.4f ms, most %.4f ms", v.what, quantile(v.of, 0.5), quantile(v.of, 0.99), quantile(v.of, 1))
	}
	q.flushNow()
	q.close()
	began = time.Now()
	again := openLane(b, q.dir)
	b.Logf("opened again in %v: %d messages live, %d in memory; the log is %d entries; %.1f GB on disk", time.Since(began).Round(time.Millisecond),
		again.book.Spilled()+again.book.InMemory(), again.book.InMemory(), again.log.Last()+1-again.log.First(), float64(again.db.DiskUsage())/1e9)
	if bb, ok := b.(*testing.B); ok {
		bb.ReportMetric(quantile(loads, 0.99), "load-p99-ms")
		bb.ReportMetric(quantile(each, 0.99), "message-p99-ms")
	}
	again.book.On = nil
	q.lane = again
	return q
}

// memoryLooks is how often memory is looked at while the queue is filled.
const memoryLooks = 10

// memory of this process in octets.
type memory struct{ resident, heap uint64 }

func (m memory) String() string { return fmt.Sprintf("%d/%d MiB", m.resident>>20, m.heap>>20) }

// memoryOf collects garbage first: what is left of the heap is held.
func memoryOf(t testing.TB) (m memory) {
	t.Helper()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	m.heap = s.HeapAlloc
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(text), new(uint64), &m.resident); err != nil {
		t.Fatalf("/proc/self/statm says %q: %v", text, err)
	}
	m.resident *= uint64(os.Getpagesize())
	return m
}

func newest(v []time.Duration, n int) []time.Duration { return v[max(0, len(v)-n):] }

// Small, the same queue loses nothing.
func TestHeads(t *testing.T) {
	q := heads(t, 4*runMessages, 2*runMessages)
	defer q.close()
	if q.book.Spilled() != 2*runMessages || q.book.InMemory() != 0 || q.book.Counts.Ends[ledger.EndFailed] != 4*runMessages {
		t.Errorf("%d spilled, %d in memory, %+v", q.book.Spilled(), q.book.InMemory(), q.book.Counts)
	}
	for _, err := range q.book.Check() {
		t.Error(err)
	}
}
