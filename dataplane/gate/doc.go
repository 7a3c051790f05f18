// Package gate decides who may come in: connections by source network and number, binds by account and type, and how long a
// source that failed to bind waits for its answer.
//
// A Gate is arithmetic over what it is told. It has no socket, clock or goroutine; time comes in as unix nanoseconds. Every
// method may be called from any goroutine: connections and binds are rare, so one mutex guards all of it.
//
// What it remembers is bounded: one entry per source that holds a connection (at most MaxConnections) and at most maxPenalties
// sources that failed lately. A source is one IPv4 address or one IPv6 /64, because a /64 is what one host gets for free.
package gate
