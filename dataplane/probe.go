package dataplane

import (
	"sync"
	"time"

	"smsplane/pdu"
)

// A client whose network died binds again while we still count its old binds. So a bind that finds no free
// place asks those who hold one whether they live: whoever stays silent for probeFor makes room. A client that
// just opens too many hears of it as soon as all have answered, a round trip later.
const (
	probeFor   = 5 * time.Second
	probeEvery = 20 * time.Millisecond
)

// probes keeps one probe at a time for an account: a place in the lobby is not to be had for long for nothing.
type probes struct {
	mu sync.Mutex
	on map[uint32]bool
}

func (p *probes) begin(account uint32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.on[account] {
		return false
	}
	if p.on == nil {
		p.on = map[uint32]bool{}
	}
	p.on[account] = true
	return true
}

func (p *probes) end(account uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.on, account)
}

// silent are sessions that have not said anything since they were asked, and when they last did.
type silent map[uint32]int64

// makeRoom asks the account's binds of a type for life and ends those that do not answer, until take gets a
// place; false when all are alive.
func (b *binder) makeRoom(l *loop, account uint32, command pdu.Command, take func() bool) bool {
	if !b.probes.begin(account) {
		return false
	}
	defer b.probes.end(account)
	quiet := silent{}
	if !b.on(l, func() { l.enquire(account, command, quiet, b.clock()) }) {
		return false
	}
	t := time.NewTicker(probeEvery)
	defer t.Stop()
	for limit := time.Now().Add(probeFor); time.Now().Before(limit); <-t.C {
		if take() {
			return true
		}
		if !b.on(l, func() { l.listen(quiet) }) || len(quiet) == 0 {
			return take()
		}
	}
	b.on(l, func() { l.drop(quiet) })
	for range int(time.Second / probeEvery) {
		if take() {
			return true
		}
		<-t.C
	}
	return false
}

// on runs f on a loop and waits for it; false when the loop is gone.
func (b *binder) on(l *loop, f func()) bool {
	ran := make(chan struct{})
	if !b.engine.Post(l.index, func() { f(); close(ran) }) {
		return false
	}
	select {
	case <-ran:
		return true
	case <-time.After(time.Second): // the engine closed between
		return false
	}
}

func (l *loop) enquire(account uint32, command pdu.Command, quiet silent, now int64) {
	for id, c := range l.clients {
		if c.open.account.Number == account && c.bind.Bind == command {
			quiet[id] = c.sess.Heard()
			c.sess.Enquire(now)
			c.touch()
		}
	}
}

// listen forgets the sessions that have spoken, or are gone.
func (l *loop) listen(quiet silent) {
	for id, heard := range quiet {
		if c := l.clients[id]; c == nil || c.sess.Heard() != heard {
			delete(quiet, id)
		}
	}
}

// drop ends the sessions that have not.
func (l *loop) drop(quiet silent) {
	l.listen(quiet)
	for id := range quiet {
		l.clients[id].conn.Abort()
	}
}

// dismiss unbinds the sessions whose client left the catalog or has another login there now.
func (l *loop) dismiss(now int64) {
	for _, c := range l.clients {
		c.admitted(now)
	}
}

// admitted looks whether the login that let the session in still does.
func (c *clientPort) admitted(now int64) {
	if d := c.loop.desk.Client(c.open.account.Number); d == nil || !d.SameLogin(c.open.login) {
		c.sess.Unbind(now)
		c.touch()
	}
}
