package dataplane

import (
	"time"

	"smsplane/dataplane/config"
	"smsplane/dataplane/entry"
	"smsplane/egress"
	"smsplane/ledger/journal"
)

// layer is one worker set that the executor polls: who is next, who has a token, what was done.
type layer struct {
	name    string
	workers []egress.Bucket
	next    int
	tps     int // rating of one worker; 0 is none
	paused  bool

	messages uint64
	refused  uint64
	latency  entry.Histogram
	rate     meter
}

// layerDepth is how deep a rated worker's bucket is.
const layerDepth = 100 * time.Millisecond

func newLayer(name string, w config.Worker) *layer {
	l := &layer{name: name, workers: make([]egress.Bucket, w.Count), tps: w.TPS}
	for i := range l.workers {
		l.workers[i] = egress.NewBucket(w.TPS, layerDepth)
	}
	return l
}

// take finds a worker that may do one message now.
func (l *layer) take(now int64) (uint8, bool) {
	if l.paused {
		return 0, false
	}
	for range l.workers {
		w := l.next
		if l.next++; l.next == len(l.workers) {
			l.next = 0
		}
		if l.workers[w].Take(now) {
			l.messages++
			return uint8(w), true
		}
	}
	return 0, false
}

// worker is the next worker in turn, for layers whose work is never put off.
func (l *layer) worker() uint8 {
	w := l.next
	if l.next++; l.next == len(l.workers) {
		l.next = 0
	}
	return uint8(w)
}

// wait is when a worker may do the next message; never while paused.
func (l *layer) wait(now int64) int64 {
	if l.paused {
		return never
	}
	at := int64(never)
	for i := range l.workers {
		at = min(at, l.workers[i].Next(now))
	}
	return at
}

const never = 1<<63 - 1

// meter is a rate over the last ten whole seconds.
type meter struct {
	samples [11]uint64
	n       int
}

// sample is called once a second with a running total.
func (m *meter) sample(total uint64) {
	copy(m.samples[1:], m.samples[:])
	m.samples[0] = total
	m.n = min(m.n+1, len(m.samples))
}

// last is the rate of the last whole second; of the time since then as long as there is none.
func (m *meter) last(total uint64) float64 {
	if m.n < 2 {
		return float64(total)
	}
	return float64(m.samples[0] - m.samples[1])
}

func (m *meter) perSecond() float64 {
	if m.n < 2 {
		return 0
	}
	return float64(m.samples[0]-m.samples[m.n-1]) / float64(m.n-1)
}

// pausable are the layers that an operator can pause, in the order in which the store keeps them.
func (x *executor) pausable() [3]*layer { return [...]*layer{x.routers, x.verifiers, x.senders} }

// pauseKey is where the pauses of this host are kept, beside the state of lane 0.
const pauseKey = 2

// rememberPauses stores them: a layer that was paused by hand stays so across a restart.
func (x *executor) rememberPauses() {
	w := journal.NewBatch()
	var v []byte
	for _, l := range x.pausable() {
		v = append(v, map[bool]byte{true: 1}[l.paused])
	}
	w.Set(journal.Key(journal.Fold, 0, pauseKey), v)
	x.db.Write(w, nil)
}

// recallPauses is its inverse.
func (x *executor) recallPauses() error {
	v, err := x.db.Get(journal.Key(journal.Fold, 0, pauseKey))
	if err != nil {
		return err
	}
	for i, l := range x.pausable() {
		if l.paused = i < len(v) && v[i] == 1; l.paused {
			x.log.Warn("layer is paused, as an operator left it", "layer", l.name)
		}
	}
	return nil
}
