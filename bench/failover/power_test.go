//go:build e2e

package failover

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

var withoutSync = flag.Bool("no-sync", false, "make the journal's sync a no-op: TestPowerLoss must then see loss")

// disk gives a member a file system of its own on a loop device, so that its power can be cut and it can be filled.
func (m *member) disk(megabytes int64) {
	m.t.Helper()
	img := m.dir + ".img"
	f, err := os.Create(img)
	if err == nil {
		err = errors.Join(f.Truncate(megabytes<<20), f.Close())
	}
	if err != nil {
		m.t.Fatal(err)
	}
	must(m.t, "mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", img)
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		m.t.Fatal(err)
	}
	m.mount()
	m.t.Cleanup(func() {
		m.kill()
		must(m.t, "umount", m.dir)
	})
}

func (m *member) mount() { must(m.t, "mount", "-o", "loop", m.dir+".img", m.dir) }

// powerOff takes the power from the disk and the process: what was not synced is gone.
func (m *member) powerOff() {
	m.t.Helper()
	if err := shutDown(m.dir); err != nil {
		m.t.Fatalf("shutting the file system of %s down: %v", m.name, err)
	}
	m.kill()
	must(m.t, "umount", m.dir)
}

func (m *member) powerOn() {
	m.t.Helper()
	m.mount()
	m.start()
}

// shutDown is EXT4_IOC_SHUTDOWN with NOLOGFLUSH: nothing more reaches the disk, the file system's own log neither.
func shutDown(dir string) error {
	const ioctl, noLogFlush = 0x8004587d, uint32(2)
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	how := noLogFlush
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, f.Fd(), ioctl, uintptr(unsafe.Pointer(&how))); e != 0 {
		return e
	}
	return nil
}

// TestPowerLoss cuts both hosts and the witness at the same moment, again and again.
func TestPowerLoss(t *testing.T) {
	if *withoutSync {
		t.Setenv("SMSPLANE_BIN", buildWithoutSync(t))
	}
	s := newSiteOn(t, "journal: {reserve: 256MiB}\n", 1500)
	t.Cleanup(s.heal)
	c := newClient("load", 5, 4, 200, *rate, 0, "127.77.0.1:2775", "127.77.0.2:2775")
	defer c.close()
	for n := range *rounds {
		want := (n + 1) * *rate
		eventually(t, time.Minute, "messages are accepted", func() bool { _, acked, _ := c.counts(); return acked > want })
		at := time.Now().UnixNano()
		for _, m := range s.all() {
			m.powerOff()
		}
		for _, m := range s.all() {
			m.powerOn()
		}
		eventually(t, time.Minute, "messages are accepted after the power loss", func() bool { return c.ackAfter(at+int64(100*time.Millisecond)) != 0 })
		s.caughtUp()
	}
	c.halt()
	if *withoutSync {
		s.mustLose(c, 5)
		return
	}
	s.account(c, 5)
}

// mustLose says whether what was accepted is lost, as it must be without syncs: the books know fewer than the client.
func (s *site) mustLose(c *client, run uint32) {
	l := s.serving()
	lost := 0
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.sent {
		m := &c.sent[i]
		if m.id == "" {
			continue
		}
		copies := uint32(0)
		for _, k := range s.carriers {
			if r := runOf(k, run); r != nil {
				copies += r.Count(uint32(i))
			}
		}
		if copies > 0 {
			continue
		}
		out, err := l.ask("find", "--to", number(run, uint32(i)), "--json")
		var found []any
		if err == nil && json.Unmarshal(out, &found) == nil && len(found) == 0 {
			lost++
		}
	}
	s.t.Logf("without syncs %d accepted messages are lost", lost)
	if lost == 0 {
		s.t.Error("the sync is a no-op, the power went, and nothing is seen to be lost: the harness is blind")
	}
}

// buildWithoutSync builds the appliance with a journal that acknowledges at once.
func buildWithoutSync(t *testing.T) string {
	t.Helper()
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir, file := t.TempDir(), filepath.Join(top, "ledger/journal/commit.go")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const sync = "if !d.o.NoSync {"
	if strings.Count(string(b), sync) != 1 {
		t.Fatalf("%s has no %q any more: bring this test up to date", file, sync)
	}
	mutated, list, bin := filepath.Join(dir, "commit.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "smsplane")
	for name, text := range map[string]string{mutated: strings.Replace(string(b), sync, "if false {", 1), list: fmt.Sprintf(`{"Replace": {%q: %q}}`, file, mutated)} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-overlay", list, "-o", bin, "./cmd/smsplane")
	build.Dir = top
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// TestFullDisk fills the leader's disk under load: new messages are refused, what was accepted goes on, and when there is
// room again, so does the rest.
func TestFullDisk(t *testing.T) {
	s := newSiteOn(t, "journal: {reserve: 256MiB}\n", 2400)
	t.Cleanup(s.heal)
	c := newClient("load", 6, 4, 200, *rate, 0, "127.77.0.1:2775", "127.77.0.2:2775")
	defer c.close()
	for n := range *rounds {
		want := (n + 1) * *rate
		eventually(t, time.Minute, "messages are accepted", func() bool { _, acked, _ := c.counts(); return acked > want })
		l := s.serving()
		waste, refused := filepath.Join(l.dir, "waste"), c.refusedFor(0x14)
		must(t, "sh", "-c", fmt.Sprintf("fallocate -l $(($(stat -f -c '%%a * %%S' %s) - 100 * 1048576)) %s", l.dir, waste))
		eventually(t, time.Minute, "messages are refused, or another host leads", func() bool { return c.refusedFor(0x14) > refused || !l.leads() })
		if err := os.Remove(waste); err != nil {
			t.Fatal(err)
		}
		over := time.Now().UnixNano()
		eventually(t, time.Minute, "messages are accepted again", func() bool { return c.ackAfter(over) != 0 })
		s.caughtUp()
	}
	c.halt()
	s.account(c, 6)
}
