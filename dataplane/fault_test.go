package dataplane_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

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
}

// newMoody starts it on a new folder, with a carrier that it is bound to.
func newMoody(t *testing.T) *moody {
	t.Helper()
	m := &moody{stage: &stage{t: t, dir: t.TempDir(), smpp: freeAddress(t), admin: freeAddress(t), carrier: newSMSC(t)}}
	m.config = filepath.Join(m.dir, "smsplane.yaml")
	m.write("smsplane.yaml", fmt.Sprintf("node: moody\ndata: ./data\nlanes: 2\nsmpp: {listen: [%q]}\nadmin: {listen: %q}\ncatalog: ./catalog\n", m.smpp, m.admin))
	m.catalog(play{})
	m.carrier.open()
	m.begin()
	return m
}

func (m *moody) begin() {
	m.t.Helper()
	m.process = exec.Command(os.Args[0])
	m.process.Env = append(os.Environ(), dataplane.MoodyNode+"="+m.config)
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
	eventually(m.t, "the appliance takes binds and has its carrier", func() bool {
		select {
		case <-ended:
			m.t.Fatalf("the appliance did not start: %v", p.ProcessState)
		default:
		}
		return m.isReady() && m.carrier.bound() > 0
	})
}

// become returns once the disk is in the mood.
func (m *moody) become(mood string) {
	m.t.Helper()
	if _, err := fmt.Fprintln(m.told, mood); err != nil {
		m.t.Fatal(err)
	}
	if !m.heard.Scan() || m.heard.Text() != mood {
		m.t.Fatalf("the disk is %q, not %q", m.heard.Text(), mood)
	}
}

// A write or a sync that fails ends the process with 70, and nothing is acknowledged any more, not even once the disk is
// well again. What was acknowledged before is in the books of the next process.
func TestFailedDiskEndsTheProcess(t *testing.T) {
	for _, mood := range []string{dataplane.MoodWrite, dataplane.MoodHalf, dataplane.MoodSync} {
		t.Run(mood, func(t *testing.T) {
			m := newMoody(t)
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
	m := newMoody(t)
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
			return true
		case <-time.After(10 * time.Millisecond):
			return false
		}
	})
	if d := time.Since(began); d < time.Second {
		t.Errorf("throttled after %v, though no commit took a second", d)
	}
	waiting = waiting[:len(waiting)-1]
	for range 50 {
		s := text(m.number(), "refused")
		e.refused("behind a slow commit", s.Append(nil, 0), pdu.RThrottled)
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
