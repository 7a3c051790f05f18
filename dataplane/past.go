package dataplane

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"smsplane/dataplane/admin"
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/journal"
	"smsplane/pdu"
	"smsplane/router"
)

// life is what is known of one message: its EDR, or what that would say now, and what happened besides.
type life struct {
	edr      book.EDR
	state    book.State // StateEnded once it is in the archive only
	attempts []book.Attempt
	returned []book.Returned
	deeds    []book.Deed
	ordered  []book.Ordered
	repeated []book.Repeated
	mo       bool
}

// flushed waits until what was applied so far can be read from the store.
func (s *source) flushed(ctx context.Context) error {
	done := make(chan struct{})
	if err := s.ask(func(x *executor) error {
		for _, l := range x.lanes {
			if l.rep != nil && l.book.Dirty() {
				l.flushNow(x.now)
			}
		}
		if x.lanes[0].rep == nil {
			close(done) // a store that is only read
			return nil
		}
		x.db.Write(journal.NewBatch(), func() { close(done) }) // behind the flushes
		return nil
	}); err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// find looks a message up by our id, or by a carrier's.
func (s *source) find(ctx context.Context, text string) (*life, error) {
	if id, err := ledger.ParseMsgID(text); err == nil {
		v, err := s.life(ctx, id)
		if v != nil || err != nil {
			return v, err
		}
	}
	var id ledger.MsgID
	err := s.ask(func(x *executor) error {
		for n := range x.carriers {
			if _, m := x.byCarrierID(n, []byte(text)); m != nil {
				id = m.ID
			}
		}
		return nil
	})
	if err == nil && id == 0 {
		err = s.flushed(ctx)
	}
	if err == nil && id == 0 {
		err = s.archive(book.HashText([]byte(text)), book.Past{EDR: func(e *book.EDR) error {
			if string(e.CarrierID) == text && id == 0 {
				id = e.ID
			}
			return nil
		}})
	}
	if err != nil {
		return nil, err
	}
	if id != 0 {
		if v, err := s.life(ctx, id); v != nil || err != nil {
			return v, err
		}
	}
	return nil, admin.NotFound("no message has the id %q", text)
}

// archive searches the packs of every lane.
func (s *source) archive(hash uint32, p book.Past) error {
	for _, l := range s.n.x.lanes {
		if err := s.archiveOf(l, hash, p); err != nil {
			return err
		}
	}
	return nil
}

// archiveOf searches those of one lane.
func (s *source) archiveOf(l *lane, hash uint32, p book.Past) error {
	if l.rep == nil { // a store that is only read: what was replayed is not in it
		if err := l.book.Unflushed(p); err != nil {
			return err
		}
	}
	return book.Search(s.n.db, l.n, hash, p)
}

// life gathers one message; nil when nobody knows it.
func (s *source) life(ctx context.Context, id ledger.MsgID) (v *life, err error) {
	err = s.ask(func(x *executor) error {
		if int(id.Lane()) >= len(x.lanes) {
			return nil
		}
		l := x.lanes[id.Lane()]
		tell := func(m *book.Msg, p []byte) {
			var view pdu.Message
			view.Parse(p)
			v = &life{edr: m.Summary(view.SrcAddr(), view.DstAddr()), state: m.State, mo: m.MO}
		}
		m := l.book.Get(id)
		if m == nil {
			return l.book.EachSpilled(id.Seq(), func(m *book.Msg, p []byte) error {
				if m.ID == id {
					tell(m, p)
				}
				return nil
			})
		}
		p, err := l.book.PDU(m)
		if err != nil {
			return err
		}
		tell(m, p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	live := v != nil
	if v == nil {
		v = &life{state: book.StateNone}
	}
	if int(id.Lane()) >= len(s.n.x.lanes) {
		return nil, nil
	}
	if err := s.flushed(ctx); err != nil { // behind the live ones: what ended meanwhile is in the archive by now
		return nil, err
	}
	err = s.archiveOf(s.n.x.lanes[id.Lane()], book.HashID(id), book.Past{
		EDR: func(e *book.EDR) error {
			if e.ID == id && !live {
				v.edr, v.state = *e, book.StateEnded
			}
			return nil
		},
		Attempt: func(a *book.Attempt) error {
			if a.ID == id {
				v.attempts = append(v.attempts, *a)
			}
			return nil
		},
		Ordered: func(o *book.Ordered) error {
			if o.ID == id {
				v.ordered = append(v.ordered, *o)
			}
			return nil
		},
		Repeated: func(r *book.Repeated) error {
			if r.ID == id {
				v.repeated = append(v.repeated, *r)
			}
			return nil
		},
		Returned: func(r *book.Returned) error {
			if r.ID == id {
				v.returned = append(v.returned, *r)
			}
			return nil
		},
		Deed: func(d *book.Deed) error {
			if slices.Contains(d.IDs, id) {
				v.deeds = append(v.deeds, *d)
			}
			return nil
		},
	})
	if v.state == book.StateNone {
		v = nil
	}
	return v, err
}

// Find implements admin.Source.
func (s *source) Find(ctx context.Context, q admin.FindQuery) ([]admin.Found, error) {
	if q.To == "" && q.From == "" && q.Client == "" && q.CarrierID == "" && q.Since.IsZero() {
		return nil, admin.BadRequest("find what? --to, --from, --client, --carrier-id or --since")
	}
	limit := q.Limit
	if limit <= 0 {
		limit = admin.DefaultFind
	}
	limit = min(limit, admin.MaxFind)
	match, hash, err := s.matcher(&q)
	if err != nil {
		return nil, err
	}
	c := catch{match: match, limit: limit, found: []admin.Found{}, seen: map[ledger.MsgID]bool{}}
	if err := s.findLive(ctx, &c); err != nil {
		return nil, err
	}
	if err := s.flushed(ctx); err != nil { // behind the live ones: what ends meanwhile is in the archive by now
		return nil, err
	}
	for lane := range s.n.x.lanes {
		if err := s.findEnded(ctx, lane, hash, &c); err != nil {
			return nil, err
		}
	}
	c.shorten()
	return c.found, nil
}

// catch is what a query has found so far: of all that is in memory the newest, of what is on disk in a lane as many, those that
// were stored last before others.
type catch struct {
	match func(e *book.EDR) bool
	limit int
	found []admin.Found
	seen  map[ledger.MsgID]bool
	floor int64 // nothing accepted until then is among the newest
	view  pdu.Message
}

// shorten leaves the newest, in their order.
func (c *catch) shorten() {
	slices.SortStableFunc(c.found, func(a, b admin.Found) int { return b.Accepted.Compare(a.Accepted) })
	if len(c.found) >= c.limit {
		c.found = c.found[:c.limit]
		c.floor = c.found[c.limit-1].Accepted.UnixNano()
	}
}

// look takes a message that has not ended if it matches.
func (c *catch) look(x *executor, m *book.Msg, p []byte) bool {
	if m.MO || m.State == book.StateEnded || c.seen[m.ID] || c.view.Parse(p) != pdu.ROK {
		return false
	}
	e := m.Summary(c.view.SrcAddr(), c.view.DstAddr())
	if !c.match(&e) {
		return false
	}
	c.seen[m.ID] = true
	c.found = append(c.found, x.found(&e, m.State))
	return true
}

// findLive looks among what has not ended, in memory and in runs. Messages go on meanwhile: one that is spilled or loaded just then
// may be met twice or, if its place was passed already, not at all.
func (s *source) findLive(ctx context.Context, c *catch) error {
	if err := s.inMemory(ctx, func(x *executor, l *lane, m *book.Msg) bool {
		if m.Accepted <= c.floor {
			return true
		}
		if p, err := l.book.PDU(m); err == nil && c.look(x, m, p) && len(c.found) >= 2*c.limit {
			c.shorten()
		}
		return true
	}); err != nil {
		return err
	}
	for lane := range s.n.cfg.Lanes {
		n := 0
		if err := s.inRunsOf(ctx, lane, func(x *executor, m *book.Msg, p []byte) bool {
			if c.look(x, m, p) {
				n++
			}
			return n < c.limit
		}); err != nil {
			return err
		}
	}
	return nil
}

// findEnded looks in a lane's archive.
func (s *source) findEnded(ctx context.Context, lane int, hash uint32, c *catch) error {
	var hits []book.EDR
	err := s.archiveOf(s.n.x.lanes[lane], hash, book.Past{
		Before: func() error {
			if len(hits) >= c.limit {
				return journal.ErrStop
			}
			return ctx.Err()
		},
		EDR: func(e *book.EDR) error {
			if !c.seen[e.ID] && c.match(e) {
				hits = append(hits, *e)
			}
			return nil
		},
	})
	if err != nil {
		return err
	}
	return s.ask(func(x *executor) error {
		for i := range hits {
			c.found = append(c.found, x.found(&hits[i], book.StateEnded))
		}
		return nil
	})
}

func (x *executor) found(e *book.EDR, st book.State) admin.Found {
	f := admin.Found{ID: e.ID.String(), Client: x.clientName(e.Account), From: string(e.Src), To: string(e.Dst), Accepted: instant(e.Accepted),
		State: st.String(), Carrier: x.carrierName(e.Carrier), CarrierID: string(e.CarrierID), Parts: int(e.Parts)}
	if st == book.StateEnded {
		f.State = e.End.String()
	}
	return f
}

// matcher makes the test of a query, and the hash of the packs that can hold a hit; 0 is all of them.
func (s *source) matcher(q *admin.FindQuery) (match func(e *book.EDR) bool, hash uint32, err error) {
	account := uint32(0)
	if q.Client != "" {
		if err := s.ask(func(x *executor) error {
			row, ok := x.lanes[0].book.System.Number(ledger.PartyClient, q.Client)
			if !ok {
				return admin.NotFound("there is no client %q", q.Client)
			}
			account = row.Number
			return nil
		}); err != nil {
			return nil, 0, err
		}
	}
	to, prefix := strings.CutSuffix(q.To, "*")
	number, isNumber := router.Normalize([]byte(to), 0, 0, "")
	switch {
	case q.CarrierID != "":
		hash = book.HashText([]byte(q.CarrierID))
	case q.To != "" && !prefix && isNumber:
		hash = book.HashNumber(uint64(number))
	case q.From != "" && !strings.HasSuffix(q.From, "*"):
		hash = book.HashText([]byte(q.From))
	}
	digits := strings.TrimLeft(to, "+0")
	return func(e *book.EDR) bool {
		switch {
		case q.CarrierID != "" && string(e.CarrierID) != q.CarrierID:
			return false
		case prefix && !strings.HasPrefix(string(e.Dst), to) && !strings.HasPrefix(strconv.FormatUint(e.Number, 10), digits):
			return false
		case q.To != "" && !prefix && string(e.Dst) != q.To && !(isNumber && uint64(number) == e.Number):
			return false
		case !matchText(q.From, string(e.Src)):
			return false
		case q.Client != "" && e.Account != account:
			return false
		}
		return q.Since.IsZero() || e.Accepted >= q.Since.UnixNano()
	}, hash, nil
}

func matchText(pattern, text string) bool {
	if p, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(text, p)
	}
	return pattern == "" || pattern == text
}

// Doubt implements admin.Source.
func (s *source) Doubt(ctx context.Context, resent bool) ([]admin.DoubtInfo, error) {
	list := []admin.DoubtInfo{}
	seen := map[ledger.MsgID]bool{}
	look := func(x *executor, m *book.Msg) bool {
		if m.MO || m.State == book.StateEnded || seen[m.ID] || resent && m.Resends == 0 || !resent && m.State != book.StateDoubt {
			return true
		}
		seen[m.ID] = true
		list = append(list, x.doubtInfo(m.ID, m.Carrier, m.Account, m.Number, m.Dispatched, m.Policy, m.State.String()))
		return true
	}
	err := s.inMemory(ctx, func(x *executor, _ *lane, m *book.Msg) bool { return look(x, m) })
	if err != nil || !resent { // what is in doubt is in no run
		return list, err
	}
	if err := s.inRuns(ctx, func(x *executor, m *book.Msg, _ []byte) bool { return look(x, m) }); err != nil {
		return nil, err
	}
	if err := s.flushed(ctx); err != nil {
		return nil, err
	}
	var ended []book.EDR
	if err := s.archive(book.HashResent(), book.Past{EDR: func(e *book.EDR) error {
		if e.Resends > 0 && !seen[e.ID] {
			ended = append(ended, *e)
		}
		return nil
	}}); err != nil {
		return nil, err
	}
	err = s.ask(func(x *executor) error {
		for i := range ended {
			e := &ended[i]
			list = append(list, x.doubtInfo(e.ID, e.Carrier, e.Account, e.Number, e.Dispatched, ledger.PolicyResend, e.End.String()))
		}
		return nil
	})
	return list, err
}

func (x *executor) doubtInfo(id ledger.MsgID, carrier uint16, account uint32, number uint64, since int64, p ledger.Policy, state string) admin.DoubtInfo {
	return admin.DoubtInfo{ID: id.String(), Carrier: x.carrierName(carrier), Client: x.clientName(account), To: strconv.FormatUint(number, 10),
		Since: instant(since), Policy: p.String(), State: state}
}

// Audit implements admin.Source: the counts of every lane add up, no account holds more or less than its
// live messages, all entries sum to zero, and the EDRs and the log since a seal explain what came since.
func (s *source) Audit(ctx context.Context) (r admin.Report, err error) {
	err = s.ask(func(x *executor) error {
		b := x.books()
		r.Books = &b
		r.OK = b.AddUp()
		r.Lines = append(r.Lines, fmt.Sprintf("accepted %d = ended %d + in flight %d + in doubt %d", b.Accepted,
			b.Delivered+b.Failed+b.Expired+b.Sent+b.Unknown, b.InFlight, b.InDoubt), fmt.Sprintf("ledger sum %d", b.LedgerSumMicro))
		return nil
	})
	for lane := 0; err == nil && lane < s.n.cfg.Lanes; lane++ {
		if err = ctx.Err(); err == nil {
			err = s.auditLane(lane, &r)
		}
	}
	if err != nil {
		return r, err
	}
	return r, s.prove(ctx, &r)
}

// auditLane checks the books of a lane: those in memory while the executor waits, then here what is in runs, as it was then.
func (s *source) auditLane(lane int, r *admin.Report) error {
	var tally *book.Tally
	var then *journal.View
	if err := s.ask(func(x *executor) error {
		tally, then = x.lanes[lane].book.Tally(), x.db.View()
		return nil
	}); err != nil {
		return err
	}
	problems := tally.Check(stragglers{then})
	for _, p := range problems {
		r.OK = false
		r.Lines = append(r.Lines, p.Error())
	}
	if len(problems) == 0 {
		r.Lines = append(r.Lines, fmt.Sprintf("lane %d: every message in one state, holds and balances agree", lane))
	}
	return then.Close()
}

// Check implements admin.Source: the audit, and a walk over everything stored.
func (s *source) Check(ctx context.Context) (admin.Report, error) {
	r, err := s.Audit(ctx)
	if err != nil && s.broken == nil {
		return r, err
	}
	if r.Books = nil; err != nil {
		r.OK = false
		r.Lines = append(r.Lines, err.Error())
	}
	if err := s.n.db.Check(); err != nil {
		r.OK = false
		r.Lines = append(r.Lines, strings.Split(err.Error(), "\n")...)
		for i := range s.n.cfg.Lanes {
			if err := s.n.keepRot(uint16(i)); err != nil {
				r.Lines = append(r.Lines, strings.Split(err.Error(), "\n")...)
			}
		}
	} else {
		r.Lines = append(r.Lines, "journal: every entry is there, in order, with its checksum")
	}
	return r, s.checkArchive(ctx, &r)
}

// checkArchive reads every pack with its index, and holds what ended against what lives: no message may do both.
func (s *source) checkArchive(ctx context.Context, r *admin.Report) error {
	edrs := 0
	var ended []*book.Ended
	now := s.n.db.View()
	for i := range s.n.cfg.Lanes {
		e, errs := book.CheckArchive(now, uint16(i))
		for _, err := range errs {
			r.OK = false
			r.Lines = append(r.Lines, err.Error())
		}
		edrs += e.Len()
		ended = append(ended, e)
	}
	if err := now.Close(); err != nil {
		return err
	}
	if s.broken != nil {
		return nil
	}
	// What the archive says has ended had ended before: whoever is asked now must know.
	both := 0
	look := func(m *book.Msg) bool {
		if !m.MO && m.State != book.StateEnded && ended[m.ID.Lane()].Has(m.ID) {
			if both++; both <= maxBoth {
				r.Lines = append(r.Lines, fmt.Sprintf("message %v is %v, and has ended", m.ID, m.State))
			}
		}
		return true
	}
	err := s.inMemory(ctx, func(_ *executor, _ *lane, m *book.Msg) bool { return look(m) })
	if err == nil {
		err = s.inRuns(ctx, func(_ *executor, m *book.Msg, _ []byte) bool { return look(m) })
	}
	if damaged(err) { // the audit has told where
		r.OK = false
		r.Lines = append(r.Lines, "what waits in runs is not held against the archive: "+err.Error())
	} else if err != nil {
		return err
	}
	r.OK = r.OK && both == 0
	r.Lines = append(r.Lines, fmt.Sprintf("archive: %d EDRs, each of another message, found by their indexes; %d messages live and have ended", edrs, both))
	return nil
}

// maxBoth bounds the messages that a check names.
const maxBoth = 20

func instant(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}
