package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitOK      = 0
	exitFinding = 1
	exitUsage   = 2
)

// errFinding ends a command with exit 1 after it has printed what it found.
var errFinding = errors.New("finding")

// cli is one run of the program.
type cli struct {
	out, err io.Writer
	json     bool // --json
	called   bool // the call was right; what fails from here on is no usage error
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	c := cli{out: os.Stdout, err: os.Stderr}
	code := c.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func (c *cli) run(ctx context.Context, args []string) int {
	root := &cobra.Command{
		Use:           "smsbench",
		Short:         "Simulated carriers and clients, and the measure of what lies between them",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(c.carrierCommand(), c.clientCommand(), c.sendCommand(), c.pathCommand(), c.runCommand(), c.conformCommand(),
		c.capacityCommand(), c.ceilingCommand(), c.latencyCommand(), c.overloadCommand(), c.soakCommand(), c.outageCommand(), c.scaleCommand(), c.profileCommand(), c.respondCommand())
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
		fmt.Fprintf(c.err, "smsbench: %v\n", err)
		return exitFinding
	}
	fmt.Fprintf(c.err, "smsbench: %v\nusage: %s; %s --help tells more\n", err, usage(cmd), cmd.CommandPath())
	return exitUsage
}

func usage(cmd *cobra.Command) string {
	if cmd.HasSubCommands() {
		return cmd.CommandPath() + " COMMAND"
	}
	return cmd.UseLine()
}

// does marks the point from which an error is no usage error.
func (c *cli) does(f func(ctx context.Context) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		c.called = true
		return f(cmd.Context())
	}
}

// withJSON adds --json to a command.
func (c *cli) withJSON(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().BoolVar(&c.json, "json", false, "print JSON")
	return cmd
}

func printJSON[T any](w io.Writer, v T) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
