package dataplane

import (
	"context"
	"time"

	"smsplane/dataplane/admin"
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
)

// replayBatch is how many deliver_sm one turn of the executor puts back.
const replayBatch = 256

// again is something that a client had and may get once more.
type again struct {
	id    ledger.MsgID
	ended int64
	pdu   func(l *lane) []byte // deliver_sm; called on the executor, valid until the next call
}

// Replay implements admin.Operations. Receipts are written anew from EDRs: what the client wrote is gone with the body, so they have
// no text, and the type of number is told from how the address looks. Messages from carriers are those whose text is still kept.
// Both wait for the client as messages from carriers do, durably, in the order in which they ended, as many as memory has room for.
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
	r.Dry = !q.Yes
	var batch []again
	give := func() error {
		defer func() { batch = batch[:0] }()
		return s.ask(func(x *executor) error {
			if err := x.mustLead(x.lanes[row.Lane]); err != nil {
				return err
			}
			if q.Yes && len(batch) > 0 && x.hot() > x.maxHot { // they wait in memory
				return admin.Unavailable("%d %s wait for %s again, and memory has no room for more now; once they are taken go on with --since %s",
					r.Done, replayed(&q), q.Client, instant(batch[0].ended).Format(time.RFC3339Nano))
			}
			n := x.lanes[row.Lane].replay(batch, row.Number, &q, x.now)
			r.Matched += n
			if q.Yes {
				r.Done += n
			}
			return nil
		})
	}
	find := s.findReceipts
	if q.MO {
		find = s.findTaken
	}
	r.Gone, err = find(row, &q, func(a again) error {
		if batch = append(batch, a); len(batch) < replayBatch {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return give()
	})
	if err == nil {
		err = give()
	}
	if q.Yes {
		s.n.log.Warn("an operator replayed "+replayed(&q), "client", q.Client, "done", r.Done, "gone", r.Gone, "author", q.Author, "reason", q.Reason)
	}
	return r, err
}

// replayed is what people call it.
func replayed(q *admin.Replay) string {
	if q.MO {
		return "messages from carriers"
	}
	return "receipts"
}

// during says whether it ended in the time that is asked for.
func during(q *admin.Replay, ended int64) bool {
	return ended >= q.Since.UnixNano() && (q.Until.IsZero() || ended < q.Until.UnixNano())
}

// findReceipts hands out the receipts of an account; none of them is ever gone.
func (s *source) findReceipts(row book.AccountRow, q *admin.Replay, f func(again) error) (gone int, err error) {
	return 0, book.Walk(s.n.db, row.Lane, book.Past{EDR: func(e *book.EDR) error {
		if e.Account != row.Number || !e.Return || !during(q, e.Ended) {
			return nil
		}
		kept := *e
		return f(again{e.ID, e.Ended, func(l *lane) []byte { return l.receiptOf(&kept) }})
	}})
}

// findTaken hands out the messages from carriers that an account took, and counts those whose text is gone.
func (s *source) findTaken(row book.AccountRow, q *admin.Replay, f func(again) error) (gone int, err error) {
	wanted := func(r *book.Returned) bool { return r.Account == row.Number && during(q, r.At) }
	err = book.WalkTaken(s.n.db, row.Lane, wanted, func(r *book.Returned, p []byte) error {
		if p == nil {
			gone++
			return nil
		}
		return f(again{r.ID, r.At, func(*lane) []byte { return p }})
	})
	return gone, err
}

// replay puts back what their client had once; what it has yet to take is left out. It returns how many there are. As no carrier
// sent them now, they count as none from a carrier, and are not kept to be given again once more.
func (l *lane) replay(all []again, account uint32, q *admin.Replay, now int64) (n int) {
	var ids []ledger.MsgID
	for i := range all {
		a := &all[i]
		if l.book.Get(a.id) != nil {
			continue
		}
		n++
		if q.Yes {
			ids = append(ids, a.id)
			l.begin()
			l.open = ledger.AppendMO(l.open, l.x.billers.worker(), l.nextMO(), now, &ledger.MO{Account: account, PDU: a.pdu(l)})
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
