// Package mischief tests the appliance against carriers that break the rules. Each script of peer.Mischief meets a
// whole appliance in this process, on loopback ports, with a store of its own; what the books must say afterwards is
// written next to it.
//
// Nothing here waits for a time to pass: every wait is for a condition, and bounded.
package mischief
