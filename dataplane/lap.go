package dataplane

import (
	"sync"
	"time"

	"smsplane/dataplane/entry"
)

// lap times what a layer does within a turn of the executor, for which x.now would stand still: it looks at the clock
// once for every few messages, and x.now goes on with it.
type lap struct {
	x     *executor
	layer *layer
	since [16]int64 // when the layer before was done with each message under work
	n     int
}

// begin is called before the work on a message.
func (p *lap) begin(since int64) {
	if p.n == len(p.since) {
		p.end()
	}
	p.since[p.n] = since
	p.n++
}

// end is called after the work on the last one.
func (p *lap) end() {
	if p.n == 0 {
		return
	}
	p.x.now = p.x.clock()
	for _, t := range p.since[:p.n] {
		p.layer.latency.Add(p.x.now - t)
	}
	p.n = 0
}

// admissions times the binds that were admitted; connections come on goroutines of their own.
type admissions struct {
	mu    sync.Mutex
	times entry.Histogram
}

func (a *admissions) add(took time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.times.Add(int64(took))
}

// quantiles are the median and the 99th percentile, in nanoseconds.
func (a *admissions) quantiles() (p50, p99 int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.times.Quantile(.5), a.times.Quantile(.99)
}
