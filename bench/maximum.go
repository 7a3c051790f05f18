package bench

import (
	"context"
	"fmt"
	"io"
	"time"

	"smsplane/bench/peer"
)

// MaximumOptions are those of the unrated run.
type MaximumOptions struct {
	Stand    StandOptions  `json:"stand"`
	Messages int64         `json:"messages"` // that wait before each layer in turn; what a layer may have in hand is bounded, so not beyond 131,072
	For      time.Duration `json:"for_ns"`   // the whole path is loaded
	Binds    int           `json:"binds"`
	Window   int           `json:"window"` // of each bind
	Out      string        `json:"-"`
}

func (o *MaximumOptions) fill() {
	if o.Messages == 0 {
		o.Messages = 100_000
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

// MaximumRow is a layer with everything behind it paused.
type MaximumRow struct {
	Layer    string  `json:"layer"`
	TPS      float64 `json:"tps"`
	Multiple float64 `json:"multiple_of_reference"`
}

// MaximumResult is what each layer can do alone, and all of them together.
type MaximumResult struct {
	Origin
	Options  MaximumOptions `json:"options"`
	Rows     []MaximumRow   `json:"rows"`
	Whole    Flood          `json:"whole"`
	Digest   string         `json:"digest"`
	Problems []string       `json:"problems"`
	File     string         `json:"-"`
}

// Maximum finds how much each layer does with no rating: entry and journal with routing paused, then each layer on what
// waits before it with the next one paused, then the whole path at once. Client and carriers share the machine, and are
// part of the figure of entry, delivery and the whole.
func Maximum(ctx context.Context, o MaximumOptions) (*MaximumResult, error) {
	o.fill()
	r := &MaximumResult{Origin: newOrigin("maximum"), Options: o, Problems: []string{}}
	var staged Work
	err := onStand(ctx, o.Stand, func(s *stand) (err error) {
		staged, err = r.stages(ctx, s)
		return err
	})
	if err != nil {
		return nil, err
	}
	f, problems, err := floodAlone(ctx, o.Stand, floodOptions{clients: o.Stand.Clients, binds: o.Binds, window: o.Window, load: peer.Load{Count: maxMessages}, over: o.For})
	if err != nil {
		return nil, err
	}
	r.Whole, r.Problems = f, append(r.Problems, problems...)
	r.Rows = append(r.Rows, MaximumRow{"whole path", f.Through, f.Through / routedTPS})
	r.Digest = digestOf([]Work{staged, r.Whole.Work})
	r.File, err = saved(o.Out, r.Origin, r)
	return r, err
}

// maxMessages of one run: what peers can count.
const maxMessages = 1 << 26

func (r *MaximumResult) stages(ctx context.Context, s *stand) (Work, error) {
	o := &r.Options
	set := func(action string, layers ...string) error {
		for _, l := range layers {
			if err := s.node.Layer(ctx, l, action); err != nil {
				return fmt.Errorf("%s %s: %w", action, l, err)
			}
		}
		return nil
	}
	if err := set("pause", "router", "verifier", "egress"); err != nil {
		return Work{}, err
	}
	before, err := s.look(ctx)
	if err != nil {
		return Work{}, err
	}
	load, err := s.offer(ctx, 0, o.Binds, o.Window, peer.Load{Count: o.Messages})
	if err != nil {
		return Work{}, err
	}
	if err := load.wait(ctx); err != nil {
		return Work{}, err
	}
	rep := load.client.Report()
	r.Rows = append(r.Rows, MaximumRow{"entry and journal", rep.TPS, rep.TPS / offeredTPS})
	for _, l := range []struct {
		name   string
		rating float64
	}{{"router", routedTPS}, {"verifier", routedTPS}, {"egress", sentTPS}} {
		began := time.Now()
		if err := set("resume", l.name); err != nil {
			return Work{}, err
		}
		from := before.messages[l.name]
		tps, err := s.until(ctx, l.name, from, from+uint64(rep.Accepted), began)
		if err != nil {
			return Work{}, err
		}
		r.Rows = append(r.Rows, MaximumRow{l.name, tps, tps / l.rating})
	}
	w, problems, err := s.account(ctx, 2*time.Minute, 0, load)
	r.Problems = append(r.Problems, problems...)
	return w, err
}

// until waits for a layer's count and returns how fast it came there since began.
func (s *stand) until(ctx context.Context, layer string, from, want uint64, began time.Time) (float64, error) {
	for moved, last := time.Now(), from; ; {
		v, err := s.look(ctx)
		if err != nil {
			return 0, err
		}
		n := v.messages[layer]
		switch {
		case n >= want:
			return float64(want-from) / v.told.Sub(began).Seconds(), nil
		case n > last:
			moved, last = v.told, n
		case v.told.Sub(moved) > 30*time.Second:
			return 0, fmt.Errorf("%s stands at %d of %d messages", layer, n-from, want-from)
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Wrong implements Suite.
func (r *MaximumResult) Wrong() []string { return r.Problems }

// Print writes the table for people.
func (r *MaximumResult) Print(w io.Writer) {
	r.Origin.print(w)
	var t table
	t.row("no rating", "messages/s", "× reference")
	for _, x := range r.Rows {
		t.row(x.Layer, number(int64(x.TPS)), fmt.Sprintf("%.1f", x.Multiple))
	}
	t.print(w)
	r.Whole.print(w)
	printWork(w, []Work{r.Whole.Work}, r.Digest)
	PrintProblems(w, r.Problems)
	printFile(w, r.File)
}

func (f *Flood) print(w io.Writer) {
	fmt.Fprintf(w, "  whole path: accepted %s/s, ended %s/s, %.2f µs of the appliance's CPU a message on %.2f cores; %.0f octets journaled and %.3f objects allocated a message, %.0f messages a sync\n",
		number(int64(f.TPS)), number(int64(f.Through)), f.CPU, f.Cores, f.Journal, f.Allocs, f.PerSync)
}
