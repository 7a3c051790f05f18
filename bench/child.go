package bench

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// child is a process the demo started. It runs in a process group of its own, so that Ctrl-C reaches only the demo, which
// then stops its children in order; if the demo dies, the kernel ends them.
type child struct {
	name string
	cmd  *exec.Cmd
	tail tail
	gone chan struct{} // closed when the process has ended; err is valid then
	err  error
}

// startChild runs a program. Its standard error goes to log and its last lines are kept; lines, if not nil, gets each line
// of its standard output. The caller's OS thread must not end before the child: lock the goroutine to it.
func startChild(name string, log io.Writer, lines func(string), program string, args ...string) (*child, error) {
	c := &child{name: name, cmd: exec.Command(program, args...), gone: make(chan struct{})}
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	c.cmd.Stderr = io.MultiWriter(&c.tail, log)
	var out io.ReadCloser
	if lines == nil {
		c.cmd.Stdout = c.cmd.Stderr
	} else {
		var err error
		if out, err = c.cmd.StdoutPipe(); err != nil {
			return nil, err
		}
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go c.watch(out, lines)
	return c, nil
}

func (c *child) watch(out io.Reader, lines func(string)) {
	if out != nil {
		for r := bufio.NewReader(out); ; {
			line, err := r.ReadString('\n')
			if err != nil {
				break
			}
			lines(line)
		}
	}
	c.err = c.cmd.Wait()
	close(c.gone)
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func (c *child) signal(s syscall.Signal) { c.cmd.Process.Signal(s) } // a process that has ended needs none

func (c *child) ended() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

// stop asks it to end and waits; past the wait it is killed.
func (c *child) stop(wait time.Duration) error {
	c.signal(syscall.SIGTERM)
	select {
	case <-c.gone:
		return nil
	case <-time.After(wait):
	}
	c.signal(syscall.SIGKILL)
	<-c.gone
	return fmt.Errorf("%s did not end within %v of SIGTERM and was killed", c.name, wait)
}

// death says how it ended, with its last words.
func (c *child) death() error {
	how := "ended"
	if c.err != nil {
		how = "ended with " + c.err.Error()
	}
	if words := c.tail.String(); words != "" {
		return fmt.Errorf("%s %s; its last lines:\n%s", c.name, how, words)
	}
	return fmt.Errorf("%s %s and said nothing", c.name, how)
}

// tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailSize = 4096

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if over := len(t.b) - tailSize; over > 0 {
		t.b = t.b[:copy(t.b, t.b[over:])]
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(t.b)), "\n")
	return "    " + strings.Join(lines[max(0, len(lines)-12):], "\n    ")
}
