package ring

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The protocol of Bell as a state machine of single atomic steps, so that every interleaving of a waiter and its ringers can
// be tried. One item of work is one unit in work; a ringer makes work visible and then rings, a waiter polls and then waits.

type waiterAt uint8

const (
	poll waiterAt = iota
	park
	look
	unpark  // CAS after ready said yes
	sleep   // select of token and time
	expired // CAS after the time passed
	receive // the token that is on its way
)

type ringerAt uint8

const (
	publish ringerAt = iota
	load
	claim
	send
	publishLate // only of the variant that rings first
	finished
)

const ringers = 2

// world is one state of everything; it is comparable, which is how visited states are known.
type world struct {
	waiter waiterAt
	parked bool
	tokens uint8
	work   uint8
	left   [ringers]uint8 // items still to publish
	ringer [ringers]ringerAt
}

// protocol holds the switches by which the broken variants differ from Bell.
type protocol struct {
	timers     bool // a sleep may expire at any moment
	lookFirst  bool // looks for work before it raises the flag
	noReceive  bool // leaves the token of a lost CAS in the channel
	noClaim    bool // rings on what it loaded, without CAS
	ringFirst  bool // rings before the work is visible
	keepParked bool // the flag stays up when ready said yes
}

// next lists the worlds that one step of somebody leads to.
func (p protocol) next(w world) []world {
	out := p.stepWaiter(w)
	for i := range ringers {
		if n, ok := p.stepRinger(w, i); ok {
			out = append(out, n)
		}
	}
	return out
}

func (p protocol) stepWaiter(w world) []world {
	n := w
	switch w.waiter {
	case poll:
		switch {
		case w.work > 0:
			n.work--
		case p.lookFirst:
			n.waiter = look
		default:
			n.waiter = park
		}
	case park:
		n.parked = true
		n.waiter = look
		if p.lookFirst {
			n.waiter = sleep
		}
	case look:
		switch {
		case w.work > 0 && (p.lookFirst || p.keepParked):
			n.waiter = poll
		case w.work > 0:
			n.waiter = unpark
		case p.lookFirst:
			n.waiter = park
		default:
			n.waiter = sleep
		}
	case unpark, expired:
		switch {
		case w.parked:
			n.parked, n.waiter = false, poll
		case p.noReceive:
			n.waiter = poll
		default:
			n.waiter = receive
		}
	case receive:
		if w.tokens == 0 {
			return nil
		}
		n.tokens--
		n.waiter = poll
	case sleep:
		var out []world
		if w.tokens > 0 {
			n.tokens--
			n.waiter = poll
			out = append(out, n)
		}
		if p.timers {
			n = w
			n.waiter = expired
			out = append(out, n)
		}
		return out
	}
	return []world{n}
}

func (p protocol) stepRinger(w world, i int) (world, bool) {
	published := func(w world) world {
		w.ringer[i] = publish
		if w.left[i] == 0 {
			w.ringer[i] = finished
		}
		return w
	}
	done := func(w world) world {
		if p.ringFirst {
			w.ringer[i] = publishLate
			return w
		}
		return published(w)
	}
	switch w.ringer[i] {
	case publish:
		w.left[i]--
		if !p.ringFirst {
			w.work++
		}
		w.ringer[i] = load
	case load:
		switch {
		case !w.parked:
			w = done(w)
		case p.noClaim:
			w.ringer[i] = send
		default:
			w.ringer[i] = claim
		}
	case claim:
		if w.parked {
			w.parked = false
			w.ringer[i] = send
		} else {
			w = done(w)
		}
	case send:
		if w.tokens > 0 {
			return w, false // the channel has one slot
		}
		if p.noClaim {
			w.parked = false
		}
		w.tokens++
		w = done(w)
	case publishLate:
		w.work++
		w = published(w)
	default:
		return w, false
	}
	return w, true
}

// wrong says what must not be true of a world.
func (p protocol) wrong(w world, stuck bool) string {
	sending, all := 0, true
	for _, r := range w.ringer {
		if r == send {
			sending++
		}
		all = all && r == finished
	}
	switch {
	case stuck && (!all || w.work > 0 || w.waiter != sleep):
		return "nobody can go on, and work is left: a lost wake-up"
	case w.waiter == poll && (w.tokens > 0 || sending > 0 || w.parked):
		return "the waiter is awake, and a token or the flag is still out"
	case sending > 0 && w.tokens > 0:
		return "a ringer blocks on the channel"
	}
	return ""
}

