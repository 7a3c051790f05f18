package dataplane_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"smsplane/dataplane"
	"smsplane/pdu"
)

// moody is an appliance in a process of its own, on a disk that does as it is told.
type moody struct {
	*stage
	process *exec.Cmd
	told    io.Writer
	heard   *bufio.Scanner
	ended   chan struct{}
	size    string // of its file system; "" is the machine's
	env     []string
}

// newMoody makes its folder, with keys of the node file.
func newMoody(t *testing.T, keys string) *moody {
	t.Helper()
	m := &moody{stage: &stage{t: t, dir: t.TempDir(), smpp: freeAddress(t), admin: freeAddress(t), carrier: newSMSC(t)}}
	m.config = filepath.Join(m.dir, "smsplane.yaml")
	m.write("smsplane.yaml", fmt.Sprintf("node: moody\ndata: ./data\nlanes: 2\nsmpp: {listen: [%q]}\nadmin: {listen: %q}\ncatalog: ./catalog\n%s", m.smpp, m.admin, keys))
	m.catalog(play{client: "    window: 5000\n"})
	return m
}

// begin starts it and waits until it takes binds.
func (m *moody) begin() {
	m.t.Helper()
	m.process = exec.Command(os.Args[0])
	m.process.Env = append(append(os.Environ(), dataplane.MoodyNode+"="+m.config), m.env...)
	if m.size != "" {
		m.process.Env = append(m.process.Env, dataplane.MoodySize+"="+m.size)
		m.process.SysProcAttr = ownMounts()
	}
	m.process.Stderr = m.t.Output()
	in, err := m.process.StdinPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	out, err := m.process.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	if err := m.process.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.told, m.heard, m.ended = in, bufio.NewScanner(out), make(chan struct{})
	p, ended := m.process, m.ended
	go func() {
		defer close(ended)
		_ = p.Wait() // how it ended is in its state
	}()
	m.t.Cleanup(func() {
		_ = p.Process.Kill() // it may have ended
		<-ended
	})
	eventually(m.t, "the appliance takes binds", func() bool {
		select {
		case <-ended:
			m.t.Fatalf("the appliance did not start: %v", p.ProcessState)
		default:
		}
		return m.isReady()
	})
}

// ownMounts gives a process a table of mounts of its own, that it may change.
func ownMounts() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		a.Cloneflags |= unix.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return a
}

// tell returns what the disk says to what it is told.
func (m *moody) tell(what string) string {
	m.t.Helper()
	if _, err := fmt.Fprintln(m.told, what); err != nil {
		m.t.Fatal(err)
	}
	if !m.heard.Scan() {
		m.t.Fatalf("told %q, the disk says nothing", what)
	}
	return m.heard.Text()
}

// become returns once the disk is as it is told.
func (m *moody) become(mood string) {
	m.t.Helper()
	if is := m.tell(mood); is != mood {
		m.t.Fatalf("told %q, the disk says %q", mood, is)
	}
}

// A write or a sync that fails ends the process with 70, and nothing is acknowledged any more, not even once the disk is
// well again. What was acknowledged before is in the books of the next process.
func TestFailedDiskEndsTheProcess(t *testing.T) {
	for _, mood := range []string{dataplane.MoodWrite, dataplane.MoodHalf, dataplane.MoodSync} {
		t.Run(mood, func(t *testing.T) {
			m := newMoody(t, "")
			m.carrier.open()
			m.begin()
			e := m.bind(trx)
			for range 20 {
				e.submit(text(m.number(), "before"))
			}
			m.become(mood)
			var asked []chan []byte
			for range 20 {
				s := text(m.number(), "behind")
				asked = append(asked, e.start(s.Append(nil, 0)))
			}
			select {
			case <-m.ended:
			case <-time.After(patience):
				t.Fatal("the process goes on")
			}
			if code := m.process.ProcessState.ExitCode(); code != 70 {
				t.Errorf("the process ended with %d", code)
			}
			<-e.gone
			for _, a := range asked {
				select {
				case p := <-a:
					t.Errorf("answered behind the failure: %v", pdu.ParseHeader(p).Status)
				default:
				}
			}
			m.begin()
			if b := m.books(); b.Accepted < 20 || b.Accepted > 40 {
				t.Errorf("20 were acknowledged, 20 more were on their way, the books have %d", b.Accepted)
			}
		})
	}
}

