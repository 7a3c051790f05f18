package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"smsplane/bench"
	"smsplane/bench/peer"
)

func (c *cli) clientCommand() *cobra.Command {
	var o peer.ClientOptions
	var l peer.Load
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "client",
		Short: "Play a client: send many messages, account for answers and receipts",
		Args:  cobra.NoArgs,
		RunE:  c.does(func(ctx context.Context) error { return c.client(ctx, o, l, wait) }),
	}
	clientFlags(cmd.Flags(), &o, &l)
	cmd.Flags().DurationVar(&wait, "receipt-wait", time.Minute, "how long to wait for receipts after the last answer")
	return c.withJSON(cmd)
}

func (c *cli) client(ctx context.Context, o peer.ClientOptions, l peer.Load, wait time.Duration) error {
	if err := l.Validate(); err != nil {
		return err
	}
	client, err := peer.Dial(ctx, o)
	if err != nil {
		return err
	}
	defer client.Close()
	runErr := client.Run(ctx, l)
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	client.AwaitReceipts(waiting)
	r := client.Report()
	// What carriers took is not known here, so the account has only the client's side.
	problems := peer.Problems(&r, &peer.Account{})
	if runErr != nil {
		problems = append(problems, runErr.Error())
	}
	if c.json {
		err = printJSON(c.out, clientJSON{r, append([]string{}, problems...)})
	} else {
		fmt.Fprintf(c.out, "client  %s → %s\n", o.SystemID, o.Address)
		bench.PrintReport(c.out, &r)
		bench.PrintProblems(c.out, problems)
	}
	if err == nil && len(problems) > 0 {
		err = errFinding
	}
	return err
}

type clientJSON struct {
	peer.Report
	Problems []string `json:"problems"`
}
