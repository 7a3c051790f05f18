// Package measure holds no code of the appliance: it measures a lane of the ledger, on a disk, against the least that the
// disk can do for the same octets.
//
// # Goals
//
//   - The whole of the ledger's part: blocks proposed to the group of one, journaled, synced, applied, folded through the
//     whole life of each message (ACCEPT, ROUTE, DISPATCH, ANSWER, RECEIPT, FINAL), books and EDRs flushed, the log dropped.
//   - Raw is append and fdatasync of as many octets as the lane wrote for each accepted message, state included, into a
//     file that was written before (as a recycled log is), by the same two goroutines, as many blocks in flight.
//   - Pairs take turns in one run; the median of the pairs counts. Latency is measured at a quarter of the maximum.
//   - Readers of queues: what is behind the head (consumed) and before it (spilled) must not be felt.
//
// # Non-goals
//
//   - Absolute figures: they move with the disk by a factor of two.
//   - The sockets, the router, the links: smsbench measures the product whole.
//
// Alone on the machine:
//
//	go test ./ledger/measure -run '^$' -bench Ratios -benchtime 1x
//	go test ./ledger/measure -run '^$' -bench Heads -benchtime 1x -timeout 30m
package measure
