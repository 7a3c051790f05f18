// Package sim runs whole hosts in one goroutine: real stores on disks that lose what was not synced, the real executor,
// lanes, desks and sessions of package dataplane, on a clock, a network and disks that are drawn from one seed.
//
//	client ◀─pipe─▶ ┌ host ─────────────────────────────┐ ◀─pipe─▶ carrier
//	                │ Turn, Tick    dataplane.Stepped   │
//	                │ Execute                           │
//	                │ Step, Sync    journal ──▶ disk    │
//	                └───────────────────────────────────┘
//
// The world (world_test.go) does one small thing after the other and between any two of them may kill a host, cut
// its power, fail its disk, reset a connection or silence a carrier. Clients and carriers write down what they said
// and heard. In the end the weather clears, everything comes to rest, and the judge (judge_test.go) compares what was
// written down outside with what the books say; it shares no code with what it judges but the codec and the reader of EDRs.
//
// Hosts of a cluster form it from empty stores by the hellos that they say (network_test.go), each with a clock that is wrong
// by up to a tenth. In some histories an operator (operator_test.go) adds hosts and removes them, hosts and witnesses lose their stores and are
// replaced, and a store that was replaced comes back. Meanwhile: who talks with whom is a member by its store; one host leads a
// lane in a term; one host owns the links; no two hosts hold a lease of a lane at a time, and nothing is sent without one (lease_test.go).
//
//	go test ./bench/sim -run TestSeeds -seeds 1 -from 4711 -v      one seed again, with its story
//	go test ./bench/sim -run TestSeeds -seeds 10000                many; likewise TestClusterSeeds, TestSpreadSeeds, TestMemberSeeds
//
// In some histories (TestOrderSeeds) each message has one way to go and each carrier one session, and none is refused: then a carrier is first
// sent what it gets of one client in the order of acceptance, over whatever breaks or dies.
//
// A seed runs the same way each time but for what maps and Pebble's own goroutines order.
//
// TestMutants builds the appliance with faults that the judge must see; each is a line of testdata/mutants.txt.
package sim
