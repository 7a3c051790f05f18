package bench

import (
	"context"
	"fmt"
	"io"
	"math"
	"time"

	"smsplane/bench/peer"
	"smsplane/dataplane/config"
)

// CapacityOptions are those of the rated run: the reference topology, held to its ratings.
type CapacityOptions struct {
	Stand   StandOptions  `json:"stand"`
	Scale   float64       `json:"scale"`   // of all ratings and rates; 1 is the reference
	Hold    time.Duration `json:"hold_ns"` // each stretch is measured for
	Backlog int           `json:"backlog"` // messages verified before the links come up
	Binds   int           `json:"binds"`   // of the client
	Out     string        `json:"-"`       // folder of result files; "" = none
}

// The reference at scale 1.
const (
	offeredTPS = 2500
	routedTPS  = 2000
	sentTPS    = 3600

	burst     = 100 * time.Millisecond // a worker's bucket is no deeper
	aboveMost = 0.01                   // of a rating, for the mean
	belowMost = 0.02
	drainable = 0.10 // what the growth of a queue may be off: it is the difference of two rates
)

func reference(scale float64) config.Workers {
	tps := func(v int) int { return int(math.Round(float64(v) * scale)) }
	return config.Workers{Entry: config.Worker{Count: 5, TPS: tps(500)}, Router: config.Worker{Count: 8, TPS: tps(250)},
		Verifier: config.Worker{Count: 4, TPS: tps(500)}, Egress: config.Worker{Count: 9, TPS: tps(400)}}
}

// QuickCapacity is the rated run made small: a tenth of everything for a few seconds.
func QuickCapacity() CapacityOptions {
	return CapacityOptions{Scale: 0.1, Hold: 2 * time.Second, Backlog: 400}
}

func (o *CapacityOptions) fill() {
	if o.Scale == 0 {
		o.Scale = 1
	}
	if o.Hold == 0 {
		o.Hold = 30 * time.Second
	}
	if o.Backlog == 0 {
		o.Backlog = 100_000
	}
	if o.Binds == 0 {
		o.Binds = 20
	}
	o.Stand.Workers = reference(o.Scale)
}

// period is the time between two looks: a second, unless a stretch is too short for some.
func (o *CapacityOptions) period() time.Duration { return min(time.Second, o.Hold/8) }

// CapacityRow is one rating beside what was measured.
type CapacityRow struct {
	Phase  string  `json:"phase"`
	What   string  `json:"what"`
	Rating float64 `json:"rating_tps"`
	Rate
	Off  float64 `json:"off_percent"` // of the mean
	Pass bool    `json:"pass"`
	Why  string  `json:"why,omitempty"` // it did not pass
}

// CapacityResult is the table.
type CapacityResult struct {
	Origin
	Options   CapacityOptions `json:"options"`
	Rows      []CapacityRow   `json:"rows"`
	Runs      []Work          `json:"runs"`
	Throttled int64           `json:"throttled"` // answers ESME_RTHROTTLED in the overload
	CPU       float64         `json:"cpu_percent_of_a_core"`
	Digest    string          `json:"digest"`
	Problems  []string        `json:"problems"`
	File      string          `json:"-"`
}

