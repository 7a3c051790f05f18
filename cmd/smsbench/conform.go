package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"smsplane/bench/conform"
)

func (c *cli) conformCommand() *cobra.Command {
	var o conform.Options
	cmd := &cobra.Command{
		Use:   "conform HOST:PORT",
		Short: "Try an SMPP server bind by bind and PDU by PDU, and write its link sheet",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.called = true
			o.Address = args[0]
			return c.conform(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.SystemID, "system-id", "demo", "system_id to bind as")
	f.StringVar(&o.Password, "password", "demo", "its password")
	f.StringVar(&o.SystemType, "system-type", "", "its system_type")
	f.StringVar(&o.From, "from", "smsbench", "sender of the messages")
	f.StringVar(&o.To, "to", "", "a number of yours, international, that gets about ninety messages; without it none is sent")
	f.BoolVar(&o.Secure, "tls", false, "bind over TLS; the sheet tells the certificate and its pin, nothing is verified")
	f.DurationVar(&o.Timeout, "timeout", 0, "for each answer; 0 = 5s")
	f.DurationVar(&o.Receipt, "receipt", 0, "wait for a receipt; 0 = 10s")
	return c.withJSON(cmd)
}

func (c *cli) conform(ctx context.Context, o conform.Options) error {
	sheet, err := conform.Run(ctx, o)
	if err != nil {
		return err
	}
	if c.json {
		return printJSON(c.out, sheet)
	}
	_, err = fmt.Fprint(c.out, sheet.Text())
	return err
}
