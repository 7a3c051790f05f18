//go:build e2e

package e2e

import (
	"encoding/csv"
	"fmt"
	"strings"
	"testing"
	"time"
)

// settleTime is how long routing may take to pass over a target that refuses a prefix.
const settleTime = 5 * time.Second

// TestRefusedPrefixMovesAway: north answers status 8 for one prefix; within five seconds new messages for
// it go to south first, and other prefixes are shared as before.
func TestRefusedPrefixMovesAway(t *testing.T) {
	const bad, good = "49151", "49152"
	north, south := startCarrier(t), startCarrier(t)
	n, box := newNode(t, north.port, south.port).up(), newOutbox()
	n.linked(2 * linkSessions)
	e := mustBind(t, n, 100, box)

	north.refusing(bad)
	next := 0
	trickle := time.NewTicker(10 * time.Millisecond)
	defer trickle.Stop()
	var settled <-chan time.Time // from the first refusal on
	firstNo := north.firstNo
	for moved := false; !moved; {
		select {
		case <-trickle.C:
			sendAll(t, e, bad, next, next+1)
			next++
		case <-firstNo:
			settled, firstNo = time.After(settleTime), nil
		case <-settled:
			moved = true
		}
	}

	const each = 400
	tries, others := north.offeredTo(bad), north.offeredTo(good)
	sendAll(t, e, bad, next, next+each)
	sendAll(t, e, good, 0, each)
	everythingBack(t, box, north, south)
	// A probe every two seconds may still go to north, and be tried again there before it moves on.
	if again := north.offeredTo(bad) - tries; again > each/20 {
		t.Errorf("%d of %d messages for the refused prefix went to north first", again, each)
	}
	if kept := north.offeredTo(good) - others; kept < each/4 {
		t.Errorf("north got only %d of %d messages for a prefix it takes", kept, each)
	}

	type explanation struct {
		Plan, Number string
		Targets      []struct {
			Carrier      string
			Tier, Weight int
			BuyMicro     int64 `json:"buy_micro"`
			Recent       map[string]any
		}
		Considered []struct{ Reason string }
	}
	x := ask[explanation](n, "route", "explain", "--client", "demo", "--from", "e2e", "--to", "+"+number(bad, 1))
	if x.Plan != "standard" || x.Number != number(bad, 1) || len(x.Targets) != 2 || x.Targets[0].Carrier != "c1" || x.Targets[0].BuyMicro != 31_000 {
		t.Errorf("explain: %+v; want c1 first", x)
	}
	n.proven()
	n.stop()
}

type traceLine struct {
	Layer, Worker, Event, Detail string
	Time                         time.Time
}

// TestLifeOfOneMessage: found by number, traced by our id and the carrier's, from the running node, after
// a restart, and from the store of a stopped one.
func TestLifeOfOneMessage(t *testing.T) {
	c := startCarrier(t)
	n, box := newNode(t, c.port).up(), newOutbox()
	n.linked(linkSessions)
	sendAll(t, mustBind(t, n, 10, box), "49151", 0, 1)
	everythingBack(t, box, c)
	id, carrierID := box.ids[number("49151", 0)], fmt.Sprintf("%x-1", c.port)
	eventually(t, patience, "the receipt is in the books", func() bool { return n.status().Books.ReceiptsReturned == 1 })

	look := func(when string) {
		t.Helper()
		for _, f := range [][]string{{"--to", number("49151", 0)}, {"--from", "e2e"}, {"--carrier-id", carrierID}, {"--client", "demo", "--since", "1h"}} {
			found := ask[[]struct{ ID string }](n, append([]string{"find"}, f...)...)
			if len(found) != 1 || found[0].ID != id {
				t.Errorf("%s: find %v: %v; want %s", when, f, found, id)
			}
		}
		lines := ask[[]traceLine](n, "trace", id)
		wholeLife(t, when, lines)
		if byCarrier := ask[[]traceLine](n, "trace", carrierID); len(byCarrier) != len(lines) {
			t.Errorf("%s: trace by the carrier's id has %d lines, by ours %d", when, len(byCarrier), len(lines))
		}
		if code, _, _ := n.command("trace", "ffffffffffffffff"); code != 1 {
			t.Errorf("%s: trace of an unknown id: exit %d; want 1", when, code)
		}
	}
	look("running")
	n.proc.kill()
	look("killed, from the store")
	n.up()
	look("after a restart")
	oneRecord(t, n, id, carrierID)
	oneAttempt(t, n, id, carrierID)
	n.stop()
	look("stopped, from the store")
	oneRecord(t, n, id, carrierID)
	oneAttempt(t, n, id, carrierID)
	n.proven()
}

