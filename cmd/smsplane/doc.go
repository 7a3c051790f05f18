// Command smsplane is the appliance and its operator's commands.
//
// serve runs a node in the foreground. Every other command asks the running node over its admin address
// or, when nobody listens there, opens the node's store itself; it prints a table, or with --json what
// the admin address answers. Exit codes: 0 done, 1 a finding or a failure, 2 a mistake in the call.
//
// The appliance is package dataplane; this room only parses, asks and prints. Each run builds its
// own command tree over a cli, so that tests run whole commands side by side.
package main
