package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"smsplane/bench"
)

// standFlags are how a suite's own appliance is started.
func standFlags(f *pflag.FlagSet, o *bench.StandOptions) {
	f.StringVar(&o.Bin, "bin", "", "folder of smsplane; empty = where this program is")
	f.StringVar(&o.Dir, "dir", "", "folder for the appliance's store while it runs; empty = the system's for temporary files")
	f.BoolVar(&o.Receipts, "receipts", true, "carriers send receipts, clients ask for them")
	f.BoolVar(&o.Memory, "memory", false, "the store lies in memory (tmpfs)")
	f.IntVar(&o.Lanes, "lanes", 0, "lanes of the store; 0 = default")
	f.IntVar(&o.Clients, "clients", 1, "accounts")
	f.IntVar(&o.Carriers, "carriers", 1, "carriers in the route of every message")
	f.IntVar(&o.Sessions, "sessions", 2, "sessions with each carrier")
	f.IntVar(&o.Window, "carrier-window", 1000, "of each such session")
	f.IntSliceVar(&o.Cores, "cores", nil, "the appliance may use only these, such as 0 or 0,1; empty = all")
}

// loadFlags are how a suite's client binds.
func loadFlags(f *pflag.FlagSet, binds, window *int) {
	f.IntVar(binds, "conns", 20, "binds over all clients")
	f.IntVar(window, "window", 500, "unanswered submit_sm of each bind")
}

func outFlag(f *pflag.FlagSet, out *string) {
	f.StringVar(out, "out", "", "folder to write the result to, with commit, machine and options")
}

// find fills in the folder of the programs.
func (c *cli) find(o *bench.StandOptions) error {
	if o.Bin == "" {
		own, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find smsplane beside this program: %w", err)
		}
		o.Bin = filepath.Dir(own)
	}
	if _, err := os.Stat(filepath.Join(o.Bin, "smsplane")); err != nil {
		return fmt.Errorf("no smsplane beside this program (make build puts it there): %w", err)
	}
	return nil
}

// show prints a result and turns what it found into the exit code.
func (c *cli) show(r bench.Suite) error {
	if c.json {
		if err := printJSON(c.out, r); err != nil {
			return err
		}
	} else {
		r.Print(c.out)
	}
	if len(r.Wrong()) > 0 {
		return errFinding
	}
	return nil
}

// suite makes the command of a suite.
func (c *cli) suite(name, short, long string, at *bench.StandOptions, flags func(f *pflag.FlagSet), run func(ctx context.Context) (bench.Suite, error)) *cobra.Command {
	cmd := &cobra.Command{Use: name, Short: short, Long: long, Args: cobra.NoArgs, RunE: c.does(func(ctx context.Context) error {
		if err := c.find(at); err != nil {
			return err
		}
		r, err := run(ctx)
		if err != nil {
			return err
		}
		return c.show(r)
	})}
	standFlags(cmd.Flags(), at)
	flags(cmd.Flags())
	return c.withJSON(cmd)
}

func (c *cli) capacityCommand() *cobra.Command {
	o, m := bench.CapacityOptions{}, bench.MaximumOptions{}
	var quick, unrated bool
	return c.suite("capacity", "Hold the rated reference topology to its ratings, layer by layer; or find what each layer can do",
		"capacity starts an appliance with the reference's workers and ratings and goes through: 2,500/s accepted while routing\n"+
			"takes 2,000; links down, then up with 100,000 verified messages waiting; twice the rating offered. A row passes when\n"+
			"its mean is within -2 % and +1 % of the rating and no second passes rating and burst. With --unrated nothing is rated,\n"+
			"and each layer in turn, then the whole path, does as much as it can.",
		&o.Stand, func(f *pflag.FlagSet) {
			f.BoolVar(&quick, "quick", false, "a tenth of the ratings for a few seconds")
			f.BoolVar(&unrated, "unrated", false, "no ratings: the maximum of each layer and of the whole")
			f.Float64Var(&o.Scale, "scale", 0, "of all ratings; 0 = 1, the reference")
			f.DurationVar(&o.Hold, "hold", 0, "each stretch; 0 = 30 s")
			f.IntVar(&o.Backlog, "backlog", 0, "verified messages before links come up; 0 = 100,000")
			loadFlags(f, &o.Binds, &m.Window)
			f.Int64Var(&m.Messages, "count", 100_000, "with --unrated: messages before each layer")
			f.DurationVar(&m.For, "for", 20*time.Second, "with --unrated: the whole path")
			outFlag(f, &o.Out)
		}, func(ctx context.Context) (bench.Suite, error) {
			if unrated {
				m.Stand, m.Binds, m.Out = o.Stand, o.Binds, o.Out
				return as(bench.Maximum(ctx, m))
			}
			if quick {
				q := bench.QuickCapacity()
				q.Stand, q.Binds, q.Out = o.Stand, o.Binds, o.Out
				o = q
			}
			return as(bench.Capacity(ctx, o))
		})
}

