// Package bench measures the appliance and shows it, always from outside: built binaries, real sockets, and peers that
// count every message (package peer).
//
// # Goals
//
//   - The path measured is the product's: SMPP in, journal, routing, SMPP out, receipt back. Nothing of the appliance is
//     linked in, replaced or switched off: it is a process of its own, started from its binary. (Respond, the bare
//     ceiling of the edge, is built on dataplane/transport on purpose, and is no part of the path.)
//   - No figure without its account. A result whose messages were lost, repeated or unanswered says so first, and the
//     command that made it fails.
//   - Latency of a paced run counts from when a message was due, not from when the system was ready for it (coordinated
//     omission). Percentiles come from histograms of fixed size; the maximum is exact.
//   - A figure can be judged later: each result carries commit, machine, options, and a digest of the work done.
//   - Peers are cheap (about 2 µs of CPU a message and side), because on a small machine they share its cores.
//
// # Non-goals
//
//   - Comparing machines. Figures are for one machine at a time; compare ratios within one run.
//   - Timing single functions: that is what the Benchmark functions beside the code are for.
//   - Judging SMPP conformance. The peers accept what carries a message; other people's software judges form (e2e).
//   - Being a load generator for other people's networks. Everything is bounded in count and time.
//
// # Suites
//
// Each starts its appliances itself, on ports and in folders of their own, plays clients and carriers in its own process,
// accounts for every message, and prints a table or JSON with commit, machine, options and a digest of its work. The test
// run executes each at a tiny size. No test judges speed: rates and percentiles are for a person and an idle machine.
//
//	Capacity  goal: the rated reference topology, layer by layer, by counters read each second. A mean must be within
//	          -2 % and +1 %, no second beyond rating and burst. Non-goal: how much more it could do.
//	Maximum   goal: what each layer does on a heap of work with the next one paused, then the whole path. Non-goal:
//	          latency; the heap is in memory.
//	Ceiling   goal: the product as a ratio to a bare responder, to itself with the store in memory, and to raw append +
//	          fdatasync of the octets it journals, taking turns in one run. Non-goal: absolute figures.
//	Latency   goal: both ways over load, open loop, split by layer. Non-goal: the latency of an overloaded system.
//	Overload  goal: what is accepted, and how soon, while twice the maximum is offered. Non-goal: the latency of what is throttled.
//	Soak      goal: leaks, drift, loss, duplicates and the ledger's sum over hours. Non-goal: peak rates.
//	Outage    goal: memory, disk, order and the other carrier's latency while one of two carriers is away. Non-goal: rates.
//	Scale     goal: cost per message as one thing grows at a time. Non-goal: limits, and things that grow together.
//	Profile   goal: where the time of the path goes, by the runtime's own profiles. Non-goal: figures; profiling costs.
//
// Client, carriers and appliance share the machine's cores. Where that decides a figure, the CPU that the appliance itself
// used per message is told beside it.
//
// Path drives one client and carriers of its own around a running appliance. Demo is what `make run` does: it starts
// everything, sends, and shows that the books add up.
package bench
