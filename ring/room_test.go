package ring

import (
	"fmt"
	"sync"
	"testing"
)

// The way in which a producer parks before a full ring and is woken, as a state machine of single atomic steps: every order in
// which producer and consumer can take them is tried. The ring has two slots, so that it is full now and then; the bell is the one of
// bell_test.go, of which only the flag and the token are needed here, as there is one ringer.

type producerAt uint8

const (
	reserve     producerAt = iota // and commit, if there is a slot
	raise                         // the bell's flag
	want                          // AwaitRoom: the ring's flag
	lookForRoom                   // AwaitRoom: Len
	lower                         // settle, as there is room
	asleep
	takeToken // settle: it is on its way
	stopped
)

type consumerAt uint8

const (
	peek    consumerAt = iota // all that is there; nothing is: the producer's bell wakes it, see bell_test.go
	release                   // all of that
	wanted                    // RoomWanted: load
	unwant                    // RoomWanted: swap
	parked                    // Ring: load
	claimed                   // Ring: compare and swap
	token                     // Ring: send
)

// room is one state of both.
type room struct {
	producer producerAt
	consumer consumerAt
	filled   uint8
	peeked   uint8
	left     uint8 // still to be pushed
	wanted   bool
	parked   bool
	tokens   uint8
}

// roomy holds the switches by which the broken variants differ.
type roomy struct {
	lookFirst  bool // the producer looks for room before it says that it wants some
	askFirst   bool // the consumer asks whether room is wanted before it releases
	neverTells bool // the producer says nothing
}

const roomSlots = 2

func (v roomy) next(w room) (out []room) {
	n := w
	switch w.producer {
	case reserve:
		switch {
		case w.left == 0:
			n.producer = stopped
		case w.filled < roomSlots:
			n.filled, n.left = w.filled+1, w.left-1
		default:
			n.producer = raise
		}
		out = append(out, n)
	case raise:
		n.parked, n.producer = true, want
		if v.lookFirst {
			n.producer = lookForRoom
		}
		out = append(out, n)
	case want:
		n.wanted, n.producer = !v.neverTells, lookForRoom
		if v.lookFirst {
			n.producer = asleep
		}
		out = append(out, n)
	case lookForRoom:
		switch {
		case w.filled < roomSlots:
			n.producer = lower
		case v.lookFirst:
			n.producer = want
		default:
			n.producer = asleep
		}
		out = append(out, n)
	case lower:
		n.producer = takeToken
		if w.parked {
			n.parked, n.producer = false, reserve
		}
		out = append(out, n)
	case asleep, takeToken:
		if w.tokens > 0 {
			n.tokens, n.producer = w.tokens-1, reserve
			out = append(out, n)
		}
	}
	if n, ok := v.consume(w); ok {
		out = append(out, n)
	}
	return out
}

func (v roomy) consume(n room) (room, bool) {
	afterPeek, afterRelease, afterRing := release, wanted, peek
	if v.askFirst {
		afterPeek, afterRelease, afterRing = wanted, peek, release
	}
	switch n.consumer {
	case peek:
		n.peeked, n.consumer = n.filled, afterPeek
		return n, n.filled > 0
	case release:
		n.filled, n.peeked, n.consumer = n.filled-n.peeked, 0, afterRelease
	case wanted:
		n.consumer = afterRing
		if n.wanted {
			n.consumer = unwant
		}
	case unwant:
		n.wanted, n.consumer = false, parked
	case parked:
		n.consumer = afterRing
		if n.parked {
			n.consumer = claimed
		}
	case claimed:
		n.consumer = afterRing
		if n.parked {
			n.parked, n.consumer = false, token
		}
	case token:
		n.tokens++
		n.consumer = afterRing
	}
	return n, true
}

// explore visits every state reachable, and gives their number and what is wrong with the first bad one.
func (v roomy) explore(items uint8) (states int, wrong string) {
	start := room{left: items}
	seen, queue := map[room]bool{start: true}, []room{start}
	for len(queue) > 0 {
		w := queue[0]
		queue = queue[1:]
		switch {
		case w.tokens > 1 || w.tokens > 0 && w.consumer == token:
			return len(seen), fmt.Sprintf("the consumer blocks on the channel: %+v", w)
		case w.producer == asleep && w.filled == 0 && w.tokens == 0 && w.consumer == peek:
			return len(seen), fmt.Sprintf("the ring is empty and its producer sleeps, a lost wake-up: %+v", w)
		}
		for _, n := range v.next(w) {
			if !seen[n] {
				seen[n] = true
				queue = append(queue, n)
			}
		}
	}
	return len(seen), ""
}

// TestEveryInterleavingOfAFullRing finds no order in which a producer that parked before a full ring is not woken, and one in each
// broken variant.
func TestEveryInterleavingOfAFullRing(t *testing.T) {
	for items := range uint8(8) {
		n, wrong := roomy{}.explore(items)
		if wrong != "" {
			t.Errorf("%d items: %s", items, wrong)
		}
		t.Logf("%d items: %d states", items, n)
	}
	for name, v := range map[string]roomy{
		"looks for room before it wants some":    {lookFirst: true},
		"asks before it releases":                {askFirst: true},
		"nobody is told that room is waited for": {neverTells: true},
	} {
		if _, wrong := v.explore(7); wrong == "" {
			t.Errorf("%s: no fault found", name)
		}
	}
}

// The same with the real thing: a small ring that is full most of the time, whose producer parks and is woken only when it said so.
func TestAFullRingParksItsProducer(t *testing.T) {
	const total = 50_000
	r := New[uint64](4)
	filled, freed := NewBell(), NewBell()
	parks, wakes := 0, 0
	var wg sync.WaitGroup
	wg.Go(func() {
		for next := uint64(0); next < total; {
			if r.Push(next) {
				next++
				filled.Ring()
				continue
			}
			parks++
			freed.Wait(Forever, r.AwaitRoom)
		}
	})
	for want := uint64(0); want < total; {
		v, ok := r.Pop()
		if !ok {
			filled.Wait(Forever, func() bool { return r.Len() > 0 })
			continue
		}
		if v != want {
			t.Fatalf("got %d, want %d", v, want)
		}
		want++
		if r.RoomWanted() {
			wakes++
			freed.Ring()
		}
	}
	wg.Wait()
	if parks == 0 || wakes > parks {
		t.Errorf("%d parks, %d wake-ups", parks, wakes)
	}
}
