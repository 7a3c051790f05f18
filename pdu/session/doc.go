// Package session is the state machine of one bound SMPP session: bytes and times in, bytes and events out.
//
// It plays both roles. As Server the peer is an ESME that bound to us; as Client we are bound to a
// carrier's SMSC. The bind exchange is over before a Session exists (dataplane/transport does it), so a
// Session starts bound and only ever moves down:
//
//	           peer: unbind
//	Bound ───────────────────────► PeerUnbinding ──┐ settled or out of grace: unbind_resp
//	  │ Unbind()                        ▲          │
//	  ▼            peer: unbind         │          ▼
//	Draining ───────────────────────────┘       Closed ◄── framing lost, peer silent, End()
//	  │ settled or out of grace: unbind            ▲
//	  ▼                                            │
//	Unbinding ─────────────────────────────────────┘ unbind_resp, or ResponseTimeout after Unbind()
//
// "Settled" means that no request is unanswered in either direction. While Draining or Unbinding a new
// request of the peer is refused for now (ESME_RTHROTTLED to an ESME, ESME_RX_T_APPN to an SMSC: the
// codes after which common gateways keep the message); after the peer's own unbind it gets ESME_RINVBNDSTS.
//
// What must stay true:
//
//   - Every Send or SendForward that returned true ends in exactly one Response or Lost, at the latest in
//     End. Taking the window slot and writing the PDU are one act, so neither exists without the other.
//   - Unanswered requests never exceed Window; what the peer may leave us owing never exceeds PeerWindow.
//     enquire_link and unbind count in neither.
//   - Two unanswered requests never share a sequence_number, also across the wrap from 0x7FFFFFFF to 1.
//   - How the stream is cut into reads changes nothing: not the events, not the answers.
//   - A response is never answered, not even with generic_nack: two such peers would talk for ever.
//
// There is no goroutine, clock, socket or lock inside. One goroutine owns a Session, normally the loop
// of its connection, and passes the time in: now is unix nanoseconds. From inside a callback a handler may
// call Reply, Send, SendForward, Unbind, End and all readers; Feed and Tick may not be nested and panic.
//
// Life of slices: p in a callback is valid until the callback returns. Out is valid until the next call
// that appends to it (Feed, Tick, Send, SendForward, Reply, Unbind) or ResetOut.
//
// Steady traffic allocates nothing. Memory of an idle session is a few hundred octets: the output and the
// carry of a partial PDU come from pools and go back when not needed, the window table grows with use up to
// 64 octets for each request of Window (rounded up to a power of two), and the first response timeout
// allocates the memory of late answers, 4096 entries of 16 octets.
package session
