package transport

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"smsplane/pdu"
)

const (
	lobbyBuffer  = 4 << 10         // a bind has at most some 300 octets; what follows it goes to the loop
	maxEnquiries = 8               // enquire_link before the bind that are answered
	partFor      = time.Second     // for the peer to read our last words and leave
	maxDiscard   = 64 << 10        // octets read and thrown away after the last words
	answerFor    = 1 * time.Second // for the kernel to take an answer of a few octets
)

// visit is one connection in the lobby, on its goroutine.
type visit struct {
	lobby  *Lobby
	raw    net.Conn    // as accepted
	secure *tls.Config // nil: plain TCP
	nc     net.Conn    // raw, or TLS over it
	Caller
	buf    [lobbyBuffer]byte
	n      int  // octets in buf
	handed bool // the engine, or a passage, owns the connection and its slot in the gate
	since  time.Time
}

// run ends in exactly one count.
func (v *visit) run() {
	l := v.lobby
	defer l.visits.Done()
	outcome := &l.counts.lost
	defer func() {
		if p := recover(); p != nil {
			l.engine.panicked(v.Remote, "admission", p)
		}
		l.leave(v.raw)
		if !v.handed {
			_ = v.raw.Close()
			l.gate.Disconnect(v.Remote.Addr())
		}
		outcome.Add(1)
	}()
	v.since = time.Now()
	deadline := v.since.Add(l.gate.BindTimeout())
	if !v.handshake(deadline) {
		outcome = &l.counts.handshake
		return
	}
	outcome = v.await(deadline)
}

// handshake makes the connection a secure one where the listener says so. A peer that speaks no TLS, or shows no certificate
// where one is asked for, gets the alert that crypto/tls sends and nothing more.
func (v *visit) handshake(deadline time.Time) bool {
	if v.secure == nil {
		return true
	}
	if err := v.raw.SetDeadline(deadline); err != nil {
		return false
	}
	s, err := secureServer(v.raw, v.secure)
	if err != nil {
		v.part()
		return false
	}
	v.nc = s
	return true
}

// await reads up to the first PDU that decides, and answers it.
func (v *visit) await(deadline time.Time) *atomic.Uint64 {
	c := &v.lobby.counts
	enquiries := 0
	for {
		p := v.buf[:v.n]
		n, st := pdu.Frame(p, v.lobby.opts.MaxPDU)
		if st != pdu.ROK {
			v.answer(pdu.GenericNack, st, sequence(p))
			v.part()
			return &c.garbage
		}
		if v.n >= pdu.HeaderLen {
			h := pdu.ParseHeader(p)
			switch {
			case isBind(h.Command) && n > 0:
				return v.bind(p[:n], p[n:], h.Sequence)
			case isBind(h.Command) && h.Length > lobbyBuffer:
				return v.refuse(h.Command, pdu.RInvCmdLen, h.Sequence, 0)
			case isBind(h.Command):
			case h.Command == pdu.EnquireLink && n > 0 && enquiries < maxEnquiries:
				enquiries++
				v.answer(pdu.EnquireLinkResp, pdu.ROK, h.Sequence)
				v.n = copy(v.buf[:], p[n:])
				continue
			case h.Command == pdu.EnquireLink && h.Length <= lobbyBuffer && enquiries < maxEnquiries:
			case h.Command == pdu.Outbind && n > 0 && v.outbind(p[:n], p[n:]):
				return &c.outbound
			case h.Command == pdu.Outbind && n == 0 && h.Length <= lobbyBuffer:
			default:
				v.reject(h)
				return &c.notBind
			}
		}
		if err := v.read(deadline); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return &c.timeout
			}
			return &c.lost
		}
	}
}

func isBind(c pdu.Command) bool {
	return c == pdu.BindReceiver || c == pdu.BindTransmitter || c == pdu.BindTransceiver
}

// sequence is the sequence_number of a header that is not to be trusted; 0 when it is not there (SMPP 3.4, 4.3.1: NULL if the
// original cannot be decoded).
func sequence(p []byte) uint32 {
	if len(p) < pdu.HeaderLen {
		return 0
	}
	return pdu.ParseHeader(p).Sequence
}

// read waits for more octets. The buffer has room: await needs no PDU that is larger.
func (v *visit) read(deadline time.Time) error {
	if err := v.nc.SetReadDeadline(deadline); err != nil {
		return err
	}
	n, err := v.nc.Read(v.buf[v.n:])
	v.n += n
	if n > 0 {
		return nil // an error comes again
	}
	return err
}

// reject answers a PDU that is not legal before a bind (SMPP 3.4, 2.3): its response with ESME_RINVBNDSTS, or generic_nack
// when it has none.
func (v *visit) reject(h pdu.Header) {
	switch {
	case h.Command == pdu.GenericNack: // a nack of a nack helps nobody
	case h.Command == pdu.Unbind:
		v.answer(pdu.UnbindResp, pdu.ROK, h.Sequence)
	case !h.Command.Known():
		v.answer(pdu.GenericNack, pdu.RInvCmdID, h.Sequence)
	case h.Command.IsResp() || !h.Command.Resp().Known():
		v.answer(pdu.GenericNack, pdu.RInvBndSts, h.Sequence)
	default:
		v.answer(h.Command.Resp(), pdu.RInvBndSts, h.Sequence)
	}
	v.part()
}

