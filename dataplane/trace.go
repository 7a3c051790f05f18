package dataplane

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"smsplane/dataplane/admin"
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
	"smsplane/router/verifier"
)

// Trace implements admin.Source.
func (s *source) Trace(ctx context.Context, id string) (out []admin.TraceLine, err error) {
	v, err := s.find(ctx, id)
	if err != nil {
		return nil, err
	}
	err = s.ask(func(x *executor) error {
		out = x.trace(v)
		return nil
	})
	return out, err
}

// storyteller writes the lines of one life.
type storyteller struct {
	x     *executor
	lines []admin.TraceLine
}

func (t *storyteller) say(at int64, layer, worker, event, format string, args ...any) {
	if at == 0 {
		return
	}
	t.lines = append(t.lines, admin.TraceLine{Layer: layer, Time: instant(at), Worker: worker, Event: event, Detail: fmt.Sprintf(format, args...)})
}

func worker(layer string, n uint8) string { return fmt.Sprintf("%s-%d", layer, n) }

// trace tells the life of a message from journaled facts: out through the layers, and back.
func (x *executor) trace(v *life) []admin.TraceLine {
	t := &storyteller{x: x}
	e := &v.edr
	if v.mo {
		t.say(e.Accepted, "carrier", x.carrierName(e.Carrier), "delivered", "a message from %s to %s for client %s", e.Src, e.Dst, x.clientName(e.Account))
		return t.lines
	}
	t.say(e.Accepted, "security", "gate", "admitted", "session %d of client %s: source, password and number of binds were checked when it bound",
		e.Session, x.clientName(e.Account))
	t.say(e.Accepted, "entry", worker("entry", e.EntryWorker), "accepted",
		"client %s session %d: %s → %s (%d), class %v, %d part(s), catalog %d; price %v held, rates row %d", x.clientName(e.Account), e.Session,
		e.Src, e.Dst, e.Number, e.Class, e.Parts, e.Catalog, e.Hold, e.Row)
	t.say(e.Committed, "external", fmt.Sprintf("lane-%d", e.ID.Lane()), "committed", "the block is on stable storage; submit_sm_resp %s", e.ID)
	t.say(e.Routed, "router", worker("router", e.RouterWorker), "planned", "%s", x.planText(e))
	t.say(e.Verified, "verifier", worker("verifier", e.VerifyWorker), "passed", "the plan of catalog %d stands", e.RouteCatalog)
	t.say(e.Verified, "internal", fmt.Sprintf("lane-%d", e.ID.Lane()), "queued", "for %s, class %v", x.first(e), e.Class)
	t.attempts(v)
	if e.Attempts > 0 && v.state != book.StateRouted {
		t.dispatch(e)
	}
	t.receipt(e)
	t.end(e)
	for _, d := range v.deeds {
		t.say(d.At, "operator", string(d.Author), d.Action.String(), "%s", d.Reason)
	}
	for _, o := range v.ordered {
		t.say(o.At, "egress", "operator", "ordered", "%v, by %s", o.Verb, o.Author)
	}
	for _, r := range v.repeated {
		what := "the first final receipt decided, this one changes nothing"
		if e.End == ledger.EndUnknown {
			what = "it ended as unknown, which moved the money; the client is told, once"
		}
		t.say(r.At, "carrier", x.carrierName(e.Carrier), "receipt again", "%v, err %s; %s", pdu.State(r.State), r.Err, what)
	}
	for _, r := range v.returned {
		if r.Session == 0 {
			why := "%s did not take it in time"
			if pdu.Status(r.Status) == pdu.RMsgQFul {
				why = "too many receipts wait for %s"
			}
			t.say(r.At, "entry", fmt.Sprintf("lane-%d", e.ID.Lane()), "receipt given up", why, t.x.clientName(e.Account))
			continue
		}
		t.say(r.At, "entry", fmt.Sprintf("session-%d", r.Session), "receipt returned", "deliver_sm answered with %v", pdu.Status(r.Status))
	}
	slices.SortStableFunc(t.lines, func(a, b admin.TraceLine) int { return a.Time.Compare(b.Time) })
	return t.lines
}