// explore visits every world reachable and gives the number of them and the first wrong one with the way there.
func (p protocol) explore(items [ringers]uint8) (int, string) {
	start := world{left: items}
	for i, n := range items {
		if n == 0 {
			start.ringer[i] = finished
		}
	}
	from := map[world]world{start: start}
	queue := []world{start}
	for len(queue) > 0 {
		w := queue[0]
		queue = queue[1:]
		next := p.next(w)
		if msg := p.wrong(w, len(next) == 0); msg != "" {
			return len(from), fmt.Sprintf("%s\n%s", msg, way(from, start, w))
		}
		for _, n := range next {
			if _, seen := from[n]; !seen {
				from[n] = w
				queue = append(queue, n)
			}
		}
	}
	return len(from), ""
}

func way(from map[world]world, start, w world) string {
	s := ""
	for ; w != start; w = from[w] {
		s = fmt.Sprintf("  %+v\n", w) + s
	}
	return s
}

// TestEveryInterleaving tries all orders in which two ringers and a waiter can take their steps, with and without timers.
func TestEveryInterleaving(t *testing.T) {
	for _, timers := range []bool{false, true} {
		for _, items := range [][ringers]uint8{{1, 0}, {3, 0}, {1, 1}, {2, 2}, {4, 3}} {
			n, wrong := protocol{timers: timers}.explore(items)
			if wrong != "" {
				t.Errorf("timers %v, items %v: %s", timers, items, wrong)
			}
			t.Logf("timers %v, items %v: %d states", timers, items, n)
		}
	}
}

// TestInterleavingsFindFaults makes sure that the search is able to find what it looks for.
func TestInterleavingsFindFaults(t *testing.T) {
	for name, p := range map[string]protocol{
		"looks before it parks":       {lookFirst: true},
		"leaves the token":            {noReceive: true},
		"leaves the token, timers":    {noReceive: true, timers: true},
		"rings without claiming":      {noClaim: true},
		"rings before it publishes":   {ringFirst: true},
		"keeps the flag up, has work": {keepParked: true},
	} {
		if _, wrong := p.explore([ringers]uint8{2, 2}); wrong == "" {
			t.Errorf("%s: no fault found", name)
		}
	}
}

func TestWaitTimes(t *testing.T) {
	b := NewBell()
	never := func() bool { return false }
	if b.Wait(0, never) {
		t.Error("limit 0 and no work: true")
	}
	if b.Wait(time.Millisecond, never) {
		t.Error("time passed and no work: true")
	}
	if !b.Wait(0, func() bool { return true }) {
		t.Error("limit 0 and work: false")
	}
	if !b.Wait(time.Hour, func() bool { b.Ring(); return false }) {
		t.Error("rung while falling asleep: false")
	}
	if !b.Wait(time.Hour, func() bool { b.Ring(); return true }) {
		t.Error("rung and ready: false")
	}
	if b.Wait(time.Millisecond, never) {
		t.Error("a token was left from an earlier wait")
	}
}

// Between ringing and the end of a wait time can pass; a sleep until it is rung does not count.
func TestLate(t *testing.T) {
	const pause = 5 * time.Millisecond
	b := NewBell()
	b.Wait(Forever, func() bool { b.Ring(); <-time.After(pause); return false })
	if b.Late() < pause {
		t.Errorf("late by %v, rung %v before", b.Late(), pause)
	}
	began := time.Now()
	time.AfterFunc(pause, b.Ring)
	b.Wait(Forever, func() bool { return false })
	if waited := time.Since(began); b.Late() > waited-pause {
		t.Errorf("late by %v of %v, and rung after %v", b.Late(), waited, pause)
	}
	if b.Wait(time.Hour, func() bool { return true }); b.Late() != 0 {
		t.Errorf("late by %v without a sleep", b.Late())
	}
}

// TestManyRingers runs the real thing: every unit of work that was rung for is seen.
func TestManyRingers(t *testing.T) {
	const each, who = 20_000, 4
	var work atomic.Int64
	b := NewBell()
	var wg sync.WaitGroup
	for range who {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range each {
				work.Add(1)
				b.Ring()
			}
		}()
	}
	ready := func() bool { return work.Load() > 0 }
	for got := int64(0); got < each*who; {
		n := work.Swap(0)
		got += n
		if n == 0 && got < each*who {
			limit := Forever
			if got%3 == 0 {
				limit = time.Microsecond
			}
			b.Wait(limit, ready)
		}
	}
	wg.Wait()
}
