package main

import (
	"context"
	"errors"
	"os"
	"os/user"

	"github.com/spf13/cobra"

	"smsplane/dataplane/admin"
	"smsplane/ledger"
	"smsplane/ledger/catalog"
)

func (c *cli) applyCommand() *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use:   "apply DIR",
		Short: "Put the catalog in DIR in force, whole or not at all",
		Args:  cobra.ExactArgs(1),
		RunE: c.asks(func(ctx context.Context, s admin.Source, args []string) error {
			files, err := catalog.Read(args[0])
			if err != nil {
				return err
			}
			r, err := s.Apply(ctx, admin.Application{Files: files, Dry: dry, Author: author()})
			if err != nil {
				return err
			}
			if err := show(c, r, func(t *table, r admin.ApplyResult) { applied(t, r, dry) }); err != nil {
				return err
			}
			return orFinding(len(r.Problems) == 0)
		}),
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only tell what would change")
	return cmd
}

func applied(t *table, r admin.ApplyResult, dry bool) {
	for _, p := range r.Problems {
		t.line(p)
	}
	for _, change := range r.Changes {
		t.line(change)
	}
	version := "version " + count(r.Version)
	switch {
	case len(r.Problems) > 0:
		t.line("nothing was applied; " + version + " stays in force")
	case len(r.Changes) == 0:
		t.line("no change; " + version + " is in force")
	case dry:
		t.line("nothing was applied, as asked; " + version + " is in force")
	default:
		t.line("applied; " + version + " is in force")
	}
}

// author is who applies, for the record; behind sudo the one who called it.
func author() string {
	if u := os.Getenv("SUDO_USER"); u != "" {
		return u
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

func (c *cli) explainCommand() *cobra.Command {
	var client, from, to string
	cmd := &cobra.Command{
		Use:   "explain",
		Short: "Tell how a message would be routed now, and why",
		Args:  cobra.NoArgs,
		RunE: c.asks(func(ctx context.Context, s admin.Source, _ []string) error {
			e, err := s.Explain(ctx, client, from, to)
			if err != nil {
				return err
			}
			return show(c, e, explained)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&client, "client", "", "client id")
	f.StringVar(&from, "from", "", "source address")
	f.StringVar(&to, "to", "", "destination number")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if client == "" || to == "" {
			return errors.New("route explain needs --client and --to")
		}
		return nil
	}
	return cmd
}

func explained(t *table, e admin.Explain) {
	t.row("client", e.Client)
	t.row("number", e.Number)
	t.row("network", e.Network)
	t.row("plan", e.Plan)
	t.row("class", e.Class)
	if e.SellRow != "" {
		t.row("sell", ledger.Micro(e.SellMicro).String()+" "+e.SellCurrency+", "+e.SellRow)
	}
	if e.Refused != "" {
		t.row("refused", e.Refused+", "+e.RefusedReason)
	}
	t.line("")
	t.row("TRY", "CARRIER", "TIER", "WEIGHT", "BUY", "ROW", "TAKEN", "REFUSED", "DELIVERED", "FAILED")
	for i, g := range e.Targets {
		t.row(count(i+1), g.Carrier, count(int(g.Tier)), count(g.Weight), ledger.Micro(g.BuyMicro).String()+" "+g.BuyCurrency, g.Row,
			count(g.Recent.Taken), count(g.Recent.Refused), count(g.Recent.Delivered), count(g.Recent.Failed))
	}
	t.line("")
	t.row("ROW", "MATCH", "CLASS", "TIER", "WEIGHT", "CARRIER", "REASON")
	for _, r := range e.Considered {
		t.row(r.Row, r.Match, r.Class, count(int(r.Tier)), count(r.Weight), r.Carrier, r.Reason)
	}
}
