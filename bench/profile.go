package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"smsplane/bench/peer"
	"smsplane/dataplane/admin"
)

// ProfileOptions are those of a profiled run over the whole path.
type ProfileOptions struct {
	Stand  StandOptions
	For    time.Duration // each kind
	Kinds  []string      // of admin.Profiles; nil: cpu, allocs, mutex, block
	Rate   float64       // messages a second; 0: as fast as the windows allow
	Binds  int
	Window int
	Dir    string // to write to
	Out    io.Writer
}

func (o *ProfileOptions) fill() {
	if o.Kinds == nil {
		o.Kinds = []string{"cpu", "allocs", "mutex", "block"}
	}
	if o.For == 0 {
		o.For = 10 * time.Second
	}
	if o.Binds == 0 {
		o.Binds = 20
	}
	if o.Window == 0 {
		o.Window = 500
	}
}

// Profile loads an appliance of its own, takes one kind of profile after the other from its admin address, writes them to
// Dir and prints the top of each as `go tool pprof` tells it.
func Profile(ctx context.Context, o ProfileOptions) error {
	o.fill()
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return err
	}
	return onStand(ctx, o.Stand, func(s *stand) error {
		load, err := s.offer(ctx, 0, o.Binds, o.Window, peer.Load{Count: maxMessages, Rate: o.Rate})
		if err != nil {
			return err
		}
		var files []string
		for _, kind := range o.Kinds {
			file, err := s.profile(ctx, &o, kind)
			if err != nil {
				return err
			}
			files = append(files, file)
		}
		load.stop()
		if err := load.wait(ctx); err != nil {
			return err
		}
		_, problems, err := s.account(ctx, time.Minute, 0, load)
		if err != nil {
			return err
		}
		for i, file := range files {
			fmt.Fprintf(o.Out, "\n%s   %s\n", o.Kinds[i], file)
			top(ctx, &o, file)
		}
		PrintProblems(o.Out, problems)
		return nil
	})
}

func (s *stand) profile(ctx context.Context, o *ProfileOptions, kind string) (file string, err error) {
	file = filepath.Join(o.Dir, kind+".pprof")
	f, err := os.Create(file)
	if err != nil {
		return file, err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	c, err := admin.Dial(ctx, s.admin)
	if err != nil {
		return file, err
	}
	return file, c.Profile(ctx, kind, o.For, f)
}

// top needs the Go toolchain; without it the files are there all the same.
func top(ctx context.Context, o *ProfileOptions, file string) {
	cmd := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", "-nodecount", "25", filepath.Join(o.Stand.Bin, "smsplane"), file)
	cmd.Stdout, cmd.Stderr = o.Out, io.Discard
	if err := cmd.Run(); err != nil {
		fmt.Fprintf(o.Out, "  look at it with: go tool pprof -top %s\n", file)
	}
}
