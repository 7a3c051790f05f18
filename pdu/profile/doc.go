// Package profile holds what a peer does differently, as data: how a carrier's receipts name the message that its
// answer named otherwise, how it writes receipts and numbers, which alphabet its data_coding 0 is, which TLVs it wants
// or cannot bear, what its command_status values mean; and the same for a client.
//
// A Link is of one link to a carrier, a Client of one client. Both are read from the catalog, immutable, and may be
// used from any goroutine. The zero value of each does everything as the specification says. A peer without a profile
// has nil, and costs nothing.
//
// A Learner finds out by itself how a link's receipts name messages; see there. It belongs to one goroutine.
//
// Nothing here does I/O or reads a clock. Functions that make a PDU append to dst and keep nothing.
package profile
