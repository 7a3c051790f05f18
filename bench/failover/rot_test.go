//go:build e2e

package failover

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smsplane/ledger/book"
	"smsplane/ledger/journal"
)

// TestDamagedCopy flips a byte in each run of queued messages that a follower has on its disk. When the leader brings the first of them
// back, the follower cannot fold that; it says so, goes on, and has the lane anew from the leader. Then a byte of its log: it
// finds that when it starts. Nothing is lost, and the host can lead.
func TestDamagedCopy(t *testing.T) {
	s := &site{t: t, dir: t.TempDir(), catalog: maps.Clone(catalogFiles), together: "  spread: false\n"}
	s.catalog["routes.csv"] = "plan,prefix,mcc,mnc,class,tier,weight,carrier\nstandard,,,,,1,1,north\n"
	s.up("memory: 1MiB\n", 0)
	t.Cleanup(s.heal)
	s.serving()
	layers := func(verb string) {
		t.Helper()
		for _, m := range []*member{s.a, s.b} {
			if _, err := m.ask("layer", verb, "egress"); err != nil {
				t.Fatal(err)
			}
		}
	}
	layers("pause")
	c := newClient("load", 5, 4, 500, 8000, 0, "127.77.0.1:2775", "127.77.0.2:2775")
	eventually(t, 2*time.Minute, "more is queued than memory has room for", func() bool { _, acked, _ := c.counts(); return acked > 45_000 })
	c.halt()
	l := s.serving()
	o := s.other(l)
	eventually(t, time.Minute, "the follower has runs on its disk", func() bool {
		out, err := o.ask("store", "stat")
		return err == nil && strings.Contains(string(out), "runs")
	})
	s.caughtUp()

	lane := uint16(0)
	o.damage(func(d *journal.DB, w *journal.Batch, i uint16) (n int) {
		lo, hi := journal.LaneRange(journal.Run, i)
		if err := d.Scan(lo, hi, func(k, v []byte) error {
			v = append([]byte(nil), v...)
			v[3] ^= 0x40 // of the first message's length
			w.Set(append([]byte(nil), k...), v)
			lane, n = i, n+1
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return n
	})
	s.caughtUp()
	layers("resume")
	s.renewed(o, lane, 1)
	s.account(c, 5)
	c.close()

	layers("pause") // so that the log holds something that lives
	held := newClient("load", 7, 2, 100, 500, 0, "127.77.0.1:2775", "127.77.0.2:2775")
	eventually(t, time.Minute, "some are queued", func() bool { _, acked, _ := held.counts(); return acked > 300 })
	held.halt()
	s.caughtUp()
	o.damage(func(d *journal.DB, w *journal.Batch, i uint16) int {
		if i != lane {
			return 0
		}
		fold, err := d.Get(journal.Key(journal.Fold, i))
		if err != nil {
			t.Fatal(err)
		}
		applied, err := book.AppliedIn(fold)
		if err != nil {
			t.Fatal(err)
		}
		log, err := d.Log(i)
		if err != nil {
			t.Fatal(err)
		}
		index := log.First()
		for index < applied && log.Size(index) == 0 {
			index++
		}
		v := d.Raw(i, index)
		if index > applied || len(v) == 0 {
			return 0
		}
		v[len(v)-1] ^= 4
		w.Set(journal.Key(journal.EntryKind, i, index), v)
		return 1
	})
	s.renewed(o, lane, 2)
	s.caughtUp()
	layers("resume")
	s.account(held, 7)
	held.close()
	l.kill()
	eventually(t, time.Minute, "the host that was damaged leads", func() bool { return o.leads() && o.ready() && s.carriersBound() })
	if out, err := o.ask("store", "check"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	l.start()
	c2 := newClient("load", 6, 2, 100, 500, 0, "127.77.0.1:2775", "127.77.0.2:2775")
	defer c2.close()
	eventually(t, time.Minute, "messages are accepted", func() bool { _, acked, _ := c2.counts(); return acked > 300 })
	c2.halt()
	s.account(c2, 6)
}

// damage has f change what a host has on its disk, lane by lane, while it is down; something must come of it.
func (m *member) damage(f func(d *journal.DB, w *journal.Batch, lane uint16) int) {
	m.t.Helper()
	m.kill()
	d, err := journal.Open(journal.Options{Dir: filepath.Join(m.dir, "store"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		m.t.Fatal(err)
	}
	lanes, err := d.Lanes()
	if err != nil {
		m.t.Fatal(err)
	}
	n, w := 0, journal.NewBatch()
	for _, lane := range lanes {
		n += f(d, w, lane)
	}
	d.Write(w, nil)
	if err := d.Close(); err != nil || n == 0 {
		m.t.Fatalf("%d places damaged, %v", n, err)
	}
	m.start()
}

// renewed waits until a host has a lane anew for the nth time, and sees that it said why, and went on.
func (s *site) renewed(m *member, lane uint16, nth int) {
	s.t.Helper()
	said := func() string {
		b, err := os.ReadFile(m.config + ".log")
		if err != nil {
			s.t.Fatal(err)
		}
		return string(b)
	}
	count := func(what string) (n int) {
		for _, line := range strings.Split(said(), "\n") {
			if strings.Contains(line, what) && strings.Contains(line, fmt.Sprintf("lane=%d ", lane)) {
				n++
			}
		}
		return n
	}
	eventually(s.t, time.Minute, m.name+" has the lane anew", func() bool { return count("a lane was installed from another host") >= nth })
	if count("copy of a lane is damaged; it is asked for anew") < nth {
		s.t.Errorf("%s does not say why", m.name)
	}
	if !m.running() {
		s.t.Errorf("%s has ended", m.name)
	}
}
