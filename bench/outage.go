package bench

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"smsplane/bench/peer"
)

// OutageOptions are those of the outage: two carriers, each with a client of its own, and one of them away for a while.
type OutageOptions struct {
	Stand   StandOptions  `json:"stand"`
	For     time.Duration `json:"for_ns"`      // at least, see Rest
	Away    time.Duration `json:"away_ns"`     // begins after as long again
	Rest    time.Duration `json:"rest_ns"`     // that it goes on at least once the queue has drained
	Share   float64       `json:"share"`       // of the maximum, both clients together
	Maximum float64       `json:"maximum_tps"` // 0: found by a flood first
	Window  int           `json:"window"`
	Out     string        `json:"-"`
}

func (o *OutageOptions) fill() {
	if o.For == 0 {
		o.For = 30 * time.Minute
	}
	if o.Away == 0 {
		o.Away = o.For / 3
	}
	if o.Rest == 0 {
		o.Rest = o.For / 5
	}
	if o.Share == 0 {
		o.Share = 0.5
	}
	if o.Window == 0 {
		o.Window = 500
	}
	s := &o.Stand
	s.Carriers, s.Clients, s.Apart, s.Sessions = 2, 2, true, 1
	if s.Hot == 0 {
		s.Hot = 8
	}
	if s.Keep == 0 {
		s.Keep = max(time.Minute, o.For/15)
	}
}

// carrierTakes is the tps of each carrier's contract, over its share of the rate: what is left over drains its queue, which takes
// five quarters of the time that it was away. At half of the maximum both clients and the drain together are seven tenths of
// it.
const carrierTakes = 1.8

// Stretches of an outage.
const (
	outageBefore = iota
	outageAway
	outageDrain // the carrier is back, its queue is not empty yet
	outageAfter
	outageStretches
)

var stretchNames = [outageStretches]string{"before", "one carrier away", "its queue drains", "after"}

// OutageStretch is a part of the time.
type OutageStretch struct {
	Name     string  `json:"name"`
	Seconds  float64 `json:"seconds"`
	P50      float64 `json:"p50_us"` // due → the other carrier: medians over the slices of the stretch
	P99      float64 `json:"p99_us"`
	Messages uint64  `json:"messages"`
	RSS      int64   `json:"rss_bytes"`       // median
	MostRSS  int64   `json:"rss_most_bytes"`  //
	Disk     int64   `json:"disk_bytes"`      // median
	MostDisk int64   `json:"disk_most_bytes"` //
	Queued   int     `json:"queued_most"`     // waiting for carriers, in memory and in runs
	Used     float64 `json:"cores"`           // that the appliance used: median
	Stolen   float64 `json:"stolen_cores"`    // that the machine's host gave to others: median. What is taken comes back as latency
}

// OutageResult is what the other carrier, the process and the order of messages made of it.
type OutageResult struct {
	Origin
	Options   OutageOptions                  `json:"options"`
	Rate      float64                        `json:"rate_tps"`
	Stretches [outageStretches]OutageStretch `json:"stretches"`
	Overtaken [2]int64                       `json:"overtaken"`      // messages of each client that came behind a later one
	InDoubt   int64                          `json:"link_in_flight"` // of those, the most that the breaking link explains
	Throttled int64                          `json:"throttled"`      // submit_sm that came again: the order in which they were accepted is not known then
	Looks     []OutageLook                   `json:"looks"`
	Runs      []Work                         `json:"runs"`
	Audit     []string                       `json:"audit"`
	Digest    string                         `json:"digest"`
	Problems  []string                       `json:"problems"`
	File      string                         `json:"-"`
}

// OutageLook is a slice of the time: the process at its end, and the other carrier's latency in it.
type OutageLook struct {
	Stretch int          `json:"stretch"`
	Seconds float64      `json:"s"`
	RSS     int64        `json:"rss_bytes"`
	Disk    uint64       `json:"disk_bytes"`
	Queued  int          `json:"queued"`
	Used    float64      `json:"cores"`        // since the last look
	Stolen  float64      `json:"stolen_cores"` //
	Past    [2]int64     `json:"overtaken"`    // until now
	Other   peer.Latency `json:"other"`
}

