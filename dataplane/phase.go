package dataplane

// phase is the leader's intention for a live message: the decision on its way, or the list it stands in. The
// books (book.State) follow when the record is committed.
//
//	routing → verifying → queued → dispatching → sent → awaiting → ending → returning → with client → returned
//	             │  ↑        ↑          │          │
//	             └ resting ──┘ ←────────┴──────────┘ unsent, retry, next target, resend out of doubt
const (
	phaseNone        uint8 = iota
	phaseRouting           // in the lane's router list
	phaseVerifying         // in the lane's verifier list
	phaseQueued            // in the internal queue of its carrier and class
	phaseSpilling          // MOVE proposed; it leaves memory when that is committed
	phaseResting           // on the lane's timer heap, due later; then queued
	phaseHeld              // on the timer heap; then verified again
	phaseDispatching       // DISPATCH proposed; no byte was written
	phaseSent              // the link has it
	phaseAwaiting          // taken; a receipt may come
	phaseKept              // in doubt by policy hold, or by an operator
	phaseReplacing         // REPLACE proposed; then planned anew
	phaseEnding            // FINAL proposed
	phaseReturning         // in the list of what the client is to get, since it has been bound
	phaseBacklog           // likewise, from before
	phaseAside             // refused by the client; listed until its time is over
	phaseReturnRest        // on the timer heap: the client could not take it just now
	phaseReturned          // a bind of the client has the deliver_sm
	phaseReleasing         // RETURN proposed
	phaseOperator          // in the lane's list of what an operator holds
	phaseRerouting         // OPERATOR proposed; then planned anew
	phaseBehind            // in line behind another message to the same number
)
