package dataplane

import (
	"bytes"
	"slices"
	"time"

	"smsplane/ledger/book"
	"smsplane/pdu"
	"smsplane/router"
)

// early remembers receipts that came before the answer they belong to, or whose answer was lost with its session,
// from the moment they arrive; the book of lane 0 has them once they are committed.
type early struct {
	byID    map[earlyKey]earlyReceipt
	parties map[party]int // how many are about a number
	order   []earlyKey    // as they came; some are gone
	bytes   int           // of their PDUs
	swept   int64
	dropped uint64 // of the book's, that was told
}

type earlyKey struct {
	carrier uint16
	id      string
}

type earlyReceipt struct {
	pdu   []byte
	at    int64
	party party
}

const (
	maxEarly      = book.MaxOrphans
	maxEarlyBytes = 32 << 20

	// orphanKeep is how long a receipt waits for its message; a carrier that is later than that names it in vain.
	orphanKeep  = 72 * time.Hour
	orphanSweep = time.Minute
)

func newEarly() early { return early{byID: map[earlyKey]earlyReceipt{}, parties: map[party]int{}} }

// add keeps the receipt that stands in v and r.
func (e *early) add(carrier uint16, v *pdu.Message, r *pdu.Receipt, p []byte, at int64) {
	k := earlyKey{carrier, string(r.ID)}
	if _, twice := e.byID[k]; twice || len(r.ID) == 0 {
		return
	}
	for len(e.byID) >= maxEarly || e.bytes+len(p) > maxEarlyBytes && len(e.byID) > 0 { // the oldest gives way
		e.drop(e.order[0])
		e.order = e.order[1:]
	}
	n, _ := router.Normalize(v.SrcAddr(), v.SrcTON(), v.SrcNPI(), "")
	o := earlyReceipt{bytes.Clone(p), at, party{carrier, uint64(n)}}
	e.byID[k] = o
	e.bytes += len(o.pdu)
	e.parties[o.party]++
	if len(e.order) >= 2*maxEarly { // mostly such as are gone
		e.order = slices.DeleteFunc(e.order, func(k earlyKey) bool { _, there := e.byID[k]; return !there })
	}
	e.order = append(e.order, k)
}

func (e *early) drop(k earlyKey) {
	o, ok := e.byID[k]
	if !ok {
		return
	}
	delete(e.byID, k)
	e.bytes -= len(o.pdu)
	if e.parties[o.party]--; e.parties[o.party] == 0 {
		delete(e.parties, o.party)
	}
}

// orphan finds a receipt that waits for that id.
func (x *executor) orphan(carrier uint16, id []byte) []byte {
	if len(x.early.byID) == 0 {
		return nil
	}
	return x.early.byID[earlyKey{carrier, string(id)}].pdu
}

// sweepOrphans forgets receipts whose message never turned up.
func (x *executor) sweepOrphans(now int64) {
	if now-x.early.swept < int64(orphanSweep) {
		return
	}
	x.early.swept = now
	for k, o := range x.early.byID {
		if now-o.at > int64(orphanKeep) {
			x.early.drop(k)
		}
	}
	sys := x.lanes[0].book.System
	if sys.Dropped < x.early.dropped {
		x.early.dropped = 0 // it was loaded anew
	}
	if n := sys.Dropped - x.early.dropped; n > 0 {
		x.early.dropped = sys.Dropped
		x.log.Warn("receipts that fit no message were dropped for want of room, the oldest first", "dropped", n, "kept", len(sys.Orphans))
	}
	for n, o := range sys.Orphans {
		if now-o.At > int64(orphanKeep) {
			sys.Forget(n)
		}
	}
}

// claim takes a receipt out of those that wait: its message turned up.
func (x *executor) claim(carrier uint16, p []byte, r *pdu.Receipt) {
	x.early.drop(earlyKey{carrier, string(r.ID)})
	sys := x.lanes[0].book.System
	sys.Forget(sys.Same(carrier, p))
}

// adopt gives an orphan to the message whose answer just named it.
func (x *executor) adopt(l *lane, m *book.Msg, part uint8, p []byte, now int64) {
	var v pdu.Message
	var r pdu.Receipt
	if v.Parse(p) != pdu.ROK || !x.seek.link.decl.Profile.ParseReceipt(&v, &r) {
		return
	}
	if !l.leading {
		x.handReceipt(givenReceipt, m.ID, part, m.Carrier, x.seek.link, p, nil)
		return
	}
	x.claim(m.Carrier, p, &r)
	l.received(m, part, &r, nil, now)
}

// revealed looks whether a receipt that waits can only be about a message that just came in doubt: then the carrier
// has it, and had said so before the session died.
func (x *executor) revealed(l *lane, m *book.Msg, now int64) bool {
	who := party{m.Carrier, m.Number}
	if m.Of > 0 {
		return false
	}
	if x.early.parties[who] == 0 {
		return false
	}
	m.Phase = phaseKept // so that infer counts it among the candidates
	for k, o := range x.early.byID {
		if o.party != who || x.view.Parse(o.pdu) != pdu.ROK || !pdu.ParseReceipt(&x.view, &x.receipt) || o.at < m.Dispatched {
			continue
		}
		if in, only := x.infer(k.carrier, now); only == m {
			r := x.receipt
			x.claim(k.carrier, o.pdu, &r)
			in.inferred(m, &r, nil, now)
			return true
		}
	}
	return false
}
