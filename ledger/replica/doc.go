// Package replica is one lane's member of its raft group: etcd's raft over the lane's journal.
//
// The simple story: the owner proposes sealed blocks; raft turns each into an entry; the entry goes to the
// journal (and to the other voters) at once, without waiting for those before it; the syncer's Done comes
// back through a small list; DoWork tells raft, and hands what is committed to apply, in order.
//
//	Propose ─▶ raft ─▶ journal.Append ── Done on the syncer ─▶ list + Wake ─▶ DoWork ─▶ raft ─▶ apply
//	              └──▶ Send ─▶ other voters ─▶ their Step ─▶ their journal ─▶ answer ─▶ our Step
//
// Invariants:
//   - An entry is applied only when it is committed AND durable here; a vote or an acknowledgment leaves only
//     when what it promises is durable here. Both hang on Done.
//   - apply sees every committed entry once per life of the process, in order, from Config.Applied+1.
//   - A block's bytes are not copied: raft's entry, the Log and the append share the slice given to Propose.
//     (Sending to another voter encodes it into that message, and receiving makes one copy.)
//   - Leader is true only after the empty entry of its term is applied: everything that earlier leaders
//     acknowledged has been applied before the first own decision.
//
// All methods belong to the lane's owner goroutine; only the Done list is shared. There is no clock: DoWork is
// given the time, and Config.Clock is asked for leases. A group of one campaigns at once, is never ticked, sends
// nothing and does nothing while idle.
//
// What the owner does with it, after each DoWork:
//
//	Role      leads from now on: serve the lane; leads no more, or in another term: forget what was decided
//	          and not applied, and load the books anew
//	Lease     and SendFrom: when messages may be handed to carriers (lease.go)
//	Needed    what the others still need of the log (snapshot.go)
//	Stalled   the disk does not keep up; a leader is handing over
//	SingleCopy  acknowledgments rest on one data host (witness.go)
//
// Who is in the group is part of the log: ProposeConf changes it, the journal keeps it (conf.go). Who is a
// witness is part of the member's id (member.go). A data host that the log cannot bring up to date is sent the
// lane by its host, outside raft (snapshot.go).
package replica
