//go:build e2e

package failover

import (
	"fmt"
	"testing"
	"time"
)

// TestRelay has a client that knows one address only. It is served there whoever leads its lane: its bind is relayed, and ends
// when the lead moves, so that the client comes again. The hosts talk over mutual TLS.
func TestRelay(t *testing.T) {
	s := newSecureSite(t)
	t.Cleanup(s.heal)
	l := s.serving()
	o := s.other(l)
	move := func(to *member) {
		t.Helper()
		if _, err := s.serving().ask("lane", "move", fmt.Sprint(clientLane), to.name); err != nil {
			t.Fatal(err)
		}
		eventually(t, 30*time.Second, to.name+" leads", func() bool { return to.leadsLane(clientLane) && s.carriersBound() })
	}
	move(l)
	eventually(t, 10*time.Second, "the host that does not lead takes binds", o.ready)
	c := newClient("load", 8, 2, 100, 400, 0, o.net.addr+":2775")
	defer c.close()
	more := func(what string) {
		t.Helper()
		_, before, _ := c.counts()
		eventually(t, 30*time.Second, what, func() bool { _, acked, _ := c.counts(); return acked > before+200 })
	}
	more("messages are accepted over a relay")
	move(o)
	more("messages are accepted by the host that the client is at")
	move(l)
	more("messages are accepted over a relay again")
	at := time.Now().UnixNano()
	l.kill()
	more("messages are accepted when the host behind the relay has died")
	t.Logf("the host behind the relay was killed: %.0f ms to the next accepted", ms(c.ackAfter(at)-at))
	l.start()
	s.caughtUp()
	c.halt()
	s.account(c, 8)
}
