package verifier

import (
	"smsplane/ledger"
	"smsplane/ledger/catalog"
	"smsplane/router"
)

// Verdict is what happens to the message next.
type Verdict uint8

const (
	Pass    Verdict = iota // to egress
	Reroute                // back to the router, with the present catalog
	Hold                   // ask again later
	Reject                 // final state, hold voided
)

// Reason says why in one word; FINAL keeps it as Detail.
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
)

// Numbers gives the carrier numbers that the ledger assigned.
type Numbers interface {
	Carrier(id string) (uint16, bool)
}

// Carriers is a set of carrier numbers.
type Carriers struct{ bits []uint64 }

// Set puts a carrier in or takes it out.
func (s *Carriers) Set(carrier uint16, in bool) {}

// Has reports whether it is in.
func (s *Carriers) Has(carrier uint16) bool { return false }

// Facts is what the verifier knows of the present catalog.
type Facts struct{}

// NewFacts takes the facts from a catalog.
func NewFacts(c *catalog.Catalog, version uint32, n Numbers) *Facts { return &Facts{} }

// Input is everything one check looks at.
type Input struct {
	Plan       *ledger.Route
	Facts      *Facts
	Up         *Carriers // carriers with a bound link that sends; nil: not asked
	Number     router.Number
	Src        []byte
	SrcTON     uint8
	SrcNPI     uint8
	Class      ledger.Class
	Entitled   ledger.Class
	ValidUntil int64 // unix ns
	Now        int64 // unix ns
}

// Check verifies one message.
func Check(in *Input) (Verdict, Reason) { return Pass, OK }
