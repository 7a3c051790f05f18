package dataplane

import (
	"context"
	"fmt"
	"time"

	"smsplane/dataplane/admin"
	"smsplane/dataplane/transport"
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
)

// Orders of operators about links are journaled in lane 0 before they are obeyed: a link that was paused or drained
// is so in the next process, too, until somebody resumes it.

// order proposes an operator's word on a link.
func (x *executor) order(o *ledger.Order, now int64) {
	l := x.lanes[0]
	l.begin()
	l.open = ledger.AppendOrder(l.open, 0, 0, now, o)
	l.recorded(now)
}

// ordered obeys an order that is committed.
func (x *executor) ordered(r *ledger.Record) {
	var o ledger.Order
	r.Order(&o)
	name := book.LinkName{Carrier: o.Carrier, Link: o.Link}
	x.onOrder(name, o.Verb, string(o.Author), x.lanes[0].book.System.Held[name].Verb)
}

// ordered tells a link's keepers and sessions what holds now.
func (k *links) ordered(name book.LinkName, verb ledger.Verb, author string, held ledger.Verb) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for key, kept := range k.keep {
		if kept.number != name.Carrier || key.index != int(name.Link) {
			continue
		}
		kept.link.held = held
		k.x.reckon(k.x.carrier(kept.number), k.x.now)
		for _, kp := range kept.keepers {
			kp.mu.Lock()
			kp.held, kp.by = held, author
			kp.bounce = kp.bounce || verb == ledger.OrderBounce
			kp.mu.Unlock()
			kp.wake()
		}
	}
}

func (kp *keeper) wake() {
	select {
	case kp.nudge <- struct{}{}:
	default:
	}
}

// spoilt says that the carrier's answers make the session unfit. The executor calls it.
func (kp *keeper) spoilt(st pdu.Status) {
	kp.mu.Lock()
	kp.unfit = st
	kp.mu.Unlock()
	kp.wake()
}

// orders says whether the session must end now, and tells its state if not.
func (kp *keeper) orders(address string) (end ending) {
	kp.mu.Lock()
	held, bounce, unfit := kp.held, kp.bounce, kp.unfit
	kp.bounce, kp.unfit = false, 0
	kp.mu.Unlock()
	if unfit != 0 || bounce || held == ledger.OrderDrain {
		return ending{ordered: unfit == 0, unfit: unfit}
	}
	kp.bound(address)
	return ending{}
}

// bound tells that the session is, and whether it may be used.
func (kp *keeper) bound(address string) {
	kp.mu.Lock()
	held, by := kp.held, kp.by
	kp.mu.Unlock()
	if held != 0 {
		kp.tell(linkPaused, "bound, and paused by "+by, address)
		return
	}
	kp.tell(admin.LinkBound, "bound as "+kp.link.decl.SystemID, address)
}

// mayBind waits while the link is drained, and while the lease of the links is over: whoever keeps them then may be bound. False
// when ctx ended.
func (kp *keeper) mayBind(ctx context.Context, address string) bool {
	for ctx.Err() == nil {
		kp.mu.Lock()
		held, by := kp.held, kp.by
		kp.mu.Unlock()
		look := time.Duration(never)
		if held == ledger.OrderDrain {
			kp.tell(linkDrained, "unbound, and kept so by "+by, address)
		} else if err := kp.links.fence.mayKeep(); err != nil {
			kp.tell(linkDown, err.Error(), address)
			look = fencedRest
		} else {
			return true
		}
		kp.await(ctx, look)
	}
	return false
}

// await waits until orders change, but not longer than d.
func (kp *keeper) await(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-kp.nudge:
	case <-t.C:
	}
}

// rest waits before the next dial, or for ever. A bounce or a resume ends it, and a connection that the carrier made; a carrier
// that refused is left its rest.
func (kp *keeper) rest(ctx context.Context, d time.Duration) *transport.Outbind {
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			return nil
		case o := <-kp.kept.offers:
			return &o
		case <-kp.nudge:
			kp.mu.Lock()
			bounce, held := kp.bounce, kp.held
			kp.bounce = false
			kp.mu.Unlock()
			if bounce || d == never && held == ledger.OrderDrain {
				return nil
			}
		}
	}
}

// Link implements admin.Source.
func (s *source) Link(_ context.Context, o admin.LinkOrder) (n int, err error) {
	if s.n.links == nil {
		return 0, admin.Unavailable("the node does not run")
	}
	verb := ledger.ParseVerb(o.Verb)
	if !verb.OfLink() {
		return 0, admin.BadRequest("%q is not done to a link", o.Verb)
	}
	err = s.ask(func(x *executor) error {
		if err := x.mustLead(x.lanes[0]); err != nil {
			return err
		}
		row, ok := x.lanes[0].book.System.Number(ledger.PartyCarrier, o.Carrier)
		c := x.table.CarrierOf(uint16(row.Number))
		if !ok || c == nil {
			return admin.NotFound("there is no carrier %q", o.Carrier)
		}
		if o.Link >= len(c.Links) {
			return admin.NotFound("carrier %q has no link %d, its links are 0 to %d", o.Carrier, o.Link, len(c.Links)-1)
		}
		for i := range c.Links {
			if o.Link < 0 || o.Link == i {
				n++
				x.order(&ledger.Order{Verb: verb, Carrier: uint16(row.Number), Link: uint16(i), Author: []byte(o.Author)}, x.now)
			}
		}
		x.log.Info("an operator ordered links", "verb", o.Verb, "carrier", o.Carrier, "links", n, "author", o.Author)
		return nil
	})
	return n, err
}

