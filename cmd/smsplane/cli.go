package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"smsplane/dataplane/admin"
	"smsplane/dataplane/config"
)

// Exit codes.
const (
	exitOK      = 0
	exitFinding = 1
	exitUsage   = 2
)

// errFinding ends a command with exit 1 after it has printed what it found.
var errFinding = errors.New("finding")

// node is what the commands need of the appliance; tests put another one in.
type node struct {
	serve   func(drain, kill context.Context, config string, log *slog.Logger) error
	witness func(stop context.Context, config string, log *slog.Logger) error
	check   func(config string) error
	open    func(config string) (admin.Source, io.Closer, error)
	restore func(ctx context.Context, config, dir string) (admin.Report, error)
}

// cli is one run of the program.
type cli struct {
	out, err io.Writer
	node     node
	config   string // --config
	json     bool   // --json
	called   bool   // the call was right; what fails from here on is no usage error
}

func (c *cli) run(ctx context.Context, args []string) int {
	root := c.commands()
	root.SetArgs(args)
	root.SetOut(c.out)
	root.SetErr(c.err)
	cmd, err := root.ExecuteContextC(ctx)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errFinding):
		return exitFinding
	case c.called:
		fmt.Fprintf(c.err, "smsplane: %v\n", err)
		return exitFinding
	}
	fmt.Fprintf(c.err, "smsplane: %v\nusage: %s; %s --help tells more\n", err, usage(cmd), cmd.CommandPath())
	return exitUsage
}

func usage(cmd *cobra.Command) string {
	if cmd.HasSubCommands() {
		return cmd.CommandPath() + " COMMAND"
	}
	return cmd.UseLine()
}

func (c *cli) commands() *cobra.Command {
	root := &cobra.Command{
		Use:           "smsplane",
		Short:         "A wholesale SMS appliance: SMPP in, durable, routed, delivered, billed",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.PersistentFlags().StringVar(&c.config, "config", "smsplane.yaml", "node file")
	root.PersistentFlags().BoolVar(&c.json, "json", false, "print JSON")
	root.AddCommand(
		c.serveCommand(), c.witnessCommand(), c.checkCommand(), c.initCommand(), c.versionCommand(),
		c.statusCommand(), c.traceCommand(), c.findCommand(), c.edrCommand(),
		c.applyCommand(), group("route", "How messages are routed", c.explainCommand()),
		group("link", "Sessions to carriers", append(c.linkOrders(), c.linksCommand(), c.linkShowCommand())...),
		group("queue", "What waits, and how long", c.queuesCommand(), c.deedCommand("hold", "Keep messages that wait from going on, also over a restart"),
			c.deedCommand("release", "Let held messages go on"), c.deedCommand("reroute", "Plan messages that wait anew, by the catalog in force"),
			c.deedCommand("purge", "End messages that wait as failed: receipts go out, holds are voided")),
		group("receipts", "Receipts for clients", c.replayCommand(false, "Give a client the receipts of a range of time again", "when their messages ended")),
		group("mo", "Messages from carriers for clients", c.replayCommand(true, "Give a client the messages from carriers again that it took in a range of time", "when it took them")),
		group("doubt", "Messages whose answer was lost", append(c.doubtOrders(), c.doubtCommand())...),
		c.auditCommand(), c.storeCommands(), c.clusterCommands(), c.laneCommands(),
		group("layer", "Pause and resume layers", c.layerCommand("pause"), c.layerCommand("resume")),
	)
	return root
}

// group is a word that only leads to other commands; alone it is a mistake.
func group(use, short string, subs ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return fmt.Errorf("%s needs one of its commands", use)
	}}
	g.AddCommand(subs...)
	return g
}

// does marks the point from which an error is no usage error.
func (c *cli) does(f func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c.called = true
		return f(cmd.Context(), args)
	}
}

// asks runs f with the running node or, when there is none, with the opened store.
func (c *cli) asks(f func(ctx context.Context, s admin.Source, args []string) error) func(*cobra.Command, []string) error {
	return c.does(func(ctx context.Context, args []string) (err error) {
		n, err := config.Load(c.config)
		if err != nil {
			return err
		}
		client, err := admin.Dial(ctx, n.Admin.Listen)
		if err == nil && client.Node != "" && client.Node != n.Name {
			return fmt.Errorf("node %s answers at %s, and %s is of node %s: nothing was asked of it", client.Node, n.Admin.Listen, c.config, n.Name)
		}
		if err == nil {
			return f(ctx, client, args)
		}
		if !errors.Is(err, admin.ErrNotRunning) {
			return err
		}
		s, store, err := c.node.open(c.config)
		if err != nil {
			return fmt.Errorf("%w at %s, and its store does not open: %w", admin.ErrNotRunning, n.Admin.Listen, err)
		}
		defer func() {
			if e := store.Close(); err == nil {
				err = e
			}
		}()
		return f(ctx, admin.Checked(s), args)
	})
}

// show prints v as JSON where that was asked for, as a table otherwise.
func show[T any](c *cli, v T, human func(t *table, v T)) error {
	if c.json {
		e := json.NewEncoder(c.out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(v)
	}
	t := newTable(c.out)
	human(t, v)
	return t.flush()
}
