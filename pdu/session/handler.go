package session

import "smsplane/pdu"

// Handler receives what happens on a Session, on the goroutine that called Feed, Tick or End.
type Handler interface {
	// Request is a request of the peer that this bind allows. It is answered by one Reply with its command
	// and sequence, now or later; alert_notification alone has no answer. p is the whole PDU.
	Request(s *Session, now int64, h pdu.Header, p []byte)

	// Response is the answer to what Send was given with tag. h.Command is the request's response, or
	// generic_nack; a generic_nack never shows status ROK in h (one that did arrives as ESME_RUNKNOWNERR).
	Response(s *Session, now int64, tag uint64, h pdu.Header, p []byte)

	// Lost is the end of a request that was written and has no answer: the peer may have taken it or not.
	Lost(s *Session, now int64, tag uint64, why Lost)
}

// LateHandler is implemented by a Handler that wants answers arriving after LostTimeout. Of the requests
// that timed out one is remembered for each value of sequence_number mod 4096, the newest.
type LateHandler interface {
	Late(s *Session, now int64, tag uint64, h pdu.Header, p []byte)
}

// Lost is why a request will not be answered any more.
type Lost uint8

const (
	LostTimeout Lost = iota // no answer within ResponseTimeout; it may still come: LateHandler
	LostEnded               // the session ended first
)

// String names the reason.
func (l Lost) String() string {
	if l == LostTimeout {
		return "timeout"
	}
	return "ended"
}

// Counters tell what a session did since New. They only grow.
type Counters struct {
	Requests  uint64 // peer's requests handed to Handler.Request
	Replies   uint64 // answered by Reply
	Throttled uint64 // peer's requests over PeerWindow, answered ESME_RTHROTTLED
	Refused   uint64 // not allowed by bind, direction or state, and answered so
	Unknown   uint64 // command_id unknown or of a newer SMPP version, answered ESME_RINVCMDID
	Framing   uint64 // command_length out of bounds, answered generic_nack ESME_RINVCMDLEN; ends the session

	Sent       uint64 // our requests accepted by Send and SendForward
	Told       uint64 // requests without an answer, written by Tell
	Responses  uint64 // answers handed to Handler.Response
	Timeouts   uint64 // LostTimeout
	Ended      uint64 // LostEnded
	Late       uint64 // answers to remembered requests after LostTimeout
	Stray      uint64 // responses that fit no request: unknown sequence_number
	Mismatched uint64 // responses of another type than their sequence_number asked for; ignored
	Nacks      uint64 // generic_nack received, whether or not it fitted a request

	EnquiresIn  uint64 // enquire_link of the peer, answered
	EnquiresOut uint64 // enquire_link of ours
}
