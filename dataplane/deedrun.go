package dataplane

import (
	"context"
	"errors"
	"slices"

	"smsplane/dataplane/admin"
	"smsplane/ledger"
	"smsplane/ledger/book"
)

// rewrites is what others make of runs while deeds are being done. To cancel or replace one message of a run, or to do another
// deed to some, what is left of the run is written anew under another id (rework.go). A deed that has yet to meet the run
// follows it by this. What was taken out of the run is met in memory, by the run that it was in.
//
//	run 7 ──by──▶ run 12 ──by──▶ run 31          of: 31 ▶ 12 ▶ 7
type rewrites struct {
	by   map[uint32]uint32       // the run that took a run's place
	of   map[uint32]uint32       // the run whose place one took
	from map[ledger.MsgID]uint32 // messages that were replaced, and have a body of their own since: the run that they were in
	lost bool                    // the lane was led elsewhere meanwhile, and has forgotten that
}

// note says that next took the place of run.
func (w *rewrites) note(run, next uint32) {
	if w.by == nil {
		w.by, w.of = map[uint32]uint32{}, map[uint32]uint32{}
	}
	w.by[run], w.of[next] = next, run
}

// leave says that m is about to be replaced.
func (w *rewrites) leave(m *book.Msg) {
	if m.Run() == 0 {
		return
	}
	if w.from == nil {
		w.from = map[ledger.MsgID]uint32{}
	}
	w.from[m.ID] = m.Run()
}

// last is the run that has a run's place now.
func (w *rewrites) last(run uint32) uint32 {
	for next, ok := w.by[run]; ok; next, ok = w.by[next] {
		run = next
	}
	return run
}

// wasIn says that a message in memory was in a run which is meant, or in one that took the place of such a run.
func (w *rewrites) wasIn(m *book.Msg, meant func(run uint32) bool) bool {
	run := m.Run()
	if run == 0 {
		run = w.from[m.ID]
	}
	for ok := run != 0; ok; run, ok = w.of[run] {
		if meant(run) {
			return true
		}
	}
	return false
}

// mustHaveLed is mustLead for a deed under way: the lane must have been led here since it began.
func (x *executor) mustHaveLed(l *lane) error {
	if err := x.mustLead(l); err != nil {
		return err
	}
	if l.rewritten.lost {
		return admin.Unavailable("lane %d was led by another host for a moment, and part of this may be undone; ask again", l.n)
	}
	return nil
}

// runsAhead lists the runs on disk in the order in which their queues are read, then those whose MOVE is on its way.
func (l *lane) runsAhead() (ids []uint32) {
	for _, run := range l.book.Runs() {
		ids = append(ids, run.ID)
	}
	l.eachQueue(func(q *queue) {
		for _, id := range q.runs {
			if l.book.RunOf(id) == nil {
				ids = append(ids, id)
			}
		}
	})
	return ids
}

// moving says that the MOVE which makes a run is on its way.
func (l *lane) moving(id uint32) (there bool) {
	l.eachQueue(func(q *queue) { there = there || slices.Contains(q.runs, id) })
	return there && l.book.RunOf(id) == nil
}

// Where a run is that was on disk when a deed began, or what took its place.
const (
	runOnDisk = iota
	runComing // it is being loaded, or written anew
	runLoaded // its messages are in memory, as far as they are left
	runAside  // it is damaged
)

// runAt tells where a run is, or the one in its place. Of one on disk it has the bytes, if they are at hand.
func (s *source) runAt(lane int, id uint32) (at int, run book.Run, p book.Pieces, err error) {
	err = s.ask(func(x *executor) error {
		l := x.lanes[lane]
		if err := x.mustHaveLed(l); err != nil {
			return err
		}
		id := l.rewritten.last(id)
		head := l.book.RunOf(id)
		switch {
		case head == nil && l.moving(id):
			at = runComing
			return nil
		case head == nil:
			at = runLoaded
			return nil
		case l.aside[id] != nil:
			at = runAside
		case head.Loaded != 0:
			at = runLoaded
		case l.rework[id] != nil || l.queueOf(head.Queue, head.Carrier, head.Class).loading == id:
			at = runComing
		default:
			p = l.book.Packed(id)
		}
		run = *head
		return nil
	})
	return at, run, p, err
}

