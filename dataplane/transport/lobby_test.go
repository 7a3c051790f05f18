package transport

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"smsplane/dataplane/gate"
	"smsplane/pdu"
)

func TestBindsOfAllKinds(t *testing.T) {
	h := open(t, houseOptions{})
	for i, c := range []pdu.Command{pdu.BindReceiver, pdu.BindTransmitter, pdu.BindTransceiver} {
		seq := uint32(100 + i)
		conn := h.dial(t)
		send(t, conn, bindPDU(c, "right", seq))
		got, p := readPDU(t, conn)
		id, version, _ := pdu.ParseBindResp(p)
		if got.Command != c.Resp() || got.Status != pdu.ROK || got.Sequence != seq || id != "smsc" || version != 0x34 {
			t.Errorf("%v: %+v %q %x", c, got, id, version)
		}
	}
	if s := h.settled(t); s.Bound != 3 || s.Accepted != 3 {
		t.Errorf("%+v", s)
	}
	if n := h.gate.Connections(); n != 3 {
		t.Errorf("%d slots, want 3: a bound connection keeps its slot", n)
	}
	h.mu.Lock()
	bound := h.bound
	h.mu.Unlock()
	for _, r := range bound {
		on(t, h.engine, 0, func() { r.conn.Abort() })
	}
	h.empty(t)
}

// TestBindOctetByOctet: the bind in single octets, with more behind it in the same segment, which must come to Data.
func TestBindOctetByOctet(t *testing.T) {
	h := open(t, houseOptions{})
	c := h.dial(t)
	p := bindPDU(pdu.BindTransceiver, "right", 7)
	for _, b := range p[:len(p)-1] {
		send(t, c, []byte{b})
	}
	enquiry := pdu.AppendPlain(nil, pdu.EnquireLink, pdu.ROK, 8)
	send(t, c, append(p[len(p)-1:], enquiry[:11]...))
	if got, _ := readPDU(t, c); got.Status != pdu.ROK {
		t.Fatalf("%+v", got)
	}
	send(t, c, enquiry[11:])
	if got, _ := readPDU(t, c); got.Command != pdu.EnquireLink || got.Sequence != 8 {
		t.Errorf("echo of what followed the bind: %+v", got)
	}
}

// TestFirstPDU: what is not a good bind is answered with its exact status and closed.
func TestFirstPDU(t *testing.T) {
	plain := func(c pdu.Command, seq uint32) []byte { return pdu.AppendPlain(nil, c, pdu.ROK, seq) }
	withLength := func(n uint32) []byte {
		p := plain(pdu.BindTransmitter, 9)
		binary.BigEndian.PutUint32(p, n)
		return p
	}
	longID := pdu.AppendBind(nil, &pdu.Bind{Command: pdu.BindReceiver, SystemID: string(make70('x')), Version: 0x34}, 5)
	short := bindPDU(pdu.BindTransceiver, "right", 6)
	short = short[:len(short)-4]
	binary.BigEndian.PutUint32(short, uint32(len(short)))
	big := append(plain(pdu.BindReceiver, 4), make([]byte, 5_000)...)
	binary.BigEndian.PutUint32(big, uint32(len(big)))
	bigSubmit := append(plain(pdu.SubmitSM, 4), make([]byte, 60_000)...)
	binary.BigEndian.PutUint32(bigSubmit, uint32(len(bigSubmit)))

	for _, c := range []struct {
		name string
		in   []byte
		resp pdu.Command // 0: closed without an answer
		st   pdu.Status
		seq  uint32
	}{
		{"wrong password", bindPDU(pdu.BindReceiver, "wrong", 3), pdu.BindReceiverResp, pdu.RBindFail, 3},
		{"system_id too long", longID, pdu.BindReceiverResp, pdu.RInvSysID, 5},
		{"bind cut short", short, pdu.BindTransceiverResp, pdu.RInvMsgLen, 6},
		{"bind of 5,016 octets", big, pdu.BindReceiverResp, pdu.RInvCmdLen, 4},
		{"submit_sm", plain(pdu.SubmitSM, 11), pdu.SubmitSMResp, pdu.RInvBndSts, 11},
		{"submit_sm of 60,016 octets", bigSubmit, pdu.SubmitSMResp, pdu.RInvBndSts, 4},
		{"deliver_sm", plain(pdu.DeliverSM, 12), pdu.DeliverSMResp, pdu.RInvBndSts, 12},
		{"query_sm", plain(pdu.QuerySM, 13), pdu.QuerySMResp, pdu.RInvBndSts, 13},
		{"outbind has no response", plain(pdu.Outbind, 14), pdu.GenericNack, pdu.RInvBndSts, 14},
		{"a response", plain(pdu.SubmitSMResp, 15), pdu.GenericNack, pdu.RInvBndSts, 15},
		{"generic_nack", plain(pdu.GenericNack, 16), 0, 0, 0},
		{"unbind", plain(pdu.Unbind, 17), pdu.UnbindResp, pdu.ROK, 17},
		{"unknown command", plain(pdu.Command(0x7777), 18), pdu.GenericNack, pdu.RInvCmdID, 18},
		{"command_length 0", withLength(0), pdu.GenericNack, pdu.RInvCmdLen, 9},
		{"command_length 15", withLength(15), pdu.GenericNack, pdu.RInvCmdLen, 9},
		{"command_length 3 GiB", withLength(3 << 30), pdu.GenericNack, pdu.RInvCmdLen, 9},
		{"command_length 4 GiB - 1", withLength(1<<32 - 1), pdu.GenericNack, pdu.RInvCmdLen, 9},
		{"command_length above the bound", withLength(70_001), pdu.GenericNack, pdu.RInvCmdLen, 9},
		{"HTTP", []byte("GET / HTTP/1.1\r\nHost: example\r\n\r\n"), pdu.GenericNack, pdu.RInvCmdLen, 0x2e310d0a},
		{"four octets of garbage", []byte{0xff, 0xff, 0xff, 0xff}, pdu.GenericNack, pdu.RInvCmdLen, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := open(t, houseOptions{})
			conn := h.dial(t)
			send(t, conn, c.in)
			if c.resp != 0 {
				got, _ := readPDU(t, conn)
				want := pdu.Header{Length: 16, Command: c.resp, Status: c.st, Sequence: c.seq}
				if got != want {
					t.Errorf("answer %+v, want %+v", got, want)
				}
			}
			if rest := readAll(t, conn); rest != "" {
				t.Errorf("then %q", rest)
			}
			conn.Close()
			h.empty(t)
			if n := h.Stats().Bound; n != 0 {
				t.Errorf("%d bound", n)
			}
		})
	}
}

