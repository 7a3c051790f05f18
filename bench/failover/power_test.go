//go:build e2e

package failover

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"smsplane/pdu"
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

// TestFullDisk fills the disk of one host of the pair under load, of the one that keeps the links and of the other by turns: new
// messages are refused whoever leads, as both disks are needed, what was accepted goes on, and when there is room again, so does
// the rest. Nobody dies of it.
func TestFullDisk(t *testing.T) {
	s := newSiteOn(t, "journal: {reserve: 256MiB}\n", 2400)
	t.Cleanup(s.heal)
	c := newClient("load", 6, 4, 200, *rate, 0, "127.77.0.1:2775", "127.77.0.2:2775")
	defer c.close()
	for n := range max(2, *rounds) {
		want := (n + 1) * *rate
		eventually(t, time.Minute, "messages are accepted", func() bool { _, acked, _ := c.counts(); return acked > want })
		m := s.serving()
		if n%2 == 1 {
			m = s.other(m)
		}
		refused := c.refusedFor(pdu.RMsgQFul)
		m.waste(100)
		eventually(t, time.Minute, "messages are refused", func() bool { return c.refusedFor(pdu.RMsgQFul) > refused+*rate })
		s.noneDied()
		_, acked, _ := c.counts()
		wait(2 * time.Second)
		if _, more, _ := c.counts(); more > acked {
			t.Errorf("%d messages are accepted while the disk of %s is full", more-acked, m.name)
		}
		m.tidyUp()
		over := time.Now().UnixNano()
		eventually(t, time.Minute, "messages are accepted again", func() bool { return c.ackAfter(over) != 0 })
		s.caughtUp()
	}
	c.halt()
	s.account(c, 6)
	s.noneDied()
}

// TestFullDiskOfThree fills the disk of one of three hosts that store messages: the others have its lanes and go on without
// it, nothing is written there meanwhile but what lane 0 says, and it has its part again when there is room.
func TestFullDiskOfThree(t *testing.T) {
	s := &site{t: t, dir: t.TempDir(), three: true, together: "  settle: 1s\n", catalog: maps.Clone(catalogFiles)}
	s.catalog["clients.yaml"] = postpaid(s.catalog["clients.yaml"])
	s.up("journal: {reserve: 256MiB}\n", 2400)
	t.Cleanup(s.heal)
	clients := map[uint32]*client{}
	for run, login := range map[uint32]string{1: "load", 2: "pre"} {
		clients[run] = newClient(login, run, 2, 200, 200, 0, "127.77.0.1:2775", "127.77.0.2:2775", "127.77.0.3:2775")
		defer clients[run].close()
	}
	more := func(what string) {
		t.Helper()
		for _, c := range clients {
			_, before, _ := c.counts()
			eventually(t, time.Minute, what, func() bool { _, acked, _ := c.counts(); return acked > before+500 })
		}
	}
	more("messages are accepted")
	eventually(t, time.Minute, "each host leads some lanes", func() bool { return s.a.works() && s.b.works() && s.c.works() })
	for _, m := range s.data() {
		m.waste(100)
		eventually(t, time.Minute, "the full host leads nothing but lane 0", func() bool { return m.running() && !m.works() })
		wait(time.Second) // for what is on its way, and until its lanes are led
		refused := clients[1].refusedFor(pdu.RMsgQFul) + clients[2].refusedFor(pdu.RMsgQFul)
		before, err := m.applied()
		if err != nil {
			t.Fatal(err)
		}
		more("messages are accepted beside a full host")
		after, err := m.applied()
		if err != nil {
			t.Fatal(err)
		}
		refused = clients[1].refusedFor(pdu.RMsgQFul) + clients[2].refusedFor(pdu.RMsgQFul) - refused
		t.Logf("beside %s, which is full, 1000 messages and more were accepted and %d refused; it has applied %v, then %v", m.name, refused, before, after)
		if refused > 500 {
			t.Errorf("%d messages are refused beside a full host", refused)
		}
		if refused == 0 && !slices.Equal(before[1:], after[1:]) { // where some are, a host was silent on a busy machine, and the full one needed
			t.Errorf("the full host %s follows", m.name)
		}
		m.tidyUp()
		eventually(t, time.Minute, "it leads some again", m.works)
		s.caughtUp()
	}
	for _, c := range clients {
		c.halt()
	}
	for run, c := range clients {
		s.account(c, run)
	}
	s.noneDied()
}

// waste fills a member's disk but for some megabytes; tidyUp makes room again.
func (m *member) waste(left int64) {
	m.t.Helper()
	must(m.t, "fallocate", "-l", fmt.Sprint(m.free()-left<<20), filepath.Join(m.dir, "waste"))
}

func (m *member) tidyUp() {
	m.t.Helper()
	if err := os.Remove(filepath.Join(m.dir, "waste")); err != nil {
		m.t.Fatal(err)
	}
}

// free is what is free on a member's disk, in octets.
func (m *member) free() int64 {
	m.t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(m.dir, &st); err != nil {
		m.t.Fatal(err)
	}
	return int64(st.Bavail) * st.Bsize
}

// works says that a member leads a lane besides lane 0.
func (m *member) works() bool {
	st, _ := m.status()
	return slices.ContainsFunc(st.Lanes[min(1, len(st.Lanes)):], func(l laneStatus) bool { return l.Leader })
}

// noneDied demands that every process that was started still runs.
func (s *site) noneDied() {
	s.t.Helper()
	for _, m := range s.all() {
		if !m.running() {
			s.t.Fatalf("%s has ended: %v", m.name, m.proc.ProcessState)
		}
	}
}
