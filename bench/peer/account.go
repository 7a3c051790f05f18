package peer

import (
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"
)

// Account compares what a client was promised with what the carriers took.
type Account struct {
	Accepted          int64  `json:"accepted"`
	Arrived           int64  `json:"arrived"`            // different messages of the run taken by carriers
	Lost              int64  `json:"lost"`               // accepted, never taken, and no receipt says it ended
	Ended             int64  `json:"ended"`              // accepted, never taken, and a receipt said so
	Duplicated        int64  `json:"duplicated"`         // taken beyond a message's first time
	Contradicted      int64  `json:"contradicted"`       // taken although the client was told it is refused
	UnansweredArrived int64  `json:"unanswered_arrived"` // taken, the client never had an answer: no fault
	Digest            string `json:"digest"`             // of every message's state, arrivals and receipts, in order
}

// Account counts over all messages of the run. The tallies are those of every carrier the messages may have reached.
func (c *Client) Account(tallies ...Tally) Account {
	var of []*Arrivals
	for _, t := range tallies {
		if a := t.Runs[runName(c.book.run)]; a != nil {
			of = append(of, a)
		}
	}
	a, hash := Account{}, xxhash.New()
	for i := range uint32(min(c.plan.next.Load(), c.plan.count)) {
		var copies uint32
		for _, arrivals := range of {
			copies += arrivals.Count(i)
		}
		e := c.book.at(i)
		a.add(e, copies)
		var b [16]byte
		for k, v := range [...]uint32{e.state.Load(), copies, e.receipts.Load(), e.final.Load()} {
			binary.LittleEndian.PutUint32(b[4*k:], v)
		}
		hash.Write(b[:])
	}
	a.Digest = fmt.Sprintf("%016x", hash.Sum64())
	return a
}

func (a *Account) add(e *entry, copies uint32) {
	state := e.state.Load()
	if state == accepted {
		a.Accepted++
	}
	if copies > 0 {
		a.Arrived++
		a.Duplicated += int64(copies) - 1
	}
	switch {
	case state == accepted && copies == 0 && e.ended():
		a.Ended++
	case state == accepted && copies == 0:
		a.Lost++
	case state == unanswered && copies > 0:
		a.UnansweredArrived++
	case (state == refused || state == unsent) && copies > 0:
		a.Contradicted++
	}
}

// SaysTwice ends the problem of messages that a carrier took more than once.
const SaysTwice = "arrivals beyond a message's first"

// Problems is every way in which a run broke a promise, empty when it broke none. Repeats are problems too: a run in
// which something was killed must allow for them itself.
func Problems(r *Report, a *Account) []string {
	var out []string
	say := func(n int64, what string) {
		if n != 0 {
			out = append(out, fmt.Sprintf("%d %s", n, what))
		}
	}
	say(a.Lost, "accepted messages lost")
	say(a.Duplicated, SaysTwice)
	say(a.Contradicted, "messages refused to the client and yet delivered")
	say(r.Unanswered, "messages never answered")
	say(r.GivenUp, "messages throttled to the end")
	say(r.Receipts.Missing, "receipts missing")
	say(r.Receipts.Duplicate, "receipts repeated")
	say(r.Receipts.Mismatched, "receipts that do not fit their message")
	// A message whose answer was lost with its connection may have been accepted: its receipt is right to come.
	say(max(0, r.Receipts.Unknown-r.Unanswered), "receipts for ids never given")
	say(r.Receipts.Malformed, "answers or receipts that cannot be read")
	if out != nil && r.Sample != "" {
		out = append(out, "first: "+r.Sample)
	}
	return out
}
