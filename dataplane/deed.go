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
// pieces, or in its run: nothing is spilled meanwhile, what a run brought into memory is left to when its turn comes, and a run
// that is written anew is followed (deedrun.go).
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

func (s *source) deedInLane(ctx context.Context, at int, d *admin.Deed, sel *selector, r *admin.DeedResult) error {
	var runs []uint32
	listed := map[uint32]bool{}
	if err := s.ask(func(x *executor) error {
		l := x.lanes[at]
		l.deeds++
		for _, id := range l.runsAhead() {
			runs, listed[id] = append(runs, id), true
		}
		return nil
	}); err != nil {
		return err
	}
	defer s.n.x.call(func() {
		if l := s.n.x.lanes[at]; l.deeds == 1 {
			l.deeds, l.rewritten = 0, rewrites{}
		} else {
			l.deeds--
		}
	})
	front, back, err := s.selected(ctx, at, sel, nil, func(l *lane, m *book.Msg) bool {
		return !l.rewritten.wasIn(m, func(run uint32) bool { return listed[run] })
	})
	if err != nil {
		return err
	}
	if err := s.deedInMemory(ctx, at, d, sel, r, nil, front); err != nil {
		return err
	}
	for _, id := range runs {
		if err := s.deedInRun(ctx, at, id, d, sel, r); err != nil {
			return err
		}
	}
	if err := s.deedInMemory(ctx, at, d, sel, r, nil, back); err != nil {
		return err
	}
	if !d.Yes {
		return nil
	}
	return s.deedCommitted(ctx, at)
}

// deedCommitted waits until all that was decided in a lane so far is committed: what is told as done is done.
func (s *source) deedCommitted(ctx context.Context, at int) (err error) {
	asked, committed := false, false // the executor's
	over := false
	until(ctx, func() bool {
		err = s.ask(func(x *executor) error {
			if over = committed; over {
				return nil
			}
			l := x.lanes[at]
			if err := x.mustHaveLed(l); err != nil {
				return err
			}
			if !asked {
				asked = true
				over = !l.behind(ack{done: func() { committed = true }})
			}
			return nil
		})
		return err != nil || over
	})
	if over {
		return nil
	}
	return errors.Join(err, ctx.Err())
}

func (sel *selector) record(d *admin.Deed) ledger.Operator {
	return ledger.Operator{Action: sel.action, Author: []byte(d.Author), Reason: []byte(d.Reason)}
}

// selected finds the messages of the table that a deed is about, among those meant, but for those that were met before: in the order in
// which they were accepted, since the table has none, and apart those that stand behind runs.
func (s *source) selected(ctx context.Context, lane int, sel *selector, met map[ledger.MsgID]bool, among func(l *lane, m *book.Msg) bool) (front, back []ledger.MsgID, err error) {
	for at, first := uint32(0), true; first || at != 0; first = false {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		if err := s.ask(func(x *executor) error {
			l := x.lanes[lane]
			if err := x.mustHaveLed(l); err != nil {
				return err
			}
			at = l.book.Each(at, deedSlots, func(m *book.Msg) {
				switch {
				case met[m.ID] || !among(l, m) || !changing(m) && !l.selects(sel, m):
				case m.Note&noteBack != 0:
					back = append(back, m.ID)
				default:
					front = append(front, m.ID)
				}
			})
			return nil
		}); err != nil {
			return nil, nil, err
		}
	}
	slices.Sort(front)
	slices.Sort(back)
	return front, back, nil
}

// deedInMemory does a deed to those of some messages that are still in memory, and such as it is about. One that is just being replaced
// or planned anew is met when that is committed.
func (s *source) deedInMemory(ctx context.Context, lane int, d *admin.Deed, sel *selector, r *admin.DeedResult, met map[ledger.MsgID]bool, all []ledger.MsgID) error {
	var later []ledger.MsgID
	for part := range slices.Chunk(all, deedSlots) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.ask(func(x *executor) error {
			l := x.lanes[lane]
			if err := x.mustHaveLed(l); err != nil {
				return err
			}
			var ids []ledger.MsgID
			for _, id := range part {
				switch m := l.book.Get(id); {
				case m == nil:
				case changing(m):
					later = append(later, id)
				case l.selects(sel, m):
					ids = append(ids, id)
				}
			}
			l.deedOn(ids, d, sel, r, met)
			return nil
		}); err != nil {
			return err
		}
	}
	return s.deedLater(ctx, lane, d, sel, r, met, later)
}

// changing says that a record which changes m is on its way; where m waits is known behind it.
func changing(m *book.Msg) bool { return m.Phase == phaseReplacing || m.Phase == phaseRerouting }

// deedLater does a deed to messages as soon as they have changed.
func (s *source) deedLater(ctx context.Context, lane int, d *admin.Deed, sel *selector, r *admin.DeedResult, met map[ledger.MsgID]bool, later []ledger.MsgID) (err error) {
	if len(later) == 0 {
		return nil
	}
	until(ctx, func() bool {
		err = s.ask(func(x *executor) error {
			l := x.lanes[lane]
			if err := x.mustHaveLed(l); err != nil {
				return err
			}
			var ids []ledger.MsgID
			later = slices.DeleteFunc(later, func(id ledger.MsgID) bool {
				m := l.book.Get(id)
				if m != nil && !changing(m) && l.selects(sel, m) {
					ids = append(ids, id)
				}
				return m == nil || !changing(m)
			})
			l.deedOn(ids, d, sel, r, met)
			return nil
		})
		return err != nil || len(later) == 0
	})
	return errors.Join(err, ctx.Err())
}

// deedOn counts messages in memory that are selected, and does the deed to them unless it is only counted.
func (l *lane) deedOn(ids []ledger.MsgID, d *admin.Deed, sel *selector, r *admin.DeedResult, met map[ledger.MsgID]bool) {
	r.Matched += len(ids)
	for _, id := range ids {
		if met != nil {
			met[id] = true
		}
	}
	for ids := range slices.Chunk(ids, ledger.MaxOperatorIDs) {
		if d.Yes {
			o := sel.record(d)
			o.IDs = ids
			l.deed(&o, l.x.now)
			r.Done += len(ids)
		}
	}
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
	var d ledger.Operator
	if !r.Operator(&d) {
		return
	}
	if d.Action == ledger.ActionQuarantine { // by whichever host; what is skipped of a message since holds it not
		l.x.harmless(func(c *crashNote) bool {
			m := l.book.Get(c.ID)
			return slices.Contains(d.IDs, c.ID) && (m == nil || m.Held)
		})
	}
	if !l.leading || d.Action != ledger.ActionReroute {
		return
	}
	for _, id := range d.IDs {
		if m := l.book.Get(id); m != nil && m.Phase == phaseRerouting {
			m.Fails, m.Verified = 0, 0
			l.toRouting(m)
		}
	}
}
