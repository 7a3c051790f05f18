// Package crash holds no code of the appliance: its tests lead hosts of lanes through seeded histories on a disk that
// forgets what was not synced.
//
// A history is a few lives of one host. In a life the journal, the replicas and the books are the product's; a clerk
// stands for entry, router, egress and operators and decides at random, but only what the books allow: messages are
// accepted, planned, dispatched, answered, doubted, replaced, held, moved to runs and loaded again, ended, returned;
// states are flushed, stragglers moved, logs dropped, tables compacted, the past forgotten, lanes sealed. The journal is
// stepped, so that the clerk decides, too, what is committed and what is synced.
//
// At a random operation on the disk (a write, a sync, a rename, also one of Pebble's own, also while the store is
// opened) the life is cut: what was synced by then, and a random part of what was not, is all that the next life finds.
// Or the operation fails, whole or after half of its octets, and the process must end.
//
// What must hold then is judged from the proposed blocks alone, which the test keeps, and from the acknowledgments given
// before the cut: no acknowledged block is missing; every accepted message is in exactly one state, with its text; the
// books that recovery loaded are those that a fold of all blocks from empty leads to; the audit proves; the archive has
// each ended message once and its index finds it.
//
//	go test ./ledger/crash -run TestHistories -histories 5000      a longer run
//	go test ./ledger/crash -run TestHistories -seed 4711           one history again
//	go test ./ledger/crash -run TestHistories -nosync              must fail: the log's sync does nothing
//
// A seed fixes every decision of the clerk and where the life is cut. Pebble's own goroutines are not stepped: how far
// they came at the cut may differ from run to run.
package crash
