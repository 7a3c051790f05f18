// Package egress holds what the ESME side decides: what a carrier's answer means for the message and for the
// link, how fast a link may send, which class goes next, and when a link that failed is dialled again.
//
// Everything here is a plain state machine: it takes events and the time (unix nanoseconds) and returns what
// should happen. Sockets are in dataplane/transport, sessions in pdu/session, queues in the executor of
// package dataplane. A value belongs to the goroutine that made it.
package egress