// While a commit takes longer than a second new messages are refused with ESME_RTHROTTLED and enter no block; what is in
// one gets status 0 when the disk goes on, and from then on all is as before.
func TestSlowCommitsThrottle(t *testing.T) {
	m := newMoody(t, "")
	m.carrier.open()
	m.begin()
	e := m.bind(trx)
	e.submit(text(m.number(), "before"))
	m.become(dataplane.MoodHang)
	began := time.Now()
	var waiting []chan []byte
	eventually(t, "submit_sm is throttled", func() bool {
		s := text(m.number(), "while")
		waiting = append(waiting, e.start(s.Append(nil, 0)))
		select {
		case p := <-waiting[len(waiting)-1]:
			if st := pdu.ParseHeader(p).Status; st != pdu.RThrottled {
				t.Fatalf("answered with %v while nothing is synced", st)
			}
			waiting = waiting[:len(waiting)-1]
			return true
		case <-time.After(10 * time.Millisecond):
			return false
		}
	})
	if d := time.Since(began); d < time.Second {
		t.Errorf("throttled after %v, though no commit took a second", d)
	}
	for range 50 {
		s := text(m.number(), "refused")
		e.refused("behind a slow commit", s.Append(nil, 0), pdu.RThrottled)
	}
	for len(waiting) > 0 { // refusals that were slow to come
		select {
		case p := <-waiting[len(waiting)-1]:
			if st := pdu.ParseHeader(p).Status; st != pdu.RThrottled {
				t.Fatalf("answered with %v while nothing is synced", st)
			}
			waiting = waiting[:len(waiting)-1]
			continue
		default:
		}
		break
	}
	if len(waiting) == 0 {
		t.Fatal("no message is in a block")
	}
	m.become(dataplane.MoodWell)
	for i, w := range waiting {
		select {
		case p := <-w:
			if st := pdu.ParseHeader(p).Status; st != pdu.ROK {
				t.Errorf("message %d of a block was answered with %v", i, st)
			}
		case <-time.After(patience):
			t.Fatalf("message %d of a block was never answered", i)
		}
	}
	id := e.submit(text(m.number(), "after"))
	e.receipt(id, 1)
	if b := m.books(); b.Accepted != uint64(len(waiting)+2) {
		t.Errorf("%d got status 0, the books have %d: a refused one entered a block", len(waiting)+2, b.Accepted)
	}
}

// On a disk that reaches its reserve new messages are refused with ESME_RMSGQFUL, and what was accepted is delivered all the
// same. Filled further, it gets its ballast. When it has room again, messages are accepted and the ballast is made anew, by
// itself.
func TestDiskAtItsReserve(t *testing.T) {
	const mib, reserve = 1 << 20, 128
	m := newMoody(t, fmt.Sprintf("journal: {reserve: %dMiB}\n", reserve))
	m.size = "640m"
	m.begin()
	leave := func(n int64) { t.Helper(); m.become(fmt.Sprintf(dataplane.MoodFill, n)) }
	ballast := func(want int64) func() bool {
		return func() bool {
			n, err := strconv.ParseInt(m.tell(dataplane.MoodBallast), 10, 64)
			return err != nil && want == 0 || err == nil && n == want
		}
	}
	eventually(t, "there is a ballast", ballast(reserve*mib/8))
	e := m.bind(trx)
	var ids []string
	for range 20 {
		ids = append(ids, e.submit(text(m.number(), "before")))
	}
	leave(reserve*mib - mib)
	refused := func() bool {
		s := text(m.number(), "too much")
		st := pdu.ParseHeader(e.ask(s.Append(nil, 0))).Status
		if st == pdu.ROK {
			ids = append(ids, "")
		}
		return st == pdu.RMsgQFul
	}
	eventually(t, "messages are refused", refused)
	m.carrier.open()
	for _, id := range ids {
		if id != "" {
			e.receipt(id, 1)
		}
	}
	if !refused() || !ballast(reserve*mib/8)() {
		t.Error("delivering what was accepted made room")
	}
	leave(reserve*mib/8 - mib)
	eventually(t, "the ballast is given up", ballast(0))
	if !refused() {
		t.Error("a message was accepted into the room that the ballast gave")
	}
	leave(-1)
	eventually(t, "messages are accepted again", func() bool { return !refused() })
	eventually(t, "there is a ballast again", ballast(reserve*mib/8))
	if b := m.books(); b.Accepted != uint64(len(ids)) {
		t.Errorf("%d got status 0, the books have %d", len(ids), b.Accepted)
	}
}

// A store that something else left no room for opens on what the ballast gives.
func TestFullDiskOpens(t *testing.T) {
	m := newMoody(t, "journal: {reserve: 1536MiB}\n")
	m.size, m.env = "512m", []string{dataplane.MoodyFull + "=1"}
	m.begin()
	if size := m.tell(dataplane.MoodBallast); size != "none" {
		t.Errorf("it opened beside a ballast of %s octets", size)
	}
	s := text(m.number(), "none")
	m.bind(trx).refused("on a full disk", s.Append(nil, 0), pdu.RMsgQFul)
}

// Clients, and whoever knocks, cannot take the last files that the process may open: some are left to the store, to links and to
// operators. A store that cannot begin another log would end the process.
func TestClientsLeaveFilesToTheStore(t *testing.T) {
	const files, knocks = 512, 600
	m := newMoody(t, "")
	m.env = []string{fmt.Sprintf("%s=%d", dataplane.MoodyFiles, files)}
	m.begin()
	var ended atomic.Int64
	for range knocks {
		c, err := net.Dial("tcp", m.smpp)
		if errors.Is(err, syscall.ECONNRESET) { // already turned away
			ended.Add(1)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		go func() {
			_, _ = c.Read(make([]byte, 1)) // nothing comes but the end
			ended.Add(1)
		}()
	}
	most := 0
	eventually(t, "all have been let in or turned away", func() bool {
		open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", m.process.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, len(open))
		return ended.Load() >= knocks-files || most >= files-4
	})
	if most > files*7/8 {
		t.Errorf("%d of %d files are open", most, files)
	}
	if b := m.books(); b.Accepted != 0 {
		t.Errorf("the books have %d", b.Accepted)
	}
}
