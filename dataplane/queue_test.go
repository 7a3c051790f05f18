package dataplane

import (
	"container/heap"
	"fmt"
	"slices"
	"testing"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
)

// pages is a log in memory.
type pages map[uint64][]byte

func (p pages) Block(i uint64) ([]byte, error) { return p[i], nil }
func (p pages) Stragglers(uint16, uint64, func([]byte) error) error {
	return fmt.Errorf("no stragglers")
}
func (p pages) Run(uint16, uint32, uint32) ([]byte, error) { return nil, fmt.Errorf("no runs") }

// planned is a book of n messages that wait for carrier 3, and a queue that has nothing yet.
func planned(t *testing.T, n int) (b *book.Book, apply func(blk []byte, records int), q *queue) {
	t.Helper()
	p := pages{}
	b = book.New(0, p, p)
	apply = func(blk []byte, records int) {
		t.Helper()
		i := b.Applied() + 1
		p[i] = ledger.SealBlock(blk, 0, records, int64(i))
		if err := b.Apply(i, p[i]); err != nil {
			t.Fatal(err)
		}
	}
	blk := ledger.OpenBlock(nil)
	for i := range n {
		id := ledger.MakeMsgID(0, uint64(i+1))
		s := pdu.Submit{Src: []byte("me"), Dst: []byte("4915112345678")}
		blk = ledger.AppendAccept(blk, 0, id, 1, &ledger.Accept{Account: 1, Parts: 1, ValidUntil: never, PDU: s.Append(nil, 1)})
		blk = ledger.AppendRoute(blk, 0, id, 1, &ledger.Route{N: 1, Targets: [ledger.MaxTargets]ledger.PlanTarget{{Carrier: 3}}})
	}
	apply(blk, 2*n)
	return b, apply, &queue{kind: ledger.RunInternal, carrier: 3}
}

func seqs(b *book.Book, l *book.List) (all []uint64) {
	for m := b.Front(l); m != nil; m = b.After(m) {
		all = append(all, m.ID.Seq())
	}
	return all
}

// What a link gives back stands where it stood, in whatever order it is given back: from two sessions that had messages in blocks, after
// rests of two lengths. What was given to the queue late, and is older, stands behind it.
func TestReturnedMessagesKeepTheirPlace(t *testing.T) {
	const n, out = 1000, 900
	for name, order := range map[string]func(i int) int{
		"in order":       func(i int) int { return i },
		"backwards":      func(i int) int { return out - 1 - i },
		"block by block": func(i int) int { return (i/100*2+1)%9*100 + i%100 },
		"two by turns":   func(i int) int { return i%2*out/2 + i/2 },
		"anyhow":         func(i int) int { return i * 641 % out },
	} {
		b, _, q := planned(t, n)
		b.Each(0, b.Slots()+1, func(m *book.Msg) {
			if m.Phase = phaseQueued; m.ID.Seq() > 1 {
				q.push(b, m)
			}
		})
		q.push(b, b.Get(ledger.MakeMsgID(0, 1)))
		var away []*book.Msg
		for range out {
			away = append(away, b.Pop(&q.front))
		}
		for i := range away {
			if i == out/2 { // the next session has some of them by now, and is lost, too
				for range out / 4 {
					away = append(away, b.Pop(&q.front))
				}
			}
			if !q.rejoin(b, away[order(i)]) {
				t.Fatalf("%s: message %v does not stand in front", name, away[order(i)].ID)
			}
		}
		for _, m := range away[out:] {
			q.rejoin(b, m)
		}
		if got := seqs(b, &q.front); len(got) != n || !slices.IsSorted(got[:n-1]) || got[n-1] != 1 {
			t.Errorf("%s: the queue is %v", name, got)
		}
	}
}

// What a link gives back stands in front of the runs, though something in them is older, or their MOVE is still on its way.
func TestReturnedMessagesStandBeforeTheRuns(t *testing.T) {
	for _, folded := range []bool{true, false} {
		b, apply, q := planned(t, 30)
		b.Each(0, b.Slots()+1, func(m *book.Msg) {
			if m.Phase = phaseQueued; m.ID.Seq() > 1 && m.ID.Seq() <= 10 {
				q.push(b, m)
			}
		})
		var away []*book.Msg
		for range 5 {
			away = append(away, b.Pop(&q.front))
		}
		q.runs, q.spilled = []uint32{1}, 11
		if folded {
			mv := ledger.Move{Run: 1, Order: 1, Queue: ledger.RunInternal, Carrier: 3}
			for _, seq := range []uint64{11, 12, 13, 14, 15, 1} { // 1 was meant for another carrier until then
				mv.IDs = ledger.AppendID(mv.IDs, ledger.MakeMsgID(0, seq))
			}
			apply(ledger.AppendMove(ledger.OpenBlock(nil), 1, &mv), 1)
		}
		for _, m := range away {
			q.rejoin(b, m)
		}
		if got := seqs(b, &q.front); !slices.Equal(got, []uint64{2, 3, 4, 5, 6, 7, 8, 9, 10}) {
			t.Errorf("MOVE folded: %v, in front %v, behind the runs %v", folded, got, seqs(b, &q.back))
		}
	}
}

