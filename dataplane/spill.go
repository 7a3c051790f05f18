package dataplane

import (
	"slices"

	"smsplane/ledger"
	"smsplane/ledger/book"
)

// spill writes the tail of the lane's longest queue to a run when the host holds more messages in memory than it has room for,
// less those of the lane that are about to leave. A sweep begins with that, and each turn goes on with one run: folding it takes a
// good part of a millisecond.
func (l *lane) spill(now int64) {
	coming := max(0, int(l.run)+1-int(l.book.NextRun(0))) // runs whose MOVE is on its way
	l.spilling = l.deeds == 0 && l.x.hot()-coming*runMessages > l.x.maxHot
	if !l.spilling || coming >= spillAhead {
		return
	}
	q := l.longest()
	l.spilling = q != nil && l.cutRun(q, now)
}

// spillAhead bounds the runs of a lane whose MOVE is on its way when another is written.
const spillAhead = 8

// hot is the number of messages in memory, over all lanes.
func (x *executor) hot() (n int) {
	for _, l := range x.lanes {
		n += l.book.InMemory()
	}
	return n
}

// longest is the queue with the most to spill.
func (l *lane) longest() (best *queue) {
	most := runMessages
	l.eachQueue(func(q *queue) {
		if n := q.front.Len() - keepFront + q.back.Len(); n >= most {
			best, most = q, n
		}
	})
	return best
}

func (l *lane) eachQueue(f func(q *queue)) {
	f(&l.routing)
	for _, classes := range l.queues {
		for c := range classes {
			f(&classes[c])
		}
	}
}

// cutRun proposes the move of the oldest messages behind the runs that are there.
func (l *lane) cutRun(q *queue, now int64) bool {
	l.parts(q)
	for n := 0; len(q.runs) == 0 && q.front.Len() > keepFront && n < spillTurn; n++ {
		m := l.book.Back(&q.front)
		l.book.Remove(&q.front, m)
		m.Note |= noteBack
		l.book.PushFront(&q.back, m)
		l.served(q, -1)
	}
	if q.back.Len() < runMessages {
		return false
	}
	l.run, l.runIDs = l.book.NextRun(l.run), l.runIDs[:0]
	n := 0
	for n < runMessages && q.back.Len() > 0 {
		m := l.book.Pop(&q.back)
		m.Note &^= noteBack
		if m.Policy != 0 || m.Part > 0 || m.Note&noteHolds != 0 { // in doubt once, sent in part, or waited for: it is old
			l.book.Push(&q.front, m)
			l.served(q, 1)
			continue
		}
		m.Phase = phaseSpilling
		l.runIDs = ledger.AppendID(l.runIDs, m.ID)
		n++
	}
	if n == 0 {
		return false
	}
	l.begin()
	l.open = ledger.AppendMove(l.open, now, &ledger.Move{Run: l.run, Order: l.run, Queue: q.kind, Carrier: q.carrier, Class: q.class, IDs: l.runIDs})
	l.recorded(now)
	q.runs = append(q.runs, l.run)
	q.spilled += n
	return true
}

// served keeps the executor's count of what a carrier could be sent now.
func (l *lane) served(q *queue, n int) {
	if q.kind == ledger.RunInternal {
		l.x.carrier(q.carrier).waiting[q.class] += n
	}
}

// refill loads the next run of queues that run low in memory, and closes the gap once the last one is back.
//
// A run whose first message expires comes back early, so that the sweep sees it. Those before it in the queue
// are older and mostly expired with it.
func (l *lane) refill(now int64) {
	l.split = slices.DeleteFunc(l.split, func(q *queue) bool {
		q.split = len(q.runs) > 0 || q.back.Len() > 0
		return !q.split
	})
	for _, q := range l.split {
		if q.loading != 0 {
			continue
		}
		if len(q.runs) == 0 {
			l.served(q, q.advance(l.book))
			if c := l.x.carriers[q.carrier]; c != nil {
				c.look = c.down != 0
			}
			continue
		}
		if q.front.Len() < loadBelow && l.x.hot() < l.x.maxLive || l.book.RunOf(q.runs[0]) != nil && l.book.RunOf(q.runs[0]).Expires <= now {
			l.loadRun(q)
		}
	}
}

// parts notes that a queue may have a part behind its front: refill looks at those each turn, of however many carriers there are.
func (l *lane) parts(q *queue) {
	if !q.split {
		q.split, l.split = true, append(l.split, q)
	}
}

// loadRun brings the next run back as soon as it is read, and has those behind it read.
func (l *lane) loadRun(q *queue) {
	next := q.runs[0]
	for _, id := range q.runs[:min(len(q.runs), fetchAhead)] {
		l.fetch(id)
	}
	if l.book.AtHand(next) && l.rework[next] == nil {
		q.loading = next
		l.proposeLoad(next)
	}
}

// loaded hears of each message that a committed LOAD brought back, then of the LOAD itself, without one.
func (l *lane) loaded(r *ledger.Record, m *book.Msg) {
	id, _ := r.Load()
	head := l.book.RunOf(id)
	if w := l.rework[id]; w != nil {
		l.reworked(w, head, m)
		return
	}
	q := l.queueOf(head.Queue, head.Carrier, head.Class)
	if m == nil {
		if c := l.x.carriers[q.carrier]; c != nil {
			c.look = c.down != 0
		}
		q.loading = 0
		q.drop(id, head.Count)
		return
	}
	m.Note |= noteWaiting
	if a := l.x.accounts[m.Account]; a != nil && !head.Counted {
		a.Waiting.Add(1)
	}
	m.Phase = phaseQueued
	if q.kind == ledger.RunExternal {
		m.Phase = phaseRouting
		m.Committed = max(m.Committed, m.Accepted)
	}
	l.book.Push(&q.front, m)
	l.served(q, 1)
}

// queueOf finds or makes a queue.
func (l *lane) queueOf(kind ledger.RunQueue, carrier uint16, class ledger.Class) *queue {
	if kind == ledger.RunExternal {
		return &l.routing
	}
	q := l.queues[carrier]
	if q == nil {
		q = new([ledger.Classes]queue)
		for c := range q {
			q[c] = queue{kind: ledger.RunInternal, carrier: carrier, class: ledger.Class(c)}
		}
		l.queues[carrier] = q
	}
	return &q[class]
}

// leadRuns puts the runs on disk back into their queues when the lane begins to lead.
func (l *lane) leadRuns() {
	for _, r := range l.book.Runs() {
		r.Counted = false
		if l.aside[r.ID] != nil {
			continue
		}
		q := l.queueOf(r.Queue, r.Carrier, r.Class)
		q.runs = append(q.runs, r.ID)
		q.spilled += int(r.Count)
		q.newest = max(q.newest, r.MaxSeq)
		l.parts(q)
	}
}
