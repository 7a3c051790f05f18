package session

import "smsplane/pdu"

// A verdict is what the session rules say of a command_id that the peer sent as a request.
type verdict uint8

const (
	allowed verdict = iota
	refused         // known, but not in this bind or direction: its response with ESME_RINVBNDSTS
	unknown         // no such command in this version: ESME_RINVCMDID, in its own response if it has one
)

// judge applies the matrix of SMPP 5.0 §2.3 (who may send what in which bound state), with two notes.
// data_sm is let through in every bind, as the tables of 3.4 and 5.0 differ on it. A command younger than
// the session's version does not exist there.
func judge(role Role, bind pdu.Command, version uint8, c pdu.Command) verdict {
	switch c {
	case pdu.SubmitSM, pdu.SubmitMulti, pdu.QuerySM, pdu.ReplaceSM, pdu.CancelSM:
		return when(role == Server && bind != pdu.BindReceiver)
	case pdu.BroadcastSM, pdu.QueryBroadcastSM, pdu.CancelBroadcastSM:
		if version < 0x50 {
			return unknown
		}
		return when(role == Server && bind != pdu.BindReceiver)
	case pdu.DeliverSM:
		return when(role == Client && bind != pdu.BindTransmitter)
	case pdu.AlertNotification:
		if version < 0x34 {
			return unknown
		}
		return when(role == Client && bind != pdu.BindTransmitter)
	case pdu.DataSM:
		if version < 0x34 {
			return unknown
		}
		return allowed
	case pdu.BindReceiver, pdu.BindTransmitter, pdu.BindTransceiver, pdu.Outbind:
		return refused
	}
	return unknown
}

func when(ok bool) verdict {
	if ok {
		return allowed
	}
	return refused
}

// maySend says whether a session of this role and bind carries requests of ours at all: an SMSC has
// nothing to say on a transmitter bind, an ESME nothing on a receiver bind.
func maySend(role Role, bind pdu.Command) bool {
	if role == Server {
		return bind != pdu.BindTransmitter
	}
	return bind != pdu.BindReceiver
}

// answered says whether SMPP has a response to c (alert_notification and outbind have none).
func answered(c pdu.Command) bool { return c != pdu.AlertNotification && c != pdu.Outbind }