// bind decides on a bind PDU; rest is what came after it.
func (v *visit) bind(p, rest []byte, seq uint32) *atomic.Uint64 {
	l := v.lobby
	b, st := pdu.ParseBind(p)
	if st != pdu.ROK {
		return v.refuse(b.Command, st, seq, l.gate.BindFailed(v.Remote.Addr(), time.Now().UnixNano()))
	}
	a := l.admit(v.Caller, &b, seq)
	switch {
	case a.Status != pdu.ROK:
		return v.refuseBind(b.Command, &a, seq)
	case a.Relay != nil:
		return v.pass(a.Relay, b.Command, seq)
	}
	if !v.enroll(a, rest) {
		if a.Abandon != nil {
			a.Abandon()
		}
		return &l.counts.lost
	}
	return &l.counts.bound
}

// hold is how long a refusal waits. Wrong credentials make the source wait longer each time; a full account or a node that
// cannot take binds now is not the source's fault.
func (v *visit) hold(a Admission) time.Duration {
	switch a.Status {
	case pdu.RBindFail, pdu.RInvPaswd, pdu.RInvSysID:
		return max(a.Delay, v.lobby.gate.BindFailed(v.Remote.Addr(), time.Now().UnixNano()))
	}
	return a.Delay
}

// enroll gives the connection to its loop.
func (v *visit) enroll(a Admission, rest []byte) bool {
	l := v.lobby
	if !l.leave(v.raw) || v.nc.SetDeadline(time.Time{}) != nil {
		return false
	}
	source := v.Remote.Addr()
	err := l.engine.enroll(v.nc, v.Remote, a.Loop, a.Handler, rest, func() { l.gate.Disconnect(source) })
	if err != nil {
		l.opts.Logger.Warn("a bound connection was lost", "remote", v.Remote, "err", err)
		return false
	}
	v.handed = true
	if l.opts.Bound != nil {
		l.opts.Bound(time.Since(v.since))
	}
	return true
}

// pass hands the client on to another host, with all that it has said.
func (v *visit) pass(relay func() (Passage, error), c pdu.Command, seq uint32) *atomic.Uint64 {
	l := v.lobby
	p, err := relay()
	if err != nil {
		l.opts.Logger.Warn("a bind cannot be relayed", "remote", v.Remote, "err", err)
		return v.refuse(c, pdu.RSysErr, seq, 0)
	}
	if !l.leave(v.raw) || v.nc.SetDeadline(time.Time{}) != nil {
		p.Close()
		return &l.counts.lost
	}
	v.handed = true
	go func() {
		defer l.gate.Disconnect(v.Remote.Addr())
		p.Carry(v.nc, v.buf[:v.n])
	}()
	return &l.counts.relayed
}

// refuse answers a bind with an error after a delay. An error response is a header only (SMPP 3.4, 4.1.2).
func (v *visit) refuse(c pdu.Command, st pdu.Status, seq uint32, delay time.Duration) *atomic.Uint64 {
	if delay > 0 && !v.wait(delay) {
		return &v.lobby.counts.lost
	}
	v.answer(c.Resp(), st, seq)
	v.part()
	return &v.lobby.counts.refused
}

// refuseBind is refuse for what the admission said.
func (v *visit) refuseBind(c pdu.Command, a *Admission, seq uint32) *atomic.Uint64 {
	delay := v.hold(*a)
	if a.SystemID == "" {
		return v.refuse(c, a.Status, seq, delay)
	}
	if delay > 0 && !v.wait(delay) {
		return &v.lobby.counts.lost
	}
	v.write(pdu.AppendBindRefusal(nil, c, a.Status, seq, a.SystemID))
	v.part()
	return &v.lobby.counts.refused
}

// wait lets a delay pass; false when nobody is left to answer. Octets that come meanwhile are thrown away. A peer that only
// half-closed still waits for its answer, and no sooner.
func (v *visit) wait(d time.Duration) bool {
	until := time.Now().Add(d)
	err := v.discard(until)
	if errors.Is(err, io.EOF) {
		v.lobby.pause(time.Until(until))
		return !v.lobby.isClosed()
	}
	return errors.Is(err, os.ErrDeadlineExceeded)
}

func (v *visit) answer(c pdu.Command, st pdu.Status, seq uint32) {
	var b [pdu.HeaderLen]byte
	v.write(pdu.AppendPlain(b[:0], c, st, seq))
}

func (v *visit) write(p []byte) {
	_ = v.nc.SetWriteDeadline(time.Now().Add(answerFor))
	_, _ = v.nc.Write(p) // who cannot be answered is closed all the same
}

// part lets the peer read our last words: closing with unread input would make the kernel reset the connection, and the
// answer would be lost on its way.
func (v *visit) part() {
	if t, ok := v.nc.(interface{ CloseWrite() error }); ok {
		_ = t.CloseWrite()
	}
	_ = v.discard(time.Now().Add(partFor))
}

// discard throws input away until the deadline, the peer's end or too much of it.
func (v *visit) discard(deadline time.Time) error {
	if err := v.nc.SetReadDeadline(deadline); err != nil {
		return err
	}
	for left := maxDiscard; left > 0; {
		n, err := v.nc.Read(v.buf[:])
		if err != nil {
			return err
		}
		left -= n
	}
	return io.ErrNoProgress
}
