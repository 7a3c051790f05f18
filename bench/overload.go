package bench

import (
	"context"
	"fmt"
	"io"
	"time"

	"smsplane/bench/peer"
)

// OverloadOptions are those of the overload suite.
type OverloadOptions struct {
	Stand   StandOptions  `json:"stand"`
	Maximum float64       `json:"maximum_tps"` // 0: found by a flood of a third of the time first
	Times   float64       `json:"times"`       // of the maximum that is offered
	For     time.Duration `json:"for_ns"`
	Slice   time.Duration `json:"slice_ns"`
	Binds   int           `json:"binds"`
	Window  int           `json:"window"`
	Out     string        `json:"-"`
}

func (o *OverloadOptions) fill() {
	if o.Times == 0 {
		o.Times = 2
	}
	if o.For == 0 {
		o.For = time.Minute
	}
	if o.Slice == 0 {
		o.Slice = o.For / 12
	}
	if o.Binds == 0 {
		o.Binds = 20
	}
	if o.Window == 0 {
		o.Window = 5000
	}
}

// OverloadSlice is a stretch of the run.
type OverloadSlice struct {
	Seconds   float64 `json:"s"` // its end, since the beginning
	Offered   float64 `json:"offered_tps"`
	Accepted  float64 `json:"accepted_tps"`
	Throttled float64 `json:"throttled_tps"`
	P50       float64 `json:"p50_us"` // submit_sm written to its answer, of what was accepted
	P99       float64 `json:"p99_us"`
	Cores     float64 `json:"cores_used"`       // by the appliance
	Peers     float64 `json:"cores_used_peers"` // by client and carriers
}

// OverloadResult is what became of accepted throughput and of its latency.
type OverloadResult struct {
	Origin
	Options  OverloadOptions `json:"options"`
	Maximum  float64         `json:"maximum_tps"`
	Slices   []OverloadSlice `json:"slices"`
	Flood    *Flood          `json:"maximum,omitempty"` // the run that found it
	Kept     float64         `json:"kept"`              // accepted over the maximum
	Growth   float64         `json:"p99_growth"`        // of the last third's median p99 over the first third's
	Runs     []Work          `json:"runs"`
	Digest   string          `json:"digest"`
	Problems []string        `json:"problems"`
	File     string          `json:"-"`
	Picture  string          `json:"-"`
}

// Overload offers more than the appliance can take, by a clock that waits for nobody as far as windows allow, and watches
// what it accepts and how long that takes. What is throttled comes again and counts as offered.
func Overload(ctx context.Context, o OverloadOptions) (*OverloadResult, error) {
	o.fill()
	r := &OverloadResult{Origin: newOrigin("overload"), Options: o, Maximum: o.Maximum, Problems: []string{}}
	if r.Maximum == 0 {
		f, problems, err := floodAlone(ctx, o.Stand, floodOptions{binds: o.Binds, window: 500, load: peer.Load{Count: maxMessages}, over: o.For / 3})
		if err != nil {
			return nil, err
		}
		r.Maximum, r.Flood, r.Runs, r.Problems = f.Through, &f, append(r.Runs, f.Work), append(r.Problems, problems...)
	}
	err := onStand(ctx, o.Stand, func(s *stand) error { return r.offered(ctx, s) })
	if err != nil {
		return nil, err
	}
	r.judge()
	r.Digest = digestOf(r.Runs)
	r.File, r.Picture, err = savedWithPicture(o.Out, r.Origin, r, r.draw)
	return r, err
}