// wasIn tells the messages in memory that were in a run, or in one that took its place.
func wasIn(id uint32) func(l *lane, m *book.Msg) bool {
	return func(l *lane, m *book.Msg) bool {
		return l.rewritten.wasIn(m, func(run uint32) bool { return run == id })
	}
}

// deedInRun does a deed to what waits in a run, or waited in it when the deed began.
func (s *source) deedInRun(ctx context.Context, lane int, id uint32, d *admin.Deed, sel *selector, r *admin.DeedResult) error {
	met := map[ledger.MsgID]bool{}
	inMemory := func() error {
		front, back, err := s.selected(ctx, lane, sel, met, wasIn(id))
		if err != nil {
			return err
		}
		return s.deedInMemory(ctx, lane, d, sel, r, met, append(front, back...))
	}
	for {
		at, run, p, err := runComing, book.Run{}, book.Pieces(nil), error(nil)
		until(ctx, func() bool {
			at, run, p, err = s.runAt(lane, id)
			return err != nil || at != runComing
		})
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if run.ID == id && !sel.mayFit(&run) {
			return nil
		}
		if at == runLoaded || run.ID != id {
			if err := inMemory(); err != nil || at == runLoaded {
				return err
			}
		}
		if at == runAside {
			r.Damaged += int(run.Count)
			return nil
		}
		if moved, err := s.deedOnDisk(ctx, lane, &run, p, d, sel, r); err != nil || !moved {
			return err
		}
	}
}

// deedOnDisk does a deed to what waits in a run on disk, whose bytes p are if they are at hand. It is read here, where one may
// wait. Held messages stay in memory, so as many of them are held as memory has room for; the answer says when some were left.
// moved says that nothing was done, because the run has just begun to be loaded.
func (s *source) deedOnDisk(ctx context.Context, lane int, run *book.Run, p book.Pieces, d *admin.Deed, sel *selector, r *admin.DeedResult) (moved bool, err error) {
	var u *book.Unpacked
	if p != nil {
		u, err = p.Unpack(uint16(lane), run.Count)
	} else {
		u, err = readRun(s.n.db, uint16(lane), run)
	}
	n := 0
	if err == nil {
		for i := range u.Messages {
			if sel.fits(&u.Messages[i]) {
				n++
			}
		}
	}
	switch at, now, _, again := s.runAt(lane, run.ID); {
	case again != nil:
		return false, again
	case at != runOnDisk || now.ID != run.ID: // it was being loaded meanwhile, and may have gone from the disk
		return true, nil
	case damaged(err):
		r.Damaged += int(run.Count)
		return false, s.ask(func(x *executor) error {
			if l := x.lanes[lane]; l.leading && l.aside[run.ID] == nil {
				l.quarantine(run, err)
			}
			return nil
		})
	case err != nil:
		return false, err
	}
	return s.deedOnRun(ctx, lane, run, u, n, d, sel, r)
}

// deedOnRun does a deed to n messages of a run on disk.
func (s *source) deedOnRun(ctx context.Context, lane int, run *book.Run, u *book.Unpacked, n int, d *admin.Deed, sel *selector, r *admin.DeedResult) (moved bool, err error) {
	started := false
	if err := s.ask(func(x *executor) error {
		l := x.lanes[lane]
		if !d.Yes || n == 0 || sel.action == ledger.ActionHold && x.hot() > x.maxHot {
			return nil
		}
		if err := x.mustHaveLed(l); err != nil {
			return err
		}
		if !l.book.AtHand(run.ID) {
			l.book.Bring(run.ID, u)
		}
		started = l.startRework(run, rework{sel: sel, d: sel.record(d)})
		moved = !started
		return nil
	}); err != nil || moved {
		return moved, err
	}
	r.Matched += n
	if !started {
		return false, nil
	}
	r.Done += n
	until(ctx, func() (done bool) {
		err = s.ask(func(x *executor) error {
			l := x.lanes[lane]
			done = l.rework[run.ID] == nil
			return x.mustHaveLed(l)
		})
		return err != nil || done
	})
	return false, errors.Join(err, ctx.Err())
}
