package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"smsplane/dataplane/admin"
)

func (c *cli) traceCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "trace ID",
		Short: "Tell the life of one message, by our id or a carrier's",
		Args:  cobra.ExactArgs(1),
		RunE: c.asks(func(ctx context.Context, s admin.Source, args []string) error {
			lines, err := s.Trace(ctx, args[0])
			if err != nil {
				return err
			}
			return show(c, lines, func(t *table, lines []admin.TraceLine) {
				t.row("TIME", "LAYER", "WORKER", "EVENT", "DETAIL")
				for _, l := range lines {
					t.row(clock(l.Time), l.Layer, l.Worker, l.Event, l.Detail)
				}
			})
		}),
	}
}

func (c *cli) findCommand() *cobra.Command {
	var q admin.FindQuery
	var since string
	cmd := &cobra.Command{
		Use:   "find",
		Short: "Find messages by number, client, carrier's id and time, newest first",
		Args:  cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&q.To, "to", "", "destination; a trailing * matches a prefix")
	f.StringVar(&q.From, "from", "", "source; a trailing * matches a prefix")
	f.StringVar(&q.Client, "client", "", "client id")
	f.StringVar(&q.CarrierID, "carrier-id", "", "message id that a carrier gave")
	f.StringVar(&since, "since", "", "a time such as 2026-01-31T08:00:00Z, a day, or how long ago, such as 90m")
	f.IntVar(&q.Limit, "limit", admin.DefaultFind, "most messages to print")
	cmd.PreRunE = func(*cobra.Command, []string) (err error) {
		if q.Since, err = instant(since, time.Now()); err == nil {
			err = q.Valid()
		}
		return err
	}
	cmd.RunE = c.asks(func(ctx context.Context, s admin.Source, _ []string) error {
		found, err := s.Find(ctx, q)
		if err != nil {
			return err
		}
		return show(c, found, func(t *table, found []admin.Found) {
			t.row("ACCEPTED", "ID", "CLIENT", "FROM", "TO", "PARTS", "STATE", "CARRIER", "CARRIER ID")
			for _, m := range found {
				t.row(clock(m.Accepted), m.ID, m.Client, m.From, m.To, count(m.Parts), m.State, m.Carrier, m.CarrierID)
			}
		})
	})
	return cmd
}

// instant reads --since: RFC 3339, a UTC day, or a duration back from now. Empty is no bound.
func instant(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, fmt.Errorf("--since %q: want 2026-01-31T08:00:00Z, 2026-01-31 or 90m", s)
}

func (c *cli) doubtCommand() *cobra.Command {
	var resent bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List messages in doubt or, with --resent, those sent a second time",
		Args:  cobra.NoArgs,
		RunE: c.asks(func(ctx context.Context, s admin.Source, _ []string) error {
			list, err := s.Doubt(ctx, resent)
			if err != nil {
				return err
			}
			return show(c, list, func(t *table, list []admin.DoubtInfo) {
				t.row("ID", "SINCE", "CLIENT", "TO", "CARRIER", "POLICY", "STATE")
				for _, d := range list {
					t.row(d.ID, clock(d.Since), d.Client, d.To, d.Carrier, d.Policy, d.State)
				}
			})
		}),
	}
	cmd.Flags().BoolVar(&resent, "resent", false, "every message that was sent a second time out of doubt")
	return cmd
}
