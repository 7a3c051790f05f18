package egress

import (
	"time"

	"smsplane/pdu"
)

// Action is what an answer means for the message.
type Action uint8

const (
	Take      Action = iota + 1 // the carrier has it
	Elsewhere                   // temporary, or this carrier's own trouble: the next target, later this one again
	Slow                        // the link goes too fast: the same target again, and no attempt is counted
	Reject                      // no carrier would take it
	Requeue                     // the session is unfit; the message is not to blame
)

// Decide reads the answer to a submit_sm. The classes are those of field practice: 0x58 slows the link and
// counts no attempt; 0x0A, 0x45 and 0x48 to 0x51 are this carrier's rules and tried elsewhere; 0x01 and 0x0B
// are the message's own fault.
func Decide(st pdu.Status) Action {
	switch st {
	case pdu.ROK:
		return Take
	case pdu.RThrottled, pdu.RMsgQFul:
		return Slow
	case pdu.RInvBndSts, pdu.RInvCmdLen, pdu.RAlyBnd:
		return Requeue
	case pdu.RInvMsgLen, pdu.RInvDstAdr, pdu.RInvEsmClass, pdu.RInvSched, pdu.RInvExpiry, pdu.RInvDataCoding:
		return Reject
	}
	return Elsewhere
}

// MaxAttempts bounds the dispatches of one message that were answered with an error.
const MaxAttempts = 12

var delays = [...]time.Duration{2 * time.Second, 10 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute}

// Delay is how long a message rests after round r (from 0) through all of its targets failed.
func Delay(r int) time.Duration { return delays[min(max(r, 0), len(delays)-1)] }

// SlowDelay is how long a link rests after the carrier said that it goes too fast.
const SlowDelay = 500 * time.Millisecond
