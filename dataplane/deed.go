package dataplane

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"smsplane/dataplane/admin"
	"smsplane/ledger"
	"smsplane/ledger/book"
)

// deedSlots is how many slots of a lane's table a deed looks at before the executor does something else.
const deedSlots = 8192

// selector says which messages a deed is about.
type selector struct {
	action  ledger.Action
	carrier uint16 // 0: any
	client  uint32 // 0: any
	prefix  string
	class   ledger.Class
	classes bool // class selects
	before  int64
}

// Deed implements admin.Operations. Each message that waited when it began is met once, in the table, which is walked in
// pieces, or in its run: nothing is spilled meanwhile, and what a run brought into memory is left to when its turn comes.
func (s *source) Deed(ctx context.Context, d admin.Deed) (r admin.DeedResult, err error) {
	if s.n.links == nil {
		return r, admin.Unavailable("a running node does this; start it first")
	}
	var sel selector
	if err := s.ask(func(x *executor) error { sel, err = x.selector(&d); return err }); err != nil {
		return r, err
	}
	r.Dry = !d.Yes
	for i := range s.n.x.lanes {
		if err := s.ask(func(x *executor) error { return x.mustLead(x.lanes[i]) }); err != nil {
			r.Elsewhere = append(r.Elsewhere, err.Error())
			continue
		}
		if err := s.deedInLane(ctx, i, &d, &sel, &r); err != nil {
			return r, err
		}
	}
	if len(r.Elsewhere) == len(s.n.x.lanes) {
		return r, admin.Unavailable("%s", r.Elsewhere[0])
	}
	if d.Yes {
		s.n.log.Warn("an operator acted on queues", "action", d.Action, "messages", r.Done, "author", d.Author, "reason", d.Reason)
	}
	return r, nil
}

func (s *source) deedInLane(ctx context.Context, lane int, d *admin.Deed, sel *selector, r *admin.DeedResult) error {
	var runs []book.Run
	if err := s.ask(func(x *executor) error {
		l := x.lanes[lane]
		l.deeds++
		for _, run := range l.book.Runs() {
			runs = append(runs, *run)
		}
		return nil
	}); err != nil {
		return err
	}
	defer s.n.x.call(func() { s.n.x.lanes[lane].deeds-- })
	listed := map[uint32]bool{}
	for i := range runs {
		listed[runs[i].ID] = true
	}
	if err := s.deedInMemory(ctx, lane, d, sel, r, func(m *book.Msg) bool { return !listed[m.Run()] }); err != nil {
		return err
	}
	for i := range runs {
		if err := s.deedInRun(ctx, lane, &runs[i], d, sel, r); err != nil {
			return err
		}
	}
	return nil
}

func (sel *selector) record(d *admin.Deed) ledger.Operator {
	return ledger.Operator{Action: sel.action, Author: []byte(d.Author), Reason: []byte(d.Reason)}
}

