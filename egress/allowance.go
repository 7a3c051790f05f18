package egress

import "time"

// Allowance is what several sessions may be sent together: a rate, and a number of messages without an answer. It
// belongs to one goroutine, as do all the sessions that share it.
type Allowance struct {
	Pace
	window int // 0: no bound
	out    int // unanswered
}

// NewAllowance makes one of a rate per second and a window, 0 for none; nil when there is neither.
func NewAllowance(tps, window int, depth time.Duration) *Allowance {
	if tps == 0 && window == 0 {
		return nil
	}
	return &Allowance{Pace: NewPace(tps, depth), window: window}
}

// Window is how many messages may be unanswered, 0 for any number.
func (a *Allowance) Window() int { return a.window }

// Room says whether one more may be unanswered and leave places for keep others, fewer than Window.
func (a *Allowance) Room(keep int) bool { return a.window == 0 || a.window-a.out > keep }

// Passed notes that a message left.
func (a *Allowance) Passed(now int64) {
	a.Pace.Passed(now)
	a.out++
}

// Settled notes that a message that had left was answered, or never will be.
func (a *Allowance) Settled() { a.out-- }