// What rests until the same moment goes on in the order in which it came.
func TestRestsEndInOrder(t *testing.T) {
	l := &lane{}
	for i := range 500 {
		l.rest(&book.Msg{ID: ledger.MakeMsgID(0, uint64(i*7%500+1))}, phaseResting, 1e9)
	}
	for want := uint64(1); len(l.resting) > 0; want++ {
		if e := heap.Pop(&l.resting).(restEntry); e.id.Seq() != want {
			t.Fatalf("message %d goes on instead of %d", e.id.Seq(), want)
		}
	}
}

// A message from before the runs goes in front of them, one from behind them does not.
func TestMessagesJoinOnTheirSideOfTheRuns(t *testing.T) {
	b, apply, q := planned(t, 30)
	mv := ledger.Move{Run: 1, Order: 1, Queue: ledger.RunInternal, Carrier: 3}
	for seq := uint64(11); seq <= 20; seq++ {
		mv.IDs = ledger.AppendID(mv.IDs, ledger.MakeMsgID(0, seq))
	}
	apply(ledger.AppendMove(ledger.OpenBlock(nil), 1, &mv), 1)
	q.runs, q.spilled = []uint32{1}, 10
	for _, join := range []func(*book.Book, *book.Msg) bool{q.push, q.merge, q.restore} {
		b.Each(0, b.Slots()+1, func(m *book.Msg) {
			m.Phase = phaseQueued
			if front := join(b, m); front != (m.ID.Seq() <= 10) {
				t.Errorf("message %d in front: %v", m.ID.Seq(), front)
			}
		})
		if f, k := seqs(b, &q.front), seqs(b, &q.back); len(f) != 10 || len(k) != 10 || !slices.IsSorted(f) || !slices.IsSorted(k) {
			t.Errorf("front %v, back %v", f, k)
		}
		for b.Pop(&q.front) != nil || b.Pop(&q.back) != nil {
		}
		b.Each(0, b.Slots()+1, func(m *book.Msg) { m.Note = 0 })
	}
}

// After a restart a queue that older messages joined late is read in the order in which it was filled: what stood in front of the runs
// is there again, and what stood behind them is not.
func TestLateMessagesOutlastARestart(t *testing.T) {
	b, apply, q := planned(t, 60)
	ids := func(from, to uint64) (ids []byte) {
		for seq := from; seq <= to; seq++ {
			ids = ledger.AppendID(ids, ledger.MakeMsgID(0, seq))
		}
		return ids
	}
	run := func(id uint32, carrier uint16, lists ...[]byte) {
		apply(ledger.AppendMove(ledger.OpenBlock(nil), 1, &ledger.Move{Run: id, Order: id, Queue: ledger.RunInternal, Carrier: carrier, IDs: slices.Concat(lists...)}), 1)
	}
	// 1 to 10 were another carrier's, which had 5 to 10 on disk, and came when this one had 11 to 40: behind those.
	run(1, 9, ids(5, 10))
	apply(ledger.AppendLoad(ledger.OpenBlock(nil), 1, 1), 1)
	run(2, 3, ids(21, 30))
	apply(ledger.AppendLoad(ledger.OpenBlock(nil), 1, 2), 1)
	run(3, 3, ids(31, 40), ids(1, 3))
	q.runs, q.spilled, q.newest = []uint32{3}, 13, b.RunOf(3).MaxSeq
	b.Each(0, b.Slots()+1, func(m *book.Msg) {
		if m.ID.Seq() <= 10 {
			m.Target = 1
			m.Targets[1].Carrier = 3
		}
	})
	for seq := uint64(1); seq <= 60; seq++ {
		if m := b.Get(ledger.MakeMsgID(0, seq)); m != nil {
			m.Phase = phaseQueued
			q.restore(b, m)
		}
	}
	var front, back []uint64
	for seq := uint64(11); seq <= 30; seq++ {
		front = append(front, seq)
	}
	for seq := uint64(4); seq <= 60; seq++ {
		if seq <= 10 || seq > 40 {
			back = append(back, seq)
		}
	}
	if f, k := seqs(b, &q.front), seqs(b, &q.back); !slices.Equal(f, front) || !slices.Equal(k, back) {
		t.Errorf("in front %v, behind the runs %v", f, k)
	}
}

