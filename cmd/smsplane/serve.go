package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"smsplane/ledger/catalog"
)

func (c *cli) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the node in the foreground; SIGTERM drains it, a second one skips the wait",
		Args:  cobra.NoArgs,
		RunE: c.does(func(ctx context.Context, _ []string) error {
			drain, kill, stop := onSignals(ctx)
			defer stop()
			return c.node.serve(drain, kill, c.config, newLog(c.err))
		}),
	}
}

func (c *cli) witnessCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "witness",
		Short: "Run the witness of a pair in the foreground: it votes and stores no message",
		Args:  cobra.NoArgs,
		RunE: c.does(func(ctx context.Context, _ []string) error {
			stop, _, end := onSignals(ctx)
			defer end()
			return c.node.witness(stop, c.config, newLog(c.err))
		}),
	}
}

// newLog writes a line for each event. Errors are told by their message alone: Pebble's would add their stacks, several pages.
func newLog(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if err, is := a.Value.Any().(error); is {
			a.Value = slog.StringValue(err.Error())
		}
		return a
	}}))
}

// onSignals gives two contexts: the first ends with the first SIGTERM or SIGINT, the second with the next.
func onSignals(ctx context.Context) (drain, kill context.Context, stop func()) {
	drain, first := context.WithCancel(ctx)
	kill, second := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	done := make(chan struct{})
	go func() {
		for _, next := range []context.CancelFunc{first, second} {
			select {
			case <-signals:
				next()
			case <-done:
				return
			}
		}
	}()
	return drain, kill, func() {
		signal.Stop(signals)
		close(done)
		first()
		second()
	}
}

// verdict is what check prints as JSON.
type verdict struct {
	OK       bool     `json:"ok"`
	Problems []string `json:"problems"`
}

func (c *cli) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Check the node file and the catalog; every mistake is told at file:line",
		Args:  cobra.NoArgs,
		RunE: c.does(func(context.Context, []string) error {
			err := c.node.check(c.config)
			v := verdict{OK: err == nil, Problems: problems(err)}
			if e := show(c, v, func(t *table, v verdict) {
				if v.OK {
					t.line(c.config + ": ok")
					return
				}
				t.line(err.Error()) // with the line each mistake stands in
			}); e != nil {
				return e
			}
			return orFinding(v.OK)
		}),
	}
}

// problems takes an error apart into one line per mistake.
func problems(err error) []string {
	lines := []string{}
	var list catalog.Problems
	switch joined := err.(type) {
	case nil:
	case interface{ Unwrap() []error }:
		for _, e := range joined.Unwrap() {
			lines = append(lines, problems(e)...)
		}
	default:
		if errors.As(err, &list) {
			return append(lines, list.Strings()...)
		}
		lines = append(lines, err.Error())
	}
	return lines
}

func orFinding(ok bool) error {
	if ok {
		return nil
	}
	return errFinding
}

// build is what version prints as JSON.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision"`
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
}

func (c *cli) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print which build this is",
		Args:  cobra.NoArgs,
		RunE: c.does(func(context.Context, []string) error {
			return show(c, thisBuild(), func(t *table, b build) {
				changed := ""
				if b.Modified {
					changed = " with changes"
				}
				t.line(fmt.Sprintf("smsplane %s, revision %s%s, %s", b.Version, b.Revision, changed, b.Go))
			})
		}),
	}
}

func thisBuild() build {
	b := build{Version: "unknown", Revision: "unknown"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version, b.Go = info.Main.Version, info.GoVersion
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}
