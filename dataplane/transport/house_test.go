package transport

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"smsplane/dataplane/gate"
	"smsplane/pdu"
)

// house is a lobby on a loopback port in front of an engine of one loop, whose connections answer what they get with the same.
type house struct {
	*Lobby
	engine *Engine
	gate   *gate.Gate
	addr   string

	mu    sync.Mutex
	bound []*recorder
}

type houseOptions struct {
	gate  gate.Options
	lobby LobbyOptions
	admit Admit // nil: everyone but the password "wrong"
	keys  *Keys // nil: plain TCP
}

func open(t testing.TB, o houseOptions) *house {
	t.Helper()
	if o.gate.FailDelay == 0 {
		o.gate.FailDelay, o.gate.MaxFailDelay = 1, 1 // ns: tests that mean it set it
	}
	if o.gate.BindTimeout == 0 {
		o.gate.BindTimeout = patience
	}
	o.lobby.Logger = quiet
	h := &house{engine: start(t, Options{}, nil), gate: gate.New(o.gate)}
	if o.admit == nil {
		o.admit = h.admitMost
	}
	h.Lobby = NewLobby(h.engine, h.gate, o.lobby, o.admit)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.addr = ln.Addr().String()
	served := make(chan error, 1)
	go func() {
		if o.keys != nil {
			served <- h.ServeTLS(ln, o.keys.Config())
			return
		}
		served <- h.Serve(ln)
	}()
	t.Cleanup(func() {
		h.Lobby.Close()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return h
}

func (h *house) admitMost(_ Caller, b *pdu.Bind, seq uint32) Admission {
	if b.Password == "wrong" {
		return Admission{Status: pdu.RBindFail}
	}
	return h.accept(b.Command, seq)
}

// accept makes an admission whose connection writes its bind_resp and then echoes.
func (h *house) accept(c pdu.Command, seq uint32) Admission {
	r := newRecorder()
	r.onOpened = func(conn *Conn) { _ = conn.Write(pdu.AppendBindResp(nil, c, pdu.ROK, seq, "smsc", 0x34)) }
	r.onData = func(conn *Conn, b []byte) { _ = conn.Write(b) }
	h.mu.Lock()
	h.bound = append(h.bound, r)
	h.mu.Unlock()
	return Admission{Handler: r}
}

func (h *house) dial(t testing.TB) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c.(*net.TCPConn)
}

// empty waits until no connection holds a slot any more.
func (h *house) empty(t *testing.T) {
	t.Helper()
	eventually(t, "all slots given back", func() bool { return h.gate.Connections() == 0 && h.Stats().Pending == 0 })
}

// settled waits until every accepted connection is counted where it ended.
func (h *house) settled(t *testing.T) (s LobbyStats) {
	t.Helper()
	eventually(t, "all counted", func() bool {
		s = h.Stats()
		ends := s.Denied + s.TooMany + s.TooManySource + s.Full + s.Handshake + s.Timeout + s.Garbage + s.NotBind + s.Refused + s.Bound + s.Relayed + s.Outbound + s.Lost
		return s.Accepted+s.Invited == ends+uint64(s.Pending)
	})
	return s
}

func bindPDU(c pdu.Command, password string, seq uint32) []byte {
	return pdu.AppendBind(nil, &pdu.Bind{Command: c, SystemID: "esme", Password: password, Version: 0x34}, seq)
}

// readPDU reads one PDU.
func readPDU(t testing.TB, c net.Conn) (pdu.Header, []byte) {
	t.Helper()
	p := make([]byte, pdu.HeaderLen)
	if _, err := io.ReadFull(c, p); err != nil {
		t.Fatalf("no PDU: %v", err)
	}
	h := pdu.ParseHeader(p)
	p = append(p, make([]byte, h.Length-pdu.HeaderLen)...)
	if _, err := io.ReadFull(c, p[pdu.HeaderLen:]); err != nil {
		t.Fatal(err)
	}
	return h, p
}
