package router

import (
	"smsplane/ledger"
)

// Explain is what the router would do with a message, and why.
type Explain struct {
	Client       string       `json:"client"`
	Plan         string       `json:"plan"`
	From         string       `json:"from"`
	Number       string       `json:"number"`  // E.164 digits
	Network      string       `json:"network"` // its name in networks.csv; empty when unknown
	Country      string       `json:"country"`
	MCC          string       `json:"mcc"`
	MNC          string       `json:"mnc"`
	Class        string       `json:"class"`
	SellMicro    *int64       `json:"sell_micro"` // per part; null without a sell row
	SellCurrency string       `json:"sell_currency"`
	Targets      []Target     `json:"targets"`
	Refused      *Refusal     `json:"refused"` // null when entry would admit it
	Considered   []Considered `json:"considered"`
}

// Target is one carrier, in the order they would be tried.
type Target struct {
	Carrier     string      `json:"carrier"`
	Tier        uint8       `json:"tier"`
	Weight      uint16      `json:"weight"`
	BuyMicro    int64       `json:"buy_micro"` // per part
	BuyCurrency string      `json:"buy_currency"`
	Row         int         `json:"row"` // line in routes.csv
	Recent      RecentCount `json:"recent"`
}

// Refusal is the status that entry would answer.
type Refusal struct {
	Status uint32 `json:"status"`
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// Considered is one row of the plan that matches the number, and what became of it.
type Considered struct {
	Row     int    `json:"row"` // line in routes.csv
	Match   string `json:"match"`
	Class   string `json:"class"`
	Tier    uint8  `json:"tier"`
	Weight  uint16 `json:"weight"`
	Carrier string `json:"carrier"`
	Reason  string `json:"reason"`
}

// Explain plans a message on paper: it takes no probe and counts nothing. Number 0 stands for a
// destination that is no number.
func (t *Table) Explain(client uint32, from []byte, n Number, c ledger.Class, at int64, r *Recent) Explain {
	return Explain{}
}
