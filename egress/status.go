package egress

import (
	"time"

	"smsplane/ledger/catalog"
	"smsplane/pdu"
)

// Action is what an answer means for the message; the words of carriers.yaml.
type Action = catalog.Action

const (
	Take      = catalog.ActionTake
	Elsewhere = catalog.ActionElsewhere
	Slow      = catalog.ActionSlow
	Reject    = catalog.ActionReject
	Requeue   = catalog.ActionRequeue
	Pause     = catalog.ActionPause
)

// Decide reads the answer to a submit_sm: by the carrier's own table if that names the status, else by the classes of
// field practice. ESME_RTHROTTLED (0x58) and ESME_RMSGQFUL (0x14) slow the link and count no attempt; 0x01, 0x0B and
// other faults of the message itself are rejected; what says that the session is unfit (0x02, 0x04, 0x05, 0x0D to
// 0x0F, 0x53) pauses it; all else, 0x0A, 0x45 and 0x48 to 0x51 among them, is this carrier's rule and tried elsewhere.
func Decide(own map[pdu.Status]Action, st pdu.Status) Action {
	if st == pdu.ROK {
		return Take
	}
	if a, ok := own[st]; ok {
		return a
	}
	switch st {
	case pdu.RThrottled, pdu.RMsgQFul:
		return Slow
	case pdu.RInvBndSts, pdu.RInvCmdLen, pdu.RAlyBnd, pdu.RBindFail, pdu.RInvPaswd, pdu.RInvSysID, pdu.RInvSysTyp:
		return Pause
	case pdu.RInvMsgLen, pdu.RInvDstAdr, pdu.RInvEsmClass, pdu.RInvSched, pdu.RInvExpiry, pdu.RInvDataCoding:
		return Reject
	}
	return Elsewhere
}

// MaxAttempts bounds the dispatches of one message that were answered with an error.
const MaxAttempts = 12

// MaxFull is how often a message waits for a carrier whose queue is full (0x14) before its next target gets it.
const MaxFull = 4

var delays = [...]time.Duration{2 * time.Second, 10 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute}

// Delay is how long a message rests after round r (from 0) through all of its targets failed.
func Delay(r int) time.Duration { return delays[min(max(r, 0), len(delays)-1)] }

// SlowDelay is how long a link rests after the carrier said that it goes too fast.
const SlowDelay = 500 * time.Millisecond

// slowMax bounds the rest of one message that is told so again and again.
const slowMax = 16 * time.Second

// SlowRest is how long a message rests that was dispatched n times (from 1) and told to come later: from SlowDelay,
// doubled each time.
func SlowRest(n int) time.Duration { return grow(SlowDelay, slowMax, n-1) }