func (x *executor) planText(e *book.EDR) string {
	if len(e.Targets) == 0 {
		return "no target"
	}
	var b strings.Builder
	for i, p := range e.Targets {
		if i > 0 {
			b.WriteString(", then ")
		}
		fmt.Fprintf(&b, "%s (tier %d, weight %d, buys at %v, routes row %d)", x.carrierName(p.Carrier), p.Tier, p.Weight, p.Buy, p.Row)
	}
	return b.String()
}

func (x *executor) first(e *book.EDR) string {
	if len(e.Targets) == 0 {
		return "nobody"
	}
	return x.carrierName(e.Targets[0].Carrier)
}

// attempts tells the dispatches that led nowhere.
func (t *storyteller) attempts(v *life) {
	for _, a := range v.attempts {
		again := ""
		if a.Resend {
			again = ", may be a second copy"
		}
		name := t.x.carrierName(a.Carrier)
		t.say(a.Dispatched, "egress", worker("egress", a.Worker), "dispatched", "attempt %d to %s, link session %d%s", a.N, name, a.Link, again)
		switch a.Outcome {
		case 0:
			t.say(a.Answered, "egress", worker("egress", a.Worker), "in doubt", "session %d ended or fell silent without an answer; policy %v", a.Link, a.Policy)
		case ledger.Moved:
			t.say(a.Answered, "egress", worker("egress", a.Worker), "moved", "%s cannot be sent to, or fails for this number; on to the next target", name)
		case ledger.Taken:
			t.say(a.Answered, "carrier", name, "part taken", "part %d of the text; the next follows", a.Status+1)
		case ledger.Unsent:
			t.say(a.Answered, "egress", worker("egress", a.Worker), "not sent", "session %d ended before a byte was written", a.Link)
		default:
			t.say(a.Answered, "carrier", name, "refused", "%v; then: %v", pdu.Status(a.Status), a.Outcome)
		}
	}
}

func (t *storyteller) dispatch(e *book.EDR) {
	again := ""
	if e.Resends > 0 {
		again = fmt.Sprintf(", sent again %d time(s) out of doubt", e.Resends)
	}
	name := t.x.carrierName(e.Carrier)
	t.say(e.Dispatched, "egress", worker("egress", e.EgressWorker), "dispatched", "attempt %d to %s, link session %d, %v a part%s", e.Attempts, name, e.Link,
		e.Buy, again)
	switch answered := e.Answered >= e.Dispatched; {
	case answered && len(e.CarrierID) > 0:
		t.say(e.Answered, "carrier", name, "taken", "%v, its id %s; owed %v", pdu.Status(e.Status), e.CarrierID, e.Cost)
	case answered && (e.Cost > 0 || e.Receipted > 0):
		t.say(e.Answered, "carrier", name, "taken", "%v, without an id of its own; owed %v", pdu.Status(e.Status), e.Cost)
	}
}

func (t *storyteller) receipt(e *book.EDR) {
	how := ""
	if e.Inferred {
		how = " (inferred: no answer named it)"
	}
	t.say(e.Receipted, "carrier", t.x.carrierName(e.Carrier), "receipt", "%v, err %s%s", pdu.State(e.ReceiptState), e.Err, how)
}

func (t *storyteller) end(e *book.EDR) {
	if e.End == ledger.EndNone {
		return
	}
	why := e.Reason.String()
	if e.Reason == ledger.ReasonVerifier {
		why += ": " + verifier.Reason(e.Detail).String()
	}
	if e.FinalStatus != 0 {
		why += fmt.Sprintf(" (%v)", pdu.Status(e.FinalStatus))
	}
	t.say(e.Ended, "billing", worker("billing", e.BillingWorker), e.End.String(), "%s; of %v held %v charged, %v given back", why, e.Hold, e.Charge, e.Hold-e.Charge)
	if len(e.Targets) > 0 && e.Attempts > 0 {
		t.say(e.Ended, "router", worker("router", e.RouterWorker), "outcome noted", "%s for %d: %v", t.x.carrierName(e.Carrier), e.Number, e.End)
	}
	if e.Return {
		t.say(e.Ended, "entry", fmt.Sprintf("lane-%d", e.ID.Lane()), "receipt queued", "for any receiving bind of %s", t.x.clientName(e.Account))
	}
}
