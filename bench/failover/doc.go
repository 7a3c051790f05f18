// Package failover runs a pair and its witness as processes, each in a network namespace of its own, under clients that know
// both addresses and carriers that count, and takes hosts, networks and disks away from them at random moments.
//
//	namespace of the test: clients, carriers, 127.77.0.100 ── bridge ──┬── namespace a: smsplane serve     127.77.0.1
//	                                                                 ├── namespace b: smsplane serve     127.77.0.2
//	                                                                 └── namespace w: smsplane witness   127.77.0.3
//
// Lanes are led on both hosts, as is the default. Some tests have three hosts that store messages, without a witness.
//
// What must hold after every run: no message answered with status 0 is lost, what carriers took twice stands in the list of
// the resent, every client heard of every message that it asked a receipt for, the books of both hosts prove.
// What is measured is told, not asserted, but for the bounds that issue 7 sets, with room for a busy machine.
//
//	make build && go test -tags e2e ./bench/failover -v                       a few of each, as in make test
//	go test -tags e2e ./bench/failover -run TestFaults -rounds 20 -v          a recorded run
//
// It needs root, for namespaces, and ip, nft and tc, which bench/e2e/deps.sh installs.
package failover
