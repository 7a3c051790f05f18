package transport

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// events is gnet's view of the engine. The Conn travels as gnet's context, which gnet clears when a connection ends: it is
// read once per event, before anything can end it.
type events struct {
	*gnet.BuiltinEventEngine
	e *Engine
}

func (v events) OnOpen(g gnet.Conn) ([]byte, gnet.Action) {
	c, ok := g.Context().(*Conn)
	if !ok {
		return nil, gnet.None // a seed of capture
	}
	c.gnet = g
	v.e.connections.Add(1)
	v.e.ticks.hurry()
	now := v.e.opts.Clock()
	c.opened(now)
	c.loop.traffic(now)
	return nil, gnet.None
}

func (v events) OnTraffic(g gnet.Conn) gnet.Action {
	b, _ := g.Next(-1) // everything: what stays in gnet's buffer costs a copy of the whole next read
	c, ok := g.Context().(*Conn)
	if !ok {
		return gnet.None
	}
	now := v.e.opts.Clock()
	if len(b) > 0 {
		c.data(now, b)
	}
	c.loop.traffic(now)
	return gnet.None
}

func (v events) OnClose(g gnet.Conn, err error) gnet.Action {
	c, ok := g.Context().(*Conn)
	if !ok {
		return gnet.None
	}
	c.decide(reason(err))
	c.ended = true
	v.e.connections.Add(-1)
	c.loop.dead = append(c.loop.dead, c)
	c.loop.schedule()
	return gnet.None
}

// capture learns the loops' handles, which gnet gives only by a connection on each: one seed after the other, as gnet puts a
// new connection on the loop that has fewest.
func (e *Engine) capture() error {
	var far []*os.File
	defer func() {
		for _, f := range far {
			_ = f.Close() // ends the seed
		}
	}()
	seen := make(map[gnet.EventLoop]bool)
	for _, l := range e.loops {
		near, other, err := socketPair()
		if err != nil {
			return err
		}
		far = append(far, other)
		g, err := e.client.Enroll(near)
		if err != nil {
			return fmt.Errorf("transport: enroll a seed: %w", err)
		}
		l.gnet = g.EventLoop()
		if seen[l.gnet] {
			return errors.New("transport: two seeds on one loop")
		}
		seen[l.gnet] = true
	}
	return nil
}

func socketPair() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("transport: seed: %w", err)
	}
	near, far := os.NewFile(uintptr(fds[0]), "seed"), os.NewFile(uintptr(fds[1]), "seed")
	nc, err := net.FileConn(near)
	_ = near.Close()
	if err != nil {
		_ = far.Close()
		return nil, nil, fmt.Errorf("transport: seed: %w", err)
	}
	return nc, far, nil
}

// gnetLogger passes gnet's warnings and errors on; its chatter is for debugging.
type gnetLogger struct{ l *slog.Logger }

func (g gnetLogger) Debugf(format string, args ...any) {
	g.l.Debug("gnet: " + fmt.Sprintf(format, args...))
}
func (g gnetLogger) Infof(format string, args ...any) {
	g.l.Debug("gnet: " + fmt.Sprintf(format, args...))
}
func (g gnetLogger) Warnf(format string, args ...any) {
	g.l.Warn("gnet: " + fmt.Sprintf(format, args...))
}
func (g gnetLogger) Errorf(format string, args ...any) {
	g.l.Error("gnet: " + fmt.Sprintf(format, args...))
}
func (g gnetLogger) Fatalf(format string, args ...any) {
	g.l.Error("gnet: " + fmt.Sprintf(format, args...))
}
