package dataplane

import (
	"context"

	"smsplane/ledger/book"
)

// liveSlots is how many slots of a lane's table a question looks at before the executor does something else: a few
// milliseconds, however many messages wait.
const liveSlots = 4096

// live visits messages that have not been released, those in memory and those in runs on disk, until f says false.
// Messages go on meanwhile: one that is spilled or loaded just then may be visited twice or, if its list was passed
// already, not at all.
func (s *source) live(ctx context.Context, f func(x *executor, m *book.Msg, p []byte) bool) error {
	on := true
	err := s.inMemory(ctx, func(x *executor, l *lane, m *book.Msg) bool {
		if p, err := l.book.PDU(m); err == nil {
			on = f(x, m, p)
		}
		return on
	})
	if err != nil || !on {
		return err
	}
	return s.inRuns(ctx, f)
}

// inMemory visits the messages of every lane's table until f says false.
func (s *source) inMemory(ctx context.Context, f func(x *executor, l *lane, m *book.Msg) bool) error {
	on := true
	for lane := range s.n.cfg.Lanes {
		for at, first := uint32(0), true; on && (first || at != 0); first = false {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := s.ask(func(x *executor) error {
				l := x.lanes[lane]
				at = l.book.Each(at, liveSlots, func(m *book.Msg) { on = on && f(x, l, m) })
				return nil
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// inRuns visits the messages that are on disk only, one run after the other, until f says false.
func (s *source) inRuns(ctx context.Context, f func(x *executor, m *book.Msg, p []byte) bool) error {
	on := true
	for lane := range s.n.cfg.Lanes {
		var runs []uint32
		if err := s.ask(func(x *executor) error {
			for _, r := range x.lanes[lane].book.Runs() {
				runs = append(runs, r.ID)
			}
			return nil
		}); err != nil {
			return err
		}
		for ; on && len(runs) > 0; runs = runs[1:] {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := s.ask(func(x *executor) error {
				return x.lanes[lane].book.EachOfRun(runs[0], func(m *book.Msg, p []byte) error {
					on = on && f(x, m, p)
					return nil
				})
			}); err != nil {
				return err
			}
		}
	}
	return nil
}
