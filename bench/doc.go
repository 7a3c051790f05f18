// Package bench measures the appliance and shows it, always from outside: built binaries, real sockets, and peers that
// count every message (package peer).
//
// # Goals
//
//   - The path measured is the product's: SMPP in, journal, routing, SMPP out, receipt back. Nothing of the appliance is
//     linked in, replaced or switched off.
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
// Path drives one client and carriers of its own around a running appliance. Demo is what `make run` does: it starts
// everything, sends, and shows that the books add up.
package bench
