package dataplane

import (
	"context"
	"time"

	"smsplane/dataplane/admin"
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
)

// replayBatch is how many receipts one turn of the executor puts back.
const replayBatch = 256

// Replay implements admin.Operations: receipts are written anew from EDRs and wait for the client as messages
// from carriers do, durably. What the client wrote is gone with the body: no text, and the type of number is
// told from how the address looks. They go in the order in which their messages ended, as many as memory has room for.
func (s *source) Replay(ctx context.Context, q admin.Replay) (r admin.DeedResult, err error) {
	if s.n.links == nil {
		return r, admin.Unavailable("a running node does this; start it first")
	}
	if err := s.flushed(ctx); err != nil {
		return r, err
	}
	var row book.AccountRow
	if err := s.ask(func(x *executor) error {
		var ok bool
		if row, ok = x.lanes[0].book.System.Number(ledger.PartyClient, q.Client); !ok {
			return admin.NotFound("there is no client %q", q.Client)
		}
		return nil
	}); err != nil {
		return r, err
	}
	since, until := q.Since.UnixNano(), int64(never)
	if !q.Until.IsZero() {
		until = q.Until.UnixNano()
	}
	r.Dry = !q.Yes
	var batch []book.EDR
	give := func() error {
		defer func() { batch = batch[:0] }()
		return s.ask(func(x *executor) error {
			if err := x.mustLead(x.lanes[row.Lane]); err != nil {
				return err
			}
			if q.Yes && len(batch) > 0 && x.hot() > x.maxHot { // they wait in memory
				return admin.Unavailable("%d receipts wait for %s again, and memory has no room for more now; once they are taken go on with --since %s",
					r.Done, q.Client, instant(batch[0].Ended).Format(time.RFC3339Nano))
			}
			n := x.lanes[row.Lane].replay(batch, &q, x.now)
			r.Matched += n
			if q.Yes {
				r.Done += n
			}
			return nil
		})
	}
	err = book.Walk(s.n.db, row.Lane, book.Past{EDR: func(e *book.EDR) error {
		if e.Account != row.Number || !e.Return || e.Ended < since || e.Ended >= until {
			return nil
		}
		if batch = append(batch, *e); len(batch) < replayBatch {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return give()
	}})
	if err == nil {
		err = give()
	}
	if q.Yes {
		s.n.log.Warn("an operator replayed receipts", "client", q.Client, "receipts", r.Done, "author", q.Author, "reason", q.Reason)
	}
	return r, err
}

// replay puts receipts back that their client had once; those it has yet to take are left out. It returns
// how many there are.
func (l *lane) replay(es []book.EDR, q *admin.Replay, now int64) (n int) {
	var ids []ledger.MsgID
	for i := range es {
		e := &es[i]
		if l.book.Get(e.ID) != nil {
			continue
		}
		n++
		if q.Yes {
			ids = append(ids, e.ID)
			l.begin()
			l.open = ledger.AppendMO(l.open, l.x.billers.worker(), l.nextMO(), now, &ledger.MO{Account: e.Account, PDU: l.receiptOf(e)})
			l.recorded(now)
		}
	}
	if len(ids) > 0 {
		l.begin()
		l.open = ledger.AppendOperator(l.open, now, &ledger.Operator{Action: ledger.ActionReplay, Author: []byte(q.Author), Reason: []byte(q.Reason), IDs: ids})
		l.recorded(now)
	}
	return n
}

// receiptOf writes the deliver_sm of a message that has ended and is not in the books any more.
func (l *lane) receiptOf(e *book.EDR) []byte {
	srcTON, srcNPI := addressType(e.Src)
	dstTON, dstNPI := addressType(e.Dst)
	was := pdu.Submit{SrcTON: srcTON, SrcNPI: srcNPI, Src: e.Src, DstTON: dstTON, DstNPI: dstNPI, Dst: e.Dst}
	l.view.Parse(was.Append(nil, 0))
	done := e.ReceiptDone
	if done == 0 {
		done = e.Ended
	}
	m := book.Msg{ID: e.ID, Account: e.Account, End: e.End, Reason: e.Reason, ReceiptState: e.ReceiptState}
	r := pdu.Receipt{State: stateOf(&m), Err: e.Err, SubmitDate: e.Accepted, DoneDate: done, Sub: int(e.Parts)}
	if e.End == ledger.EndDelivered {
		r.Dlvrd = int(e.Parts)
	}
	return l.receipt(&m, &r, pdu.ESMReceipt, false).Append(nil, 0)
}

// addressType tells type and plan of a number from its octets (3.4 §5.2.5, §5.2.6): digits are
// international, short ones national, anything else alphanumeric.
func addressType(a []byte) (ton, npi uint8) {
	for _, c := range a {
		if c < '0' || c > '9' {
			return 5, 0
		}
	}
	if len(a) > 6 {
		return 1, 1
	}
	return 0, 1
}
