package dataplane

import (
	"context"

	"smsplane/ledger/book"
)

// liveSlots is how many slots of a lane's table a question looks at before the executor does something else: a few
// milliseconds, however many messages wait.
const liveSlots = 4096

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
	for lane := 0; on && lane < s.n.cfg.Lanes; lane++ {
		if err := s.inRunsOf(ctx, lane, func(x *executor, m *book.Msg, p []byte) bool { on = f(x, m, p); return on }); err != nil {
			return err
		}
	}
	return nil
}

// inRunsOf is inRuns of one lane, the run that left memory last before the others.
func (s *source) inRunsOf(ctx context.Context, lane int, f func(x *executor, m *book.Msg, p []byte) bool) error {
	var runs []uint32
	if err := s.ask(func(x *executor) error {
		for _, r := range x.lanes[lane].book.Runs() {
			runs = append(runs, r.ID)
		}
		return nil
	}); err != nil {
		return err
	}
	for on := true; on && len(runs) > 0; runs = runs[:len(runs)-1] {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.ask(func(x *executor) error {
			return x.lanes[lane].book.EachOfRun(runs[len(runs)-1], func(m *book.Msg, p []byte) error {
				on = on && f(x, m, p)
				return nil
			})
		}); err != nil {
			return err
		}
	}
	return nil
}
