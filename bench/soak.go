package bench

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"smsplane/bench/peer"
)

// SoakOptions are those of the soak.
type SoakOptions struct {
	Stand   StandOptions  `json:"stand"`
	For     time.Duration `json:"for_ns"`
	Share   float64       `json:"share"`       // of the maximum
	Maximum float64       `json:"maximum_tps"` // 0: found by a flood first
	Round   int64         `json:"round"`       // messages of one round; between two rounds everything must settle
	Every   time.Duration `json:"every_ns"`    // a look at the process
	Binds   int           `json:"binds"`
	Window  int           `json:"window"`
	Unruly  bool          `json:"unruly"` // carriers misbehave at random; between two rounds they are calm
	Seed    uint64        `json:"seed"`   // of their misbehaviour
	Out     string        `json:"-"`
}

func (o *SoakOptions) fill() {
	if o.For == 0 {
		o.For = time.Hour
	}
	if o.Share == 0 {
		o.Share = 0.5
	}
	if o.Round == 0 {
		o.Round = 2_000_000
	}
	if o.Every == 0 {
		o.Every = max(time.Second, o.For/200)
	}
	if o.Binds == 0 {
		o.Binds = 20
	}
	if o.Unruly {
		o.Stand.Unruly, o.Stand.Receipts = true, true
		o.Stand.Carriers = max(3, o.Stand.Carriers)
	}
	if o.Window == 0 {
		o.Window = 500
	}
}

// SoakLook is the process at a moment.
type SoakLook struct {
	Seconds    float64 `json:"s"`
	RSS        int64   `json:"rss_bytes"`
	FDs        int     `json:"fds"`
	Goroutines int     `json:"goroutines"`
	Disk       uint64  `json:"disk_bytes"`
	CPU        float64 `json:"cpu_us_per_message"` // since the last look
	InFlight   uint64  `json:"in_flight"`
}

// SoakResult says what changed over the time, and what became of every message.
type SoakResult struct {
	Origin
	Options  SoakOptions    `json:"options"`
	Rate     float64        `json:"rate_tps"`
	Rounds   []Flood        `json:"rounds"`
	Looks    []SoakLook     `json:"looks"`
	Drift    []Drift        `json:"drift"`
	Audit    []string       `json:"audit"`
	Digest   string         `json:"digest"`
	Did      map[string]int `json:"misbehaviour,omitempty"` // how often a carrier took to it
	Resent   uint64         `json:"resent"`                 // messages sent again out of doubt
	Dropped  int            `json:"dropped"`                // messages still in doubt when all was calm, each ended by an order
	Problems []string       `json:"problems"`
	File     string         `json:"-"`
}

// Drift is how a figure's mean in the last quarter of the time compares with the second quarter; the first is warming up.
type Drift struct {
	What   string  `json:"what"`
	Before float64 `json:"second_quarter"`
	After  float64 `json:"last_quarter"`
	Grew   float64 `json:"grew_percent"`
	Leak   bool    `json:"leak"` // more than its allowance
}

// Soak keeps a share of the maximum on the appliance for hours, in rounds; each round must settle with every message
// accounted for, and the process must not grow.
func Soak(ctx context.Context, o SoakOptions) (*SoakResult, error) {
	o.fill()
	r := &SoakResult{Origin: newOrigin("soak"), Options: o, Problems: []string{}}
	if o.Maximum == 0 {
		f, _, err := floodAlone(ctx, o.Stand, floodOptions{clients: o.Stand.Clients, binds: o.Binds, window: o.Window, load: peer.Load{Count: maxMessages},
			over: min(10*time.Second, o.For)})
		if err != nil {
			return nil, err
		}
		o.Maximum = f.Through
	}
	r.Rate = o.Share * o.Maximum
	if err := onStand(ctx, o.Stand, func(s *stand) error { return r.soak(ctx, s) }); err != nil {
		return nil, err
	}
	var runs []Work
	for i := range r.Rounds {
		runs = append(runs, r.Rounds[i].Work)
	}
	r.Digest = digestOf(runs)
	r.drift()
	var err error
	r.File, err = saved(o.Out, r.Origin, r)
	return r, err
}

func (r *SoakResult) soak(ctx context.Context, s *stand) error {
	o := &r.Options
	began := time.Now()
	looking, stop := context.WithCancel(ctx)
	looks := make(chan []SoakLook)
	go func() { looks <- r.look(looking, s, began) }()
	defer func() {
		stop()
		r.Looks = <-looks
	}()
	for time.Since(began) < o.For {
		left := o.For - time.Since(began)
		over := min(left, time.Duration(float64(o.Round)/r.Rate*1e9))
		at := floodOptions{clients: s.o.Clients, binds: o.Binds, window: o.Window, load: peer.Load{Count: maxMessages, Rate: r.Rate},
			over: max(over, 100*time.Millisecond)}
		before, err := s.node.Status(ctx)
		if err != nil {
			return err
		}
		if o.Unruly {
			at.calm = r.disturb(ctx, s, rand.New(rand.NewPCG(o.Seed, uint64(len(r.Rounds)))))
		}
		f, problems, err := s.flood(ctx, at)
		if o.Unruly && err == nil {
			after, err := s.node.Status(ctx)
			if err != nil {
				return err
			}
			again := after.Books.Resent - before.Books.Resent
			r.Resent += again
			problems = knownTwice(problems, f.Twice, again)
		}
		r.Rounds, r.Problems = append(r.Rounds, f), append(r.Problems, problems...)
		if err != nil {
			return err
		}
		for _, c := range s.carriers {
			c.Forget()
		}
	}
	a, err := s.node.Audit(ctx)
	if err != nil {
		return err
	}
	r.Audit = a.Lines
	if !a.OK {
		r.Problems = append(r.Problems, "the audit does not prove the books")
	}
	return nil
}

