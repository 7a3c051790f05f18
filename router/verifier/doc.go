// Package verifier checks a plan before it is acted on, with facts of its own: it shares no table and no
// lookup with the router, so that one mistake there does not pass twice.
//
// Check allocates nothing and keeps nothing. A Facts is never changed after NewFacts and may be read by any
// goroutine; a Carriers set belongs to the goroutine that changes it.
package verifier
