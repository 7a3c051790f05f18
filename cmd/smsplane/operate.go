package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"smsplane/dataplane/admin"
)

func (c *cli) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show layers, books and links; exit 1 if the books do not add up",
		Args:  cobra.NoArgs,
		RunE: c.asks(func(ctx context.Context, s admin.Source, _ []string) error {
			st, err := s.Status(ctx)
			if err != nil {
				return err
			}
			if err := show(c, st, overview); err != nil {
				return err
			}
			return orFinding(st.Books.AddUp())
		}),
	}
}

func overview(t *table, st admin.Status) {
	t.line(fmt.Sprintf("node %s is %s, catalog version %d, %d client sessions", st.Node, st.State, st.Catalog.Version, st.Sessions.Bound))
	if st.Recovery != nil {
		t.line("recovering: " + st.Recovery.String())
	}
	if st.Catalog.Differs {
		t.line("the catalog folder is not what was applied:")
		for _, change := range st.Catalog.Changes {
			t.line("  " + change)
		}
	}
	t.line("")
	t.row("LAYER", "WORKERS", "MESSAGES", "TPS", "LIMIT", "P50 MS", "P99 MS", "REFUSALS", "PAUSED")
	for _, l := range st.Layers {
		t.row(l.Name, count(l.Workers), count(l.Messages), rate(l.TPS), limit(l.Limit), millis(l.P50), millis(l.P99), count(l.Refusals), yes(l.Paused))
	}
	if len(st.Threads) > 0 {
		t.line("")
		t.row("THREAD", "CORE", "DUTY", "IDLE", "WORKERS")
		for _, x := range st.Threads {
			t.row(x.Name, core(x.Core), share(x.Duty), share(x.Idle), x.Workers)
		}
	}
	t.line("")
	b := st.Books
	t.row("ACCEPTED", "DELIVERED", "FAILED", "EXPIRED", "SENT", "UNKNOWN", "IN FLIGHT", "IN DOUBT", "ADD UP")
	t.row(count(b.Accepted), count(b.Delivered), count(b.Failed), count(b.Expired), count(b.Sent), count(b.Unknown), count(b.InFlight), count(b.InDoubt), yes(b.AddUp()))
	t.line("")
	t.row("RESENT", "RECEIPTS RETURNED", "RECEIPTS PARKED", "LEDGER SUM")
	t.row(count(b.Resent), count(b.ReceiptsReturned), count(b.ReceiptsParked), count(b.LedgerSumMicro))
	if len(st.Links) > 0 {
		t.line("")
		links(t, st.Links)
	}
}

func (c *cli) linksCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the sessions to carriers, each with the reason for its state",
		Args:  cobra.NoArgs,
		RunE: c.asks(func(ctx context.Context, s admin.Source, _ []string) error {
			list, err := s.Links(ctx)
			if err != nil {
				return err
			}
			return show(c, list, links)
		}),
	}
}

func links(t *table, list []admin.LinkInfo) {
	t.row("CARRIER", "LINK", "SESSION", "ADDRESS", "STATE", "SINCE", "GIVEN", "UNANSWERED", "WINDOW", "TPS", "LIMIT", "SENT", "REFUSED", "REASON", "NOT FASTER")
	for _, l := range list {
		t.row(l.Carrier, count(l.Link), count(l.Session), l.Address, l.State, clock(l.Since), count(l.InFlight), count(l.Unanswered), count(l.Window),
			rate(l.TPS), limit(l.Limit), count(l.Sent), count(l.Refused), l.Reason, l.Why)
	}
}

func (c *cli) queuesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the queues with depth and the age of the oldest message",
		Args:  cobra.NoArgs,
		RunE: c.asks(func(ctx context.Context, s admin.Source, _ []string) error {
			list, err := s.Queues(ctx)
			if err != nil {
				return err
			}
			return show(c, list, func(t *table, list []admin.QueueInfo) {
				t.row("QUEUE", "LANE", "CARRIER", "CLIENT", "CLASS", "DEPTH", "OLDEST S")
				for _, q := range list {
					t.row(q.Queue, count(q.Lane), q.Carrier, q.Client, q.Class, count(q.Depth), rate(q.OldestAge))
				}
			})
		}),
	}
}

func (c *cli) auditCommand() *cobra.Command {
	return c.reportCommand("audit", "Prove the books: every message counted once, every ledger entry summed to zero", admin.Source.Audit)
}

func (c *cli) reportCommand(use, short string, ask func(admin.Source, context.Context) (admin.Report, error)) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.NoArgs,
		RunE: c.asks(func(ctx context.Context, s admin.Source, _ []string) error {
			r, err := ask(s, ctx)
			if err != nil {
				return err
			}
			return c.report(use, r)
		}),
	}
}

func (c *cli) layerCommand(action string) *cobra.Command {
	short := "Let the layer go on"
	if action == "pause" {
		short = "Hold the queue before the layer; upstream goes on accepting"
	}
	return &cobra.Command{
		Use:       action + " router|verifier|egress",
		Short:     short,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: admin.PausableLayers,
		RunE: c.asks(func(ctx context.Context, s admin.Source, args []string) error {
			if err := s.Layer(ctx, args[0], action); err != nil {
				return err
			}
			return show(c, layerDone{args[0], action + "d"}, func(t *table, d layerDone) { t.line(d.Layer + " " + d.State) })
		}),
	}
}

// layerDone is what layer pause and resume print as JSON.
type layerDone struct {
	Layer string `json:"layer"`
	State string `json:"state"` // paused, resumed
}