// outage is a run under way. The carriers' goroutines tell of arrivals.
type outage struct {
	*OutageResult
	s       *stand
	began   time.Time
	runs    [2]*run
	mu      sync.Mutex
	other   peer.Histogram // since the last look
	newest  [2]int64
	stretch int
	drained time.Duration // when the queue was
	missed  int           // looks without an answer, in a row
	looked  time.Time     // what follows is of then
	cpu     time.Duration //
	stolen  time.Duration //
}

// Outage sends at half of what the appliance can, takes one of two carriers away for a third of the time, and brings it
// back. Memory must stay flat, the other carrier's latency must not change, the disk must return to its level, and each
// carrier must get its messages in their order.
func Outage(ctx context.Context, o OutageOptions) (*OutageResult, error) {
	o.fill()
	r := &OutageResult{Origin: newOrigin("outage"), Options: o, Problems: []string{}}
	if o.Maximum == 0 {
		f, _, err := floodAlone(ctx, o.Stand, floodOptions{clients: 1, binds: 4, window: o.Window, load: peer.Load{Count: maxMessages, To: apartPrefix(0) + "0"},
			over: min(10*time.Second, o.For)})
		if err != nil {
			return nil, err
		}
		o.Maximum = f.Through
	}
	r.Options.Maximum, r.Rate = o.Maximum, o.Share*o.Maximum
	o.Stand.TPS = int(math.Ceil(carrierTakes * r.Rate / 2))
	r.Options.Stand = o.Stand
	if err := onStand(ctx, o.Stand, func(s *stand) error {
		return (&outage{OutageResult: r, s: s, newest: [2]int64{-1, -1}}).run(ctx)
	}); err != nil {
		return nil, err
	}
	r.judge()
	r.Digest = digestOf(r.Runs)
	var err error
	r.File, err = saved(o.Out, r.Origin, r)
	return r, err
}

// heard is told of each message when it first reaches a carrier.
func (r *outage) heard(c *peer.Client, name, index uint32, now int64) {
	due, ok := c.Due(name, index)
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, run := range r.runs {
		if run == nil || run.client != c {
			continue
		}
		if i == 0 {
			r.other.Record(now - due)
		}
		if int64(index) < r.newest[i] {
			r.Overtaken[i]++
		}
		r.newest[i] = max(r.newest[i], int64(index))
	}
}

