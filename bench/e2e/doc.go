// Package e2e tests the built binaries from outside: the appliance as a process, real sockets, real
// kills, and on the other side software that is not ours (npm smpp, Perl's Net::SMPP, gosmpp,
// Kannel, openssl, tshark) or the few lines of SMPP in these files, which share no code with the appliance on purpose.
//
// Run by `make e2e` with the build tag e2e, after deps.sh has fetched what it needs. Every process is
// started by the test that needs it and ended by its id; every wait is bounded and says what it waited
// for. Tests run one after the other: some need the fixed ports of the sample folders.
package e2e
