// Package conform binds to an SMPP server, tries what the specifications offer, and writes down what the server does with it:
// a link sheet, for somebody who is about to go live with a carrier, and for us as a regression of our own server.
//
// It is a synchronous client of its own over package pdu: one question, one answer, everything else that arrives meanwhile
// (deliver_sm, enquire_link) answered as a good ESME would. A probe that costs the session gets a new one for the next probe.
//
// A line of the sheet has one of four verdicts. "ok": as the specification asks, or offered. "refused": optional, and declined
// with a proper response. "note": allowed, but worth knowing. "differs": against the specification. None of them is a failure of
// the run; a server that cannot even be bound to is.
//
// Given a number it sends about ninety real messages there; without one it leaves out what needs a message.
package conform
