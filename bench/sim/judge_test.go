package sim

import (
	"context"
	"fmt"
	"time"

	"smsplane/dataplane/admin"
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
)

// rest waits until nothing is in flight, in doubt, parked or unheard.
func (w *world) rest() {
	var b admin.Books
	look := w.now
	w.until("everything comes to rest", w.patience, func() bool {
		if w.now < look {
			return false
		}
		look = w.now + int64(50*time.Millisecond)
		for _, c := range w.clients {
			if !c.bound || len(c.pending) > 0 {
				return false
			}
		}
		for _, c := range w.carriers {
			for _, s := range c.sessions {
				if len(s.out) > 0 {
					return false
				}
			}
			if len(c.box) > 0 {
				return false
			}
		}
		h := w.leader()
		if h == nil || w.net != nil && !w.agree() {
			return false
		}
		b = h.s.Books()
		if b.InDoubt > 0 && b.InFlight == 0 {
			for _, h := range w.hosts {
				if h.s != nil {
					w.decideDoubts(h)
				}
			}
		}
		return b.InFlight == 0 && b.InDoubt == 0 && b.ReceiptsParked == 0
	}, w.unrest)
}

// unrest says what does not come to rest.
func (w *world) unrest() string {
	text := ""
	for _, c := range w.clients {
		text += fmt.Sprintf("client %s: bound %v, %d unanswered\n", c.login, c.bound, len(c.pending))
	}
	for _, c := range w.carriers {
		text += fmt.Sprintf("carrier %s: %d to tell, down %v", c.id, len(c.box), c.down)
		for _, s := range c.sessions {
			text += fmt.Sprintf(", a session, open %v, with %d unanswered", s.end.open, len(s.out))
		}
		text += "\n"
	}
	if w.order != nil {
		text += fmt.Sprintf("%s %s has not come about\n", w.order.verb, w.order.h.name)
	}
	for _, h := range w.hosts {
		text += h.members()
		if h.alive && h.s != nil {
			q, _ := h.s.Source().Queues(context.Background())
			text += fmt.Sprintf("host %s: %+v, queues %+v\n", h.name, h.s.Books(), q)
		}
	}
	return text
}

// decideDoubts is the operator: what is held is dropped.
func (w *world) decideDoubts(h *host) {
	held, err := h.s.Source().Doubt(context.Background(), false)
	must(err)
	for _, d := range held {
		if d.Policy == "hold" {
			_ = h.s.Source().DoubtOrder(context.Background(), admin.DoubtOrder{ID: d.ID, Verb: "drop", Author: "sim"})
		}
	}
	h.warm()
}

// past is what the books say of the messages that ended.
type past struct {
	edrs    map[string]*book.EDR
	ends    map[string]int
	resent  map[string]bool
	charged map[uint32]ledger.Micro
}

// read walks the record of the past of a host.
func (w *world) read(h *host) *past {
	p := &past{edrs: map[string]*book.EDR{}, ends: map[string]int{}, resent: map[string]bool{}, charged: map[uint32]ledger.Micro{}}
	h.ask(func(ctx context.Context) error {
		r, err := h.s.Source().Check(ctx) // writes what is not on disk yet, too
		if err == nil && !r.OK {
			err = fmt.Errorf("the books do not prove: %q", r.Lines)
		}
		return err
	})
	for lane := range uint16(h.cfg.Lanes) {
		must(book.Walk(h.db, lane, book.Past{
			EDR: func(e *book.EDR) error {
				v := *e
				id := e.ID.String()
				p.edrs[id] = &v
				p.ends[id]++
				p.charged[e.Account] += e.Charge
				if e.Resends > 0 {
					p.resent[id] = true
				}
				return nil
			},
			Attempt: func(a *book.Attempt) error {
				if a.Resend {
					p.resent[a.ID.String()] = true
				}
				return nil
			},
		}))
	}
	return p
}

// judge compares what was seen outside with what the books of a host say.
func (w *world) judge(h *host) *past {
	p := w.read(h)
	b := h.s.Books()
	if int(b.Accepted) != len(p.edrs) || !b.AddUp() {
		w.fail("%d messages ended, the books are %+v", len(p.edrs), b)
	}
	for id, n := range p.ends {
		if n != 1 {
			w.fail("message %s ended %d times", id, n)
		}
	}
	byTag := map[int]*book.EDR{}
	for _, e := range p.edrs {
		n := 0
		if _, err := fmt.Sscanf(string(e.Dst[5:]), "%d", &n); err != nil || w.message(n) == nil || byTag[n] != nil {
			w.fail("the books hold a message to %s that nobody sent, or twice", e.Dst)
		}
		byTag[n] = e
	}
	accepted := 0
	for _, m := range w.messages {
		w.judgeMessage(p, m, byTag[m.n])
		if m.answered && m.status == pdu.ROK {
			accepted++
		}
	}
	if accepted > len(p.edrs) {
		w.fail("%d messages were accepted, the books know %d", accepted, len(p.edrs))
	}
	w.judgeMobile()
	if w.orderly {
		w.judgeOrder(byTag)
	}
	for account, sum := range p.charged {
		if sum > prepaidFund && w.isPrepaid(h, account) {
			w.fail("the prepaid account was charged %v", sum)
		}
	}
	return p
}

