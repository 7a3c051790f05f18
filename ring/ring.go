package ring

import (
	"fmt"
	"sync/atomic"
)

// line is the distance that keeps two fields from sharing a cache line, counting the neighbour that the hardware prefetches.
const line = 128

// Ring is a bounded queue of T between one producer and one consumer.
//
// Positions only grow; a position's slot is position mod size.
//
//	     tail            head          tail+size
//	──────┼───────────────┼────────────────┼──────
//	      │ consumer's    │ producer's     │
//
// Slots [tail, head) belong to the consumer, slots [head, tail+size) to the producer. The store to head in Commit passes
// slots to the consumer together with all that the producer wrote into them; the store to tail in Release passes them back.
// Neither side may touch a slot that it passed on.
//
// A producer that finds the ring full asks AwaitRoom and, unless there is room by then, parks; the consumer asks RoomWanted after
// each Release and wakes it. Both sides store before they load, so one of the two sees the other:
//
//	producer                              consumer
//	wanted = 1                            Release: tail += n
//	room? go on : park                    wanted == 1? wanted = 0, wake the producer
//
// The zero Ring is not usable. Released slots keep their values until they are written again; only Pop clears its slot. Rings
// of descriptors without pointers hold nothing alive by that.
type Ring[T any] struct {
	buf  []T
	mask uint64

	_        [line]byte
	head     atomic.Uint64 // stored by the producer
	seenTail uint64        // the producer's last look at tail: never ahead of it
	reserved uint64        // slots of the last Reserve, not yet committed
	_        [line]byte
	tail     atomic.Uint64 // stored by the consumer
	seenHead uint64        // the consumer's last look at head: never ahead of it
	peeked   uint64        // slots of the last Peek, not yet released
	_        [line]byte
	wanted   atomic.Bool // the producer waits for room, or is about to; stored by both, and seldom
	_        [line]byte
}

// New makes a ring of size slots. It panics unless size is a power of two.
func New[T any](size int) *Ring[T] {
	if size <= 0 || size&(size-1) != 0 {
		panic(fmt.Sprintf("ring: size %d is not a power of two", size))
	}
	return &Ring[T]{buf: make([]T, size), mask: uint64(size - 1)}
}

// Cap is the number of slots.
func (r *Ring[T]) Cap() int { return len(r.buf) }

// Len is the number of filled slots: exact for a side about its own doings, a moment's guess about the other's. Any
// goroutine may ask.
func (r *Ring[T]) Len() int {
	tail := r.tail.Load() // before head, so that the difference is never negative
	n := r.head.Load() - tail
	return int(min(n, uint64(len(r.buf))))
}

// Reserve gives the producer at most n free slots that lie side by side; fewer when the ring is fuller or its end is near,
// none when it is full. The slots hold old values. A second Reserve before Commit gives the same slots again.
func (r *Ring[T]) Reserve(n int) []T {
	if n <= 0 {
		r.reserved = 0
		return nil
	}
	head, size := r.head.Load(), uint64(len(r.buf))
	free := r.seenTail + size - head
	if free < uint64(n) {
		r.seenTail = r.tail.Load()
		free = r.seenTail + size - head
	}
	at := head & r.mask
	got := min(uint64(n), free, size-at)
	r.reserved = got
	return r.buf[at : at+got : at+got]
}

// Commit passes the first n slots of the last Reserve to the consumer. The rest of the reservation is void.
func (r *Ring[T]) Commit(n int) {
	if n < 0 || uint64(n) > r.reserved {
		panic(fmt.Sprintf("ring: commit of %d slots, %d reserved", n, r.reserved))
	}
	r.reserved = 0
	if n > 0 {
		r.head.Store(r.head.Load() + uint64(n))
	}
}

// Peek gives the consumer at most n filled slots that lie side by side, the oldest first; none when the ring is empty. The
// consumer may write into them. A second Peek before Release gives the same slots again.
func (r *Ring[T]) Peek(n int) []T {
	if n <= 0 {
		r.peeked = 0
		return nil
	}
	tail := r.tail.Load()
	filled := r.seenHead - tail
	if filled < uint64(n) {
		r.seenHead = r.head.Load()
		filled = r.seenHead - tail
	}
	at := tail & r.mask
	got := min(uint64(n), filled, uint64(len(r.buf))-at)
	r.peeked = got
	return r.buf[at : at+got : at+got]
}

// Release passes the first n slots of the last Peek back to the producer. The rest stays filled.
func (r *Ring[T]) Release(n int) {
	if n < 0 || uint64(n) > r.peeked {
		panic(fmt.Sprintf("ring: release of %d slots, %d peeked", n, r.peeked))
	}
	r.peeked = 0
	if n > 0 {
		r.tail.Store(r.tail.Load() + uint64(n))
	}
}

// AwaitRoom is what a producer asks before it parks because Reserve gave it nothing: true says that there is room after all.
// After false the consumer's next RoomWanted is true.
func (r *Ring[T]) AwaitRoom() bool {
	r.wanted.Store(true)
	return r.Len() < len(r.buf)
}

// RoomWanted is what the consumer asks after Release: true once, when the producer has asked AwaitRoom since, and must be woken.
func (r *Ring[T]) RoomWanted() bool { return r.wanted.Load() && r.wanted.Swap(false) }

// Push adds one value; false when the ring is full. For control traffic: batches are many times cheaper.
func (r *Ring[T]) Push(v T) bool {
	s := r.Reserve(1)
	if len(s) == 0 {
		return false
	}
	s[0] = v
	r.Commit(1)
	return true
}

// Pop takes the oldest value and clears its slot; false when the ring is empty.
func (r *Ring[T]) Pop() (T, bool) {
	var zero T
	s := r.Peek(1)
	if len(s) == 0 {
		return zero, false
	}
	v := s[0]
	s[0] = zero
	r.Release(1)
	return v, true
}
