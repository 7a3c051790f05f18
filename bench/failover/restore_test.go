//go:build e2e

package failover

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRestore loses every disk of a cluster and forms a fresh one around a backup, at another host than the one that led.
// In between that is a single host for a while, so the store joins the cluster with lanes that were nobody else's.
func TestRestore(t *testing.T) {
	s := newSite(t, "")
	t.Cleanup(s.heal)
	accepted := func(c *client, n int) func() bool {
		return func() bool { _, acked, _ := c.counts(); return acked > n }
	}
	c := newClient("load", 2, 2, 100, 500, 0, "127.77.0.1:2775", "127.77.0.2:2775")
	eventually(t, time.Minute, "messages are accepted", accepted(c, 500))
	c.halt()
	s.account(c, 2)
	c.close()
	l := s.serving()
	o := s.other(l)
	before, err := l.status()
	if err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(s.dir, "backup")
	if out, err := l.ask("store", "backup", backup); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, m := range s.all() {
		m.kill()
		if err := os.RemoveAll(m.dir); err != nil {
			t.Fatal(err)
		}
	}
	whole := o.config
	o.config = s.alone(o)
	if out, err := o.ask("store", "restore", backup); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	o.start()
	eventually(t, time.Minute, "the single host serves", func() bool { return o.ready() && s.carriersBound() })
	o.kill()
	o.config = whole
	for _, m := range s.all() {
		m.start()
	}
	eventually(t, time.Minute, "the restored host leads", func() bool { return o.leads() && o.ready() && s.carriersBound() })
	after, err := o.status()
	if err != nil || after.Books.Accepted != before.Books.Accepted || before.Books.Accepted == 0 || after.Books.InFlight+after.Books.InDoubt != 0 {
		t.Errorf("before %+v, after %+v, %v", before.Books, after.Books, err)
	}
	eventually(t, time.Minute, "all vote in every lane", func() bool {
		out, err := o.ask("cluster", "status")
		return err == nil && !strings.Contains(string(out), "joining")
	})
	c = newClient("load", 3, 2, 100, 500, 0, "127.77.0.1:2775", "127.77.0.2:2775")
	defer c.close()
	eventually(t, time.Minute, "messages are accepted", accepted(c, 300))
	o.kill()
	_, acked, _ := c.counts()
	eventually(t, time.Minute, "messages are accepted by the host that came empty", accepted(c, acked+300))
	o.start()
	s.caughtUp()
	c.halt()
	s.account(c, 3)
}

// alone writes the node file of a member without its cluster.
func (s *site) alone(m *member) (file string) {
	s.t.Helper()
	b, err := os.ReadFile(m.config)
	if err != nil {
		s.t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(b), "cluster:\n")
	_, after, _ := strings.Cut(rest, "smpp:\n")
	s.write(m.name+"-alone.yaml", before+"smpp:\n"+after)
	return filepath.Join(s.dir, m.name+"-alone.yaml")
}
