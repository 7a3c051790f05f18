// Package journal keeps the lanes' logs and the folds' state in one Pebble store per host.
//
// The simple story: whoever owns a lane hands Append and Write requests over; one appender goroutine puts
// all that is queued, of all lanes and in arrival order, into one Pebble batch and commits it unsynced; one
// syncer goroutine makes one synced LogData per round, and with it everything committed before it durable,
// then calls the Done functions in order. Several batches share one sync, and nobody waits for anybody.
//
//	owners ──Append, Write──▶ queue ──▶ appender: Commit(NoSync) ──▶ pending ──▶ syncer: LogData(Sync) ──▶ Done
//
// Invariants:
//   - Done is called after the request is durable, never before, at most once, in the order of Append.
//   - A request is never split over two Pebble batches: after a crash it is there whole or not at all, and
//     what is there is a prefix of the order of arrival.
//   - A lane's entries on disk are consecutive from its first index. An append that overwrites a suffix
//     deletes that suffix in the same batch, so a truncated entry never comes back.
//   - After a failed write or sync nothing is acknowledged any more: Options.Fatal ends the process. A
//     retry after a failed fsync could acknowledge what the kernel has thrown away.
//
// Who may call what: Append, Write, Get, Scan and Stats any goroutine, between Open and Close. A Log belongs
// to one goroutine, its lane's owner; Close is called after the owners have stopped.
//
// How long slices live: Append's entry data is read until Done, and stays in the Log, so it must be
// immutable from the call on. What Log.Entry returns aliases the resident block (or is fresh from disk) and is
// immutable too. What Scan hands to its function is valid during that call only; Get returns a fresh slice.
//
// Bounds: the queue to the appender takes 64 MiB, then Append and Write wait for the appender (which waits
// for no owner, so this cannot lock up). Owners stay far below that by their own windows: 8 lanes × 8 MiB of
// uncommitted entries. Requests waiting for a sync hold no bytes here, only their Done. Memory of the store:
// 4 memtables of 128 MiB, 32 MiB block cache, two batches of up to 8 MiB, and the Logs' resident blocks.
package journal
