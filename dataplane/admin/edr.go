package admin

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// EDRQuery selects messages that ended, by when they ended; zero bounds do not select.
type EDRQuery struct {
	Since, Until time.Time // final_at >= Since and < Until
	Client       string
	After        string // Next of the page before; empty begins
	Of           string // EDRAttempts, EDRParts; empty: messages
}

// What can be exported besides messages; each is a file of its own.
const (
	EDRAttempts = "attempts"
	EDRParts    = "parts"
)

// EDRPage is a part of the answer. Next is empty on the last page.
type EDRPage struct {
	Rows     []EDR        `json:"rows"`
	Attempts []EDRAttempt `json:"attempts,omitempty"`
	Parts    []EDRPart    `json:"parts,omitempty"`
	Next     string       `json:"next"`
	Damaged  []string     `json:"damaged,omitempty"` // packs that cannot be read: their rows are missing
}

// EDR is the record of one message that ended. Names and order are those of the CSV, which others parse: a field more goes
// to the end. Times are zero where a step was never taken. Party, network and currencies are what the catalog in force says.
type EDR struct {
	MessageID        string    `json:"message_id"`
	Client           string    `json:"client"`
	Party            string    `json:"party"`
	Class            string    `json:"class"`
	Source           string    `json:"source"`
	Destination      string    `json:"destination"` // E.164 digits
	Country          string    `json:"country"`
	MCC              string    `json:"mcc"`
	MNC              string    `json:"mnc"`
	NetworkSource    string    `json:"network_source"` // prefix: by networks.csv; empty: unknown
	Parts            int       `json:"parts"`
	DataCoding       int       `json:"data_coding"`
	AcceptedAt       time.Time `json:"accepted_at,omitzero"`
	Route            string    `json:"route"` // row of routes.csv that the last target came from
	CatalogVersion   uint32    `json:"catalog_version"`
	Carrier          string    `json:"carrier"`
	CarrierMessageID string    `json:"carrier_message_id"`
	Attempts         int       `json:"attempts"`
	DispatchedAt     time.Time `json:"dispatched_at,omitzero"`
	AnsweredAt       time.Time `json:"answered_at,omitzero"`
	AnswerStatus     string    `json:"answer_status"` // decimal; empty: no answer
	FinalState       string    `json:"final_state"`
	FinalError       string    `json:"final_error"`     // decimal: of the receipt, else the status that ended it; empty: none
	FinalErrorRaw    string    `json:"final_error_raw"` // as the receipt wrote it
	FinalAt          time.Time `json:"final_at,omitzero"`
	ReceiptOrigin    string    `json:"receipt_origin"` // carrier; inferred: by number and time; derived: of another part; local: none came, the end is ours
	SellMicro        int64     `json:"sell_micro"`
	SellCurrency     string    `json:"sell_currency"`
	BuyMicro         int64     `json:"buy_micro"`
	BuyCurrency      string    `json:"buy_currency"`
	Reason           string    `json:"reason"`
	DestinationSent  string    `json:"destination_sent"` // as the client wrote it
	Resent           int       `json:"resent"`           // sent again out of doubt
}

// EDRAttempt is one time that a message, or a part of one, was given to a carrier. One that led nowhere is in the export of
// the time when that was known, one that was taken in that of its message's end: so nothing is added to a time that is over.
type EDRAttempt struct {
	MessageID        string    `json:"message_id"`
	Client           string    `json:"client"`
	Attempt          int       `json:"attempt"` // from 1
	Part             int       `json:"part"`    // from 1 for the parts before the last; 0: the last or only one, or none was taken
	Carrier          string    `json:"carrier"`
	CarrierMessageID string    `json:"carrier_message_id"`
	Session          uint32    `json:"session"` // of the link
	DispatchedAt     time.Time `json:"dispatched_at,omitzero"`
	AnsweredAt       time.Time `json:"answered_at,omitzero"` // or given up, in doubt
	AnswerStatus     string    `json:"answer_status"`        // decimal; empty: no answer
	Outcome          string    `json:"outcome"`              // taken, retry, next target, refused, unsent, in doubt
	Policy           string    `json:"policy"`               // what was done about a doubt
	Resent           bool      `json:"resent"`               // may be a second copy
}

// EDRPart is one part of a message that went to its carrier in parts, exported with its message.
type EDRPart struct {
	MessageID        string    `json:"message_id"`
	Client           string    `json:"client"`
	Part             int       `json:"part"` // from 1
	Parts            int       `json:"parts"`
	Carrier          string    `json:"carrier"`
	CarrierMessageID string    `json:"carrier_message_id"` // empty: the carrier did not take it
	ReceiptState     string    `json:"receipt_state"`      // empty: no final receipt came for it
	ErrorRaw         string    `json:"error_raw"`
	FinalAt          time.Time `json:"final_at,omitzero"` // of its message
}

// Len is how many rows of any kind the page has.
func (p *EDRPage) Len() int { return len(p.Rows) + len(p.Attempts) + len(p.Parts) }

// EDRRows is about how many rows a page has.
const EDRRows = 2000

func edrEndpoint(s Source) endpoint {
	return endpoint{http.MethodGet, "/api/v1/edr", []string{"since", "until", "client", "after", "of"}, long, answer(func(ctx context.Context, r *http.Request) (EDRPage, error) {
		q := EDRQuery{Client: r.FormValue("client"), After: r.FormValue("after"), Of: r.FormValue("of")}
		var err error
		if q.Of != "" && q.Of != EDRAttempts && q.Of != EDRParts {
			return EDRPage{}, BadRequest("of %q: want %s or %s, or nothing for messages", q.Of, EDRAttempts, EDRParts)
		}
		if q.Since, err = instantOf(r, "since"); err != nil {
			return EDRPage{}, err
		}
		if q.Until, err = instantOf(r, "until"); err != nil {
			return EDRPage{}, err
		}
		return s.EDRs(ctx, q)
	})}
}

// instantOf reads a parameter that is a time; absent is zero.
func instantOf(r *http.Request, name string) (t time.Time, err error) {
	v := r.FormValue(name)
	if v == "" {
		return t, nil
	}
	if t, err = time.Parse(time.RFC3339Nano, v); err != nil {
		return t, BadRequest("%s %q: want RFC 3339 such as 2026-01-31T08:00:00Z", name, v)
	}
	return t, nil
}

func (c checked) EDRs(ctx context.Context, q EDRQuery) (EDRPage, error) {
	p, err := c.Source.EDRs(ctx, q)
	p.Rows = filled(p.Rows)
	return p, err
}

func (c *Client) EDRs(ctx context.Context, q EDRQuery) (EDRPage, error) {
	v := url.Values{}
	for name, value := range map[string]string{"client": q.Client, "after": q.After, "of": q.Of} {
		if value != "" {
			v.Set(name, value)
		}
	}
	for name, t := range map[string]time.Time{"since": q.Since, "until": q.Until} {
		if !t.IsZero() {
			v.Set(name, t.UTC().Format(time.RFC3339Nano))
		}
	}
	return ask[EDRPage](ctx, c, http.MethodGet, "/api/v1/edr", v, nil)
}
