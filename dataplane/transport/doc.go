// Package transport is the room of sockets: loops that read and write bound SMPP connections, the lobby where clients are
// until they are bound, and the dialler that binds us to carriers. gnet is known here and nowhere else.
//
//	net.Listener → Lobby: one goroutine per connection, deadlines, first PDU, Admission ─┐
//	DialBind: connects, binds, awaits bind_resp under a deadline ────────────────────────┴→ Engine.Enroll → loop
//
// # Loops
//
// An Engine runs a fixed number of loops. A connection lives on one loop, chosen by the caller, from Opened to Closed. All
// callbacks of a connection and of the loop's handler run on that loop, one at a time, so that what they share needs no
// locks; none of them may block. A turn is what the loop does between two waits: some Data callbacks, then one Turn, in which
// outputs are flushed with one Write per connection. A system call costs as much as fifty PDUs; one write per PDU would be
// most of the machine.
//
//	Opened, Data …      as the kernel has bytes
//	Closed …            of connections that ended since
//	Tick                every 10 ms
//	Turn                always last, after any of the above and after Wake; once for all of them
//
// gnet has an engine with a listener of its own; it is not used, because an accept that fails for want of file descriptors
// ends that engine with every session on it. Connections come from a net.Listener or net.Dialer and are enrolled. The bytes of
// a read are taken whole and nothing is left in gnet's buffer: a partial PDU is the session's to carry.
//
// # Promises
//
// Closed is called exactly once for each Opened, never from inside Write, Close or Abort. The bytes given to Data are valid
// during the call only. A panic in a callback of a connection is counted and closes that connection; a panic in Turn, Tick or
// a posted function is the end of the process, because nobody knows what state it left to all connections of the loop.
package transport