// disturb lets carriers misbehave until what it returns is called.
func (r *SoakResult) disturb(ctx context.Context, s *stand, rnd *rand.Rand) (calm func(ctx context.Context) ([]string, error)) {
	if r.Did == nil {
		r.Did = map[string]int{}
	}
	on, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.misbehave(on, rnd, r.Did)
	}()
	return func(ctx context.Context) ([]string, error) {
		stop()
		<-ended
		dropped, problems, err := s.calm(ctx, calmWait)
		r.Dropped += dropped
		return problems, err
	}
}

// calmWait is how long the last retries may take once carriers keep the rules: a bind that was refused rests for minutes.
const calmWait = 5 * time.Minute

// look reads the process until ctx ends.
func (r *SoakResult) look(ctx context.Context, s *stand, began time.Time) (all []SoakLook) {
	tick := time.NewTicker(r.Options.Every)
	defer tick.Stop()
	cpu, accepted := time.Duration(0), uint64(0)
	for {
		v, err := vitals(s.appliance.pid())
		st, asked := s.node.Status(ctx)
		if err == nil && asked == nil {
			l := SoakLook{Seconds: time.Since(began).Seconds(), RSS: v.RSS, FDs: v.FDs, Goroutines: st.Process.Goroutines, Disk: st.Journal.Disk, InFlight: st.Books.InFlight}
			if n := st.Books.Accepted - accepted; n > 0 {
				l.CPU = float64((v.CPU - cpu).Microseconds()) / float64(n)
			}
			cpu, accepted = v.CPU, st.Books.Accepted
			all = append(all, l)
		}
		select {
		case <-ctx.Done():
			return all
		case <-tick.C:
		}
	}
}

// What a figure may grow from the second quarter to the last before it is called a leak.
const (
	rssMayGrow   = 0.25
	countMayGrow = 0.10
)

// longEnough is how long a soak must last before growing memory is called a leak: until then caches fill.
const longEnough = 20 * time.Minute

// leastLooks are enough to tell quarters apart.
const leastLooks = 16

func (r *SoakResult) drift() {
	if len(r.Looks) < leastLooks {
		return
	}
	n := len(r.Looks) / 4
	quarter := func(of func(*SoakLook) float64, i int) (sum float64) {
		for k := i * n; k < (i+1)*n; k++ {
			sum += of(&r.Looks[k]) / float64(n)
		}
		return sum
	}
	for _, x := range []struct {
		what string
		may  float64 // 0: told only
		of   func(*SoakLook) float64
	}{
		{"resident bytes", rssMayGrow, func(l *SoakLook) float64 { return float64(l.RSS) }},
		{"file descriptors", countMayGrow, func(l *SoakLook) float64 { return float64(l.FDs) }},
		{"goroutines", countMayGrow, func(l *SoakLook) float64 { return float64(l.Goroutines) }},
		{"CPU µs a message", 0, func(l *SoakLook) float64 { return l.CPU }},
		{"bytes on disk", 0, func(l *SoakLook) float64 { return float64(l.Disk) }},
	} {
		d := Drift{What: x.what, Before: quarter(x.of, 1), After: quarter(x.of, 3)}
		if d.Before > 0 {
			d.Grew = 100 * (d.After/d.Before - 1)
		}
		// A few descriptors or goroutines come and go with connections.
		if d.Leak = x.may > 0 && r.Options.For >= longEnough && d.After > d.Before*(1+x.may)+8; d.Leak {
			r.Problems = append(r.Problems, fmt.Sprintf("%s grew by %.0f %%: a leak", x.what, d.Grew))
		}
		r.Drift = append(r.Drift, d)
	}
}

// Wrong implements Suite.
func (r *SoakResult) Wrong() []string { return r.Problems }

// Print writes the table for people.
func (r *SoakResult) Print(w io.Writer) {
	r.Origin.print(w)
	fmt.Fprintf(w, "  %v at %s/s, %d rounds\n", r.Options.For, number(int64(r.Rate)), len(r.Rounds))
	var t table
	t.row("round", "accepted", "/s", "CPU/message", "resp p99", "to carrier p99")
	step := max(1, len(r.Rounds)/10)
	for i := 0; i < len(r.Rounds); i += step {
		f := &r.Rounds[i]
		t.row(number(i+1), number(f.Accepted), number(int64(f.TPS)), fmt.Sprintf("%.2f µs", f.CPU), micros(f.Resp.P99US), micros(f.Arrival.P99US))
	}
	t.print(w)
	if len(r.Drift) > 0 {
		t = table{}
		t.row("drift", "second quarter", "last quarter", "grew")
		for _, d := range r.Drift {
			t.row(d.What, number(int64(d.Before)), number(int64(d.After)), fmt.Sprintf("%+.1f %%", d.Grew))
		}
		t.print(w)
	}
	for _, l := range r.Audit {
		fmt.Fprintln(w, "  audit:", l)
	}
	if r.Options.Unruly {
		fmt.Fprintf(w, "  misbehaviour %v\n  %d sent again out of doubt, %d still in doubt when all was calm, each listed and ended by an order\n", r.Did, r.Resent, r.Dropped)
	}
	var runs []Work
	for i := range r.Rounds {
		runs = append(runs, r.Rounds[i].Work)
	}
	printWork(w, runs, r.Digest)
	PrintProblems(w, r.Problems)
	printFile(w, r.File)
}
