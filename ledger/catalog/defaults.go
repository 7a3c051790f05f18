package catalog

import (
	"time"

	"smsplane/ledger"
	"smsplane/pdu"
)

// What holds when a key is absent. Money, limits of rate and credentials have no default: they must be said.
const (
	defaultWindow          = 100
	defaultBinds           = 10 // of each type, when max_binds is absent
	defaultSessions        = 1
	defaultLinkWindow      = 10
	defaultLinkDeliver     = 1000
	defaultValidity        = 48 * time.Hour
	defaultValidityMax     = 72 * time.Hour
	defaultReceiptKeep     = 168 * time.Hour
	defaultReceiptWait     = 72 * time.Hour
	defaultEnquireLink     = 30 * time.Second
	defaultResponseTimeout = 60 * time.Second
	defaultBindTimeout     = 10 * time.Second
	defaultPDUTimeout      = 10 * time.Second
	defaultVersion         = 0x34
	defaultRefusal         = pdu.RSubmitFail
	defaultPolicy          = ledger.PolicyResend
)

// Bounds of what may be said.
const (
	maxName     = 64  // octets of ids, parties, plans, system_ids and passwords
	maxPath     = 255 // octets of a file's name: the CATALOG record keeps its length in one
	maxWindow   = 65535
	maxBinds    = 10000
	maxSessions = 1000
	maxTPS      = 1_000_000
	maxTier     = 255
	minDigits   = 7 // of a number that the verifier lets through
	maxDigits   = 15
	maxWeight   = 65535
	maxDuration = 365 * 24 * time.Hour

	// MaxGroup is how many rows of routes.csv may share plan, match and class.
	MaxGroup = 64
)
