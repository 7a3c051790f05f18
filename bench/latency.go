package bench

import (
	"context"
	"fmt"
	"io"
	"time"

	"smsplane/bench/peer"
)

// LatencyOptions are those of the latency suite.
type LatencyOptions struct {
	Stand   StandOptions  `json:"stand"`
	Maximum float64       `json:"maximum_tps"` // 0: found by a flood first
	Shares  []float64     `json:"shares"`      // of the maximum, each a step; nil: 1, 10, 50 and 80 %
	Rates   []float64     `json:"rates_tps"`   // steps besides
	For     time.Duration `json:"for_ns"`      // each step
	Binds   int           `json:"binds"`
	Window  int           `json:"window"`
	Out     string        `json:"-"`
}

func (o *LatencyOptions) fill() {
	if o.Shares == nil {
		o.Shares = []float64{0.01, 0.1, 0.5, 0.8}
	}
	if o.For == 0 {
		o.For = 20 * time.Second
	}
	if o.Binds == 0 {
		o.Binds = 20
	}
	if o.Window == 0 {
		o.Window = 500
	}
}

// LatencyStep is one load.
type LatencyStep struct {
	Share  float64        `json:"share,omitempty"` // of the maximum; 0 when a rate was named
	Rate   float64        `json:"rate_tps"`
	Flood  Flood          `json:"run"`
	Layers []LayerLatency `json:"layers"`
}

// LayerLatency is what the appliance says a message spent in a layer.
type LayerLatency struct {
	Layer string  `json:"layer"`
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
}

// LatencyResult is a curve of latency over load.
type LatencyResult struct {
	Origin
	Options  LatencyOptions `json:"options"`
	Maximum  float64        `json:"maximum_tps"`
	Steps    []LatencyStep  `json:"steps"`
	Digest   string         `json:"digest"`
	Problems []string       `json:"problems"`
	File     string         `json:"-"`
	Picture  string         `json:"-"`
}

// Latency measures an open loop: each message is due at its time whether or not the appliance keeps up, and its latency
// counts from then. Every step has an appliance of its own, so that what its layers say is of this step alone.
func Latency(ctx context.Context, o LatencyOptions) (*LatencyResult, error) {
	o.fill()
	r := &LatencyResult{Origin: newOrigin("latency"), Options: o, Maximum: o.Maximum, Problems: []string{}}
	var runs []Work
	if r.Maximum == 0 {
		f, _, err := r.step(ctx, peer.Load{Count: maxMessages})
		if err != nil {
			return nil, err
		}
		runs, r.Maximum = append(runs, f.Work), f.Through
	}
	var steps []LatencyStep
	for _, share := range o.Shares {
		steps = append(steps, LatencyStep{Share: share, Rate: share * r.Maximum})
	}
	for _, rate := range o.Rates {
		steps = append(steps, LatencyStep{Rate: rate})
	}
	for _, step := range steps {
		var err error
		step.Flood, step.Layers, err = r.step(ctx, peer.Load{Count: maxMessages, Rate: step.Rate})
		if err != nil {
			return nil, err
		}
		r.Steps, runs = append(r.Steps, step), append(runs, step.Flood.Work)
	}
	r.Digest = digestOf(runs)
	var err error
	r.File, r.Picture, err = savedWithPicture(o.Out, r.Origin, r, r.draw)
	return r, err
}

func (r *LatencyResult) step(ctx context.Context, l peer.Load) (f Flood, layers []LayerLatency, err error) {
	o := &r.Options
	err = onStand(ctx, o.Stand, func(s *stand) error {
		var problems []string
		var err error
		f, problems, err = s.flood(ctx, floodOptions{clients: s.o.Clients, binds: o.Binds, window: o.Window, load: l, over: o.For})
		r.Problems = append(r.Problems, problems...)
		if err != nil {
			return err
		}
		st, err := s.node.Status(ctx)
		for _, x := range st.Layers {
			if x.Name != "security" {
				layers = append(layers, LayerLatency{x.Name, x.P50, x.P99})
			}
		}
		return err
	})
	return f, layers, err
}

// draw makes the curves of both ways over the load.
func (r *LatencyResult) draw() []byte {
	c := chart{title: "latency over load, " + r.Commit, x: "messages/s", y: "µs"}
	add := func(name string, of func(*LatencyStep) float64) {
		l := line{name: name}
		for i := range r.Steps {
			l.points = append(l.points, point{r.Steps[i].Rate, of(&r.Steps[i])})
		}
		c.lines = append(c.lines, l)
	}
	add("submit to resp p50", func(s *LatencyStep) float64 { return s.Flood.Resp.P50US })
	add("submit to resp p99", func(s *LatencyStep) float64 { return s.Flood.Resp.P99US })
	add("submit to resp p99.9", func(s *LatencyStep) float64 { return s.Flood.Resp.P999US })
	add("submit to carrier p50", func(s *LatencyStep) float64 { return s.Flood.Arrival.P50US })
	add("submit to carrier p99", func(s *LatencyStep) float64 { return s.Flood.Arrival.P99US })
	add("submit to carrier p99.9", func(s *LatencyStep) float64 { return s.Flood.Arrival.P999US })
	return c.svg()
}

// Wrong implements Suite.
func (r *LatencyResult) Wrong() []string { return r.Problems }

// Print writes the table for people.
func (r *LatencyResult) Print(w io.Writer) {
	r.Origin.print(w)
	fmt.Fprintf(w, "  maximum %s/s; %v a step, open loop, from when each message was due\n", number(int64(r.Maximum)), r.Options.For)
	var t table
	t.row("load", "messages/s", "", "p50", "p99", "p99.9", "max", "CPU")
	for i := range r.Steps {
		s := &r.Steps[i]
		name := "at a rate"
		if s.Share > 0 {
			name = fmt.Sprintf("%g %% of maximum", 100*s.Share)
		}
		one := func(name, rate, what string, l peer.Latency, cpu string) {
			t.row(name, rate, what, micros(l.P50US), micros(l.P99US), micros(l.P999US), micros(l.MaxUS), cpu)
		}
		one(name, number(int64(s.Rate)), "submit to resp", s.Flood.Resp, fmt.Sprintf("%.0f %% of a core", 100*s.Flood.Cores))
		one("", "", "submit to carrier", s.Flood.Arrival, "")
	}
	t.print(w)
	t = table{}
	t.row("layer, p50 / p99")
	for i := range r.Steps {
		t.rows[0] = append(t.rows[0], number(int64(r.Steps[i].Rate))+"/s")
	}
	for i := range r.Steps[0].Layers {
		row := []string{r.Steps[0].Layers[i].Layer}
		for k := range r.Steps {
			cell := "-"
			if i < len(r.Steps[k].Layers) {
				l := &r.Steps[k].Layers[i]
				cell = micros(1e3*l.P50) + " / " + micros(1e3*l.P99)
			}
			row = append(row, cell)
		}
		t.row(row...)
	}
	t.print(w)
	fmt.Fprintf(w, "  digest %s\n", r.Digest)
	PrintProblems(w, r.Problems)
	printFile(w, r.File)
}
