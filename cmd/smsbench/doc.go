// Command smsbench plays the parties around an SMPP appliance and measures what lies between them.
//
// carrier and client are the two parties, to point at one's own lab; send is one message by hand; path measures a whole
// path with its account; run is `make run`; capacity, ceiling, latency, soak, scale and profile start appliances of their own. Exit codes: 0 done and everything added up, 1 a failure or something that does
// not add up, 2 a mistake in the call.
//
// The parties are package bench/peer, the suites package bench; this room only parses, calls and prints. The commands need
// no file and no running node but what their flags name; the defaults are those of the demo folder.
package main
