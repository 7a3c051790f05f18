package egress

import (
	"time"

	"smsplane/ledger"
)

// Reserve keeps part of a window or of a bucket free for higher classes. Nothing is kept for a class that did not
// show itself in the last reserveFor, so that a link which carries one class only uses all it has.
type Reserve struct{ seen [ledger.Classes]int64 }

const (
	reserveFor   = int64(10 * time.Second)
	reserveShare = 10 // one in so many, for each higher class that was seen
)

// Saw notes that a message of a class came by.
func (r *Reserve) Saw(c ledger.Class, now int64) { r.seen[c] = now }

// Keep is how many of n places class c leaves free: a tenth, at least one, for each higher class lately seen, but
// never so many that c is left without a place; of no places none.
func (r *Reserve) Keep(c ledger.Class, n int, now int64) int {
	keep := 0
	for h := int(c) + 1; h < ledger.Classes; h++ {
		if r.seen[h] != 0 && now-r.seen[h] < reserveFor {
			keep += max(1, n/reserveShare)
		}
	}
	return max(0, min(keep, n-1))
}
