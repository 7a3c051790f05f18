package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"smsplane/bench"
)

func (c *cli) pathCommand() *cobra.Command {
	var o bench.PathOptions
	cmd := &cobra.Command{
		Use:   "path",
		Short: "Play client and carriers around a running appliance: throughput, latency, loss and duplicates",
		Long: "path listens where the appliance's carriers are said to be, waits for its binds, sends the load and compares\n" +
			"what the client was promised with what the carriers took. Client and carriers share one clock and one process.",
		Args: cobra.NoArgs,
		RunE: c.does(func(ctx context.Context) error { return c.path(ctx, o) }),
	}
	f := cmd.Flags()
	clientFlags(f, &o.Client, &o.Load)
	behaviourFlags(f, &o.Treat)
	f.StringSliceVar(&o.Carriers, "carriers", []string{"127.0.0.1:3775", "127.0.0.1:3776"}, "addresses to play carriers at")
	f.StringVar(&o.SystemID, "carrier-system-id", "", "what the appliance must bind with there; empty = anything")
	f.StringVar(&o.Password, "carrier-password", "", "likewise")
	f.IntVar(&o.Binds, "binds", 0, "binds of the appliance to await; 0 = one for each carrier, -1 = none")
	f.DurationVar(&o.BindWait, "bind-wait", 30*time.Second, "how long to await them")
	f.DurationVar(&o.ReceiptWait, "receipt-wait", time.Minute, "how long to wait for receipts after the last answer")
	f.StringVar(&o.Out, "out", "", "folder to write the result to, with commit, machine and options")
	return c.withJSON(cmd)
}

func (c *cli) path(ctx context.Context, o bench.PathOptions) error {
	r, err := bench.Path(ctx, o)
	if err != nil {
		return err
	}
	if c.json {
		err = printJSON(c.out, r)
	} else {
		r.Print(c.out)
	}
	if err == nil && len(r.Problems) > 0 {
		err = errFinding
	}
	return err
}
