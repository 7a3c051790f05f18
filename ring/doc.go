// Package ring joins two goroutines: a bounded queue between exactly one producer and one consumer, and the Bell by which
// one of them wakes the other when it has nothing left to do.
//
// Producer and consumer are roles, not goroutines: a role may move to another goroutine when something else (a channel, a
// mutex, the end of the first goroutine) orders the two. Everything else about a Ring is owned as its type says.
//
// A ring moves batches. A single Push costs a cache line transfer (40–70 ns between cores), a batch of 16 or more hides it:
// reserve, fill, commit once; peek, work, release once. Nothing here spins and nothing blocks but Bell.Wait: a producer
// that finds the ring full does other work, or waits on a Bell that the consumer rings when the ring says that room is wanted.
package ring
