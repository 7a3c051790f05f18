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
// given the time. A group of one campaigns at once, is never ticked and does nothing while idle.
//
// Snapshots are not made: a voter can be brought up to date only from the log. In a group of several voters
// nothing may be dropped from the log that some voter has not yet taken (Needed tells); a voter that falls
// behind the first entry of all others stays behind.
package replica
