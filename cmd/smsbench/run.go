package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"smsplane/bench"
)

func (c *cli) runCommand() *cobra.Command {
	o := bench.DemoOptions{Out: c.out}
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Start an appliance and simulated carriers, send messages, show the layers and the books",
		Args:  cobra.NoArgs,
		RunE:  c.does(func(ctx context.Context) error { return c.demo(ctx, o) }),
	}
	f := cmd.Flags()
	f.StringVar(&o.Dir, "dir", "demo", "folder of node file and catalog; made by smsplane init when it is not there")
	f.StringVar(&o.Bin, "bin", "", "folder of smsplane and smsbench; empty = where this program is")
	f.Int64Var(&o.Count, "count", 10000, "messages")
	f.BoolVar(&o.Once, "once", false, "end after the table")
	return cmd
}

func (c *cli) demo(ctx context.Context, o bench.DemoOptions) error {
	if o.Bin == "" {
		own, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find smsplane beside this program: %w", err)
		}
		o.Bin = nearer(filepath.Dir(own))
	}
	if _, err := os.Stat(filepath.Join(o.Bin, "smsplane")); err != nil {
		return fmt.Errorf("no smsplane beside this program (make build puts it there): %w", err)
	}
	err := bench.Demo(ctx, o)
	switch {
	case errors.Is(err, bench.ErrDoesNotAddUp):
		return errFinding // told already
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("stopped before the table: %w", err)
	}
	return err
}

// nearer is dir as seen from the working directory, when that is shorter to type.
func nearer(dir string) string {
	here, err := os.Getwd()
	if err != nil {
		return dir
	}
	if rel, err := filepath.Rel(here, dir); err == nil && len(rel) < len(dir) {
		return rel
	}
	return dir
}