func make70(c byte) []byte {
	b := make([]byte, 70)
	for i := range b {
		b[i] = c
	}
	return b
}

func TestEnquireLinkBeforeBind(t *testing.T) {
	h := open(t, houseOptions{})
	c := h.dial(t)
	for seq := range uint32(maxEnquiries) {
		send(t, c, pdu.AppendPlain(nil, pdu.EnquireLink, pdu.ROK, seq+1))
		if got, _ := readPDU(t, c); got.Command != pdu.EnquireLinkResp || got.Sequence != seq+1 || got.Status != pdu.ROK {
			t.Fatalf("%+v", got)
		}
	}
	send(t, c, bindPDU(pdu.BindTransmitter, "right", 77))
	if got, _ := readPDU(t, c); got.Command != pdu.BindTransmitterResp || got.Status != pdu.ROK {
		t.Errorf("%+v", got)
	}
	c = h.dial(t)
	for seq := range uint32(maxEnquiries + 1) {
		send(t, c, pdu.AppendPlain(nil, pdu.EnquireLink, pdu.ROK, seq+1))
	}
	var last pdu.Header
	for range maxEnquiries + 1 {
		last, _ = readPDU(t, c)
	}
	if last.Status != pdu.RInvBndSts {
		t.Errorf("one too many: %+v", last)
	}
	if rest := readAll(t, c); rest != "" {
		t.Errorf("then %q", rest)
	}
}

func TestNoBindInTime(t *testing.T) {
	h := open(t, houseOptions{gate: gate.Options{BindTimeout: 30 * time.Millisecond}})
	silent, slow := h.dial(t), h.dial(t)
	p := bindPDU(pdu.BindReceiver, "right", 1)
	send(t, slow, p[:20]) // half a bind buys no time
	for _, c := range []*net.TCPConn{silent, slow} {
		if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("%d octets, %v", n, err)
		}
	}
	h.empty(t)
	if n := h.settled(t).Timeout; n != 2 {
		t.Errorf("%d timeouts, want 2", n)
	}
}