// A dead carrier's queue is looked through, a part in each turn. What stays keeps its place: also when messages come and go between
// two turns, and when the carrier comes back amid that.
func TestStrandedMessagesKeepTheirPlace(t *testing.T) {
	n, stop := startTestNode(t, testNodeFile(t))
	defer stop()
	lane := n.x.accounts[1].Lane
	const messages = 3*turnBudget + 100
	for range messages/512 + 1 {
		n.admit(t, lane, 512)
	}
	l := n.x.lanes[lane]
	find := func() (c *carrier, q *queue) {
		for k, classes := range l.queues {
			for class := range classes {
				if classes[class].front.Len() >= messages {
					return n.x.carriers[k], &classes[class]
				}
			}
		}
		return nil, nil
	}
	if !n.await(func() bool { _, q := find(); return q != nil }) {
		t.Fatal("no queue has what was admitted")
	}
	n.x.call(func() {
		c, q := find()
		last := l.book.Back(&q.front)
		l.book.Remove(&q.front, last)
		var taken *book.Msg
		c.down, c.look = 1, true
		turns := 0
		for ; n.x.strands(n.x.now) > 0; turns++ {
			switch turns {
			case 0: // one comes
				q.push(l.book, last)
			case 1: // the one that was looked at last goes
				if taken = q.standing(l.book, c.strand[0].past); taken == nil {
					t.Error("it is not known how far the queue was looked through")
					return
				}
				l.book.Remove(&q.front, taken)
			}
			if got := seqs(l.book, &q.front); !slices.IsSorted(got) {
				t.Errorf("out of order after turn %d", turns)
				return
			}
		}
		if turns < 4 {
			t.Errorf("%d messages were looked at in %d turns", q.front.Len(), turns)
		}
		l.book.PushFront(&q.front, taken)
		c.down = 0
	})
}

// What stood in front of a run stands there after a restart, though something in the run is older.
func TestRunWithAnOldMessageOutlastsARestart(t *testing.T) {
	file := testNodeFile(t)
	n, stop := startTestNode(t, file)
	lane := n.x.accounts[1].Lane
	ids := n.queued(t, lane, 40)
	n.x.call(func() { n.x.lanes[lane].toRun(append(ids[:1:1], ids[20:30]...)) })
	if !n.await(func() bool { return n.x.lanes[lane].book.Spilled() == 11 }) {
		t.Fatal("they do not leave memory")
	}
	stop()
	n, stop = startTestNode(t, file)
	defer stop()
	var got []uint64
	if !n.await(func() bool {
		got = nil
		n.x.lanes[lane].eachQueue(func(q *queue) { got = append(got, seqs(n.x.lanes[lane].book, &q.front)...) })
		return len(got) == len(ids)
	}) {
		t.Fatalf("%d of %d messages are in front", len(got), len(ids))
	}
	var want []uint64
	for _, id := range slices.Concat(ids[1:20], ids[:1], ids[20:]) {
		want = append(want, id.Seq())
	}
	if !slices.Equal(got, want) {
		t.Errorf("the queue is %v, not %v", got, want)
	}
}

// After a restart a queue is read in the order in which its messages were accepted: front, runs, back.
func TestOrderOutlastsARestart(t *testing.T) {
	file := testNodeFile(t)
	n, stop := startTestNode(t, file)
	lane := n.x.accounts[1].Lane
	const messages = keepFront + 20*runMessages
	for range messages / 512 {
		n.admit(t, lane, 512)
	}
	n.x.call(func() { n.x.maxHot = 1000 })
	spilled := func() bool { return n.x.lanes[lane].book.Spilled() >= 19*runMessages }
	if !n.await(spilled) {
		t.Fatalf("%d messages are in runs", n.x.lanes[lane].book.Spilled())
	}
	n.x.call(func() { n.x.maxHot = 1 << 20 })
	n.admit(t, lane, 100)
	const gone = keepFront - loadBelow - 100
	n.x.call(func() {
		l := n.x.lanes[lane]
		for _, classes := range l.queues {
			for c := range classes {
				for q := &classes[c]; q.front.Len() > keepFront-gone; {
					m := l.book.Back(&q.front)
					m.Registered = 0
					l.unlist(m)
					l.expire(m, n.x.now)
				}
			}
		}
	})
	if !n.await(func() bool { return n.x.lanes[lane].book.Counts.Ends[ledger.EndExpired] == gone }) {
		t.Fatalf("%+v", n.x.lanes[lane].book.Counts)
	}
	if !n.await(func() bool { l := n.x.lanes[lane]; return l.book.Live[book.StateAccepted] == 0 }) { // or they stand in another queue
		t.Fatal("some messages have no plan yet")
	}
	stop()
	n, stop = startTestNode(t, file)
	scattered := func() bool { l := n.x.lanes[lane]; return l.book.Scattered(l.log.Last(), n.x.scattered, l.log.Size) }
	n.x.call(func() {
		n.x.scattered, n.x.lanes[lane].untidy = 20, true // as at every start, whose first look this would have been
		if !scattered() {
			t.Error("the front of the queue does not hold the log's beginning: nothing is shown")
		}
	})
	if !n.await(func() bool { return !scattered() }) {
		t.Error("an idle lane does not let go of the log's beginning, behind which hardly anything lives")
	}
	stop()
	n, stop = startTestNode(t, file)
	defer stop()
	n.x.call(func() {
		l := n.x.lanes[lane]
		for _, classes := range l.queues {
			for c := range classes {
				q := &classes[c]
				if len(q.runs) == 0 {
					continue
				}
				all := seqs(l.book, &q.front)
				for _, r := range q.runs {
					if err := l.book.EachOfRun(r, func(m *book.Msg, _ []byte) error { all = append(all, m.ID.Seq()); return nil }); err != nil {
						t.Error(err)
					}
				}
				if all = append(all, seqs(l.book, &q.back)...); len(all) != messages+100-gone {
					t.Errorf("%d messages, %d in front, %d run(s)", len(all), q.front.Len(), len(q.runs))
				}
				for at := 1; at < len(all); at++ {
					if all[at-1] >= all[at] {
						t.Fatalf("message %d is behind %d", all[at], all[at-1])
					}
				}
			}
		}
	})
	check(t, n)
}

