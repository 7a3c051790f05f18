// Package cluster is how hosts find and hear one another: who is a member, with which store, and the streams
// between them.
//
// The simple story: every pair of hosts keeps two TCP connections, one each way; who has something to say
// dials. The dialler says hello, the other answers with its own hello or with why it refuses, and from then on
// frames go one way: raft messages of all lanes and whatever else hosts tell each other.
//
//	a ──hello──▶ b      a ◀──hello, or refusal── b      a ──frames──▶ b         (and the same from b to a)
//
// Formation is a state machine without I/O: it is told hellos and says whether a host may join, whether the
// cluster is formed now, and what must be on stable storage before anybody hears of it.
//
// Invariants:
//   - A store belongs to one cluster for ever. Two stores never bear the same member's name at a time: a member
//     that comes with another store than the table names is refused, on both sides, until an operator says
//     `cluster replace`. A wiped store would vote a second time and acknowledge what it has forgotten.
//   - An empty store founds a cluster only after it has heard every configured member, and none of them knows one.
//   - A table is written and synced BEFORE it is announced or acted upon.
//   - Frames of one stream arrive in order or not at all. A stream that is full or down loses them, and says so
//     through Options.Lost: raft repeats what matters.
//
// Mesh may be used from any goroutine; Formation belongs to whoever holds its lock. A payload given to Send is
// copied before the call returns; one handed to Receive belongs to the receiver.
//
// Bounds: 32 MiB wait for each peer; a frame has at most 16 MiB; 64 connections that have not said hello yet.
package cluster
