package ledger

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Describe says in words what a record decided. The text of messages is not part of it.
func (r *Record) Describe() string {
	var s string
	ok := true
	switch r.Kind {
	case KindAccept:
		var v Accept
		ok = r.Accept(&v)
		s = fmt.Sprintf("account %d session %d: to %d, class %v, %d part(s), %v held by rates row %d of catalog %d, valid until %s%s; PDU of %d octets",
			v.Account, v.Session, v.Number, v.Class, v.Parts, v.Price, v.Row, v.Catalog, clock(v.ValidUntil), since(", not before ", v.Due), len(v.PDU))
	case KindRoute:
		var v Route
		ok = r.Route(&v)
		s = fmt.Sprintf("%s by catalog %d, router %d", v.plan(), v.Catalog, v.Router)
	case KindDispatch:
		var v Dispatch
		ok = r.Dispatch(&v)
		s = fmt.Sprintf("attempt %d to carrier %d (target %d) over session %d, %v a part", v.Attempt, v.Carrier, v.Target, v.Session, v.Buy)
		if r.Flags&FlagResend != 0 {
			s += ", may be a second copy"
		}
	case KindAnswer:
		var v Answer
		ok = r.Answer(&v)
		s = fmt.Sprintf("status %#x: %v, target %d%s, owed %v, carrier's id %q", v.Status, v.Outcome, v.Target, since(", not before ", v.Due), v.Cost, v.CarrierID)
	case KindReceipt:
		var v Receipt
		ok = r.Receipt(&v)
		s = fmt.Sprintf("state %d, err %q, carrier's id %q, owed %v%s", v.State, v.Err, v.ID, v.Cost, since(", done ", v.Done))
		if v.Inferred {
			s += ", inferred"
		}
	case KindFinal:
		var v Final
		ok = r.Final(&v)
		s = fmt.Sprintf("%v: %v, detail %d, status %#x, hold %v, charged %v, receipt due: %v", v.End, v.Reason, v.Detail, v.Status, v.Hold, v.Charge, v.Return)
	case KindReturn:
		var v Return
		ok = r.Return(&v)
		s = fmt.Sprintf("session %d answered with status %#x", v.Session, v.Status)
	case KindReplace:
		var v Replace
		ok = r.Replace(&v)
		s = fmt.Sprintf("another text: %d part(s), %v held, valid until %s%s; PDU of %d octets", v.Parts, v.Price, clock(v.ValidUntil), since(", not before ", v.Due), len(v.PDU))
	case KindDoubt:
		var p Policy
		var target uint8
		p, target, ok = r.Doubt()
		s = fmt.Sprintf("policy %v, target %d", p, target)
	default:
		s, ok = r.describeSystem()
	}
	if !ok {
		return "cannot be read"
	}
	return s
}

// describeSystem covers the kinds that are about no single message of a client.
func (r *Record) describeSystem() (s string, ok bool) {
	switch r.Kind {
	case KindAccount:
		var v Account
		ok = r.Account(&v)
		s = fmt.Sprintf("%q is %s %d in lane %d", v.Name, [...]string{"party", "client", "carrier"}[min(v.Party, PartyCarrier)], v.Number, v.Lane)
	case KindCatalog:
		var v Catalog
		ok = r.Catalog(&v)
		s = fmt.Sprintf("version %d by %s, %d octets", v.Version, v.Author, len(v.Files))
	case KindOrphan:
		var carrier uint16
		var p []byte
		carrier, p, ok = r.Orphan()
		s = fmt.Sprintf("receipt of carrier %d that fits no message, %d octets", carrier, len(p))
	case KindMO:
		var v MO
		ok = r.MO(&v)
		s = fmt.Sprintf("from carrier %d for account %d, PDU of %d octets", v.Carrier, v.Account, len(v.PDU))
	case KindMove:
		var v Move
		ok = r.Move(&v)
		s = fmt.Sprintf("run %d in place %d: %d message(s) of queue %d, carrier %d, class %v, left memory", v.Run, v.Order, len(v.IDs)/idBytes, v.Queue, v.Carrier, v.Class)
	case KindLoad:
		var run uint32
		run, ok = r.Load()
		s = fmt.Sprintf("run %d is in memory again", run)
	case KindOrder:
		var v Order
		ok = r.Order(&v)
		s = fmt.Sprintf("%v, by %s", v.Verb, v.Author)
		if v.Verb.OfLink() {
			s += fmt.Sprintf("; link %d of carrier %d", v.Link, v.Carrier)
		}
	case KindOperator:
		var v Operator
		ok = r.Operator(&v)
		s = fmt.Sprintf("%v of %d message(s) by %s: %s", v.Action, len(v.IDs), v.Author, v.Reason)
	default:
		return fmt.Sprintf("body of %d octets", len(r.Body)), true
	}
	return s, ok
}

// Concerns says whether the record is about that message.
func (r *Record) Concerns(id MsgID) bool {
	var deed Operator
	var move Move
	switch {
	case r.Kind == KindOperator && r.Operator(&deed):
		return slices.Contains(deed.IDs, id)
	case r.Kind == KindMove && r.Move(&move):
		return EachID(move.IDs, func(o MsgID) error {
			if o == id {
				return errFound
			}
			return nil
		}) != nil
	}
	return r.ID == id && id != 0
}

var errFound = errors.New("found")

func (p *Route) plan() string {
	var b strings.Builder
	for i, t := range p.Targets[:p.N] {
		if i > 0 {
			b.WriteString(", then ")
		}
		fmt.Fprintf(&b, "carrier %d (tier %d, weight %d, buys at %v, routes row %d)", t.Carrier, t.Tier, t.Weight, t.Buy, t.Row)
	}
	return b.String()
}

func clock(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339) }

func since(words string, ns int64) string {
	if ns == 0 {
		return ""
	}
	return words + clock(ns)
}
