package entry

import (
	"sync/atomic"
	"time"

	"smsplane/egress"
	"smsplane/ledger"
)

// Account is what a loop needs to know about a client that is bound.
type Account struct {
	Number uint32
	Lane   uint16

	// Credit is what the client may still spend, in millionths: its limit plus its balance. Entry takes from
	// it at admission, before the hold is in the books; the executor gives back what a FINAL does not charge.
	Credit atomic.Int64
	// Limit is the part of Credit that the catalog gave; the executor's.
	Limit ledger.Micro
	// Waiting counts the client's messages between accept and the carrier; the executor lowers it.
	Waiting atomic.Int64
	// Awaited counts those that a carrier has taken and no receipt has ended, as of the executor's last look through the lane.
	Awaited atomic.Int64

	bucket egress.Bucket // the client's tps over all its binds
	tps    int
}

// bucketDepth bounds a client's burst.
const bucketDepth = 100 * time.Millisecond

// take consumes one message of the client's rate.
func (a *Account) take(now int64, tps int) bool {
	if a.tps != tps {
		a.tps, a.bucket = tps, egress.NewBucket(tps, bucketDepth)
	}
	return a.bucket.Take(now)
}

// owe consumes n messages of the client's rate ahead of their time: nothing passes before it is over.
func (a *Account) owe(now int64, n int) { a.bucket.Owe(n, now) }

// Spend takes v from the credit unless there is not enough; what is negative goes back.
func (a *Account) Spend(v ledger.Micro) bool {
	if v <= 0 {
		a.Credit.Add(-int64(v))
		return true
	}
	if a.Credit.Add(-int64(v)) >= 0 {
		return true
	}
	a.Credit.Add(int64(v))
	return false
}