// DoubtOrder implements admin.Source.
func (s *source) DoubtOrder(_ context.Context, o admin.DoubtOrder) error {
	if s.n.links == nil {
		return admin.Unavailable("the node does not run")
	}
	verb := ledger.ParseVerb(o.Verb)
	if verb == 0 || verb.OfLink() {
		return admin.BadRequest("%q is not done to a message in doubt", o.Verb)
	}
	id, err := ledger.ParseMsgID(o.ID)
	if err != nil {
		return admin.BadRequest("%q is not a message id of ours", o.ID)
	}
	return s.ask(func(x *executor) error {
		if int(id.Lane()) >= len(x.lanes) {
			return admin.NotFound("no message has the id %q", o.ID)
		}
		l := x.lanes[id.Lane()]
		if err := x.mustLead(l); err != nil {
			return err
		}
		m := l.book.Get(id)
		if m == nil || !open(m) {
			return admin.NotFound("message %s is not in doubt", o.ID)
		}
		if verb == ledger.OrderResend && m.Phase == phaseQueued {
			return admin.BadRequest("message %s waits to be sent again already", o.ID)
		}
		l.resolve(m, verb, o.Author, x.now)
		x.log.Info("an operator decided about a message in doubt", "verb", o.Verb, "id", o.ID, "author", o.Author)
		return nil
	})
}

// resolve journals and does what an operator decided about a message in doubt.
func (l *lane) resolve(m *book.Msg, verb ledger.Verb, author string, now int64) {
	l.begin()
	l.open = ledger.AppendOrder(l.open, 0, m.ID, now, &ledger.Order{Verb: verb, Author: []byte(author)})
	l.recorded(now)
	if verb == ledger.OrderResend {
		m.Policy = ledger.PolicyResend
		l.enqueue(m, now)
		return
	}
	l.unlist(m)
	l.final(m, ledger.Final{End: ledger.EndUnknown, Reason: ledger.ReasonOperator}, now)
}

// why says what keeps a session from sending faster, in words; unanswered is what its loop has written and heard nothing of.
func (s *linkSession) why(x *executor, unanswered int, now int64) string {
	c, k := s.carrier, s.link
	waiting := 0
	for _, n := range c.waiting {
		waiting += n
	}
	switch {
	case s.window == 0:
		return "a receiver: nothing is sent over it"
	case k.held != 0:
		return fmt.Sprintf("order: an operator said %v", k.held)
	case !s.up:
		return "draining"
	case x.senders.paused:
		return "order: the egress layer is paused"
	case waiting == 0:
		return "nothing to send"
	case now < k.restTil:
		return fmt.Sprintf("carrier's answers: it said that it is too fast, %d times", k.slowed)
	case k.bucket.Whole(now) < 2 && k.adapt.Limit() > 0:
		return fmt.Sprintf("carrier's answers: it bears %.0f messages a second just now", k.adapt.Limit())
	case k.bucket.Whole(now) < 2:
		return fmt.Sprintf("rate: tps %d", k.decl.TPS)
	case c.bucket.Whole(now) < 2:
		return fmt.Sprintf("rate: tps %d of the carrier, over all its links", c.tps)
	case c.window > 0 && c.out >= c.window:
		return fmt.Sprintf("window: %d unanswered of the carrier, over all its links", c.window)
	case s.whole == 0 && unanswered > 0:
		return fmt.Sprintf("window: the carrier answers none of %d", unanswered)
	case unanswered >= nearly(s.window):
		return fmt.Sprintf("window: %d unanswered at a round trip of %v carry at most %.0f a second", s.window,
			time.Duration(s.trip).Round(100*time.Microsecond), float64(s.window)*1e9/float64(max(1, s.trip)))
	case x.senders.wait(now) > now:
		return "rate: the workers of the egress layer"
	case s.credit() <= c.keep(ledger.ClassBulk, s.most(), now):
		return fmt.Sprintf("journal: %d of %d that it was given wait for their DISPATCH to be on stable storage, %d of its window of %d are unanswered", s.out-unanswered, s.out,
			unanswered, s.window)
	}
	return "nothing: it goes as fast as messages come"
}

// nearly is when a window counts as full: answers come in bunches, and a tenth of it may be kept for each higher class.
func nearly(window int) int { return max(1, window-window*3/10) }