// A queue of a hundred million messages has a hundred thousand runs in a row. The first is taken out without a step for each of
// the others.
func TestFirstRunLeavesTheOthersInPlace(t *testing.T) {
	q := &queue{runs: []uint32{3, 5, 4, 9}, spilled: 40}
	second := &q.runs[1]
	if q.drop(3, 10); &q.runs[0] != second || len(q.runs) != 3 || q.spilled != 30 {
		t.Errorf("%d messages in runs %d, which were moved: %v", q.spilled, q.runs, &q.runs[0] != second)
	}
	q.drop(4, 10)
	if q.drop(7, 10); !slices.Equal(q.runs, []uint32{5, 9}) || q.spilled != 20 {
		t.Errorf("%d messages in runs %d", q.spilled, q.runs)
	}
}

// What leaves memory does so run by run, a turn each, and no more than must: a sweep that wrote all at once would have the executor
// fold it all at once.
func TestOneTurnSpillsOneRun(t *testing.T) {
	n := newTestNode(t)
	lane := n.x.accounts[1].Lane
	l := n.x.lanes[lane]
	const over = 3
	for range keepFront/512 + 2*(spillAhead+over) {
		n.admit(t, lane, 512)
	}
	if !n.await(func() bool { return l.book.Live[book.StateRouted] == keepFront+(spillAhead+over)*runMessages }) {
		t.Fatal("the messages are not queued")
	}
	runs := func() (k int) {
		l.eachQueue(func(q *queue) { k += len(q.runs) })
		return k
	}
	n.x.call(func() {
		n.x.maxHot = n.x.hot() - over*runMessages
		for turn := range over {
			if l.spill(n.x.now); runs() != turn+1 || !l.spilling {
				t.Errorf("%d runs are written in turn %d, more are to come: %v", runs(), turn, l.spilling)
				return
			}
		}
		if l.spill(n.x.now); runs() != over || l.spilling {
			t.Errorf("%d runs are written though the others suffice, more are to come: %v", runs(), l.spilling)
		}
		n.x.maxHot = 1000
		for range 2 * spillAhead {
			l.spill(n.x.now)
		}
		if runs() != spillAhead || !l.spilling {
			t.Errorf("%d runs are on their way, more are to come: %v", runs(), l.spilling)
		}
	})
	if !n.await(func() bool { return l.book.Spilled() >= (spillAhead+over-1)*runMessages }) {
		t.Errorf("%d messages are on disk: the lane did not go on", l.book.Spilled())
	}
}

// Each turn looks at the queues that have a part on disk or behind that, not at all queues of hundreds of carriers.
func TestTurnsLookAtQueuesWithParts(t *testing.T) {
	n := newTestNode(t)
	l := n.x.lanes[n.x.accounts[1].Lane]
	n.x.call(func() {
		for carrier := range uint16(100) {
			l.queueOf(ledger.RunInternal, 1000+carrier, 0)
		}
		q := l.queueOf(ledger.RunInternal, 1007, 0)
		for range 2 {
			l.parts(q)
		}
		q.runs, q.loading = []uint32{7}, 7
		if l.refill(n.x.now); !slices.Equal(l.split, []*queue{q}) {
			t.Errorf("%d queues are looked at", len(l.split))
		}
		q.runs, q.loading = nil, 0
		if l.refill(n.x.now); len(l.split) > 0 || q.split {
			t.Errorf("%d queues are looked at, and none has a part", len(l.split))
		}
	})
}
