package dataplane

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// napper sleeps for less than a millisecond: the runtime's own timers take one at least when there is nothing else to do. It
// is a timer of the kernel behind a descriptor that the runtime waits for. The zero napper is ready; it belongs to one goroutine.
type napper struct {
	f   *os.File // nil: none yet, or the system gave none
	raw syscall.RawConn
	set func(fd uintptr)
	d   time.Duration // for set
	err error         // of set, or why there is none
	b   [8]byte
}

func (n *napper) sleep(d time.Duration) {
	if n.f == nil && n.err == nil {
		n.open()
	}
	if n.err == nil {
		n.d = d
		if err := n.raw.Control(n.set); n.err == nil {
			n.err = err
		}
	}
	if n.err == nil {
		_, n.err = n.f.Read(n.b[:])
	}
	if n.err != nil {
		<-time.After(d)
	}
}

func (n *napper) open() {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if n.err = err; err != nil {
		return
	}
	n.f = os.NewFile(uintptr(fd), "timer")
	n.raw, n.err = n.f.SyscallConn()
	n.set = func(fd uintptr) {
		n.err = unix.TimerfdSettime(int(fd), 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(n.d))}, nil)
	}
}

func (n *napper) close() {
	if n.f != nil {
		_ = n.f.Close() // it holds nothing
	}
}
