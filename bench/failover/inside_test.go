//go:build e2e

package failover

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// inside is set in the environment of the process that has namespaces of its own.
const inside = "SMSPLANE_INSIDE"

// TestMain runs the tests in fresh namespaces for network and mounts, so that they can take both apart.
func TestMain(m *testing.M) {
	if os.Getenv(inside) != "" {
		if err := ownProc(); err != nil {
			fmt.Fprintln(os.Stderr, "mounting /proc:", err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	self := exec.Command("/proc/self/exe", os.Args[1:]...)
	self.Stdout, self.Stderr = os.Stdout, os.Stderr
	self.Env = append(os.Environ(), inside+"=1")
	self.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		self.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		self.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		self.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	err := self.Run()
	if err != nil && self.ProcessState == nil {
		fmt.Fprintln(os.Stderr, "namespaces cannot be made:", err)
		os.Exit(1)
	}
	os.Exit(self.ProcessState.ExitCode())
}

// ownProc shows the processes of the new namespace, all of which end with this one, its first.
func ownProc() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	return unix.Mount("proc", "/proc", "proc", 0, "")
}

// netns is a network namespace, held by a process that does nothing.
type netns struct {
	holder *exec.Cmd
	addr   string
}

// newBridge makes the cable that all namespaces hang on, with an address for the test itself.
func newBridge(t *testing.T, addr string) {
	t.Helper()
	narrow(t, func(name string, args ...string) { must(t, name, args...) })
	must(t, "ip", "link", "add", "hub", "type", "bridge")
	must(t, "ip", "addr", "add", addr+"/24", "dev", "hub")
	must(t, "ip", "link", "set", "hub", "up")
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", "hub").Run() })
}

// newNetns makes a namespace on the bridge.
func newNetns(t *testing.T, name, addr string) *netns {
	t.Helper()
	n := &netns{holder: exec.Command("sleep", "infinity"), addr: addr}
	n.holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	if err := n.holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = n.holder.Process.Kill()
		_ = n.holder.Wait()
		_ = exec.Command("ip", "link", "del", "to-"+name).Run()
	})
	must(t, "ip", "link", "add", "to-"+name, "type", "veth", "peer", "name", "eth0", "netns", fmt.Sprint(n.holder.Process.Pid))
	must(t, "ip", "link", "set", "to-"+name, "master", "hub", "up")
	narrow(t, func(name string, args ...string) { n.run(t, name, args...) })
	n.run(t, "ip", "addr", "add", addr+"/24", "dev", "eth0")
	n.run(t, "ip", "link", "set", "eth0", "up")
	n.run(t, "nft", "add table inet faults")
	n.run(t, "nft", "add chain inet faults in { type filter hook input priority 0; }")
	n.run(t, "nft", "add chain inet faults out { type filter hook output priority 0; }")
	return n
}

// narrow leaves 127.0.0.1 alone to lo: the hosts have other addresses of 127.0.0.0/8, since plaintext between hosts
// is for loopback addresses only, and these are to travel.
func narrow(t *testing.T, run func(name string, args ...string)) {
	t.Helper()
	run("ip", "link", "set", "lo", "up")
	run("ip", "addr", "flush", "dev", "lo")
	run("ip", "addr", "add", "127.0.0.1/32", "dev", "lo")
	run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet")
}

func (n *netns) path() string { return fmt.Sprintf("/proc/%d/ns/net", n.holder.Process.Pid) }

// command is a program inside.
func (n *netns) command(name string, args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"--net=" + n.path(), name}, args...)...)
}

func (n *netns) run(t *testing.T, name string, args ...string) {
	t.Helper()
	c := n.command(name, args...)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// dial connects from inside.
func (n *netns) dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		var ns *os.File
		if ns, err = os.Open(n.path()); err != nil {
			return
		}
		defer ns.Close()
		if err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return
		}
		conn, err = dialHere(address)
	}()
	<-done
	return conn, err
}

// dialHere connects on this very thread, which net.Dial does not promise.
func dialHere(address string) (net.Conn, error) {
	a, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	sa := &unix.SockaddrInet4{Port: a.Port, Addr: [4]byte(a.IP.To4())}
	if err := unix.Connect(fd, sa); err != nil {
		unix.Close(fd)
		return nil, err
	}
	f := os.NewFile(uintptr(fd), address)
	defer f.Close()
	return net.FileConn(f)
}

func must(t *testing.T, name string, args ...string) {
	t.Helper()
	var said bytes.Buffer
	c := exec.Command(name, args...)
	c.Stdout, c.Stderr = &said, &said
	if err := c.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, said.Bytes())
	}
}
