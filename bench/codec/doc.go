// Package codec compares our PDU codec with other people's: the Go libraries gosmpp and go-smpp, the npm package smpp, and
// tshark's dissector. It is a module of its own, so that the appliance's go.mod names none of them.
//
// The tests generate PDUs of every type with our encoders, have the others decode them field by field, encode them again
// where they can, and compare. Where a peer is known to be wrong or narrower than the specification the comparison leaves
// that out by name, next to the reason. The benchmarks put the same work side by side in one run.
//
// Nothing here is imported by anything.
package codec
