package pdu

// State is a message_state (3.4 §5.2.28, 5.0 §4.7.15).
type State uint8

const (
	StateScheduled     State = 0 // 5.0
	StateEnroute       State = 1
	StateDelivered     State = 2
	StateExpired       State = 3
	StateDeleted       State = 4
	StateUndeliverable State = 5
	StateAccepted      State = 6
	StateUnknown       State = 7
	StateRejected      State = 8
	StateSkipped       State = 9 // 5.0
	states                   = 10
)

var stateNames = [states]string{"SCHEDULED", "ENROUTE", "DELIVERED", "EXPIRED", "DELETED", "UNDELIVERABLE", "ACCEPTED", "UNKNOWN", "REJECTED", "SKIPPED"}

// stateTexts are the seven-letter words of a receipt (3.4 Appendix B). SCHEDULED and SKIPPED have none there, so the
// nearest word a 3.4 peer understands stands for them.
var stateTexts = [states]string{"ENROUTE", "ENROUTE", "DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "ACCEPTD", "UNKNOWN", "REJECTD", "UNDELIV"}

// String is the specification's name; a value it does not define reads as UNKNOWN.
func (s State) String() string {
	if s < states {
		return stateNames[s]
	}
	return stateNames[StateUnknown]
}

// Text is the word for a receipt's stat field.
func (s State) Text() string {
	if s < states {
		return stateTexts[s]
	}
	return stateTexts[StateUnknown]
}

// Final reports whether nothing more is to come. ACCEPTED is not final: the specification counts it so, but in the
// field it means that the next hop has the message. UNKNOWN is final, as its receipt is the last one sent.
func (s State) Final() bool {
	switch s {
	case StateScheduled, StateEnroute, StateAccepted:
		return false
	}
	return true
}