// as keeps a nil result from becoming an interface that is not nil.
func as[T bench.Suite](r T, err error) (bench.Suite, error) {
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (c *cli) ceilingCommand() *cobra.Command {
	var o bench.CeilingOptions
	return c.suite("ceiling", "The product beside what bounds it: a bare responder, its own path in memory, raw append + fdatasync",
		"ceiling lets contestants take turns in one run and prints the product as a ratio to each.",
		&o.Stand, func(f *pflag.FlagSet) {
			f.IntVar(&o.Rounds, "rounds", 5, "turns of each; medians count")
			f.DurationVar(&o.For, "for", 5*time.Second, "each turn")
			loadFlags(f, &o.Binds, &o.Window)
			outFlag(f, &o.Out)
		}, func(ctx context.Context) (bench.Suite, error) { return as(bench.Ceiling(ctx, o)) })
}

func (c *cli) latencyCommand() *cobra.Command {
	var o bench.LatencyOptions
	return c.suite("latency", "Latency over load, open loop, split by layer, with a picture",
		"latency finds the maximum with a flood, then sends at shares of it. Each message is due at its time whether or not the\n"+
			"appliance keeps up, and its latency counts from then (coordinated omission).",
		&o.Stand, func(f *pflag.FlagSet) {
			f.Float64Var(&o.Maximum, "maximum", 0, "messages per second; 0 = find it")
			f.Float64SliceVar(&o.Shares, "shares", []float64{0.01, 0.1, 0.5, 0.8}, "of the maximum")
			f.Float64SliceVar(&o.Rates, "rates", []float64{2500}, "messages per second, besides")
			f.DurationVar(&o.For, "for", 20*time.Second, "each step")
			loadFlags(f, &o.Binds, &o.Window)
			outFlag(f, &o.Out)
		}, func(ctx context.Context) (bench.Suite, error) { return as(bench.Latency(ctx, o)) })
}

func (c *cli) overloadCommand() *cobra.Command {
	var o bench.OverloadOptions
	return c.suite("overload", "More than the maximum for a while: what is accepted, and how long that takes, slice by slice",
		"overload finds the maximum with a flood, then offers a multiple of it; what is throttled comes again and counts as offered.",
		&o.Stand, func(f *pflag.FlagSet) {
			f.Float64Var(&o.Maximum, "maximum", 0, "messages per second; 0 = find it")
			f.Float64Var(&o.Times, "times", 2, "the maximum is offered")
			f.DurationVar(&o.For, "for", time.Minute, "all of it")
			f.DurationVar(&o.Slice, "slice", 0, "a row of the table; 0 = a twelfth")
			f.IntVar(&o.Binds, "conns", 20, "binds")
			f.IntVar(&o.Window, "window", 5000, "unanswered submit_sm of each bind: full windows offer less than was asked for")
			outFlag(f, &o.Out)
		}, func(ctx context.Context) (bench.Suite, error) { return as(bench.Overload(ctx, o)) })
}

func (c *cli) soakCommand() *cobra.Command {
	var o bench.SoakOptions
	return c.suite("soak", "Hours at a share of the maximum: leaks, drift, loss, duplicates, the ledger's sum",
		"soak sends in rounds; each must settle with every message accounted for. At the end the books are audited.",
		&o.Stand, func(f *pflag.FlagSet) {
			f.DurationVar(&o.For, "for", time.Hour, "all rounds together")
			f.Float64Var(&o.Share, "share", 0.5, "of the maximum")
			f.Float64Var(&o.Maximum, "maximum", 0, "messages per second; 0 = find it")
			f.Int64Var(&o.Round, "round", 2_000_000, "messages of a round")
			f.BoolVar(&o.Unruly, "unruly", false, "carriers misbehave at random: resets, silence, garbage, receipts early, twice or contradicting, and more")
			f.Uint64Var(&o.Seed, "seed", 1, "of their misbehaviour")
			f.DurationVar(&o.Every, "every", 0, "a look at the process; 0 = 200 in all, at least 1 s apart")
			loadFlags(f, &o.Binds, &o.Window)
			outFlag(f, &o.Out)
		}, func(ctx context.Context) (bench.Suite, error) { return as(bench.Soak(ctx, o)) })
}

func (c *cli) outageCommand() *cobra.Command {
	var o bench.OutageOptions
	return c.suite("outage", "Half an hour at a share of the maximum with one of two carriers away for a third of it",
		"outage gives each of two carriers a client of its own. In the second third one carrier is away. Memory must stay flat, the\n"+
			"other carrier's latency unchanged, the disk must come back to its level once the queue has drained, and each carrier\n"+
			"must get its messages in their order.",
		&o.Stand, func(f *pflag.FlagSet) {
			f.DurationVar(&o.For, "for", 30*time.Minute, "all of it, and more while the queue drains and for --rest")
			f.DurationVar(&o.Rest, "rest", 0, "how long it goes on at least once the queue has drained; 0 = a fifth of --for")
			f.DurationVar(&o.Away, "away", 0, "how long the carrier is away, beginning after as long again; 0 = a third")
			f.Float64Var(&o.Share, "share", 0.5, "of the maximum")
			f.Float64Var(&o.Maximum, "maximum", 0, "messages per second; 0 = find it")
			f.IntVar(&o.Window, "window", 500, "unanswered submit_sm of each bind")
			outFlag(f, &o.Out)
		}, func(ctx context.Context) (bench.Suite, error) { return as(bench.Outage(ctx, o)) })
}

func (c *cli) scaleCommand() *cobra.Command {
	o := bench.ScaleDefaults()
	var only []string
	return c.suite("scale", "Cost per message as binds, carriers, routes, queue depth, lanes and cores grow",
		"scale lets one dimension grow at a time. Steps are lists, such as --sizes-depth 0,1000000,50000000; an empty list\n"+
			"leaves a dimension out, --only names those to measure.",
		&o.Stand, func(f *pflag.FlagSet) {
			f.Int64Var(&o.Messages, "count", o.Messages, "messages of each step")
			f.IntVar(&o.Flight, "flight", o.Flight, "unanswered over all binds together")
			f.IntSliceVar(&o.Binds, "sizes-binds", o.Binds, "")
			f.IntSliceVar(&o.Carriers, "sizes-carriers", o.Carriers, "")
			f.IntSliceVar(&o.Routes, "sizes-routes", o.Routes, "")
			f.IntSliceVar(&o.Depths, "sizes-depth", o.Depths, "messages of another carrier that wait meanwhile")
			f.IntSliceVar(&o.Lanes, "sizes-lanes", o.Lanes, "")
			f.IntSliceVar(&o.Cores, "sizes-cores", o.Cores, "")
			f.StringSliceVar(&only, "only", nil, "binds, carriers, routes, depth, lanes, cores; empty = all")
			outFlag(f, &o.Out)
		}, func(ctx context.Context) (bench.Suite, error) {
			for name, sizes := range map[string]*[]int{"binds": &o.Binds, "carriers": &o.Carriers, "routes": &o.Routes, "depth": &o.Depths, "lanes": &o.Lanes, "cores": &o.Cores} {
				if len(only) > 0 && !slices.Contains(only, name) {
					*sizes = nil
				}
			}
			return as(bench.Scale(ctx, o))
		})
}

func (c *cli) profileCommand() *cobra.Command {
	o := bench.ProfileOptions{Out: c.out}
	cmd := &cobra.Command{Use: "profile", Short: "Profiles of a loaded appliance: CPU, allocations, mutexes, off the core", Args: cobra.NoArgs,
		RunE: c.does(func(ctx context.Context) error {
			if err := c.find(&o.Stand); err != nil {
				return err
			}
			return bench.Profile(ctx, o)
		})}
	f := cmd.Flags()
	standFlags(f, &o.Stand)
	f.DurationVar(&o.For, "for", 10*time.Second, "each kind")
	f.StringSliceVar(&o.Kinds, "kinds", nil, "of cpu, allocs, mutex, block, heap, goroutine; empty = the first four")
	f.Float64Var(&o.Rate, "rate", 0, "messages per second; 0 = as fast as the windows allow")
	f.StringVar(&o.Dir, "out", "profiles", "folder to write to")
	loadFlags(f, &o.Binds, &o.Window)
	return cmd
}

func (c *cli) respondCommand() *cobra.Command {
	var listen string
	cmd := &cobra.Command{Use: "respond", Short: "Answer every submit_sm at once and do nothing else: the bare ceiling of the edge", Args: cobra.NoArgs,
		RunE: c.does(func(ctx context.Context) error { return bench.Respond(ctx, listen) })}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:2775", "host:port")
	return cmd
}