func (r *outage) run(ctx context.Context) error {
	o, s := &r.Options, r.s
	s.heard = r.heard
	r.began = time.Now()
	for i := range r.runs {
		// One bind each: what a client sends over several has no order.
		run, err := s.offer(ctx, i, 1, o.Window, peer.Load{Count: maxMessages, Rate: r.Rate / 2, Duration: 2*o.For + o.Rest, To: apartPrefix(i) + "0"})
		if err != nil {
			return err
		}
		r.mu.Lock()
		r.runs[i] = run
		r.mu.Unlock()
	}
	every := min(10*time.Second, o.For/90)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for r.stretch < outageStretches {
		select {
		case <-tick.C:
		case <-s.appliance.gone:
			return s.appliance.death()
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := r.look(ctx); err != nil {
			return err
		}
		if err := r.step(); err != nil {
			return err
		}
	}
	for _, run := range r.runs {
		run.stop()
	}
	for _, run := range r.runs {
		if err := run.wait(ctx); err != nil {
			return err
		}
		r.Throttled += run.client.Report().Throttled
	}
	work, problems, err := s.account(ctx, 2*time.Minute, 0, r.runs[:]...)
	if err != nil {
		return err
	}
	r.Runs = []Work{work}
	// What the link had on it when it broke is in doubt, and goes out a second time.
	r.Problems = append(r.Problems, slices.DeleteFunc(problems, func(p string) bool {
		return work.Twice <= r.InDoubt && strings.HasSuffix(p, peer.SaysTwice)
	})...)
	a, err := s.node.Audit(ctx)
	if err != nil {
		return err
	}
	if r.Audit = a.Lines; !a.OK {
		r.Problems = append(r.Problems, "the audit does not prove the books")
	}
	return nil
}

// maxMissed is how many looks in a row may go without an answer: the appliance has its seconds for one, and a busy machine may
// need them for others.
const maxMissed = 6

func (r *outage) look(ctx context.Context) error {
	v, err := vitals(r.s.appliance.pid())
	if err != nil {
		return err
	}
	st, err := r.s.node.Status(ctx)
	if err != nil {
		if r.missed++; r.missed <= maxMissed && ctx.Err() == nil {
			return nil // the next look tells; latency goes on to be counted
		}
		return err
	}
	r.missed = 0
	l := OutageLook{Stretch: r.stretch, Seconds: time.Since(r.began).Seconds(), RSS: v.RSS, Disk: st.Journal.Disk}
	for _, q := range st.Queues {
		if q.Queue == "internal" {
			l.Queued += q.Depth
		}
	}
	gone, err := stolen()
	if err != nil {
		return err
	}
	now := time.Now()
	if !r.looked.IsZero() {
		d := now.Sub(r.looked).Seconds()
		l.Used, l.Stolen = (v.CPU-r.cpu).Seconds()/d, (gone-r.stolen).Seconds()/d
	}
	r.looked, r.cpu, r.stolen = now, v.CPU, gone
	r.mu.Lock()
	l.Other, r.other = r.other.Latency(), peer.Histogram{}
	l.Past = r.Overtaken
	r.mu.Unlock()
	r.Looks = append(r.Looks, l)
	return nil
}

// step goes on to the next stretch when its time has come.
func (r *outage) step() (err error) {
	o, at := &r.Options, time.Since(r.began)
	switch {
	case r.stretch == outageBefore && at >= o.Away:
		c := r.s.carriers[1]
		c.Close()
		r.s.gone = append(r.s.gone, c.Tally())
		r.s.carriers = r.s.carriers[:1]
		r.InDoubt = int64(r.s.o.Sessions * r.s.o.Window)
	case r.stretch == outageAway && at >= 2*o.Away:
		c, err := r.s.startCarrier(1, "asked")
		if err != nil {
			return err
		}
		r.s.carriers = append(r.s.carriers, c)
	case r.stretch == outageDrain && r.Looks[len(r.Looks)-1].Queued <= r.s.o.Window/10:
		r.drained = at
	case r.stretch == outageDrain && at >= 2*o.For:
		r.Problems = append(r.Problems, fmt.Sprintf("the queue did not drain in %v", at.Round(time.Second)))
		r.stretch = outageAfter
	case r.stretch == outageAfter && at >= max(o.For, r.drained+o.Rest):
	default:
		return nil
	}
	r.stretch++
	return nil
}

// middle is the median of some integers or figures.
func middle[T int64 | float64](v []T) T {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return v[len(v)/2]
}

// What a stretch may differ from the one before the outage.
const (
	p99MayChange  = 0.20
	rssMayRise    = 0.25
	diskMayRemain = 0.25
)

func (r *OutageResult) judge() {
	for i := range r.Stretches {
		s := &r.Stretches[i]
		s.Name = stretchNames[i]
		var p50, p99, used, gone []float64
		var rss, disk []int64
		first, last := -1.0, 0.0
		for _, l := range r.Looks {
			if l.Stretch != i {
				continue
			}
			if last = l.Seconds; first < 0 {
				first = l.Seconds
			}
			p50, p99 = append(p50, l.Other.P50US), append(p99, l.Other.P99US)
			used, gone = append(used, l.Used), append(gone, l.Stolen)
			rss, disk = append(rss, l.RSS), append(disk, int64(l.Disk))
			s.Messages += l.Other.Count
			s.Queued = max(s.Queued, l.Queued)
		}
		if first < 0 {
			r.Problems = append(r.Problems, fmt.Sprintf("there was no time %q: not all of it was gone through", s.Name))
			continue
		}
		s.Seconds, s.MostRSS, s.MostDisk = last-first, slices.Max(rss), slices.Max(disk)
		// The first quarter of "before" is warming up: caches and memtables fill. What counts of the disk afterwards is
		// to what level it comes back: the second half of "after".
		switch k := len(rss) / 4; i {
		case outageBefore:
			p50, p99, rss, disk = p50[k:], p99[k:], rss[k:], disk[k:]
		case outageAfter:
			disk = disk[len(disk)/2:]
		}
		s.P50, s.P99, s.RSS, s.Disk = middle(p50), middle(p99), middle(rss), middle(disk)
		s.Used, s.Stolen = middle(used), middle(gone)
	}
	if r.Throttled == 0 && (r.Overtaken[0] > 0 || r.Overtaken[1] > r.InDoubt) {
		r.Problems = append(r.Problems, fmt.Sprintf("out of order: %d messages to the other carrier, %d to the one that was away", r.Overtaken[0], r.Overtaken[1]))
	}
	if r.Options.For < longEnough {
		return // too short for figures; that nothing was lost and all kept its order is judged
	}
	before := &r.Stretches[outageBefore]
	for _, s := range r.Stretches[outageAway:] {
		if c := s.P99/before.P99 - 1; math.Abs(c) > p99MayChange {
			r.Problems = append(r.Problems, fmt.Sprintf("%s: the other carrier's p99 changed by %+.0f %%", s.Name, 100*c))
		}
		if c := float64(s.RSS)/float64(before.RSS) - 1; c > rssMayRise {
			r.Problems = append(r.Problems, fmt.Sprintf("%s: memory rose by %.0f %%", s.Name, 100*c))
		}
	}
	if c := float64(r.Stretches[outageAfter].Disk)/float64(before.Disk) - 1; c > diskMayRemain {
		r.Problems = append(r.Problems, fmt.Sprintf("after draining the disk holds %.0f %% more than before", 100*c))
	}
}

// Wrong implements Suite.
func (r *OutageResult) Wrong() []string { return r.Problems }

// Print writes the table for people.
func (r *OutageResult) Print(w io.Writer) {
	r.Origin.print(w)
	fmt.Fprintf(w, "  %v at %s/s, %.0f %% of %s/s; each carrier takes at most %s/s\n", r.Options.For, number(int64(r.Rate)), 100*r.Options.Share,
		number(int64(r.Options.Maximum)), number(r.Options.Stand.TPS))
	var t table
	t.row("stretch", "seconds", "other p50", "other p99", "RSS", "most", "disk", "most", "most queued", "cores used", "stolen")
	mib := func(v int64) string { return number(v>>20) + " MiB" }
	for _, s := range r.Stretches {
		t.row(s.Name, fmt.Sprintf("%.0f", s.Seconds), micros(s.P50), micros(s.P99), mib(s.RSS), mib(s.MostRSS), mib(s.Disk), mib(s.MostDisk), number(s.Queued),
			fmt.Sprintf("%.2f", s.Used), fmt.Sprintf("%.2f", s.Stolen))
	}
	t.print(w)
	fmt.Fprintf(w, "  overtaken: %s to the other carrier, %s to the one that was away (its link had at most %s on it when it broke); %s submit_sm came again, throttled\n",
		number(r.Overtaken[0]), number(r.Overtaken[1]), number(r.InDoubt), number(r.Throttled))
	for _, l := range r.Audit {
		fmt.Fprintln(w, "  audit:", l)
	}
	printWork(w, r.Runs, r.Digest)
	PrintProblems(w, r.Problems)
	printFile(w, r.File)
}