func (r *OverloadResult) offered(ctx context.Context, s *stand) error {
	o := &r.Options
	load, err := s.offer(ctx, 0, o.Binds, o.Window, peer.Load{Count: maxMessages, Rate: o.Times * r.Maximum, Firm: true, Duration: o.For})
	if err != nil {
		return err
	}
	load.ended = true
	began := time.Now()
	tick := time.NewTicker(o.Slice)
	defer tick.Stop()
	before, at, taken := peer.Report{}, began, peer.Histogram{}
	used, err := s.used()
	if err != nil {
		return err
	}
	for time.Since(began)+o.Slice/2 < o.For {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		now, rep, h := time.Now(), load.client.Report(), load.client.Taken()
		d, secs := h.Since(&taken), now.Sub(at).Seconds()
		u, err := s.used()
		if err != nil {
			return err
		}
		r.Slices = append(r.Slices, OverloadSlice{Seconds: now.Sub(began).Seconds(), Offered: float64(rep.Sent-before.Sent) / secs, Accepted: float64(rep.Accepted-before.Accepted) / secs,
			Throttled: float64(rep.Throttled-before.Throttled) / secs, P50: d.Latency().P50US, P99: d.Latency().P99US,
			Cores: (u.appliance - used.appliance).Seconds() / secs, Peers: (u.peers - used.peers).Seconds() / secs})
		before, at, taken, used = rep, now, h, u
	}
	if err := load.wait(ctx); err != nil {
		return err
	}
	w, problems, err := s.account(ctx, 2*time.Minute, 0, load)
	r.Runs, r.Problems = append(r.Runs, w), append(r.Problems, problems...)
	return err
}

// judge sums the slices up; the first third fills queues and caches and does not count for what is kept.
func (r *OverloadResult) judge() {
	third := len(r.Slices) / 3
	if third == 0 {
		return
	}
	var first, last []float64
	sum := 0.0
	for i := range r.Slices {
		s := &r.Slices[i]
		if i < third {
			first = append(first, s.P99)
			continue
		}
		sum += s.Accepted
		if i >= len(r.Slices)-third {
			last = append(last, s.P99)
		}
	}
	r.Kept = sum / float64(len(r.Slices)-third) / r.Maximum
	r.Growth = median(last) / max(1, median(first))
}

// draw makes the curves over time.
func (r *OverloadResult) draw() []byte {
	c := chart{title: fmt.Sprintf("%g times the maximum offered, %s", r.Options.Times, r.Commit), x: "s", y: "messages/s, µs"}
	add := func(name string, of func(*OverloadSlice) float64) {
		l := line{name: name}
		for i := range r.Slices {
			l.points = append(l.points, point{r.Slices[i].Seconds, of(&r.Slices[i])})
		}
		c.lines = append(c.lines, l)
	}
	add("offered/s", func(s *OverloadSlice) float64 { return s.Offered })
	add("accepted/s", func(s *OverloadSlice) float64 { return s.Accepted })
	add("accepted p50, µs", func(s *OverloadSlice) float64 { return s.P50 })
	add("accepted p99, µs", func(s *OverloadSlice) float64 { return s.P99 })
	return c.svg()
}

// Wrong implements Suite.
func (r *OverloadResult) Wrong() []string { return r.Problems }

// Print writes the table for people.
func (r *OverloadResult) Print(w io.Writer) {
	r.Origin.print(w)
	fmt.Fprintf(w, "  maximum %s/s, %g times that offered for %v\n", number(int64(r.Maximum)), r.Options.Times, r.Options.For)
	if f := r.Flood; f != nil {
		fmt.Fprintf(w, "  at the maximum the appliance used %.2f cores, client and carriers %.2f\n", f.Cores, f.Peers)
	}
	var t table
	t.row("until s", "offered/s", "accepted/s", "throttled/s", "p50 of accepted", "p99 of accepted", "cores", "of peers")
	for i := range r.Slices {
		s := &r.Slices[i]
		t.row(fmt.Sprintf("%.0f", s.Seconds), number(int64(s.Offered)), number(int64(s.Accepted)), number(int64(s.Throttled)), micros(s.P50), micros(s.P99),
			fmt.Sprintf("%.2f", s.Cores), fmt.Sprintf("%.2f", s.Peers))
	}
	t.print(w)
	fmt.Fprintf(w, "  accepted %.3f of the maximum after the first third; p99 of the last third %.2f times that of the first\n", r.Kept, r.Growth)
	printWork(w, r.Runs, r.Digest)
	PrintProblems(w, r.Problems)
	printFile(w, r.File)
}
