package dataplane

import (
	"log/slog"
	"sync"
	"time"

	"smsplane/dataplane/admin"
)

// progress is how far recovery has come, for whoever waits for the node to get ready: in the status, and every few
// seconds in the log. Recovery writes it on its own goroutine; any may read it.
type progress struct {
	log   *slog.Logger
	lanes int
	mu    sync.Mutex
	now   admin.Recovery
	told  time.Time
}

// tellEvery is how often the log hears of it.
const tellEvery = 5 * time.Second

// What recovery does with a lane, in this order.
const (
	readingLog = "reading the log" // to see that it is whole
	folding    = "folding"         // what lives, then what was not flushed
)

// at says what is done with a lane, and up to which index of how many. It may be nil: nobody waits for a lane that a
// follower reads.
func (p *progress) at(doing string, lane uint16, index, last uint64) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = admin.Recovery{Doing: doing, Lane: lane, Lanes: p.lanes, Index: index, Last: last}
	switch {
	case p.told.IsZero():
		p.told = time.Now()
	case time.Since(p.told) >= tellEvery:
		p.told = time.Now()
		p.log.Info("recovering", "what", p.now.String())
	}
}

// get is nil before recovery began.
func (p *progress) get() *admin.Recovery {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now.Doing == "" {
		return nil
	}
	v := p.now
	return &v
}
