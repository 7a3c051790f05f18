package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"smsplane/dataplane/admin"
)

// edrHeader is the contract with whoever reads the file: columns are added at the end, never changed.
var edrHeader = []string{"message_id", "client", "party", "class", "source", "destination", "country", "mcc", "mnc", "network_source", "parts",
	"data_coding", "accepted_at", "route", "catalog_version", "carrier", "carrier_message_id", "attempts", "dispatched_at", "answered_at",
	"answer_status", "final_state", "final_error", "final_error_raw", "final_at", "receipt_origin", "sell_micro", "sell_currency", "buy_micro",
	"buy_currency", "reason", "destination_sent", "resent"}

func (c *cli) edrCommand() *cobra.Command {
	var q admin.EDRQuery
	var since, until string
	cmd := &cobra.Command{
		Use:   "edr",
		Short: "Export the records of messages that ended, as CSV, one row a message",
		Args:  cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&since, "since", "", "ended at or after: a time such as 2026-01-31T08:00:00Z, a day, or how long ago, such as 90m")
	f.StringVar(&until, "until", "", "ended before; likewise")
	f.StringVar(&q.Client, "client", "", "client id")
	cmd.PreRunE = func(*cobra.Command, []string) (err error) {
		if q.Since, err = instant(since, time.Now()); err == nil {
			q.Until, err = instant(until, time.Now())
		}
		return err
	}
	cmd.RunE = c.asks(func(ctx context.Context, s admin.Source, _ []string) error {
		out := bufio.NewWriter(c.out)
		write, end := edrLines(out, c.json)
		for {
			page, err := s.EDRs(ctx, q)
			if err != nil {
				return err
			}
			for i := range page.Rows {
				if err := write(&page.Rows[i]); err != nil {
					return err
				}
			}
			if q.After = page.Next; page.Next == "" {
				break
			}
		}
		if err := end(); err != nil {
			return err
		}
		return out.Flush()
	})
	return cmd
}

// edrLines writes CSV, or one JSON array, row by row: there may be millions.
func edrLines(out *bufio.Writer, asJSON bool) (write func(*admin.EDR) error, end func() error) {
	if asJSON {
		e, sep := json.NewEncoder(out), "["
		e.SetEscapeHTML(false)
		return func(r *admin.EDR) error {
				out.WriteString(sep) // a bufio.Writer keeps its error for Flush
				sep = ","
				return e.Encode(r)
			}, func() error {
				if sep == "[" {
					out.WriteString(sep)
				}
				_, err := out.WriteString("]\n")
				return err
			}
	}
	w := csv.NewWriter(out)
	w.Write(edrHeader) // and a csv.Writer for Error
	return func(r *admin.EDR) error { return w.Write(edrRow(r)) }, func() error { w.Flush(); return w.Error() }
}

func edrRow(r *admin.EDR) []string {
	n := func(v int64) string { return strconv.FormatInt(v, 10) }
	return []string{r.MessageID, r.Client, r.Party, r.Class, r.Source, r.Destination, r.Country, r.MCC, r.MNC, r.NetworkSource, n(int64(r.Parts)),
		n(int64(r.DataCoding)), micros(r.AcceptedAt), r.Route, n(int64(r.CatalogVersion)), r.Carrier, r.CarrierMessageID, n(int64(r.Attempts)),
		micros(r.DispatchedAt), micros(r.AnsweredAt), r.AnswerStatus, r.FinalState, r.FinalError, r.FinalErrorRaw, micros(r.FinalAt),
		r.ReceiptOrigin, n(r.SellMicro), r.SellCurrency, n(r.BuyMicro), r.BuyCurrency, r.Reason, r.DestinationSent, n(int64(r.Resent))}
}

// micros is RFC 3339 in UTC with microseconds; empty for never.
func micros(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000Z")
}