// TestRefusalWaits: a wrong password is held back, longer each time, and half-closing does not hurry it.
func TestRefusalWaits(t *testing.T) {
	const first = 20 * time.Millisecond
	h := open(t, houseOptions{gate: gate.Options{FailDelay: first, MaxFailDelay: time.Hour, FailDecay: time.Hour}})
	for i, halfClose := range []bool{false, true} {
		c := h.dial(t)
		began := time.Now()
		send(t, c, bindPDU(pdu.BindReceiver, "wrong", 1))
		if halfClose {
			_ = c.CloseWrite()
		}
		if got, _ := readPDU(t, c); got.Status != pdu.RBindFail {
			t.Fatalf("%+v", got)
		}
		if d := time.Since(began); d < first<<i { // a lower bound: slow machines only add to it
			t.Errorf("attempt %d answered after %v", i, d)
		}
		c.Close()
	}
	if d := h.gate.BindFailed(netip.MustParseAddr("127.0.0.1"), time.Now().UnixNano()); d != 4*first {
		t.Errorf("the third attempt would wait %v, want %v", d, 4*first)
	}
	c := h.dial(t) // would wait 8 × first; leaving frees the slot at once, as does the lobby's end
	send(t, c, bindPDU(pdu.BindReceiver, "wrong", 1))
	c.SetLinger(0)
	c.Close()
	h.empty(t)
}

func TestStatusThatIsNoFault(t *testing.T) {
	h := open(t, houseOptions{
		gate:  gate.Options{FailDelay: time.Hour, MaxFailDelay: time.Hour},
		admit: func(Caller, *pdu.Bind, uint32) Admission { return Admission{Status: pdu.RSysErr} },
	})
	c := h.dial(t)
	send(t, c, bindPDU(pdu.BindReceiver, "right", 1))
	if got, _ := readPDU(t, c); got.Status != pdu.RSysErr {
		t.Errorf("%+v", got)
	}
}

