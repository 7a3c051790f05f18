package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"smsplane/pdu"
)

var epoch = time.Now()

// clock is unix nanoseconds that never step back while the process lives.
func clock() int64 { return epoch.UnixNano() + int64(time.Since(epoch)) }

// wire is one connection: a reader that frames, and who has something to say writes it at the end of its turn. What the
// kernel does not take at once, or what comes meanwhile, is left to a writer: waking one for every turn costs more than the write.
//
// mu guards everything of the connection's owner too; out is appended to under mu and belongs to the writer once swapped.
type wire struct {
	nc     net.Conn
	raw    syscall.RawConn // of nc; nil: the writer writes all
	atOnce func(fd uintptr)
	wrote  int // of atOnce
	mu     sync.Mutex
	wake   sync.Cond
	out    []byte
	spare  []byte // nil while the writer writes
	ending bool   // write what is there, then close
}

func newWire(nc net.Conn) wire { return wire{nc: nc, spare: make([]byte, 0, 16<<10)} }

// start begins the writer; w must not be moved from here on.
func (w *wire) start() {
	w.wake.L = &w.mu
	if sc, ok := w.nc.(syscall.Conn); ok {
		w.raw, _ = sc.SyscallConn() // without it the writer writes all
	}
	w.atOnce = func(fd uintptr) { w.wrote, _ = syscall.Write(int(fd), w.out) } // the writer meets the error again
	go w.write()
}

func (w *wire) write() {
	for {
		w.mu.Lock()
		for len(w.out) == 0 && !w.ending {
			w.wake.Wait()
		}
		b := w.out
		w.out, w.spare = w.spare[:0], nil
		w.mu.Unlock()
		if len(b) == 0 {
			w.nc.Close()
			return
		}
		w.nc.SetWriteDeadline(time.Now().Add(writeTimeout))
		if _, err := w.nc.Write(b); err != nil {
			w.nc.Close() // the reader sees it too, and ends the owner
			w.end()
			return
		}
		w.mu.Lock()
		w.spare = b[:0]
		w.mu.Unlock()
	}
}

// flush writes, or lets the writer go; mu is held. A peer that does not read long enough is cut off.
func (w *wire) flush() {
	if len(w.out) > maxUnsent {
		w.out, w.ending = w.out[:0], true
		w.nc.Close()
	}
	if len(w.out) > 0 && w.spare != nil && w.raw != nil {
		w.wrote = 0
		_ = w.raw.Control(w.atOnce) // closed: the writer finds out
		w.out = w.out[:copy(w.out, w.out[max(0, w.wrote):])]
	}
	if len(w.out) > 0 || w.ending {
		w.wake.Signal()
	}
}

// end closes the connection once everything is written.
func (w *wire) end() {
	w.mu.Lock()
	w.ending = true
	w.mu.Unlock()
	w.wake.Signal()
}

// read runs one turn per read until the connection ends: handle for each whole PDU, then turn, both under mu. carry is
// what was read before. handle returns false to close after what has been written so far.
func (w *wire) read(carry []byte, handle func(now int64, h pdu.Header, p []byte) bool, turn func(now int64)) error {
	buf := make([]byte, readSize)
	have := copy(buf, carry)
	for {
		n, err := w.step(buf[:have], handle, turn)
		if err != nil {
			return err
		}
		have = copy(buf, buf[n:have])
		got, err := w.nc.Read(buf[have:])
		if have += got; err != nil {
			return err
		}
	}
}

var errEnded = errors.New("connection ended by its owner")

// step handles all whole PDUs in b and returns how many octets they took.
func (w *wire) step(b []byte, handle func(now int64, h pdu.Header, p []byte) bool, turn func(now int64)) (int, error) {
	now, done := clock(), 0
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		n, st := pdu.Frame(b[done:], maxPDU)
		if st != pdu.ROK {
			w.out = pdu.AppendPlain(w.out, pdu.GenericNack, st, 0)
			w.ending = true
			w.flush()
			return done, fmt.Errorf("framing lost: %v", st)
		}
		if n == 0 {
			break
		}
		p := b[done : done+n]
		done += n
		if !handle(now, pdu.ParseHeader(p), p) {
			w.ending = true
			w.flush()
			return done, errEnded
		}
	}
	turn(now)
	w.flush()
	return done, nil
}

// nextSequence counts 1 … 0x7FFFFFFF and round again (3.4 §3.2).
func nextSequence(seq uint32) uint32 { return seq%0x7FFFFFFF + 1 }

// BindError is a bind refused by the other side.
type BindError struct{ Status pdu.Status }

func (e *BindError) Error() string { return "bind refused: " + e.Status.String() }

// dialBind connects and binds; rest is what came after the bind response. The error is a *BindError when refused.
func dialBind(ctx context.Context, address string, b *pdu.Bind) (nc net.Conn, rest []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, bindTimeout)
	defer cancel()
	var d net.Dialer
	if nc, err = d.DialContext(ctx, "tcp", address); err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if rest, err = bindOver(nc, b); err != nil {
		nc.Close()
		if cause := ctx.Err(); cause != nil {
			err = fmt.Errorf("no answer to %v: %w", b.Command, cause)
		}
		return nil, nil, err
	}
	return nc, rest, nil
}

func bindOver(nc net.Conn, b *pdu.Bind) (rest []byte, err error) {
	if _, err := nc.Write(pdu.AppendBind(nil, b, 1)); err != nil {
		return nil, err
	}
	buf, have := make([]byte, 4096), 0
	for {
		n, st := pdu.Frame(buf[:have], len(buf))
		switch {
		case st != pdu.ROK:
			return nil, fmt.Errorf("answer to %v is not SMPP: %v", b.Command, st)
		case n > 0:
			h := pdu.ParseHeader(buf)
			if h.Command != b.Command.Resp() && h.Command != pdu.GenericNack {
				return nil, fmt.Errorf("%v answered with %v", b.Command, h.Command)
			}
			if h.Status != pdu.ROK || h.Command == pdu.GenericNack {
				return nil, &BindError{h.Status}
			}
			return buf[n:have], nil
		}
		got, err := nc.Read(buf[have:])
		if have += got; err != nil {
			return nil, err
		}
	}
}
