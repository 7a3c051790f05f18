package verifier

import (
	"smsplane/ledger"
)

// Verdict is what happens to the message next.
type Verdict uint8

const (
	Pass    Verdict = iota // to egress
	Reroute                // back to the router: the catalog is another one by now
	Hold                   // ask again later; nothing can take it at present
	Reject                 // final state with the reason, hold voided
)

var verdictNames = [...]string{"pass", "reroute", "hold", "reject"}

func (v Verdict) String() string {
	if int(v) < len(verdictNames) {
		return verdictNames[v]
	}
	return "verdict?"
}

// Reason says why in one word. FINAL keeps it as Detail: numbers are never given a new meaning.
type Reason uint8

const (
	OK          Reason = iota
	NoTarget           // the plan is empty
	TargetGone         // a target is not in the present catalog
	NoLink             // no target has a link that sends
	CarrierDown        // targets have links, none is bound
	BadNumber          // not 7 to 15 digits
	BadSender          // neither a number nor a short name
	ClassAbove         // a class above the client's entitlement
	Expired            // its validity has passed
	reasonEnd
)

var reasonNames = [reasonEnd]string{"ok", "no_target", "target_gone", "no_link", "carrier_down", "bad_number", "bad_sender", "class_above", "expired"}

func (r Reason) String() string {
	if r < reasonEnd {
		return reasonNames[r]
	}
	return "reason?"
}

// Digits of an international number that a message can go to: country code and subscriber.
const (
	minNumber = 1_000_000           // 7 digits
	maxNumber = 999_999_999_999_999 // 15 digits
)

// Input is everything one check looks at. Slices are only read during the call.
type Input struct {
	Plan       *ledger.Route
	Facts      *Facts
	Up         *Carriers // carriers with a bound link that sends; nil: not asked
	Number     uint64    // E.164 digits
	Src        []byte
	SrcTON     uint8
	Class      ledger.Class // of the message
	Entitled   ledger.Class // highest of the client
	ValidUntil int64        // unix ns; 0 never ends
	Now        int64        // unix ns
}

// Check verifies one message. What no catalog can mend is looked at first, so that Reroute and Hold never
// keep a message that has to be rejected anyway.
func Check(in *Input) (Verdict, Reason) {
	switch {
	case in.ValidUntil != 0 && in.Now >= in.ValidUntil:
		return Reject, Expired
	case in.Number < minNumber || in.Number > maxNumber:
		return Reject, BadNumber
	case !senderOK(in.Src, in.SrcTON):
		return Reject, BadSender
	case in.Class > in.Entitled:
		return Reject, ClassAbove
	}
	return checkPlan(in.Plan, in.Facts, in.Up)
}

// checkPlan looks at the plan against the present catalog. A plan that another version made may be mended
// by planning again; one of the present version is as good as it gets.
func checkPlan(p *ledger.Route, f *Facts, up *Carriers) (Verdict, Reason) {
	wrong := Reject
	if p.Catalog != f.version {
		wrong = Reroute
	}
	if p.N == 0 || p.N > ledger.MaxTargets {
		return wrong, NoTarget
	}
	linked, bound := false, up == nil
	for i := range p.Targets[:p.N] {
		c := p.Targets[i].Carrier
		if !f.known.Has(c) {
			return wrong, TargetGone
		}
		linked = linked || f.sends.Has(c)
		bound = bound || f.sends.Has(c) && up.Has(c)
	}
	switch {
	case !linked:
		return Hold, NoLink
	case !bound:
		return Hold, CarrierDown
	}
	return Pass, OK
}
