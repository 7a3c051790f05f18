package dataplane

import "sync"

// letter is what another host said to a lane.
type letter struct {
	lane uint16
	data []byte
	from uint64 // of a frame about the links; 0: it is one of raft
}

// inbox carries letters from the goroutines that hear other hosts to the executor.
type inbox struct {
	mu      sync.Mutex
	letters []letter
	lost    []uint64 // hosts whose stream broke
	spare   []letter
}

// put adds a letter; first says that there was none before it, so that the reader must be woken.
func (b *inbox) put(v letter) (first bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.letters = append(b.letters, v)
	return len(b.letters) == 1
}

// waiting says that there is something to take.
func (b *inbox) waiting() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.letters) > 0
}

func (b *inbox) miss(id uint64) {
	b.mu.Lock()
	b.lost = append(b.lost, id)
	b.mu.Unlock()
}

// take swaps what there is for an empty list. The letters are valid until give.
func (b *inbox) take() (all []letter, lost []uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	all, lost = b.letters, b.lost
	b.letters, b.spare, b.lost = b.spare[:0], nil, nil
	return all, lost
}

func (b *inbox) give(all []letter) {
	clear(all)
	b.mu.Lock()
	b.spare = all[:0]
	b.mu.Unlock()
}

// hear hands the replicas what other hosts said. What a replica refuses was late, or from a store that is no
// member any more; raft takes it for lost.
func (x *executor) hear() (n int) {
	if x.fellows == nil {
		return 0
	}
	all, lost := x.fellows.inbox.take()
	for i := range all {
		switch v := &all[i]; {
		case v.from != 0:
			x.heardLink(v)
		case int(v.lane) < len(x.lanes) && !x.lanes[v.lane].away:
			_ = x.lanes[v.lane].rep.Step(v.data)
		}
	}
	n = len(all)
	x.fellows.inbox.give(all)
	for _, id := range lost {
		x.fellows.unreached[id] = true
	}
	return n
}

// report tells the replicas which hosts did not get something, at a moment when none is at work.
func (x *executor) report() {
	if x.fellows == nil || len(x.fellows.unreached) == 0 {
		return
	}
	for id := range x.fellows.unreached {
		for _, l := range x.lanes {
			if l.away {
				continue
			}
			l.rep.ReportUnreachable(id)
		}
	}
	clear(x.fellows.unreached)
}
