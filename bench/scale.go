package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"smsplane/bench/peer"
)

// ScaleOptions are those of the scale suite: one dimension grows at a time, the others stay at their least.
type ScaleOptions struct {
	Stand    StandOptions `json:"stand"`
	Messages int64        `json:"messages"` // each step
	Flight   int          `json:"flight"`   // unanswered over all binds together
	Binds    []int        `json:"binds"`    // steps; nil: none
	Carriers []int        `json:"carriers"`
	Routes   []int        `json:"routes"`
	Depths   []int        `json:"depths"` // messages of another carrier that wait meanwhile
	Lanes    []int        `json:"lanes"`
	Cores    []int        `json:"cores"` // how many the appliance may use; 1 to all
	Out      string       `json:"-"`
}

// ScaleDefaults are steps that take some minutes in all.
func ScaleDefaults() ScaleOptions {
	return ScaleOptions{Messages: 200_000, Flight: 5000,
		Binds: []int{1, 20, 500, 5000}, Carriers: []int{1, 20, 500}, Routes: []int{1, 1000, 100_000, 1_000_000},
		Depths: []int{0, 10_000, 100_000, 1_000_000}, Lanes: []int{1, 8, 64}, Cores: []int{1, 2}}
}

func (o *ScaleOptions) fill() {
	if o.Messages == 0 {
		o.Messages = 200_000
	}
	if o.Flight == 0 {
		o.Flight = 5000
	}
}

// ScaleStep is one size.
type ScaleStep struct {
	Dimension string  `json:"dimension"`
	Size      int     `json:"size"`
	Start     float64 `json:"start_s"` // until the appliance is ready and bound
	Memory    int64   `json:"rss_bytes"`
	Flood     Flood   `json:"run"`
}

// ScaleResult is cost per message as things grow.
type ScaleResult struct {
	Origin
	Options  ScaleOptions `json:"options"`
	Steps    []ScaleStep  `json:"steps"`
	Digest   string       `json:"digest"`
	Problems []string     `json:"problems"`
	File     string       `json:"-"`
	Picture  string       `json:"-"`
}

// Scale measures the appliance's CPU per message as one thing after another grows.
func Scale(ctx context.Context, o ScaleOptions) (*ScaleResult, error) {
	o.fill()
	r := &ScaleResult{Origin: newOrigin("scale"), Options: o, Problems: []string{}}
	for _, d := range []struct {
		name  string
		sizes []int
		set   func(at *StandOptions, binds, depth *int, n int)
	}{
		{"binds", o.Binds, func(at *StandOptions, binds, _ *int, n int) { *binds, at.Clients = n, 1+(n-1)/maxBindsEach }},
		{"carriers", o.Carriers, func(at *StandOptions, _, _ *int, n int) { at.Carriers, at.Sessions, at.Window = n, 1, max(10, 2000/n) }},
		{"routes", o.Routes, func(at *StandOptions, _, _ *int, n int) { at.Routes = n - 1 }},
		{"queue depth", o.Depths, func(at *StandOptions, _, depth *int, n int) { *depth, at.Parked, at.Clients = n, true, 2 }},
		{"lanes", o.Lanes, func(at *StandOptions, _, _ *int, n int) { at.Lanes, at.Clients = n, min(n, 20) }},
		{"cores", o.Cores, func(at *StandOptions, _, _ *int, n int) { at.Cores = firstCores(n) }},
	} {
		for _, n := range d.sizes {
			at, binds, depth := o.Stand, 20, 0
			at.Routes, at.Carriers = 0, 1
			d.set(&at, &binds, &depth, n)
			step, err := r.step(ctx, at, binds, depth)
			if err != nil {
				return nil, fmt.Errorf("%s %d: %w", d.name, n, err)
			}
			step.Dimension, step.Size = d.name, n
			r.Steps = append(r.Steps, step)
		}
	}
	if len(r.Steps) == 0 {
		return nil, errors.New("no step was asked for")
	}
	var runs []Work
	for i := range r.Steps {
		runs = append(runs, r.Steps[i].Flood.Work)
	}
	r.Digest = digestOf(runs)
	var err error
	r.File, r.Picture, err = savedWithPicture(o.Out, r.Origin, r, r.draw)
	return r, err
}

// maxBindsEach is how many binds one simulated client holds.
const maxBindsEach = 1000

func firstCores(n int) (cores []int) {
	for i := range n {
		cores = append(cores, i)
	}
	return cores
}

func (r *ScaleResult) step(ctx context.Context, at StandOptions, binds, depth int) (step ScaleStep, err error) {
	began := time.Now()
	err = onStand(ctx, at, func(s *stand) error {
		step.Start = time.Since(began).Seconds()
		o := floodOptions{clients: at.Clients, binds: binds, window: max(1, min(1000, r.Options.Flight/binds)), load: peer.Load{Count: r.Options.Messages}}
		if at.Parked {
			o.clients = 1
		}
		if depth > 0 {
			if err := s.park(ctx, depth); err != nil {
				return err
			}
			o.base = uint64(depth)
		}
		var problems []string
		var err error
		if step.Flood, problems, err = s.flood(ctx, o); err != nil {
			return err
		}
		r.Problems = append(r.Problems, problems...)
		v, err := vitals(s.appliance.pid())
		step.Memory = v.RSS
		return err
	})
	return step, err
}

// park lets the second client fill the queue of the carrier that is never there.
func (s *stand) park(ctx context.Context, depth int) error {
	load, err := s.offer(ctx, 1, 4, 1000, peer.Load{Count: int64(depth), To: parkedPrefix + "10"})
	if err != nil {
		return err
	}
	defer s.leave(load.client)
	if err := load.wait(ctx); err != nil {
		return err
	}
	return s.await(ctx, 2*time.Minute, "the parked messages to be verified", func(ctx context.Context) (bool, error) {
		v, err := s.look(ctx)
		if err != nil {
			return false, err
		}
		n := v.messages["verifier"]
		return n >= uint64(depth), fmt.Errorf("%d of %d are", n, depth)
	})
}

func (r *ScaleResult) draw() []byte {
	c := chart{title: "CPU of the appliance per message, " + r.Commit, x: "size", y: "µs"}
	for i := range r.Steps {
		s := &r.Steps[i]
		if n := len(c.lines); n == 0 || c.lines[n-1].name != s.Dimension {
			c.lines = append(c.lines, line{name: s.Dimension})
		}
		l := &c.lines[len(c.lines)-1]
		l.points = append(l.points, point{float64(max(1, s.Size)), s.Flood.CPU})
	}
	return c.svg()
}

// Wrong implements Suite.
func (r *ScaleResult) Wrong() []string { return r.Problems }

// Print writes the table for people.
func (r *ScaleResult) Print(w io.Writer) {
	r.Origin.print(w)
	fmt.Fprintf(w, "  %s messages a step, %s unanswered over all binds together\n", number(r.Options.Messages), number(r.Options.Flight))
	var t table
	t.row("", "size", "CPU/message", "ended/s", "resp p50", "resident", "ready in")
	for i := range r.Steps {
		s := &r.Steps[i]
		t.row(s.Dimension, number(s.Size), fmt.Sprintf("%.2f µs", s.Flood.CPU), number(int64(s.Flood.Through)), micros(s.Flood.Resp.P50US),
			fmt.Sprintf("%d MiB", s.Memory>>20), fmt.Sprintf("%.1f s", s.Start))
	}
	t.print(w)
	fmt.Fprintf(w, "  digest %s\n", r.Digest)
	PrintProblems(w, r.Problems)
	printFile(w, r.File)
}
