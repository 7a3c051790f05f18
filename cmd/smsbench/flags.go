package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"smsplane/bench/peer"
	"smsplane/pdu"
)

// statusValue is a command_status as a flag: 8 or 0x58.
type statusValue pdu.Status

func (s *statusValue) String() string { return strconv.FormatUint(uint64(*s), 10) }
func (s *statusValue) Type() string   { return "status" }
func (s *statusValue) Set(v string) error {
	n, err := strconv.ParseUint(v, 0, 32)
	if err != nil || n == 0 {
		return errors.New("not a command_status other than 0, such as 8 or 0x58")
	}
	*s = statusValue(n)
	return nil
}

// refusalsValue is --refuse PREFIX=STATUS,…
type refusalsValue struct{ of *[]peer.Refusal }

func (r refusalsValue) String() string {
	s := ""
	if r.of != nil {
		for i, x := range *r.of {
			if i > 0 {
				s += ","
			}
			s += fmt.Sprintf("%s=%d", x.Prefix, uint32(x.Status))
		}
	}
	return s
}
func (r refusalsValue) Type() string { return "prefix=status,..." }
func (r refusalsValue) Set(v string) error {
	more, err := peer.ParseRefusals(v)
	*r.of = append(*r.of, more...)
	return err
}

// behaviourFlags are how a simulated carrier behaves.
func behaviourFlags(f *pflag.FlagSet, b *peer.Behaviour) {
	b.ErrorStatus = pdu.RSysErr
	f.StringVar(&b.IDForm, "id-form", "decimal", "form of message ids: decimal, hex or uuid")
	f.DurationVar(&b.Latency, "latency", 0, "from reading a submit_sm to answering it")
	f.Float64Var(&b.TPS, "tps-limit", 0, "submit_sm per second over all binds, beyond it ESME_RTHROTTLED; 0 = none")
	f.IntVar(&b.Window, "window-limit", 0, "unanswered submit_sm per bind, beyond it ESME_RTHROTTLED; 0 = 65536")
	f.Float64Var(&b.ErrorPercent, "error-percent", 0, "of submit_sm, refused with --error-status")
	f.Var((*statusValue)(&b.ErrorStatus), "error-status", "command_status for --error-percent")
	f.Var(refusalsValue{&b.Refuse}, "refuse", "refuse destinations by prefix, such as 49151=8,4917=0x58")
	f.StringVar(&b.Receipts, "receipts", "asked", "off, asked (as registered_delivery says) or all")
	f.DurationVar(&b.ReceiptDelay, "receipt-delay", 0, "from taking a message to its receipt")
	f.BoolVar(&b.ReceiptEarly, "receipt-early", false, "send the receipt before the submit_sm_resp")
	f.Float64Var(&b.FailingPercent, "failing-percent", 0, "of receipts, UNDELIV in place of DELIVRD")
	f.IntVar(&b.ReceiptWindow, "receipt-window", 1000, "unanswered deliver_sm per bind")
}

// partyFlags are whom a client binds to, and as whom.
func partyFlags(f *pflag.FlagSet, address, systemID, password *string) {
	f.StringVar(address, "addr", "127.0.0.1:2775", "host:port to bind to")
	f.StringVar(systemID, "system-id", "demo", "system_id of the client")
	f.StringVar(password, "password", "demo", "its password")
}

// clientFlags are a simulated client and what it sends.
func clientFlags(f *pflag.FlagSet, o *peer.ClientOptions, l *peer.Load) {
	partyFlags(f, &o.Address, &o.SystemID, &o.Password)
	f.StringVar(&o.SystemType, "system-type", "", "its system_type")
	f.StringVar(&o.Bind, "bind", "trx", "trx, or txrx: a transmitter and a receiver for each connection")
	f.IntVar(&o.Connections, "conns", 1, "connections")
	f.IntVar(&o.Window, "window", 100, "unanswered submit_sm per bind")
	f.BoolVar(&o.Reconnect, "reconnect", false, "bind again when a connection ends; what was unanswered is not sent again")
	f.Int64Var(&l.Count, "count", 10000, "messages")
	f.Float64Var(&l.Rate, "rate", 0, "submit_sm per second over all binds; 0 = as fast as the windows allow")
	f.DurationVar(&l.Duration, "duration", 0, "send no new message after it; 0 = no limit")
	f.BoolVar(&l.Receipts, "registered", true, "ask for receipts")
	f.StringVar(&l.From, "from", "smsbench", "sender")
	f.StringVar(&l.To, "to", "491510", "beginning of the destinations; 8 digits follow")
	f.IntVar(&l.TextLen, "text-len", 60, "octets of text, 18 to 160")
	f.DurationVar(&l.RetryAfter, "retry-after", 100*time.Millisecond, "before a throttled message is sent again")
	f.DurationVar(&l.Drain, "drain", 30*time.Second, "how long to wait for answers when nothing moves")
}
