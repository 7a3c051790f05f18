// Package replica runs one lane's raft group member over the journal.
package replica
