package dataplane

import (
	"slices"
	"time"

	"smsplane/dataplane/cluster"
	"smsplane/ledger/book"
	"smsplane/ledger/replica"
)

// Leaders are spread over the data hosts so that each works: whoever leads a lane looks now and then whether another host should,
// by what every host knows alike (cluster.Shift), and hands over one lane at a time. Lane 0 stays where it is, since with it go the
// links to carriers; it moves by an operator's word, or when its host dies. A host that is back, or new, must have followed for a
// while before it is given anything, and nothing moves while leaders change: so nothing moves to and fro.

const (
	levelEvery = int64(time.Second)
	// stepWait is how long another host's step is waited for: longer than it takes.
	stepWait = 10 * levelEvery
	// accountWeight is what an account adds to a lane's weight of one.
	accountWeight = 16
)

// spread is what the executor remembers between two looks.
type spread struct {
	agreed func() bool              // every host takes part
	pins   func() map[uint16]uint64 // who shall lead which lane by an operator's word
	settle int64                    // how long a host must have followed, ns
	on     bool                     // agreed, at the last look
	at     int64                    // of the next look
	led    []uint64                 // by whom, at the last one
	quiet  int64                    // since when that is so
	fit    map[uint64]int64         // since when a host follows in every lane that is led here
	lane   *lane                    // that is about to be handed over; nil: none
	to     uint64                   // to that host
	since  int64                    // it is about to be
	asked  int64                    // when that host was asked to lead it
	other  otherStep
}

// level looks whether another host should lead a lane that is led here.
func (x *executor) level(now int64) {
	f := x.fellows
	if f == nil {
		return
	}
	s := &f.spread
	if s.lane != nil {
		x.yield(now)
	}
	if now < s.at {
		return
	}
	s.at = now + min(levelEvery, s.settle)
	if s.on = s.agreed(); !s.on || f.ceding || s.lane != nil {
		return
	}
	x.fitness(now)
	led, known := make([]uint64, len(x.lanes)), true
	for i, l := range x.lanes {
		led[i] = l.rep.LeaderID()
		known = known && led[i] != 0
	}
	if !known || !slices.Equal(led, s.led) {
		s.led, s.quiet = led, now
	}
	if now-s.quiet < min(levelEvery, s.settle) {
		return
	}
	var hosts []uint64
	for _, id := range x.lanes[0].rep.Group().Voters {
		if !replica.IsWitness(id) && f.room(id) == replica.Roomy {
			hosts = append(hosts, id)
		}
	}
	if lane, to, ok := s.step(f.me, x.leads(led), hosts, now); ok && x.lanes[lane].leading {
		s.lane, s.to, s.since = x.lanes[lane], to, now
		s.lane.yields = true
	}
}

// step is what this host does next. Hosts take turns: it waits while the next step of all is another's. That one may see no such step,
// since each knows alone who follows in the lanes that it leads; so what is not done for long is not waited for.
func (s *spread) step(me uint64, lanes []cluster.Lead, hosts []uint64, now int64) (lane int, to uint64, ok bool) {
	fit := func(_ int, host uint64) bool {
		since, ok := s.fit[host]
		return host == me || ok && now-since >= s.settle // a full disk may keep a host from following, and it is not among the hosts
	}
	lane, to, ok = cluster.Shift(lanes, hosts, fit)
	if !ok || lanes[lane].By == me {
		s.other = otherStep{}
		return lane, to, ok
	}
	if w := &s.other; w.lane != lane || w.to != to {
		*w = otherStep{lane, to, now}
	}
	if now-s.other.since < stepWait {
		return 0, 0, false
	}
	return cluster.Shift(lanes, hosts, func(lane int, host uint64) bool { return lanes[lane].By == me && fit(lane, host) })
}

// otherStep is one of another host that is waited for.
type otherStep struct {
	lane  int
	to    uint64
	since int64
}

// yieldFor bounds how long a lane that is to be handed over waits for carriers' answers, and yieldLeast how long it takes at least
// until all that was dispatched before is known as such.
const (
	yieldFor   = int64(time.Second)
	yieldLeast = int64(50 * time.Millisecond)
)

// yield hands over the lane that is to be: it sends nothing more, and what carriers have of it is answered before, so that nothing
// comes in doubt.
func (x *executor) yield(now int64) {
	s := &x.fellows.spread
	l, waited := s.lane, now-s.since
	switch {
	case !l.leading:
	case s.asked == 0 && (waited < yieldLeast || l.book.Live[book.StateDispatched] > 0 && waited < yieldFor):
		return
	case s.asked == 0:
		s.asked = now
		if err := l.cedeTo(s.to); err == nil {
			x.log.Info("a lane is handed over, so that every host leads some", "lane", l.n, "to", x.fellows.name(s.to))
			return
		}
	case now-s.asked < yieldFor:
		return
	}
	if l.leading { // it was not taken: whoever did not has to follow for a while before it is asked again
		delete(s.fit, s.to)
	}
	l.yields, s.lane, s.asked, s.quiet = false, nil, 0, now
}

// leads are the lanes as who spreads leaders sees them.
func (x *executor) leads(led []uint64) []cluster.Lead {
	all := make([]cluster.Lead, len(x.lanes))
	pins := x.fellows.spread.pins()
	for i := range all {
		all[i] = cluster.Lead{By: led[i], Weight: 1, Pin: pins[uint16(i)], Stays: i == 0}
	}
	for _, a := range x.accounts {
		all[a.Lane].Weight += accountWeight
	}
	return all
}

// fitness notes since when each other data host follows in all lanes that are led here.
func (x *executor) fitness(now int64) {
	s := &x.fellows.spread
	follows := map[uint64]int{}
	ours := 0
	for _, l := range x.lanes {
		if !l.leading {
			continue
		}
		ours++
		l.rep.Progress(func(m replica.Member) {
			if m.Active && !m.Learner && !m.Snapshot && !replica.IsWitness(m.ID) && m.Match+caughtUp >= l.rep.Committed() {
				follows[m.ID]++
			}
		})
	}
	for id := range s.fit {
		if follows[id] < ours {
			delete(s.fit, id)
		}
	}
	if s.fit == nil {
		s.fit = map[uint64]int64{}
	}
	for id, n := range follows {
		if _, ok := s.fit[id]; !ok && n == ours {
			s.fit[id] = now
		}
	}
}
