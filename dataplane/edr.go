package dataplane

import (
	"context"
	"fmt"
	"strconv"

	"smsplane/dataplane/admin"
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
	"smsplane/router"
	"smsplane/router/verifier"
)

// EDRs implements admin.Source. A page ends between two packs; its Next is the lane and the pack to go on with.
func (s *source) EDRs(ctx context.Context, q admin.EDRQuery) (page admin.EDRPage, err error) {
	var at struct {
		lane uint16
		pack uint64
	}
	if q.After != "" {
		if n, err := fmt.Sscanf(q.After, "%d.%d", &at.lane, &at.pack); err != nil || n != 2 {
			return page, admin.BadRequest("after %q: want the next of the page before", q.After)
		}
	} else if err := s.flushed(ctx); err != nil {
		return page, err
	}
	w, err := s.edrWriter(&q)
	if err != nil {
		return page, err
	}
	for int(at.lane) < len(s.n.x.lanes) && page.Next == "" && err == nil {
		l := s.n.x.lanes[at.lane]
		p := w.past(&page)
		p.Damaged = func(_ uint64, err error) error {
			page.Damaged = append(page.Damaged, err.Error())
			return nil
		}
		err = book.WalkFrom(s.n.db, l.n, at.pack, p, func(index uint64) bool {
			if page.Len() >= admin.EDRRows {
				page.Next = fmt.Sprintf("%d.%d", at.lane, index)
			}
			return page.Next == "" && ctx.Err() == nil
		})
		if l.rep == nil && page.Next == "" && err == nil { // a store that is only read: what was replayed is not in it
			err = l.book.Unflushed(p)
		}
		at.lane, at.pack = at.lane+1, 0
	}
	if err == nil {
		err = ctx.Err()
	}
	return page, err
}

// edrWriter makes rows of EDRs, with the names and the catalog of now.
type edrWriter struct {
	clients  map[uint32]string
	carriers map[uint32]string
	table    *router.Table
	account  uint32 // the only one that is asked for; 0: all
	q        *admin.EDRQuery
}

func (s *source) edrWriter(q *admin.EDRQuery) (*edrWriter, error) {
	w := &edrWriter{clients: map[uint32]string{}, carriers: map[uint32]string{}, q: q}
	err := s.ask(func(x *executor) error {
		w.table = x.table
		for _, a := range x.lanes[0].book.System.Accounts {
			switch a.Party {
			case ledger.PartyClient:
				if w.clients[a.Number] = a.Name; a.Name == q.Client {
					w.account = a.Number
				}
			case ledger.PartyCarrier:
				w.carriers[a.Number] = a.Name
			}
		}
		if q.Client != "" && w.account == 0 {
			return admin.NotFound("there is no client %q", q.Client)
		}
		return nil
	})
	return w, err
}

// past collects what is asked for.
func (w *edrWriter) past(page *admin.EDRPage) book.Past {
	switch w.q.Of {
	case admin.EDRAttempts:
		return book.Past{Attempt: func(a *book.Attempt) error {
			if a.Outcome != ledger.Moved && w.wants(a.Account, a.Answered) { // a move is no attempt
				page.Attempts = append(page.Attempts, w.attempt(a))
			}
			return nil
		}, EDR: func(e *book.EDR) error {
			if taken(e) && w.wants(e.Account, e.Ended) {
				page.Attempts = append(page.Attempts, w.last(e))
			}
			return nil
		}}
	case admin.EDRParts:
		return book.Past{Part: func(v *book.PartNote) error {
			if w.wants(v.Account, v.At) {
				page.Parts = append(page.Parts, w.part(v))
			}
			return nil
		}}
	}
	return book.Past{EDR: func(e *book.EDR) error {
		if w.wants(e.Account, e.Ended) {
			page.Rows = append(page.Rows, w.row(e))
		}
		return nil
	}}
}

func (w *edrWriter) wants(account uint32, at int64) bool {
	return (w.account == 0 || account == w.account) && (w.q.Since.IsZero() || at >= w.q.Since.UnixNano()) &&
		(w.q.Until.IsZero() || at < w.q.Until.UnixNano())
}

// taken says that the last attempt of a message was; others have entries of their own.
func taken(e *book.EDR) bool { return e.Attempts > 0 && e.Status == 0 && e.Answered >= e.Dispatched }

