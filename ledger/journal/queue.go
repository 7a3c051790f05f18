package journal

import "sync"

// Append is a lane's request to write entries, its vote, or both, in one atomic batch.
type Append struct {
	Lane    uint16
	Entries []Entry // consecutive; the slice and Vote are the journal's until Done
	Vote    *Vote
	Restore *Restore // first: the log begins anew behind it
	Done    func()   // on the syncer goroutine, once all of it is DURABLE; nil when nobody needs to know
}

// request is an Append, or a Batch with its done.
type request struct {
	Append
	batch *Batch
	size  int
}

// maxQueued bounds the bytes waiting for the appender.
const maxQueued = 64 << 20

// queue holds what waits for the appender, in order of arrival.
type queue struct {
	mu           sync.Mutex
	filled, room sync.Cond
	items        []request
	bytes        int
	closed       bool
}

func (q *queue) init() { q.filled.L, q.room.L = &q.mu, &q.mu }

// put adds r, waiting while the queue is full. A request larger than the bound enters an empty queue.
func (q *queue) put(r *request) {
	q.mu.Lock()
	for q.bytes > 0 && q.bytes+r.size > maxQueued && !q.closed {
		q.room.Wait()
	}
	if q.closed {
		q.mu.Unlock()
		panic("journal: write to a closed or read-only store")
	}
	q.items = append(q.items, *r)
	q.bytes += r.size
	if len(q.items) == 1 {
		q.filled.Signal()
	}
	q.mu.Unlock()
}

// take waits for requests and swaps all of them against the empty slice spare; nil when closed and empty.
func (q *queue) take(spare []request) []request {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) == 0 {
		if q.closed {
			return nil
		}
		q.filled.Wait()
	}
	items := q.items
	q.items, q.bytes = spare, 0
	q.room.Broadcast()
	return items
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.filled.Signal()
	q.room.Broadcast()
}

func (q *queue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// pending holds the Dones of committed batches that wait for a sync.
type pending struct {
	mu     sync.Mutex
	filled sync.Cond
	dones  []func()
	closed bool
}

func (p *pending) init() { p.filled.L = &p.mu }

func (p *pending) put(dones []func()) {
	p.mu.Lock()
	p.dones = append(p.dones, dones...)
	p.filled.Signal()
	p.mu.Unlock()
}

func (p *pending) take(spare []func()) []func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.dones) == 0 {
		if p.closed {
			return nil
		}
		p.filled.Wait()
	}
	dones := p.dones
	p.dones = spare
	return dones
}

func (p *pending) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.filled.Signal()
}
