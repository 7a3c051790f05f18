package dataplane

import (
	"fmt"
	"time"

	"smsplane/ledger"
)

// lull is how long records that nobody waits for stay in an open state block, while nothing goes to the journal; see noted.
const lull = int64(5 * time.Millisecond)

// begin opens a state block, unless one is open: what a lane decides is appended to it, and l.open grows.
func (l *lane) begin() {
	if l.records > 0 {
		return
	}
	if l.x.stepped && !l.leading {
		panic(fmt.Sprintf("dataplane: lane %d decides something, and is not led here", l.n))
	}
	if cap(l.chunk)-len(l.chunk) < stateBytes+16<<10 {
		l.chunk = make([]byte, 0, chunkBytes)
	}
	l.open, l.opened, l.urgent = ledger.OpenBlock(l.chunk[len(l.chunk):]), l.x.now, false
}

// recorded notes that a record was appended to the open state block.
func (l *lane) recorded(now int64) {
	l.urgent = true
	l.noted(now)
}

// noted is recorded of a record that nobody waits for, ANSWER or RETURN. By itself each would cost a sync; so it goes along with
// whatever goes next, of whichever lane, and by itself when executor.lull has passed. Should the process die before, some more
// messages are in doubt, or receipts told again: about as many as came in one such time.
func (l *lane) noted(now int64) {
	l.records++
	if len(l.open) >= stateBytes {
		l.cut(now, true)
	}
}

// due is when the open state block is to be cut by itself; never while too many are on their way, since one that is back wakes us.
func (l *lane) due() int64 {
	switch {
	case l.records == 0 || l.stateOut >= statePiped:
		return never
	case l.urgent:
		return l.opened
	}
	return l.opened + l.x.lull
}

// cut proposes the open state block. A small one waits while others are on their way.
func (l *lane) cut(now int64, force bool) bool {
	if !force && now < l.due() || l.records == 0 {
		return false
	}
	if !l.leading && l.x.fellows != nil { // whoever decided here learns that it was for another to do
		l.open, l.records, l.acks = nil, 0, nil
		return false
	}
	b := ledger.SealBlock(l.open, l.n, l.records, now)
	if end := len(l.chunk) + len(b); end <= cap(l.chunk) {
		l.chunk = l.chunk[:end]
	}
	acks := l.acks
	l.open, l.records, l.acks = nil, 0, nil
	l.stateOut++
	l.propose(b[:len(b):len(b)], proposal{acks: acks})
	return true
}

// room proposes the open state block if so many octets more would fill it: records that must stand in one block follow.
func (l *lane) room(octets int, now int64) {
	if l.records > 0 && len(l.open)+octets >= stateBytes {
		l.cut(now, true)
	}
}

// cut proposes what lanes have recorded. As soon as something goes to the journal, also what nobody waits for goes along: one sync
// carries all.
func (x *executor) cut(now int64, along bool) (n int) {
	for _, l := range x.lanes {
		along = along || l.due() <= now
	}
	for _, l := range x.lanes {
		l.urgent = l.urgent || along
		if l.cut(now, false) {
			n++
		}
	}
	return n
}