func (w *edrWriter) last(e *book.EDR) admin.EDRAttempt {
	return admin.EDRAttempt{MessageID: e.ID.String(), Client: w.clients[e.Account], Attempt: int(e.Attempts), Carrier: w.carriers[uint32(e.Carrier)],
		CarrierMessageID: string(e.CarrierID), Session: e.Link, DispatchedAt: instant(e.Dispatched), AnsweredAt: instant(e.Answered),
		AnswerStatus: "0", Outcome: ledger.Taken.String(), Resent: e.Resends > 0}
}

func (w *edrWriter) attempt(a *book.Attempt) admin.EDRAttempt {
	r := admin.EDRAttempt{MessageID: a.ID.String(), Client: w.clients[a.Account], Attempt: int(a.N), Carrier: w.carriers[uint32(a.Carrier)],
		Session: a.Link, DispatchedAt: instant(a.Dispatched), AnsweredAt: instant(a.Answered), Outcome: a.Outcome.String(), Resent: a.Resend}
	switch a.Outcome {
	case 0:
		r.Outcome, r.Policy = "in doubt", a.Policy.String()
	case ledger.Unsent:
	case ledger.Taken:
		r.Part, r.AnswerStatus = int(a.Status)+1, "0"
	default:
		r.AnswerStatus = strconv.FormatUint(uint64(a.Status), 10)
	}
	return r
}

func (w *edrWriter) part(v *book.PartNote) admin.EDRPart {
	r := admin.EDRPart{MessageID: v.ID.String(), Client: w.clients[v.Account], Part: int(v.N) + 1, Parts: int(v.Of), Carrier: w.carriers[uint32(v.Carrier)],
		CarrierMessageID: string(v.CarrierID), ErrorRaw: string(v.Err), FinalAt: instant(v.At)}
	if v.State != 0 {
		r.ReceiptState = pdu.State(v.State).String()
	}
	return r
}

func (w *edrWriter) row(e *book.EDR) admin.EDR {
	r := admin.EDR{MessageID: e.ID.String(), Client: w.clients[e.Account], Class: e.Class.String(), Source: string(e.Src),
		Destination: strconv.FormatUint(e.Number, 10), DestinationSent: string(e.Dst), Parts: int(e.Parts), DataCoding: int(e.Coding),
		AcceptedAt: instant(e.Accepted), CatalogVersion: e.Catalog, Attempts: int(e.Attempts), Resent: int(e.Resends), FinalState: e.End.String(),
		FinalErrorRaw: string(e.Err), FinalAt: instant(e.Ended), SellMicro: int64(e.Charge), BuyMicro: int64(e.Cost), Reason: e.Reason.String()}
	if e.Reason == ledger.ReasonVerifier {
		r.Reason += ": " + verifier.Reason(e.Detail).String()
	}
	if network, ok := w.table.Network(router.Number(e.Number)); ok {
		r.Country, r.MCC, r.MNC, r.NetworkSource = network.Country, network.MCC, network.MNC, "prefix"
	}
	if c := w.table.ClientOf(e.Account); c != nil {
		r.Party, r.SellCurrency = c.Party, c.Billing.Currency
	}
	if int(e.Target) < len(e.Targets) {
		r.Route, r.CatalogVersion = strconv.FormatUint(uint64(e.Targets[e.Target].Row), 10), e.RouteCatalog
	}
	w.sent(e, &r)
	switch n, err := strconv.ParseUint(string(e.Err), 10, 32); {
	case err == nil:
		r.FinalError = strconv.FormatUint(n, 10)
	case e.FinalStatus != 0:
		r.FinalError = strconv.FormatUint(uint64(e.FinalStatus), 10)
	}
	switch {
	case e.Inferred:
		r.ReceiptOrigin = "inferred"
	case e.Reason == ledger.ReasonDerived:
		r.ReceiptOrigin = "derived"
	case e.Receipted != 0:
		r.ReceiptOrigin = "carrier"
	case e.Return:
		r.ReceiptOrigin = "local"
	}
	return r
}

// sent tells the last attempt.
func (w *edrWriter) sent(e *book.EDR, r *admin.EDR) {
	if e.Attempts == 0 {
		return
	}
	r.Carrier, r.CarrierMessageID, r.DispatchedAt = w.carriers[uint32(e.Carrier)], string(e.CarrierID), instant(e.Dispatched)
	if c := w.table.CarrierOf(e.Carrier); c != nil {
		r.BuyCurrency = c.Currency
	}
	if e.Answered >= e.Dispatched {
		r.AnsweredAt, r.AnswerStatus = instant(e.Answered), strconv.FormatUint(uint64(e.Status), 10)
	}
}
