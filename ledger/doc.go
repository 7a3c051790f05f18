// Package ledger holds what every room that touches the books shares: message ids, money, classes, and
// the records and blocks that are the appliance's only durable truth.
//
// A Block is a batch of records: one raft entry, one journal key, immutable once cut. A record states a
// decision that the leader took (price, plan, time, outcome); folding a record reads no clock and no
// catalog, so any replica that folds the same blocks reaches the same books (docs/architecture.md,
// "one journal is the truth").
//
// Everything here is plain bytes and integers without I/O; a value may be used by any goroutine that
// owns it. A view (Record, Accept ...) decoded from a block aliases the block's bytes and lives as long.
package ledger
