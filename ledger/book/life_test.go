package book

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"smsplane/ledger"
	"smsplane/ledger/journal"
	"smsplane/pdu"
)

// lives folds whole lives of messages, as a busy lane does: every stage of a message is a block of its own, and between
// two stages of it pass those of as many others as are on their way.
type lives struct {
	b       *Book
	log     ring512
	next    uint64 // sequence
	index   uint64
	lag     int // batches between two stages
	batches [][]ledger.MsgID
	pdu     []byte
	open    []byte
	rand    *rand.Rand
	cid     []byte
	now     int64
}

const (
	lifeBatch  = 512
	lifeStages = 6
)

// ring512 is a Log that keeps the newest blocks by index, each in a buffer that is used again.
type ring512 struct{ blocks [][]byte }

func (r *ring512) Block(i uint64) ([]byte, error) { return r.blocks[i%uint64(len(r.blocks))], nil }

func (*ring512) Stragglers(uint16, uint64, func([]byte) error) error {
	return fmt.Errorf("no straggler here")
}
func (*ring512) Run(uint16, uint32, uint32) ([]byte, error) { return nil, fmt.Errorf("no run here") }

func newLives(live int) *lives {
	l := &lives{lag: max(1, live/lifeBatch/lifeStages), next: 1, rand: rand.New(rand.NewPCG(1, 2)), now: 1_700_000_000_000_000_000}
	l.log.blocks = make([][]byte, 2*lifeStages*(l.lag*lifeStages+2))
	l.b = New(1, &l.log, &l.log)
	s := pdu.Submit{Command: pdu.SubmitSM, Src: []byte("smsplane"), DstTON: 1, DstNPI: 1, Dst: []byte("4915112345678"), Registered: 1,
		Text: []byte("your code is 123456, and this text is as long as many are")}
	l.pdu = s.Append(nil, 0)
	l.batches = make([][]ledger.MsgID, l.lag*lifeStages+1)
	for i := range l.batches {
		l.batches[i] = make([]ledger.MsgID, 0, lifeBatch)
	}
	return l
}

// step brings one batch in, one batch on by each stage, and one batch to its end.
func (l *lives) step(t testing.TB) {
	n := len(l.batches)
	at := int(l.index / lifeStages % uint64(n))
	for stage := range lifeStages {
		l.index++
		l.now += 1000
		ids := &l.batches[(at+n-stage*l.lag)%n]
		if stage == 0 {
			*ids = (*ids)[:0]
			for range lifeBatch {
				*ids = append(*ids, ledger.MakeMsgID(1, l.next))
				l.next++
			}
		} else {
			l.rand.Shuffle(len(*ids), func(i, j int) { (*ids)[i], (*ids)[j] = (*ids)[j], (*ids)[i] })
		}
		slot := &l.log.blocks[l.index%uint64(len(l.log.blocks))]
		l.open = ledger.OpenBlock((*slot)[:0])
		records := 0
		for _, id := range *ids {
			records += l.record(stage, id)
		}
		*slot = ledger.SealBlock(l.open, 1, records, l.now)
		if err := l.b.Apply(l.index, *slot); err != nil {
			t.Fatal(err)
		}
	}
	if l.b.Pending() > 4096 {
		w := journal.NewBatch()
		if err := l.b.Flush(w); err != nil {
			t.Fatal(err)
		}
		w.Forget()
	}
}

func (l *lives) record(stage int, id ledger.MsgID) int {
	switch stage {
	case 0:
		l.open = ledger.AppendAccept(l.open, 0, id, l.now, &ledger.Accept{Account: 1, Session: 1, Parts: 1, Price: 45000, Number: 4915112345678,
			Registered: 1, ValidUntil: l.now + 1e15, PDU: l.pdu})
	case 1:
		r := ledger.Route{CommittedAt: l.now, RoutedAt: l.now, N: 2}
		r.Targets[0].Carrier, r.Targets[1].Carrier = 1, 2
		l.open = ledger.AppendRoute(l.open, 0, id, l.now, &r)
	case 2:
		l.open = ledger.AppendDispatch(l.open, 0, 0, id, l.now, &ledger.Dispatch{Carrier: 1, Attempt: 1, Session: 1, Buy: 9500})
	case 3:
		l.cid = strconv.AppendUint(l.cid[:0], uint64(id), 16)
		l.open = ledger.AppendAnswer(l.open, 0, id, l.now, &ledger.Answer{Outcome: ledger.Taken, Cost: 9500, CarrierID: l.cid})
	case 4:
		l.open = ledger.AppendReceipt(l.open, 0, id, l.now, &ledger.Receipt{State: uint8(pdu.StateDelivered), Done: l.now})
		l.open = ledger.AppendFinal(l.open, 0, id, l.now, &ledger.Final{End: ledger.EndDelivered, Reason: ledger.ReasonReceipt, Hold: 45000, Charge: 45000, Return: true})
		return 2
	case 5:
		l.open = ledger.AppendReturn(l.open, 0, id, l.now, &ledger.Return{Session: 1})
	}
	return 1
}

// warmUp brings everything to the size that it keeps.
func (l *lives) warmUp(t testing.TB) {
	for range 3 * len(l.batches) {
		l.step(t)
	}
}

// A message costs the books no allocation in steady state; what a batch costs is a few for all of its 512.
func TestFoldAllocatesNothingPerMessage(t *testing.T) {
	l := newLives(20_000)
	l.warmUp(t)
	if n := testing.AllocsPerRun(50, func() { l.step(t) }); n > lifeBatch/20 {
		t.Errorf("%v allocations for %d lives", n, lifeBatch)
	}
	if l.b.Counts.Ends[ledger.EndDelivered] == 0 || l.b.Sum() != 0 {
		t.Errorf("the work was not done: %+v, sum %v", l.b.Counts, l.b.Sum())
	}
}

// The cost of a life, by how many messages are on their way meanwhile.
func BenchmarkFold(b *testing.B) {
	for _, live := range []int{20_000, 500_000} {
		b.Run(fmt.Sprint(live), func(b *testing.B) {
			l := newLives(live)
			l.warmUp(b)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				l.step(b)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/lifeBatch, "ns/message")
		})
	}
}