// deedInMemory does a deed to the messages of the table that are among those meant.
func (s *source) deedInMemory(ctx context.Context, lane int, d *admin.Deed, sel *selector, r *admin.DeedResult, among func(m *book.Msg) bool) error {
	for at, first := uint32(0), true; first || at != 0; first = false {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.ask(func(x *executor) error {
			l := x.lanes[lane]
			if err := x.mustLead(l); err != nil {
				return err
			}
			var ids []ledger.MsgID
			at = l.book.Each(at, deedSlots, func(m *book.Msg) {
				if among(m) && l.selects(sel, m) {
					ids = append(ids, m.ID)
				}
			})
			r.Matched += len(ids)
			for ids := range slices.Chunk(ids, ledger.MaxOperatorIDs) {
				if d.Yes {
					o := sel.record(d)
					o.IDs = ids
					l.deed(&o, x.now)
					r.Done += len(ids)
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// Where a run is that was on disk when a deed began.
const (
	runOnDisk = iota
	runComing // it is being loaded
	runLoaded // its messages are in memory, as far as they are left
	runAside  // it is damaged
)

// runAt tells where a run is. Of one on disk it has the bytes, if they are at hand.
func (s *source) runAt(lane int, id uint32) (at int, p book.Pieces, err error) {
	err = s.ask(func(x *executor) error {
		l := x.lanes[lane]
		switch run := l.book.RunOf(id); {
		case l.aside[id] != nil:
			at = runAside
		case run == nil || run.Loaded != 0:
			at = runLoaded
		case l.rework[id] != nil || l.queueOf(run.Queue, run.Carrier, run.Class).loading == id:
			at = runComing
		default:
			p = l.book.Packed(id)
		}
		return nil
	})
	return at, p, err
}

// deedInRun does a deed to what waits in a run, or waited in it when the deed began. The run is read here, where one may
// wait. Held messages stay in memory, so as many of them are held as memory has room for; the answer says when some were left.
func (s *source) deedInRun(ctx context.Context, lane int, run *book.Run, d *admin.Deed, sel *selector, r *admin.DeedResult) error {
	if !sel.mayFit(run) {
		return nil
	}
	at, p, err := runComing, book.Pieces(nil), error(nil)
	until(ctx, func() bool {
		at, p, err = s.runAt(lane, run.ID)
		return err != nil || at != runComing
	})
	if err = errors.Join(err, ctx.Err()); err != nil {
		return err
	}
	switch at {
	case runAside:
		r.Damaged += int(run.Count)
		return nil
	case runLoaded:
		return s.deedInMemory(ctx, lane, d, sel, r, func(m *book.Msg) bool { return m.Run() == run.ID })
	}
	if p == nil {
		p, err = readRun(s.n.db, uint16(lane), run.ID, run.Pieces)
	}
	n := 0
	if err == nil {
		err = p.Each(func(m *book.Msg, _ []byte) error {
			if sel.fits(m) {
				n++
			}
			return nil
		})
	}
	switch at, _, again := s.runAt(lane, run.ID); {
	case again != nil:
		return again
	case at != runOnDisk: // it was being loaded meanwhile, and may have gone from the disk
		return s.deedInRun(ctx, lane, run, d, sel, r)
	case damaged(err):
		r.Damaged += int(run.Count)
		return s.ask(func(x *executor) error {
			if l := x.lanes[lane]; l.leading && l.aside[run.ID] == nil {
				l.quarantine(run, err)
			}
			return nil
		})
	case err != nil:
		return err
	}
	return s.deedOnRun(ctx, lane, run, p, n, d, sel, r)
}

// deedOnRun does a deed to n messages of a run on disk.
func (s *source) deedOnRun(ctx context.Context, lane int, run *book.Run, p book.Pieces, n int, d *admin.Deed, sel *selector, r *admin.DeedResult) error {
	started, moved := false, false
	if err := s.ask(func(x *executor) error {
		l := x.lanes[lane]
		if !d.Yes || n == 0 || sel.action == ledger.ActionHold && x.hot() > x.maxHot {
			return nil
		}
		if err := x.mustLead(l); err != nil {
			return err
		}
		if !l.book.AtHand(run.ID) {
			l.book.Bring(run.ID, p)
		}
		started = l.startRework(run, rework{sel: sel, d: sel.record(d)})
		moved = !started
		return nil
	}); err != nil {
		return err
	}
	if moved { // it has just begun to be loaded
		return s.deedInRun(ctx, lane, run, d, sel, r)
	}
	r.Matched += n
	if !started {
		return nil
	}
	r.Done += n
	until(ctx, func() (done bool) {
		return s.ask(func(x *executor) error { done = x.lanes[lane].rework[run.ID] == nil; return nil }) != nil || done
	})
	return ctx.Err()
}

// mayFit says whether a deed can be about something in a run, by its head.
func (sel *selector) mayFit(r *book.Run) bool {
	switch {
	case sel.action == ledger.ActionRelease: // what is held is in memory
		return false
	case sel.carrier != 0 && (r.Queue != ledger.RunInternal || r.Carrier != sel.carrier):
		return false
	case sel.classes && r.Queue == ledger.RunInternal && r.Class != sel.class:
		return false
	}
	return r.Oldest < sel.before
}

func (x *executor) selector(d *admin.Deed) (sel selector, err error) {
	for a := ledger.ActionHold; a <= ledger.ActionPurge; a++ {
		if a.String() == d.Action {
			sel.action = a
		}
	}
	sys := x.lanes[0].book.System
	if d.Carrier != "" {
		row, ok := sys.Number(ledger.PartyCarrier, d.Carrier)
		if !ok {
			return sel, admin.NotFound("there is no carrier %q", d.Carrier)
		}
		sel.carrier = uint16(row.Number)
	}
	if d.Client != "" {
		row, ok := sys.Number(ledger.PartyClient, d.Client)
		if !ok {
			return sel, admin.NotFound("there is no client %q", d.Client)
		}
		sel.client = row.Number
	}
	if sel.prefix = strings.TrimPrefix(d.Prefix, "+"); strings.Trim(sel.prefix, "0123456789") != "" {
		return sel, admin.BadRequest("prefix %q: want digits", d.Prefix)
	}
	if d.Class != "" {
		if sel.class, err = ledger.ParseClass(d.Class); err != nil {
			return sel, admin.BadRequest("%v", err)
		}
		sel.classes = true
	}
	sel.before = never
	if d.OlderThan > 0 {
		sel.before = x.now - int64(d.OlderThan)
	}
	return sel, nil
}

// selects says whether a deed is about m: it waits in one of our queues, and every selector fits.
func (l *lane) selects(sel *selector, m *book.Msg) bool {
	switch m.Phase {
	case phaseRouting, phaseVerifying, phaseQueued, phaseResting, phaseHeld, phaseBehind:
		if sel.action == ledger.ActionRelease {
			return false
		}
	case phaseOperator:
		if sel.action == ledger.ActionHold || m.State == book.StateEnded && sel.action != ledger.ActionRelease {
			return false
		}
	case phaseKept:
		if sel.action == ledger.ActionRelease || sel.action == ledger.ActionHold {
			return false
		}
	default:
		return false
	}
	return sel.fits(m)
}

// fits says whether every selector fits, wherever the message waits.
func (sel *selector) fits(m *book.Msg) bool {
	switch {
	case sel.action == ledger.ActionReroute && m.Part > 0: // its carrier has some of it already
		return false
	case sel.carrier != 0 && (m.N == 0 || m.Present().Carrier != sel.carrier):
		return false
	case sel.client != 0 && m.Account != sel.client:
		return false
	case sel.classes && m.Class != sel.class:
		return false
	case m.Accepted >= sel.before:
		return false
	}
	return sel.prefix == "" || strings.HasPrefix(strconv.FormatUint(m.Number, 10), sel.prefix)
}

// deed proposes what an operator wants, and does what can be done ahead of the log. A new plan is made when
// the record is committed: a ROUTE that is still on its way would otherwise come behind it.
func (l *lane) deed(d *ledger.Operator, now int64) {
	l.begin()
	l.open = ledger.AppendOperator(l.open, now, d)
	l.recorded(now)
	for _, id := range d.IDs {
		m := l.book.Get(id)
		if m == nil {
			continue
		}
		switch d.Action {
		case ledger.ActionHold, ledger.ActionQuarantine:
			l.unlist(m)
			l.keep(m)
		case ledger.ActionRelease:
			l.unlist(m)
			l.unheld(m, now)
		case ledger.ActionReroute:
			l.unlist(m)
			m.Phase = phaseRerouting
		case ledger.ActionPurge:
			l.unlist(m)
			f := ledger.Final{End: ledger.EndFailed, Reason: ledger.ReasonOperator}
			if m.State == book.StateDoubt { // it may have arrived: nobody can say that it failed
				f.End = ledger.EndUnknown
			}
			l.final(m, f, now)
		}
	}
}

// keep puts a message where it waits for an operator.
func (l *lane) keep(m *book.Msg) {
	m.Phase = phaseOperator
	l.book.Push(&l.kept, m)
}

// unheld lets a message go on from where it was held.
func (l *lane) unheld(m *book.Msg, now int64) {
	m.Held = false
	switch m.State {
	case book.StateAccepted:
		if m.N == 0 || m.Verified == 0 { // no ROUTE is on its way either
			l.toRouting(m)
			return
		}
		l.enqueue(m, now)
	case book.StateDoubt:
		l.doubt(m, now)
	case book.StateEnded:
		l.toReturning(m, false)
	default:
		l.enqueue(m, now)
	}
}

// operated follows a committed OPERATOR record.
func (l *lane) operated(r *ledger.Record) {
	if !l.leading {
		return
	}
	var d ledger.Operator
	if !r.Operator(&d) {
		return
	}
	if d.Action == ledger.ActionQuarantine {
		l.x.quarantined.Store(true)
	}
	if d.Action != ledger.ActionReroute {
		return
	}
	for _, id := range d.IDs {
		if m := l.book.Get(id); m != nil && m.Phase == phaseRerouting {
			m.Fails, m.Verified = 0, 0
			l.toRouting(m)
		}
	}
}
