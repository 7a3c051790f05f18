package dataplane

import "time"

// spacer lets the executor rest between turns when there are many of them and each has little to do. At some thousand messages a
// second every message comes by itself, and what it sets off (a block, an append, a sync, a write to a loop) is as dear as for
// a hundred of them; most of it is waking threads. With a rest what comes meanwhile shares all of that. It costs each step of a
// message at most the rest, in which the sync of the step before passes, too. Nobody rests when there are few turns, so that a
// lone message is not held up, or when one turn finds much to do.
type spacer struct {
	turns, work int   // that did something since the last look, and how much
	looked      int64 // unix ns
	on          bool
}

const (
	spacing      = 700 * time.Microsecond // from the beginning of one turn to that of the next, at least
	spacingLook  = 20 * time.Millisecond  // between two looks
	spacingTurns = 10                     // turns in a look from which on resting pays
	spacingWork  = 256                    // work in a turn from which on it does not
)

// turned takes note of a turn that began at now and did n; it is how long to wait, from there, with the next.
func (s *spacer) turned(now int64, n int) time.Duration {
	s.turns++
	s.work += n
	if passed := now - s.looked; passed >= int64(spacingLook) {
		s.on = passed < 2*int64(spacingLook) && s.turns >= spacingTurns && s.work < spacingWork*s.turns
		s.turns, s.work, s.looked = 0, 0, now
	}
	if s.on {
		return spacing
	}
	return 0
}
