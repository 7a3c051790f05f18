// Package peer plays the two parties around an SMPP appliance: the carrier whose SMSC it binds to, and the client whose
// ESME binds to it. Both account for every message, so that loss and duplicates are counted and not estimated.
//
// A message carries a tag in its text, "m:" and 16 hex digits: the number of the run, then the index of the message in
// that run. Indices are dense from 0. The client keeps a Book of what it sent and was answered; a carrier keeps a Tally of
// what it took, by run and index, also across processes (a Tally travels as JSON). Account compares the two.
//
//	Client ──submit_sm──▶ appliance ──submit_sm──▶ Carrier
//	   Book  ◀─────────── receipts ◀───────────── receipts   Tally
//
// The peers speak SMPP by hand on package pdu and do not use pdu/session: a fault in the appliance's session must not hide
// behind the same fault here, and a peer must be free to misbehave.
//
// # Goroutines
//
// Each connection has a reader and a writer goroutine. The reader takes the connection's mutex once per read, handles all
// whole PDUs of it, and writes one contiguous piece of output: one write per turn, whatever the window. What the kernel does
// not take is left to the writer, so that nobody waits for a peer that does not read. What is due later (delayed answers and
// receipts, paced or retried messages) comes from one timer per connection or one pacer per client. No code holds two
// connections' mutexes at once.
//
// # Bounds
//
// Unsent output per connection, unanswered requests, receipts in waiting, runs in a tally and messages in a run all have
// fixed limits, named in limits.go; passing one closes the connection, throttles the peer or is counted, never grows.
package peer
