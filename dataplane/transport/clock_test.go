package transport

import (
	"sync/atomic"
	"testing"
)

// TestClock: turns and callbacks are told the engine's time. Rates and timers of sessions run on it, so a step of the
// wall clock must not show.
func TestClock(t *testing.T) {
	var wrong atomic.Int64
	check := func(now int64) {
		if now != 42 {
			wrong.Store(now)
		}
	}
	turns := make(chan struct{}, 1)
	h := &hooks{turn: func(now int64) {
		check(now)
		select {
		case turns <- struct{}{}:
		default:
		}
	}}
	e := start(t, Options{Clock: func() int64 { return 42 }}, func(int) LoopHandler { return h })
	r := clocked{newRecorder(), check}
	far := enroll(t, e, 0, r, "first")
	send(t, far, []byte("x"))
	_ = far.Close()
	receive(t, "the end of the connection", r.gone)
	receive(t, "a turn", turns)
	if n := wrong.Load(); n != 0 {
		t.Errorf("told %d, the engine's clock says 42", n)
	}
}

// clocked looks at the time that callbacks are told.
type clocked struct {
	*recorder
	check func(now int64)
}

func (c clocked) Opened(conn *Conn, now int64) {
	c.check(now)
	c.recorder.Opened(conn, now)
}

func (c clocked) Data(conn *Conn, now int64, b []byte) {
	c.check(now)
	c.recorder.Data(conn, now, b)
}

func (c clocked) Closed(conn *Conn, now int64, err error) {
	c.check(now)
	c.recorder.Closed(conn, now, err)
}