// judgeMessage holds one message's promises against its EDR, nil when the books have none.
func (w *world) judgeMessage(p *past, m *message, e *book.EDR) {
	accepted := m.answered && m.status == pdu.ROK
	switch {
	case accepted && e == nil:
		w.fail("message %d was accepted as %s and is lost", m.n, m.id)
	case accepted && e.ID.String() != m.id:
		w.fail("message %d was accepted as %s, the books call it %v", m.n, m.id, e.ID)
	case m.answered && !accepted && e != nil:
		w.fail("message %d was refused with %v, the books hold it as %v", m.n, m.status, e.ID)
	case e == nil && len(m.copies) > 0:
		w.fail("message %d was sent to %s, the books do not know it", m.n, m.copies[0].carrier.id)
	case e == nil:
		return
	}
	id := e.ID.String()
	if len(m.copies) > 1 && !p.resent[id] {
		w.fail("carriers took %d copies of message %d (%s), which is not in the list of the resent", len(m.copies), m.n, id)
	}
	if e.End == ledger.EndDelivered && len(m.copies) == 0 {
		w.fail("message %d (%s) ended delivered, and no carrier took it", m.n, id)
	}
	w.judgeReceipts(m, e)
	price := ledger.Micro(0)
	if e.End == ledger.EndDelivered || !m.client.prepaid && len(e.CarrierID) > 0 {
		price = sellPrice
	}
	if e.Charge != price {
		w.fail("message %d (%s) ended %v and was charged %v, not %v", m.n, id, e.End, e.Charge, price)
	}
}

// judgeReceipts: a receipt that we took has decided about the copy that the books know, and the client was told
// that end and no other.
func (w *world) judgeReceipts(m *message, e *book.EDR) {
	id := e.ID.String()
	for _, k := range m.copies {
		if k.acked && string(e.CarrierID) == k.id && pdu.State(e.ReceiptState) != k.state {
			w.fail("message %d (%s): the receipt of %s said %v and was taken, the books say %v, state %d", m.n, id, k.id, k.state, e.End, e.ReceiptState)
		}
	}
	heard := m.client.heard[id]
	if m.registered&3 == 1 && len(heard) == 0 {
		w.fail("message %d (%s) ended %v, and its client was never told", m.n, id, e.End)
	}
	for _, r := range heard {
		if r.state != heard[0].state || r.dst != m.dst {
			w.fail("message %d (%s) to %s: the client was told %v", m.n, id, m.dst, heard)
		}
		if (r.state == pdu.StateDelivered) != (e.End == ledger.EndDelivered) {
			w.fail("message %d (%s) ended %v, the client was told %v", m.n, id, e.End, r.state)
		}
	}
}

// judgeOrder: a carrier was first sent each of a client's messages in the order in which they were accepted.
func (w *world) judgeOrder(byTag map[int]*book.EDR) {
	for _, c := range w.carriers {
		last := map[*client]*message{}
		for _, m := range c.took {
			if before := last[m.client]; before != nil && byTag[before.n].ID > byTag[m.n].ID {
				w.fail("%s was sent message %d (%v) of %s behind %d (%v)", c.id, m.n, byTag[m.n].ID, m.client.login, before.n, byTag[before.n].ID)
			}
			last[m.client] = m
		}
	}
}

// judgeMobile: a message from a phone that we took has reached its client.
func (w *world) judgeMobile() {
	for i, c := range w.carriers {
		for text := range c.acked {
			if w.clients[i].mos[text] == 0 {
				w.fail("%q was taken from %s and never reached %s", text, c.id, w.clients[i].login)
			}
		}
	}
}

func (w *world) isPrepaid(h *host, account uint32) bool {
	return w.clients[1].prepaid && account == h.s.Account("pre")
}

// compare is what a restart must not change, and what hosts must agree on.
func (w *world) compare(before, after *past) {
	if len(before.edrs) != len(after.edrs) {
		w.fail("%d messages have ended, elsewhere or after a restart %d", len(before.edrs), len(after.edrs))
	}
	for id, e := range before.edrs {
		a := after.edrs[id]
		if a == nil || a.End != e.End || a.Charge != e.Charge || a.Cost != e.Cost || string(a.CarrierID) != string(e.CarrierID) || a.Ended != e.Ended {
			w.fail("message %s ended as %+v, elsewhere or after a restart as %+v", id, e, a)
		}
	}
}

// refold asks the host to fold its whole log anew: it must come to what is stored.
func (w *world) refold(h *host) {
	if !h.cfg.Journal.RetainAll {
		return
	}
	h.ask(func(ctx context.Context) error {
		r, err := h.s.Source().Refold(ctx)
		if err == nil && !r.OK {
			err = fmt.Errorf("folding from empty leads elsewhere: %q", r.Lines)
		}
		return err
	})
}
