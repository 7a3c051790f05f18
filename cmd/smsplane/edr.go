package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"smsplane/dataplane/admin"
)

// edrHeader is the contract with whoever reads the file: columns are added at the end, never changed.
var edrHeader = []string{"message_id", "client", "party", "class", "source", "destination", "country", "mcc", "mnc", "network_source", "parts",
	"data_coding", "accepted_at", "route", "catalog_version", "carrier", "carrier_message_id", "attempts", "dispatched_at", "answered_at",
	"answer_status", "final_state", "final_error", "final_error_raw", "final_at", "receipt_origin", "sell_micro", "sell_currency", "buy_micro",
	"buy_currency", "reason", "destination_sent", "resent"}

var attemptHeader = []string{"message_id", "client", "attempt", "part", "carrier", "carrier_message_id", "session", "dispatched_at", "answered_at",
	"answer_status", "outcome", "policy", "resent"}

var partHeader = []string{"message_id", "client", "part", "parts", "carrier", "carrier_message_id", "receipt_state", "error_raw", "final_at"}

func (c *cli) edrCommand() *cobra.Command {
	var q admin.EDRQuery
	var since, until string
	var attempts, parts bool
	cmd := &cobra.Command{
		Use:   "edr",
		Short: "Export the records of messages that ended, as CSV, one row a message",
		Long: "edr writes one row for each message that ended. --attempts writes one for each time that a message was given to a carrier,\n" +
			"--parts one for each part of the messages that went out in parts: files of their own, joined by message_id.",
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&since, "since", "", "ended at or after: a time such as 2026-01-31T08:00:00Z, a day, or how long ago, such as 90m")
	f.StringVar(&until, "until", "", "ended before; likewise")
	f.StringVar(&q.Client, "client", "", "client id")
	f.BoolVar(&attempts, "attempts", false, "one row for each attempt")
	f.BoolVar(&parts, "parts", false, "one row for each part of what went out in parts")
	cmd.MarkFlagsMutuallyExclusive("attempts", "parts")
	cmd.PreRunE = func(*cobra.Command, []string) (err error) {
		switch {
		case attempts:
			q.Of = admin.EDRAttempts
		case parts:
			q.Of = admin.EDRParts
		}
		if q.Since, err = instant(since, time.Now()); err == nil {
			q.Until, err = instant(until, time.Now())
		}
		return err
	}
	cmd.RunE = c.asks(func(ctx context.Context, s admin.Source, _ []string) error {
		out := bufio.NewWriter(c.out)
		defer out.Flush() // what came before an error is good
		write := newRowWriter(out, c.json)
		switch q.Of {
		case admin.EDRAttempts:
			write.head(attemptHeader)
		case admin.EDRParts:
			write.head(partHeader)
		default:
			write.head(edrHeader)
		}
		var damaged []string
		for {
			page, err := s.EDRs(ctx, q)
			if err != nil {
				return err
			}
			rows(write, page.Rows, edrRow)
			rows(write, page.Attempts, attemptRow)
			rows(write, page.Parts, partRow)
			damaged = append(damaged, page.Damaged...)
			if q.After = page.Next; page.Next == "" {
				break
			}
		}
		if err := errors.Join(write.end(), out.Flush()); err != nil {
			return err
		}
		if len(damaged) > 0 {
			return fmt.Errorf("what %d damaged packs held is not in this:\n%s", len(damaged), strings.Join(damaged, "\n"))
		}
		return nil
	})
	return cmd
}

// rowWriter writes CSV, or one JSON array, row by row: there may be millions. An error is kept for end.
type rowWriter struct {
	out  *bufio.Writer
	csv  *csv.Writer
	json *json.Encoder // nil for CSV
	sep  string
	err  error
}

func newRowWriter(out *bufio.Writer, asJSON bool) *rowWriter {
	w := &rowWriter{out: out, csv: csv.NewWriter(out), sep: "["}
	if asJSON {
		w.json = json.NewEncoder(out)
		w.json.SetEscapeHTML(false)
	}
	return w
}

func (w *rowWriter) head(columns []string) {
	if w.json == nil {
		w.err = w.csv.Write(columns)
	}
}

func rows[T any](w *rowWriter, rs []T, columns func(*T) []string) {
	for i := range rs {
		switch {
		case w.err != nil:
			return
		case w.json == nil:
			w.err = w.csv.Write(columns(&rs[i]))
		default:
			w.out.WriteString(w.sep) // a bufio.Writer keeps its error for Flush
			w.sep = ","
			w.err = w.json.Encode(&rs[i])
		}
	}
}

func (w *rowWriter) end() error {
	switch {
	case w.err != nil:
	case w.json == nil:
		w.csv.Flush()
		w.err = w.csv.Error()
	default:
		if w.sep == "[" {
			w.out.WriteString(w.sep)
		}
		w.out.WriteString("]\n")
	}
	return w.err
}

func attemptRow(r *admin.EDRAttempt) []string {
	return []string{r.MessageID, r.Client, strconv.Itoa(r.Attempt), strconv.Itoa(r.Part), r.Carrier, r.CarrierMessageID, strconv.FormatUint(uint64(r.Session), 10),
		micros(r.DispatchedAt), micros(r.AnsweredAt), r.AnswerStatus, r.Outcome, r.Policy, strconv.FormatBool(r.Resent)}
}

func partRow(r *admin.EDRPart) []string {
	return []string{r.MessageID, r.Client, strconv.Itoa(r.Part), strconv.Itoa(r.Parts), r.Carrier, r.CarrierMessageID, r.ReceiptState, r.ErrorRaw, micros(r.FinalAt)}
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
