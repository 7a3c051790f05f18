package transport

import (
	"errors"
	"net"
	"testing"

	"smsplane/pdu"
)

// passage joins a client with a second house, as a relay between hosts does.
type passage struct {
	far  net.Conn
	over chan struct{}
}

func (p *passage) Close() { _ = p.far.Close() }

func (p *passage) Carry(near net.Conn, first []byte) {
	defer close(p.over)
	defer p.far.Close()
	_, _ = p.far.Write(first)
	go func() {
		buf := make([]byte, 1024)
		for {
			n, err := near.Read(buf)
			if err != nil {
				break
			}
			_, _ = p.far.Write(buf[:n])
		}
		_ = p.far.Close()
	}()
	buf := make([]byte, 1024)
	for {
		n, err := p.far.Read(buf)
		if err != nil {
			break
		}
		_, _ = near.Write(buf[:n])
	}
	_ = near.Close()
}

// TestRelayedBind: a bind that another house is to answer goes there with all that came behind it, and is seen there
// with the address of the client and the name of the host between.
func TestRelayedBind(t *testing.T) {
	callers := make(chan Caller, 1)
	there := open(t, houseOptions{})
	there.Lobby.admit = func(from Caller, b *pdu.Bind, seq uint32) Admission {
		callers <- from
		return there.admitMost(from, b, seq)
	}
	p := &passage{over: make(chan struct{})}
	here := open(t, houseOptions{admit: func(from Caller, _ *pdu.Bind, _ uint32) Admission {
		return Admission{Relay: func() (Passage, error) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, err
			}
			defer l.Close()
			far, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				return nil, err
			}
			c, err := l.Accept()
			if err != nil {
				return nil, err
			}
			there.Lobby.Relayed(c, Caller{Remote: from.Remote, Via: "here"})
			p.far = far
			return p, nil
		}}
	}})
	c := here.dial(t)
	send(t, c, bindPDU(pdu.BindTransmitter, "right", 7))
	if h, _ := readPDU(t, c); h.Command != pdu.BindTransmitterResp || h.Status != pdu.ROK || h.Sequence != 7 {
		t.Fatalf("%+v", h)
	}
	if from := receive(t, "the caller", callers); from.Via != "here" || from.Remote.String() != c.LocalAddr().String() {
		t.Fatalf("%+v, the client is %v", from, c.LocalAddr())
	}
	_ = c.Close()
	receive(t, "the end of the passage", p.over)
	here.empty(t)
	there.empty(t)
	if s := here.settled(t); s.Relayed != 1 || s.Bound != 0 {
		t.Fatalf("%+v", s)
	}
}

// TestRelayFails: a bind that cannot be handed on is refused, so that the client tries its other address.
func TestRelayFails(t *testing.T) {
	h := open(t, houseOptions{admit: func(Caller, *pdu.Bind, uint32) Admission {
		return Admission{Relay: func() (Passage, error) { return nil, errors.New("nobody there") }}
	}})
	c := h.dial(t)
	send(t, c, bindPDU(pdu.BindReceiver, "right", 3))
	if v, _ := readPDU(t, c); v.Command != pdu.BindReceiverResp || v.Status != pdu.RSysErr {
		t.Fatalf("%+v", v)
	}
	h.empty(t)
}
