package transport

import (
	"context"
	"sync/atomic"

	"github.com/panjf2000/gnet/v2"
)

// loop is one gnet event loop and the end of its turns.
//
// gnet has no hook at the end of a round of events. Whatever asks for a Turn (an event on the loop, a Wake from outside, the
// ticker) raises queued, and who raised it hands gnet one task; gnet runs tasks after the events of a round. The task lowers
// queued BEFORE it looks at anything, so work that became visible before a Wake is seen by the Turn in flight or by the next.
//
// gnet drains its task queue before it polls again. A loop that is woken as fast as it turns would never read a socket, so
// after maxStreak turns without traffic the task is handed over anew from outside, which lets a poll in between.
type loop struct {
	engine  *Engine
	index   int
	gnet    gnet.EventLoop
	handler LoopHandler
	task    gnet.Runnable

	queued  atomic.Bool   // a task is handed over and has not begun
	ticking atomic.Bool   // the next turn begins with a tick
	turns   atomic.Uint32 // that were not the ticker's, since it last looked
	worked  atomic.Int64  // ns, since the start

	// On the loop only.
	began   int64   // when it was woken for what this turn ends; 0: it was not yet
	streak  int     // turns since the last traffic
	dead    []*Conn // ended, Closed not yet called
	spare   []*Conn // the other buffer of dead
	leaving []*Conn // after Close, not yet ended
	plain   []byte  // one opened TLS record
	sealed  []byte  // sealed TLS records on their way to one connection's write
}

const maxStreak = 64

func newLoop(e *Engine, index int, h LoopHandler) *loop {
	l := &loop{engine: e, index: index, handler: h, plain: make([]byte, maxPlain)}
	l.task = gnet.RunnableFunc(l.turn)
	return l
}

// schedule asks for a Turn from the loop itself, where the poller is known to be open.
func (l *loop) schedule() {
	if !l.queued.Load() && l.queued.CompareAndSwap(false, true) {
		_ = l.gnet.Execute(context.Background(), l.task)
	}
}

// wake asks for a Turn from any goroutine, the ticker included.
func (l *loop) wake() {
	if !l.queued.Load() && l.queued.CompareAndSwap(false, true) {
		l.handOver(l.task)
	}
}

// handOver gives gnet a task unless the pollers are about to close.
func (l *loop) handOver(task gnet.Runnable) bool {
	l.engine.closing.RLock()
	defer l.engine.closing.RUnlock()
	return !l.engine.closed && l.gnet.Execute(context.Background(), task) == nil
}

func (l *loop) post(f func()) bool {
	return l.handOver(gnet.RunnableFunc(func(context.Context) error {
		l.begins(l.engine.opts.Clock())
		f()
		l.schedule()
		return nil
	}))
}

// turn is the task.
func (l *loop) turn(context.Context) error {
	if l.streak++; l.streak > maxStreak {
		l.streak = 0
		go l.handOver(l.task)
		return nil
	}
	l.queued.Store(false)
	now := l.engine.opts.Clock()
	l.begins(now)
	l.bury(now)
	if l.ticking.Load() && l.ticking.Swap(false) {
		l.linger(now)
		l.handler.Tick(now)
	} else {
		l.engine.ticks.turned(l)
	}
	l.handler.Turn(now)
	l.worked.Add(l.engine.opts.Clock() - l.began)
	l.began = 0
	return nil
}

// begins notes when the work began that a turn ends: all that passes until then is counted as work.
func (l *loop) begins(now int64) {
	if l.began == 0 {
		l.began = now
	}
}

// traffic notes an event of a connection, which began at now.
func (l *loop) traffic(now int64) {
	l.begins(now)
	l.streak = 0
	l.schedule()
}

// bury calls Closed for all that ended, also for those that end meanwhile.
func (l *loop) bury(now int64) {
	for len(l.dead) > 0 {
		batch := l.dead
		l.dead = l.spare[:0]
		for i, c := range batch {
			c.bury(now)
			batch[i] = nil
		}
		l.spare = batch
	}
}

// linger moves closing connections on: output gone, half-close; time gone, close.
func (l *loop) linger(now int64) {
	if len(l.leaving) > 0 {
		l.engine.ticks.hurry()
	}
	kept := l.leaving[:0]
	for _, c := range l.leaving {
		if c.leave(now) {
			kept = append(kept, c)
		}
	}
	clear(l.leaving[len(kept):])
	l.leaving = kept
}
