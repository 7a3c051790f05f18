//go:build e2e

package failover

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMove has an operator move a client's lane over three hosts under load, and then lane 0 with the links to carriers. Nothing that
// was accepted is lost, and every message is in the books of every host exactly once.
func TestMove(t *testing.T) {
	s := (&site{t: t, dir: t.TempDir(), three: true, together: "  settle: 1s\n"}).up("", 0)
	t.Cleanup(s.heal)
	c := newClient("load", 6, 4, 200, 400, 0, "127.77.0.1:2775", "127.77.0.2:2775", "127.77.0.3:2775")
	defer c.close()
	more := func(what string) {
		t.Helper()
		_, before, _ := c.counts()
		eventually(t, time.Minute, what, func() bool { _, acked, _ := c.counts(); return acked > before+200 })
	}
	more("messages are accepted")
	order := func(args ...string) {
		t.Helper()
		eventually(t, time.Minute, strings.Join(args, " "), func() bool { // who leads lane 0 takes orders, and that may change just now
			l := s.leader()
			if l == nil {
				return false
			}
			_, err := l.ask(args...)
			return err == nil
		})
	}
	for n := range max(2, *rounds) * 3 {
		m := s.data()[n%3]
		at := time.Now().UnixNano()
		order("lane", "move", fmt.Sprint(clientLane), m.name)
		eventually(t, time.Minute, m.name+" leads the lane", func() bool { return m.leadsLane(clientLane) })
		took := time.Now().UnixNano()
		for _, o := range s.data() {
			eventually(t, 10*time.Second, o.name+" knows", func() bool { return o.ledBy(clientLane) == m.name })
		}
		more("messages are accepted at " + m.name)
		c.mu.Lock()
		acks := slices.Clone(c.acks)
		c.mu.Unlock()
		t.Logf("moved to %s in %.0f ms; silences over 150 ms, in ms from the order on: %v", m.name, ms(took-at), silences(acks, at))
	}
	order("lane", "move", fmt.Sprint(clientLane), "any")
	for _, m := range s.data() {
		order("lane", "lead", m.name)
		eventually(t, time.Minute, m.name+" keeps the links", func() bool { return m.leads() && s.carriersBound() })
		more("messages are accepted")
	}
	c.halt()
	s.account(c, 6)
	s.once(c)
	s.noneDied()
}

// ledBy is who leads a lane, as `lane list` at the member says; empty where it does not.
func (m *member) ledBy(lane uint16) string {
	out, err := m.ask("lane", "list")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) > 2 && f[0] == fmt.Sprint(lane) {
			return f[2]
		}
	}
	return ""
}

// once demands that the books of every host have each accepted message exactly once.
func (s *site) once(c *client) {
	s.t.Helper()
	c.mu.Lock()
	accepted := map[string]bool{}
	for i := range c.sent {
		if m := &c.sent[i]; m.id != "" {
			accepted[m.id] = true
		}
	}
	c.mu.Unlock()
	for _, m := range s.data() {
		out, err := m.ask("edr", "--client", c.login)
		if err != nil {
			s.t.Fatal(err)
		}
		rows, err := csv.NewReader(strings.NewReader(string(out))).ReadAll()
		if err != nil {
			s.t.Fatal(err)
		}
		seen := map[string]int{}
		for _, r := range rows[1:] {
			seen[r[0]]++
		}
		missing, repeated := 0, 0
		for id := range accepted {
			if seen[id] == 0 {
				missing++
			}
		}
		for _, n := range seen {
			if n > 1 {
				repeated++
			}
		}
		s.t.Logf("the books of %s: %d messages, %d of those accepted are missing, %d are there more than once; %d were accepted and their answer lost", m.name, len(seen), missing, repeated, len(seen)+missing-len(accepted))
		if missing > 0 || repeated > 0 {
			s.t.Errorf("the books of %s: %d of %d messages are missing, %d are there more than once", m.name, missing, len(accepted), repeated)
		}
	}
}
