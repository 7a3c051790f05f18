// Package ring compares the appliance's ring with what else there is, in one run on one machine: a buffered channel,
// xsync's SPSC queue, and Boost's lock-free spsc_queue in C++ (built when the benchmark runs; it needs g++ and Debian's
// libboost-dev).
//
// It is a module of its own, so that what it compares with is no dependency of the appliance. `make rings` runs it.
//
// # Goals
//
//   - The same work for all: 32 octets an item, 4096 slots, one producer, one consumer, a checksum of what arrived.
//   - Singly and in batches of 16 and 64, where a contestant can.
//
// # Non-goals
//
//   - Latency of a wake-up, or waiting: the appliance's ring parks behind a bell (measured beside it); here every side
//     spins and yields, as the others can do nothing else.
//   - Pinning: goroutines and threads run where the system puts them.
package ring
