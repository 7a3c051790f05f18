package book

import "smsplane/ledger"

// aim says which target is next and when. A leader has aimed when it decided, and may have aimed anew since.
func (b *Book) aim(m *Msg, target uint8, due int64) {
	if !b.Leads && target < m.N {
		m.Target, m.Due = target, due
	}
}

// moved gives a message that waits to another target; one in doubt stays in doubt.
func (b *Book) moved(r *ledger.Record, m *Msg, a *ledger.Answer) error {
	if m.State == StateDispatched || a.Target >= m.N {
		return bad(r, m, "moved while a link has it, or nowhere")
	}
	if !b.replay {
		b.pack.attempt(&Attempt{ID: m.ID, Account: m.Account, N: m.Attempts, Target: m.Target, Carrier: uint16(a.Status), Worker: r.Worker, Answered: r.At,
			Outcome: a.Outcome})
	}
	b.aim(m, a.Target, a.Due)
	return nil
}

// order is an operator's word on a message in doubt. A FINAL follows the order to drop it.
func (b *Book) order(r *ledger.Record, m *Msg) error {
	var o ledger.Order
	if !r.Order(&o) {
		return bad(r, m, "cut short")
	}
	if m.State != StateDoubt {
		return bad(r, m, "is not in doubt")
	}
	if o.Verb == ledger.OrderResend {
		m.Policy = ledger.PolicyResend
	}
	if !b.replay {
		b.pack.order(&Ordered{ID: m.ID, At: r.At, Verb: o.Verb, Author: o.Author})
	}
	return nil
}

func (b *Book) doubt(r *ledger.Record, m *Msg) error {
	p, target, ok := r.Doubt()
	if !ok || target >= m.N {
		return bad(r, m, "cut short")
	}
	if m.State != StateDispatched {
		return bad(r, m, "no link has it")
	}
	m.Policy = p
	if !b.replay {
		b.Counts.Doubts++
		b.pack.attempt(&Attempt{ID: m.ID, Account: m.Account, N: m.Attempts, Target: m.Target, Carrier: m.Carrier, Link: m.Link, Worker: m.EgressWorker,
			Dispatched: m.Dispatched, Answered: r.At, Policy: p, Resend: m.Resends > 0})
	}
	b.aim(m, target, m.Due)
	b.set(m, StateDoubt)
	return nil
}

// repeated notes a receipt behind the one that decided: it moves no money and ends nothing. Its message may be gone
// from the book.
func (b *Book) repeated(r *ledger.Record) error {
	var v ledger.Receipt
	if !r.Receipt(&v) {
		return bad(r, nil, "cut short")
	}
	if !b.replay {
		b.Counts.Repeated++
		b.pack.repeated(&Repeated{ID: r.ID, At: r.At, State: v.State, Err: v.Err})
	}
	return nil
}