func TestGateStandsBeforeTheLobby(t *testing.T) {
	t.Run("per source", func(t *testing.T) {
		h := open(t, houseOptions{gate: gate.Options{MaxPerSource: 2}})
		h.dial(t)
		h.dial(t)
		eventually(t, "two in the lobby", func() bool { return h.Stats().Pending == 2 })
		expectTurnedAway(t, h)
		if s := h.settled(t); s.TooManySource != 1 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("in all", func(t *testing.T) {
		h := open(t, houseOptions{gate: gate.Options{MaxConnections: 1}})
		h.dial(t)
		eventually(t, "one in the lobby", func() bool { return h.Stats().Pending == 1 })
		expectTurnedAway(t, h)
		if s := h.settled(t); s.TooMany != 1 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("network", func(t *testing.T) {
		h := open(t, houseOptions{gate: gate.Options{Deny: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}})
		expectTurnedAway(t, h)
		if s := h.settled(t); s.Denied != 1 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("lobby full", func(t *testing.T) {
		h := open(t, houseOptions{lobby: LobbyOptions{MaxPending: 1}})
		first := h.dial(t)
		eventually(t, "one in the lobby", func() bool { return h.Stats().Pending == 1 })
		expectTurnedAway(t, h)
		send(t, first, bindPDU(pdu.BindReceiver, "right", 1)) // who is bound is not in the lobby
		readPDU(t, first)
		eventually(t, "the lobby is empty", func() bool { return h.Stats().Pending == 0 })
		second := h.dial(t)
		send(t, second, bindPDU(pdu.BindReceiver, "right", 1))
		readPDU(t, second)
		if s := h.settled(t); s.Full != 1 || s.Bound != 2 {
			t.Errorf("%+v", s)
		}
	})
}

func expectTurnedAway(t *testing.T, h *house) {
	t.Helper()
	c, err := net.Dial("tcp", h.addr)
	if err == nil {
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(patience))
		_, err = c.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
		t.Errorf("%v, want a closed connection", err)
	}
}

// TestGarbageHarmsNobody: a bound session lives while others send noise.
func TestGarbageHarmsNobody(t *testing.T) {
	h := open(t, houseOptions{})
	good := h.dial(t)
	send(t, good, bindPDU(pdu.BindTransceiver, "right", 1))
	readPDU(t, good)
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		noise := make([]byte, 1+rnd.IntN(3_000))
		for i := range noise {
			noise[i] = byte(rnd.Uint32())
		}
		c := h.dial(t)
		_, _ = c.Write(noise)
		c.Close()
		send(t, good, []byte("still here"))
		b := make([]byte, 10)
		if _, err := io.ReadFull(good, b); err != nil || string(b) != "still here" {
			t.Fatalf("%q, %v", b, err)
		}
	}
	eventually(t, "noise gone", func() bool { return h.gate.Connections() == 1 })
}

// TestPanicInAdmit costs one connection.
func TestPanicInAdmit(t *testing.T) {
	var h *house
	h = open(t, houseOptions{admit: func(_ Caller, b *pdu.Bind, seq uint32) Admission {
		if b.Password == "poison" {
			panic("boom")
		}
		return h.accept(b.Command, seq)
	}})
	bad := h.dial(t)
	send(t, bad, bindPDU(pdu.BindReceiver, "poison", 1))
	if _, err := bad.Read(make([]byte, 1)); err == nil {
		t.Error("answered")
	}
	h.empty(t)
	if n := h.engine.Stats().Panics; n != 1 {
		t.Errorf("%d panics counted", n)
	}
	c := h.dial(t)
	send(t, c, bindPDU(pdu.BindReceiver, "right", 1))
	readPDU(t, c)
}

// TestAbandon: an admission that cannot be used gives back what it took.
func TestAbandon(t *testing.T) {
	abandoned := make(chan struct{})
	h := open(t, houseOptions{admit: func(Caller, *pdu.Bind, uint32) Admission {
		return Admission{Handler: newRecorder(), Abandon: func() { close(abandoned) }}
	}})
	h.engine.Close()
	c := h.dial(t)
	send(t, c, bindPDU(pdu.BindReceiver, "right", 1))
	receive(t, "Abandon", abandoned)
	h.empty(t)
	if s := h.settled(t); s.Lost != 1 || s.Bound != 0 {
		t.Errorf("%+v", s)
	}
}

func TestLobbyClose(t *testing.T) {
	h := open(t, houseOptions{gate: gate.Options{FailDelay: time.Hour, MaxFailDelay: time.Hour}})
	bound, silent, refused := h.dial(t), h.dial(t), h.dial(t)
	send(t, bound, bindPDU(pdu.BindReceiver, "right", 1))
	readPDU(t, bound)
	send(t, refused, bindPDU(pdu.BindReceiver, "wrong", 1)) // waits an hour for its answer
	_ = refused.CloseWrite()
	eventually(t, "two wait", func() bool { return h.Stats().Pending == 2 })
	h.Lobby.Close()
	if s := h.Stats(); s.Pending != 0 || s.Bound != 1 || s.Lost != 2 {
		t.Errorf("%+v", s)
	}
	for _, c := range []*net.TCPConn{silent, refused} {
		if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("%d octets, %v", n, err)
		}
	}
	send(t, bound, []byte("alive"))
	if _, err := io.ReadFull(bound, make([]byte, 5)); err != nil {
		t.Errorf("a bound connection was harmed: %v", err)
	}
	if _, err := net.Dial("tcp", h.addr); err == nil {
		t.Error("still listening")
	}
	if err := h.Serve(failing{}); err != nil {
		t.Errorf("Serve after Close: %v", err)
	}
}

// failing is a listener that hands out what is in the channel.
type failing struct{ accepts chan accepted }

type accepted struct {
	nc  net.Conn
	err error
}

func (f failing) Accept() (net.Conn, error) {
	a, ok := <-f.accepts
	if !ok {
		return nil, net.ErrClosed
	}
	return a.nc, a.err
}
func (f failing) Close() error   { return nil }
func (f failing) Addr() net.Addr { return &net.TCPAddr{} }

// TestAcceptErrorsEndNothing: out of descriptors and memory, the listener goes on and bound sessions do not notice.
func TestAcceptErrorsEndNothing(t *testing.T) {
	h := open(t, houseOptions{})
	bound := h.dial(t)
	send(t, bound, bindPDU(pdu.BindReceiver, "right", 1))
	readPDU(t, bound)

	f := failing{make(chan accepted)}
	served := make(chan error, 1)
	go func() { served <- h.Serve(f) }()
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.EMFILE} {
		f.accepts <- accepted{err: &net.OpError{Op: "accept", Err: errno}}
	}
	near, far := pair(t)
	f.accepts <- accepted{nc: near}
	send(t, far, bindPDU(pdu.BindTransmitter, "right", 2))
	if got, _ := readPDU(t, far); got.Status != pdu.ROK {
		t.Errorf("after the errors: %+v", got)
	}
	send(t, bound, []byte("alive"))
	if _, err := io.ReadFull(bound, make([]byte, 5)); err != nil {
		t.Error(err)
	}
	if n := h.Stats().AcceptErrors; n != 4 {
		t.Errorf("%d errors counted, want 4", n)
	}
	close(f.accepts)
	if err := receive(t, "Serve returns", served); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a listener closed by somebody else: %v", err)
	}
}