// Capacity holds the rated reference topology to its ratings, layer by layer.
func Capacity(ctx context.Context, o CapacityOptions) (*CapacityResult, error) {
	o.fill()
	r := &CapacityResult{Origin: newOrigin("capacity"), Options: o, Problems: []string{}}
	err := onStand(ctx, o.Stand, func(s *stand) error {
		c := &capacity{CapacityResult: r, o: &r.Options, s: s}
		began := time.Now()
		for _, phase := range []func(context.Context) error{c.inbound, c.outbound, c.overload} {
			if err := phase(ctx); err != nil {
				return err
			}
		}
		v, err := vitals(s.appliance.pid())
		r.CPU = 100 * v.CPU.Seconds() / time.Since(began).Seconds()
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, row := range r.Rows {
		if !row.Pass {
			r.Problems = append(r.Problems, fmt.Sprintf("%s, %s: %s", row.Phase, row.What, row.Why))
		}
	}
	r.Digest = digestOf(r.Runs)
	r.File, err = saved(o.Out, r.Origin, r)
	return r, err
}

// capacity is one rated run.
type capacity struct {
	*CapacityResult
	o *CapacityOptions
	s *stand
}

// offer starts a client of which tps are accepted for the given time, or until it is told to end. Its binds take turns as
// it comes, so a worker sees more of them in one tenth of a second and fewer in the next; a fifth more than the rating is
// offered, so that each worker always has its share before it. What is throttled comes again within that rate.
func (c *capacity) offer(ctx context.Context, tps float64, over time.Duration) (*run, error) {
	return c.s.offer(ctx, 0, c.o.Binds, 500, peer.Load{Count: int64(tps*over.Seconds()) + 1, Rate: tps * pressure, Firm: true})
}

const pressure = 1.2

// inbound offers what entry is rated for; routing and verification take what they are rated for, and the rest waits
// before them and passes afterwards.
func (c *capacity) inbound(ctx context.Context) error {
	const phase = "inbound"
	in := c.o.Scale * offeredTPS
	w := c.s.watch(ctx, c.o.period())
	r, err := c.offer(ctx, in, c.o.Hold+2*warm)
	if err != nil {
		return err
	}
	from := time.Now().Add(warm)
	if err := r.wait(ctx); err != nil {
		return err
	}
	to := time.Now()
	if err := c.drained(ctx, phase, r); err != nil {
		return err
	}
	all, err := w.end()
	if err != nil {
		return err
	}
	held := between(all, from, to.Add(-warm/2)) // the last repeats come late
	c.rated(phase, "entry accepts", held, in, messages("entry"))
	c.rated(phase, "journal commits", held, in, messages("external"), follows)
	c.rated(phase, "routing", held, c.o.Scale*routedTPS, messages("router"))
	c.rated(phase, "verification", held, c.o.Scale*routedTPS, messages("verifier"))
	c.rated(phase, "delivery keeps up", held, c.o.Scale*routedTPS, messages("egress"), follows)
	c.grows(phase, held)
	c.rated(phase, "routing, while it drains", between(all, to, to.Add(24*time.Hour)), c.o.Scale*routedTPS, messages("router"), untilIdle)
	return c.settle(ctx, r)
}

// warm is what passes before a stretch is measured: buckets empty, connections bound.
const warm = 2 * time.Second

// drained waits until nothing waits before the router.
func (c *capacity) drained(ctx context.Context, phase string, r *run) error {
	wait := 30*time.Second + time.Duration(float64(r.load.Count)/(c.o.Scale*routedTPS)*float64(time.Second))
	return c.s.await(ctx, wait, phase+": the external queue to drain", func(ctx context.Context) (bool, error) {
		v, err := c.s.look(ctx)
		if err != nil {
			return false, err
		}
		return v.depths["external"] == 0, fmt.Errorf("%d messages wait before the router", v.depths["external"])
	})
}

// outbound lets verified messages gather while every link is down, then opens the links with as much offered as before.
func (c *capacity) outbound(ctx context.Context) error {
	const phase = "outbound"
	in, out := c.o.Scale*offeredTPS, c.o.Scale*sentTPS
	want := float64(c.o.Backlog)
	c.s.stopCarriers()
	// At the rates of the reference: the gathering, half a minute for the links to dial again, the catching up, and two
	// stretches behind it.
	gather := want / (c.o.Scale * routedTPS)
	catchUp := (want + 45*c.o.Scale*routedTPS) / (out - c.o.Scale*routedTPS)
	w := c.s.watch(ctx, c.o.period())
	defer w.cancel()
	r, err := c.offer(ctx, in, time.Duration((gather+45+catchUp)*1e9)+2*c.o.Hold)
	if err != nil {
		return err
	}
	waits := func(v *sample) float64 { return float64(v.depths["internal"]) }
	reach := func(what string, wait time.Duration, ok func(v *sample) bool) error {
		return c.s.await(ctx, wait, phase+": "+what, func(context.Context) (bool, error) {
			v := w.last()
			return v != nil && ok(v), fmt.Errorf("the last look: %v", v)
		})
	}
	if err := reach("messages to gather", time.Duration(gather*2e9)+time.Minute, func(v *sample) bool { return waits(v) >= want }); err != nil {
		return err
	}
	if err := c.s.startCarriers(); err != nil {
		return err
	}
	before := w.last().messages["egress"]
	if err := reach("a link to come up", time.Minute, func(v *sample) bool { return v.messages["egress"] > before }); err != nil {
		return err
	}
	up := time.Now()
	if err := reach("the backlog to go", time.Duration(catchUp*2e9)+time.Minute, func(v *sample) bool { return waits(v) < out }); err != nil {
		return err
	}
	gone := w.last().asked
	if err := reach("the stretch behind it", c.o.Hold+time.Minute, func(v *sample) bool { return v.told.After(gone.Add(warm + c.o.Hold)) }); err != nil {
		return err
	}
	after := time.Now()
	r.stop()
	if err := r.wait(ctx); err != nil {
		return err
	}
	if err := c.drained(ctx, phase, r); err != nil {
		return err
	}
	all, err := w.end()
	if err != nil {
		return err
	}
	c.rated(phase, fmt.Sprintf("delivery of %s verified, in every second", number(int64(want))), between(all, up, gone), out, messages("egress"), everySecond)
	c.rated(phase, "delivery, when they are gone", between(all, gone.Add(warm), after), c.o.Scale*routedTPS, messages("egress"), follows)
	c.rated(phase, "entry accepts meanwhile", between(all, up, after), in, messages("entry"))
	return c.settle(ctx, r)
}

// overload offers twice what entry is rated for: the excess is throttled, and nothing is lost.
func (c *capacity) overload(ctx context.Context) error {
	const phase = "overload"
	in := c.o.Scale * offeredTPS
	w := c.s.watch(ctx, c.o.period())
	defer w.cancel()
	// Half of what is offered is throttled and comes again, so this many messages last the time.
	r, err := c.s.offer(ctx, 0, c.o.Binds, 500, peer.Load{Count: int64(in*(c.o.Hold+2*warm).Seconds()) + 1, Rate: 2 * in, Firm: true})
	if err != nil {
		return err
	}
	from := time.Now().Add(warm)
	if err := r.wait(ctx); err != nil {
		return err
	}
	to := time.Now().Add(-warm)
	if err := c.drained(ctx, phase, r); err != nil {
		return err
	}
	all, err := w.end()
	if err != nil {
		return err
	}
	held := between(all, from, to)
	c.rated(phase, "entry accepts", held, in, messages("entry"))
	c.rated(phase, "routing", held, c.o.Scale*routedTPS, messages("router"))
	c.Throttled = r.client.Report().Throttled
	if c.Throttled == 0 {
		c.Problems = append(c.Problems, "overload: nothing was throttled")
	}
	return c.settle(ctx, r)
}

// settle accounts for a run once nothing is on its way.
func (c *capacity) settle(ctx context.Context, r *run) error {
	work, problems, err := c.s.account(ctx, time.Minute, 0, r)
	c.Runs = append(c.Runs, work)
	c.Problems = append(c.Problems, problems...)
	return err
}

// strictness is what a row asks besides the mean.
type strictness int

const (
	plain       strictness = iota
	everySecond            // no second below either
	untilIdle              // the stretch ends where the layer does
	follows                // the layer has no such rating itself: only the mean of what comes to it counts
)

// rated judges a stretch: its mean, and no second beyond rating and burst.
func (c *capacity) rated(phase, what string, in []sample, rating float64, count func(*sample) float64, how ...strictness) {
	row := CapacityRow{Phase: phase, What: what, Rating: rating}
	strict := plain
	if len(how) > 0 {
		strict = how[0]
	}
	if strict == untilIdle {
		in = busy(in, count, rating)
	}
	var err error
	row.Rate, err = rateOf(in, rating, count)
	row.Off = 100 * (row.Mean/rating - 1)
	deep := rating * burst.Seconds()
	slack := deep / max(row.Seconds, 1) / rating // a bucket that was full at the start of the stretch
	switch {
	case err != nil && strict == untilIdle:
		return // too short to be told
	case err != nil:
		row.Why, row.Rate = err.Error(), Rate{}
	case row.Mean > rating*(1+aboveMost+slack):
		row.Why = fmt.Sprintf("the mean is %.1f %% above the rating", row.Off)
	case row.Mean < rating*(1-belowMost):
		row.Why = fmt.Sprintf("the mean is %.1f %% below the rating", -row.Off)
	case strict != follows && row.Over > deep+1:
		row.Why = fmt.Sprintf("a second passed the rating by %.0f messages; its burst is %.0f", row.Over, deep)
	case strict == everySecond && row.Under > deep+belowMost*rating:
		row.Why = fmt.Sprintf("a second missed the rating by %.0f messages", row.Under)
	default:
		row.Pass = true
	}
	c.Rows = append(c.Rows, row)
}

// busy is the part of a stretch before the layer runs dry.
func busy(in []sample, count func(*sample) float64, rating float64) []sample {
	for i := range in {
		if i > 0 && count(&in[i])-count(&in[i-1]) < rating/2 {
			return in[:max(i-1, 0)]
		}
	}
	return in
}

// grows judges the queue before the router: it takes the difference.
func (c *capacity) grows(phase string, in []sample) {
	rating := c.o.Scale * (offeredTPS - routedTPS)
	row := CapacityRow{Phase: phase, What: "external queue takes the rest", Rating: rating}
	var err error
	row.Rate, err = rateOf(in, rating, depth("external"))
	row.Off = 100 * (row.Mean/rating - 1)
	switch slack := offeredTPS * c.o.Scale * burst.Seconds() / max(row.Seconds, 1) / rating; {
	case err != nil:
		row.Why, row.Rate = err.Error(), Rate{}
	case math.Abs(row.Mean/rating-1) > drainable+slack:
		row.Why = fmt.Sprintf("it grows %.1f %% off the difference of the ratings", row.Off)
	default:
		row.Pass = true
	}
	c.Rows = append(c.Rows, row)
}

// Wrong implements Suite.
func (r *CapacityResult) Wrong() []string { return r.Problems }

// Print writes the table for people.
func (r *CapacityResult) Print(w io.Writer) {
	r.Origin.print(w)
	fmt.Fprintf(w, "  reference × %g, %s per stretch, %d binds; the appliance used %.0f %% of a core\n", r.Options.Scale, r.Options.Hold, r.Options.Binds, r.CPU)
	var t table
	t.row("phase: layer", "rating", "mean", "off", "slowest s", "fastest s", "over", "s", "")
	for _, x := range r.Rows {
		verdict := "PASS"
		if !x.Pass {
			verdict = "FAIL"
		}
		t.row(x.Phase+": "+x.What, fmt.Sprintf("%.0f", x.Rating), fmt.Sprintf("%.1f", x.Mean), fmt.Sprintf("%+.2f %%", x.Off),
			fmt.Sprintf("%.0f", x.Least), fmt.Sprintf("%.0f", x.Most), fmt.Sprintf("%.0f", max(0, x.Over)), fmt.Sprintf("%.0f", x.Seconds), verdict)
	}
	t.print(w)
	fmt.Fprintf(w, "  overload: %s answers ESME_RTHROTTLED\n", number(r.Throttled))
	printWork(w, r.Runs, r.Digest)
	PrintProblems(w, r.Problems)
	printFile(w, r.File)
}
