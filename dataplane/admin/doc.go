// Package admin is the operator's door: the only HTTP server of the appliance, and the client with which
// the commands of smsplane ask a running node.
//
// A Source is what can be asked: a running node, or the store of a stopped one. The server turns it into
// /livez, /readyz, /metrics and /api/v1; Client turns those back into a Source, so a command is written
// once and does not know whom it asks.
//
// Invariants: the server listens on loopback addresses only and answers only requests whose Host names
// one (a web page that rebinds its name to 127.0.0.1 is refused); whatever changes something is a POST
// with a JSON body; every request is bounded in size and time; every error is {"error": "..."} with a
// status that says whose fault it is.
//
// Server, Client and the metrics collector hold no state of their own: any goroutine may call them, and
// a Source must allow the same. Returned slices belong to the caller.
package admin
