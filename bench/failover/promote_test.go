//go:build e2e

package failover

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestPromote has a pair without a witness lose one host for good: nothing is accepted until the other is promoted, nothing
// that was is lost, and the old store never serves again.
func TestPromote(t *testing.T) {
	s := (&site{t: t, dir: t.TempDir(), lonely: true}).up("", 0)
	t.Cleanup(s.heal)
	l := s.serving()
	o := s.other(l)
	c := newClient("load", 4, 4, 100, 500, 0, "127.77.0.1:2775", "127.77.0.2:2775")
	defer c.close()
	more := func(what string) {
		t.Helper()
		_, before, _ := c.counts()
		eventually(t, time.Minute, what, func() bool { _, acked, _ := c.counts(); return acked > before+300 })
	}
	more("messages are accepted")
	refused := func(m *member, why string, args ...string) {
		t.Helper()
		if _, err := m.ask(args...); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%v at %s is not refused because of %q: %v", args, m.name, why, err)
		}
	}
	refused(o, "is reached", "cluster", "promote", o.name)
	l.kill()
	eventually(t, 30*time.Second, "without the other nobody is served", func() bool { return !o.ready() })
	refused(o, "with its own name", "cluster", "promote", l.name)
	eventually(t, 30*time.Second, o.name+" is promoted", func() bool {
		_, err := o.ask("cluster", "promote", o.name)
		if err != nil {
			t.Log(err)
		}
		return err == nil
	})
	more("messages are accepted by the host that is left")

	l.start() // with the store that it had
	eventually(t, 30*time.Second, "the old store is refused", func() bool {
		out, _ := l.ask("cluster", "status") // 1: not as it should be
		return strings.Contains(string(out), "the cluster has removed this member")
	})
	refused(o, "empty folder", "cluster", "add", l.name)
	if l.leads() || l.ready() {
		t.Error("the old store serves")
	}
	more("messages are accepted beside the old store")

	l.kill()
	if err := os.RemoveAll(l.dir); err != nil {
		t.Fatal(err)
	}
	l.start()
	eventually(t, 30*time.Second, "the empty store is added", func() bool {
		_, err := o.ask("cluster", "add", l.name)
		return err == nil
	})
	eventually(t, time.Minute, l.name+" votes in every lane", func() bool {
		out, err := o.ask("cluster", "status")
		return err == nil && !strings.Contains(string(out), "joining")
	})
	s.caughtUp()
	if _, err := o.ask("lane", "lead", l.name); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "the new store leads", l.leads)
	more("messages are accepted by the new store")
	c.halt()
	s.account(c, 4)
}