// oneRecord demands the row of the one message in the CSV of what ended.
func oneRecord(t *testing.T, n *node, id, carrierID string) {
	t.Helper()
	code, out, errs := n.command("edr")
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if code != 0 || err != nil || len(rows) != 2 {
		t.Fatalf("edr: exit %d, %v, %d rows\n%s%s", code, err, len(rows), out, errs)
	}
	got := map[string]string{}
	for i, name := range rows[0] {
		got[name] = rows[1][i]
	}
	for name, want := range map[string]string{"message_id": id, "client": "demo", "party": "demo", "class": "transactional", "source": "e2e",
		"destination": number("49151", 0), "country": "DE", "mcc": "262", "mnc": "01", "parts": "1", "carrier": "c0", "carrier_message_id": carrierID,
		"attempts": "1", "answer_status": "0", "final_state": "delivered", "final_error": "0", "final_error_raw": "000", "receipt_origin": "carrier",
		"sell_micro": "45000", "sell_currency": "EUR", "buy_micro": "31000", "buy_currency": "EUR"} {
		if got[name] != want {
			t.Errorf("edr: %s is %q; want %q", name, got[name], want)
		}
	}
	for _, name := range []string{"accepted_at", "dispatched_at", "answered_at", "final_at"} {
		if at, err := time.Parse("2006-01-02T15:04:05.000000Z", got[name]); err != nil || time.Since(at) > time.Hour {
			t.Errorf("edr: %s is %q", name, got[name])
		}
	}
}

// oneAttempt demands the one row of the file of attempts, and none in that of parts: the message went out whole.
func oneAttempt(t *testing.T, n *node, id, carrierID string) {
	t.Helper()
	code, out, errs := n.command("edr", "--attempts", "--client", "demo")
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if code != 0 || err != nil || len(rows) != 2 {
		t.Fatalf("edr --attempts: exit %d, %v, %d rows\n%s%s", code, err, len(rows), out, errs)
	}
	if r := rows[1]; r[0] != id || r[1] != "demo" || r[2] != "1" || r[4] != "c0" || r[5] != carrierID || r[9] != "0" || r[10] != "taken" {
		t.Errorf("edr --attempts: %q", r)
	}
	if code, out, errs = n.command("edr", "--parts"); code != 0 || strings.Count(out, "\n") != 1 {
		t.Errorf("edr --parts: exit %d\n%s%s", code, out, errs)
	}
}

// wholeLife demands a line of every layer, in order of time, out and back.
func wholeLife(t *testing.T, when string, lines []traceLine) {
	t.Helper()
	seen, at := map[string]bool{}, time.Time{}
	for _, l := range lines {
		if l.Time.Before(at) {
			t.Errorf("%s: %+v is before the line above it", when, l)
		}
		at = l.Time
		seen[l.Layer] = true
		if l.Event == "" || l.Worker == "" {
			t.Errorf("%s: %+v lacks its event or worker", when, l)
		}
	}
	for _, layer := range []string{"security", "entry", "external", "router", "verifier", "internal", "egress", "carrier", "billing"} {
		if !seen[layer] {
			t.Errorf("%s: no line of %s", when, layer)
		}
	}
	if len(lines) < 8 || lines[0].Layer != "security" || lines[len(lines)-1].Layer != "entry" {
		t.Errorf("%s: a life begins at the gate and ends at entry, in eight lines at least: %+v", when, lines)
	}
}
