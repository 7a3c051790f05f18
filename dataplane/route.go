package dataplane

import (
	"fmt"
	"time"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/catalog"
	"smsplane/pdu"
	"smsplane/router"
	"smsplane/router/verifier"
)

// Flags in book.Msg.Note.
const (
	noteWaiting uint32 = 1 << iota // counts among what its client has waiting
	noteBack                       // stands in the back of its queue, behind runs
	noteTaken                      // a carrier took it; the ANSWER may still be on its way to the log
	noteDoubt                      // in doubt, and not dispatched again since
	noteUnknown                    // ends as unknown
	noteHolds                      // others to its number wait for it
	noteTold                       // ended so, and the client was told more since
	noteBorne                      // its bytes went out, or are about to, with another part of its text
	noteOwed                       // a carrier is owed for it; the record may still be on its way to the log
	noteServed                     // was served, and rests before anything was sent
)

// holdFor is how long the verifier lets a message rest before it asks again.
const holdFor = time.Second

// route is layer 4 of the lane: plans for what is committed.
func (l *lane) route(now int64) (n int) {
	lap := lap{x: l.x, layer: l.x.routers}
	defer lap.end()
	for ; n < turnBudget && l.plans(); n++ {
		w, ok := l.x.routers.take(now)
		if !ok {
			return n
		}
		m := l.book.Pop(&l.routing.front)
		if l.stands(m, now) {
			continue
		}
		lap.begin(m.Committed)
		l.plan(m, w, l.x.now)
	}
	return n
}

// plans says that something waits for the router, and that what it makes of it has room before the verifier.
func (l *lane) plans() bool { return l.routing.front.Len() > 0 && l.verifying.Len() < l.x.maxPlanned }

func (l *lane) plan(m *book.Msg, worker uint8, now int64) {
	x := l.x
	x.doing = step{inRouter, m.ID}
	p := &x.plan
	x.undoubt(m)
	if !x.table.Route(p, m.Account, router.Number(m.Number), m.Class, x.rand.Uint64(), now, x.recent) {
		x.routers.refused++
		l.final(m, ledger.Final{End: ledger.EndFailed, Reason: ledger.ReasonNoRoute}, now)
		return
	}
	m.Routed, m.RouterWorker, m.RouteCatalog = now, worker, p.Catalog
	m.N, m.Targets, m.Target = p.N, p.Targets, 0
	m.Verified = 0 // that was an earlier plan
	m.Note &^= noteServed
	if m.Concat {
		l.gather(m, now)
	}
	m.Phase = phaseVerifying
	l.book.Push(&l.verifying, m)
}

// verify is layer 6 of the lane: a second look at each plan, and the ROUTE record of what passed.
func (l *lane) verify(now int64) (n int) {
	lap := lap{x: l.x, layer: l.x.verifiers}
	defer lap.end()
	for ; n < turnBudget && l.verifying.Len() > 0; n++ {
		w, ok := l.x.verifiers.take(now)
		if !ok {
			return n
		}
		m := l.book.Pop(&l.verifying)
		lap.begin(m.Routed)
		l.check(m, w, l.x.now)
	}
	return n
}

func (l *lane) check(m *book.Msg, worker uint8, now int64) {
	x := l.x
	x.doing = step{inVerifier, m.ID}
	verdict, why := l.judge(m, now)
	switch verdict {
	case verifier.Pass:
		m.Verified, m.VerifyWorker = now, worker
		p := ledger.Route{CommittedAt: m.Committed, RoutedAt: m.Routed, Router: m.RouterWorker, Catalog: m.RouteCatalog, N: m.N, Targets: m.Targets}
		l.begin()
		l.open = ledger.AppendRoute(l.open, worker, m.ID, now, &p)
		l.recorded(now)
		l.enqueue(m, now)
	case verifier.Reroute:
		if m.Fails++; m.Fails > maxReroutes {
			l.reject(m, why, now)
			return
		}
		l.toRouting(m)
	case verifier.Hold:
		l.rest(m, phaseHeld, now+int64(holdFor))
	case verifier.Reject:
		l.reject(m, why, now)
	}
}

// maxReroutes bounds how often a plan that was overtaken by a new catalog is made again.
const maxReroutes = 8

func (l *lane) reject(m *book.Msg, why verifier.Reason, now int64) {
	l.x.verifiers.refused++
	if why == verifier.Expired {
		l.expire(m, now)
		return
	}
	l.final(m, ledger.Final{End: ledger.EndFailed, Reason: ledger.ReasonVerifier, Detail: uint8(why)}, now)
}

func (l *lane) judge(m *book.Msg, now int64) (verifier.Verdict, verifier.Reason) {
	x := l.x
	c := x.table.ClientOf(m.Account)
	if c == nil {
		return verifier.Reject, verifier.NoTarget
	}
	if !l.read(m) {
		return verifier.Reject, verifier.BadSender
	}
	p := ledger.Route{N: m.N, Targets: m.Targets, Catalog: m.RouteCatalog}
	x.plan = p
	return verifier.Check(&verifier.Input{Plan: &x.plan, Facts: x.facts, Number: m.Number, Src: l.view.SrcAddr(),
		SrcTON: l.view.SrcTON(), Class: m.Class, Entitled: c.Class, ValidUntil: m.ValidUntil, Now: now})
}

// read points the lane's view at a message's PDU. A body that cannot be read back is a damaged store.
func (l *lane) read(m *book.Msg) bool {
	p, err := l.book.PDU(m)
	if err != nil {
		l.x.fail(fmt.Errorf("reading message %v: %w", m.ID, err))
		return false
	}
	return l.view.Parse(p) == pdu.ROK
}

// charges says whether a client pays for a message that ends so. One that left the catalog meanwhile (nil) owes what
// it would owe under any contract.
func charges(c *catalog.Client, m *book.Msg, end ledger.End) bool {
	if (c == nil || c.Billing.Charge == catalog.ChargeDelivered) && !m.Broadcast { // of those nobody says that they were delivered
		return end == ledger.EndDelivered
	}
	return m.WasTaken || m.Note&noteTaken != 0
}

// enqueue puts a verified message into the internal queue of its present target, or to rest until it is due.
func (l *lane) enqueue(m *book.Msg, now int64) {
	if m.Due > now {
		l.rest(m, phaseResting, m.Due)
		return
	}
	if c := l.x.carrier(m.Present().Carrier); m.N > 1 && c.gone(now) {
		if t, ok := l.x.nextUp(m, now); ok {
			l.move(m, t, now)
		}
	}
	m.Phase = phaseQueued
	carrier := m.Present().Carrier
	q := l.queueOf(ledger.RunInternal, carrier, m.Class)
	join := q.push
	switch {
	case m.Note&noteServed != 0 || m.Attempts > 0 && m.Carrier == carrier:
		join = q.rejoin
	case m.Attempts > 0:
		join = q.merge
	case l.rising:
		join = q.restore
	}
	if join(l.book, m) {
		l.served(q, 1)
	}
	l.x.carrier(carrier).reserve.Saw(m.Class, now)
}

func (l *lane) dequeue(m *book.Msg) {
	q := l.queueOf(ledger.RunInternal, m.Present().Carrier, m.Class)
	if q.remove(l.book, m) {
		l.served(q, -1)
	}
}
