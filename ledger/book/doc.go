// Package book is the fold of one lane: the messages that have not ended, what each account holds and owes,
// the counts that must add up, and the EDRs of what has ended.
//
// A Book changes by Apply alone, one committed block after another, and reads no clock and no catalog: two
// replicas that applied the same blocks hold the same book. The leader keeps its own intentions (which queue
// a message stands in, which decision is on its way) in the few fields of Msg marked "leader"; a follower
// leaves them zero.
//
// What is persisted: one state blob per lane with the applied index inside, packs of EDR entries, and
// stragglers. The table of live messages is not: it is rebuilt from the log between the low-water mark and
// the applied index, so an accepted message is written once. Flush writes all of it as one atomic batch.
//
// One goroutine, the lane's executor, owns a Book. A *Msg is valid until the message is released; a body
// returned by PDU aliases a block and must not be kept across Apply.
package book
