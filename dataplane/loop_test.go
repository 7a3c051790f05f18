package dataplane

import (
	"sync/atomic"
	"testing"
	"time"

	"smsplane/dataplane/entry"
	"smsplane/pdu"
	"smsplane/pdu/session"
	"smsplane/ring"
)

// cable is a connection that keeps what was written to it, and whether it was reset.
type cable struct {
	wrote []byte
	reset bool
}

func (c *cable) Write(b []byte) error {
	c.wrote = append(c.wrote, b...)
	return nil
}
func (c *cable) Congested() bool { return false }
func (c *cable) Close()          {}
func (c *cable) Abort()          { c.reset = true }

// A quiet engine ticks every half second: sessions are looked at with each of these ticks, so that a silent peer is asked, and a link
// whose lease is over is reset, as soon as on a busy one but for that half second.
func TestQuietLoopLooksAtItsSessions(t *testing.T) {
	now, tick := int64(1e18), int64(500*time.Millisecond)
	f := &fence{clock: func() int64 { return now }, lanes: 1, until: make([]atomic.Int64, 1)}
	f.until[0].Store(now + 5*tick)
	l := &loop{links: map[uint32]*linkPort{}, up: outbox{ring: ring.New[event](ringSize)}, down: ring.New[event](ringSize), bell: ring.NewBell(), desk: &entry.Desk{}, fence: f}
	k := &linkPort{port: port{loop: l}, id: 1, opened: func() {}, closed: func(error) {}, config: session.Config{Role: session.Client, Bind: pdu.BindTransceiver,
		Version: 0x34, Window: 10, EnquireEvery: time.Second, ResponseTimeout: 10 * time.Second, FirstSequence: 2}}
	c := &cable{}
	k.begin(c, now)
	for range 3 {
		now += tick
		l.Tick(now)
	}
	k.flush()
	if len(c.wrote) < pdu.HeaderLen || pdu.ParseHeader(c.wrote).Command != pdu.EnquireLink {
		t.Errorf("a peer that has been silent for three halves of its interval was not asked: %x", c.wrote)
	}
	now += 3 * tick
	l.Tick(now)
	if !c.reset {
		t.Error("a link whose lease is over is not reset with the next tick")
	}
}

// The rate of accepted messages is that of seconds, however seldom the loop ticks.
func TestRateOfAQuietLoop(t *testing.T) {
	l := &loop{desk: &entry.Desk{}}
	now := int64(1e18)
	for range 40 {
		l.desk.Counts.Accepted++ // two a second
		now += int64(500 * time.Millisecond)
		l.Tick(now)
	}
	if got := l.accepted.perSecond(); got != 2 {
		t.Errorf("%v a second, and two were accepted in each", got)
	}
}

// A thread's duty is its share of the time since it was looked at last, whenever the tick comes that looks.
func TestDutyOfALoop(t *testing.T) {
	now, did := int64(1e18), time.Duration(0)
	l := &loop{desk: &entry.Desk{}, worked: func() time.Duration { return did }, duty: -1}
	for range 20 {
		l.Tick(now)
		now, did = now+int64(300*time.Millisecond), did+75*time.Millisecond
	}
	if l.duty != 0.25 {
		t.Errorf("a quarter of the time is told as %v", l.duty)
	}
}
