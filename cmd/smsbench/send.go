package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"smsplane/bench/peer"
)

// sendOptions are one message by hand.
type sendOptions struct {
	address, systemID, password string
	from, to, text              string
	wait, registered            bool
	timeout                     time.Duration
}

func (c *cli) sendCommand() *cobra.Command {
	var o sendOptions
	cmd := &cobra.Command{
		Use:   "send",
		Short: "Send one message, print its id, and with --wait its receipt",
		Args:  cobra.NoArgs,
		RunE:  c.does(func(ctx context.Context) error { return c.send(ctx, o) }),
	}
	f := cmd.Flags()
	partyFlags(f, &o.address, &o.systemID, &o.password)
	f.StringVar(&o.from, "from", "smsbench", "sender")
	f.StringVar(&o.to, "to", "", "destination, international")
	f.StringVar(&o.text, "text", "hello", "the message")
	f.BoolVar(&o.wait, "wait", false, "wait for the receipt and print it")
	f.BoolVar(&o.registered, "registered", false, "ask for a receipt; --wait implies it")
	f.DurationVar(&o.timeout, "timeout", 30*time.Second, "for everything together")
	cmd.MarkFlagRequired("to")
	return c.withJSON(cmd)
}

// sendJSON is what send --json prints.
type sendJSON struct {
	ID      string            `json:"id"`
	Receipt *peer.ESMEReceipt `json:"receipt,omitempty"`
}

func (c *cli) send(ctx context.Context, o sendOptions) error {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	e, err := peer.BindESME(ctx, o.address, o.systemID, o.password)
	if err != nil {
		return fmt.Errorf("bind to %s as %q: %w", o.address, o.systemID, explain(err))
	}
	defer e.Close()
	var said sendJSON
	if said.ID, err = e.Submit(ctx, o.from, o.to, o.text, o.registered || o.wait); err != nil {
		return fmt.Errorf("send to %s: %w", o.to, explain(err))
	}
	if !c.json {
		fmt.Fprintln(c.out, said.ID)
	}
	if o.wait {
		r, err := e.Receipt(ctx, said.ID)
		if err != nil {
			return fmt.Errorf("message %s was accepted, but: %w", said.ID, explain(err))
		}
		said.Receipt = &r
		if !c.json {
			fmt.Fprintf(c.out, "%s  %s\n", r.State, r.Text)
		}
	}
	if c.json {
		err = printJSON(c.out, said)
	}
	if err == nil && said.Receipt != nil && said.Receipt.State != "DELIVRD" {
		err = errFinding
	}
	return err
}

// explain puts a passed deadline into words; refusals name their status themselves.
func explain(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no answer in time (--timeout)")
	}
	return err
}
