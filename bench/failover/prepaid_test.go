//go:build e2e

package failover

import (
	"math"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"smsplane/bench/peer"
	"smsplane/pdu"
)

const (
	fund     = 2000                // messages that the prepaid client can pay for
	noCredit = pdu.Status(0x00401) // as its catalog says
)

// TestPrepaidEndsAtZero lets a prepaid client spend all it has while leaders are killed. Every answer must fit one
// order of events on one balance, and in the end exactly what it could pay for was sent.
func TestPrepaidEndsAtZero(t *testing.T) {
	s := newSite(t, "")
	t.Cleanup(s.heal)
	c := newClient("pre", 9, 2, 4, 600, 0, "127.77.0.1:2775", "127.77.0.2:2775")
	defer c.close()
	for acked, kills := 0, 0; kills < 2+*rounds; kills++ {
		want := acked + 350
		eventually(t, time.Minute, "messages are accepted or refused for good", func() bool {
			_, acked, _ = c.counts()
			return acked >= want || c.refusedFor(noCredit) > 50
		})
		l := s.serving()
		l.kill()
		eventually(t, 30*time.Second, "the other host leads", func() bool { return s.other(l).leads() })
		l.start()
		s.caughtUp()
	}
	eventually(t, time.Minute, "the money is spent", func() bool { return c.refusedFor(noCredit) > 200 })
	c.halt()
	s.account(c, 9)

	taken := 0
	for _, k := range s.carriers {
		if r := runOf(k, 9); r != nil {
			for i := range r.Top() {
				if r.Count(i) > 0 {
					taken++
				}
			}
		}
	}
	if taken != fund {
		t.Errorf("%d messages were sent, paid for are %d", taken, fund)
	}
	begun, acked, unanswered := c.counts()
	t.Logf("%d sent, %d accepted, %d unanswered, refused %v, %d at carriers", begun, acked, unanswered, c.refused, taken)
	if r := porcupine.CheckOperationsTimeout(balance, c.history(), time.Minute); r != porcupine.Ok {
		t.Errorf("the answers fit no order of events on one balance: %v", r)
	}
}

func runOf(k *peer.Carrier, run uint32) *peer.Arrivals {
	tally := k.Tally()
	return tally.Runs[runName(run)]
}

func (c *client) refusedFor(st pdu.Status) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused[st]
}

// verdict is what a client knows of one submit_sm.
type verdict int

const (
	accepted verdict = iota
	refused          // for want of money
	unknown
)

// balance is the account: how many messages it can still pay for.
var balance = (&porcupine.NondeterministicModel{
	Init: func() []any { return []any{fund} },
	Step: func(state, _, output any) []any {
		left := state.(int)
		switch v := output.(verdict); {
		case v == accepted && left > 0:
			return []any{left - 1}
		case v == refused && left == 0:
			return []any{0}
		case v == unknown && left > 0:
			return []any{left, left - 1}
		case v == unknown:
			return []any{0}
		}
		return nil
	},
}).ToModel()

// history is what the client saw, as porcupine wants it. An answer that is about anything but money says nothing about it.
func (c *client) history() (h []porcupine.Operation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.sent {
		m := &c.sent[i]
		op := porcupine.Operation{ClientId: 0, Input: i, Call: m.begun, Return: m.ended, Output: accepted}
		switch {
		case m.ended == 0:
			op.Return, op.Output = math.MaxInt64, unknown
		case m.status == noCredit:
			op.Output = refused
		case m.status != pdu.ROK:
			continue
		}
		h = append(h, op)
	}
	return h
}
