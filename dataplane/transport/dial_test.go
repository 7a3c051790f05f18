package transport

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"smsplane/pdu"
)

// carrier accepts one connection, reads its bind and does what the test says.
func carrier(t *testing.T, f func(c net.Conn, b pdu.Bind, seq uint32)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(patience))
		h, p := readPDU(t, c)
		b, st := pdu.ParseBind(p)
		if st != pdu.ROK {
			t.Errorf("the bind is malformed: %v", st)
		}
		f(c, b, h.Sequence)
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return ln.Addr().String()
}

func bindOptions(address string) DialOptions {
	return DialOptions{Address: address, Timeout: patience, Bind: pdu.Bind{
		Command: pdu.BindTransceiver, SystemID: "us", Password: "secret", SystemType: "gw", Version: 0x34}}
}

func TestDialBind(t *testing.T) {
	resp := func(seq uint32) []byte {
		return pdu.AppendBindResp(nil, pdu.BindTransceiver, pdu.ROK, seq, "them", 0x34)
	}
	deliver := pdu.AppendPlain(nil, pdu.DeliverSM, pdu.ROK, 41)
	enquire := pdu.AppendPlain(nil, pdu.EnquireLink, pdu.ROK, 42)
	for name, c := range map[string]struct {
		send func(seq uint32) []byte
		rest []byte
	}{
		"resp only":              {func(seq uint32) []byte { return resp(seq) }, nil},
		"resp and more":          {func(seq uint32) []byte { return append(resp(seq), deliver[:9]...) }, deliver[:9]},
		"deliver_sm comes first": {func(seq uint32) []byte { return append(append(bytes.Clone(deliver), resp(seq)...), enquire...) }, append(bytes.Clone(deliver), enquire...)},
		"resp of another bind type": {func(seq uint32) []byte {
			return pdu.AppendBindResp(nil, pdu.BindReceiver, pdu.ROK, seq, "them", 0x34)
		}, nil},
	} {
		for _, octetwise := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				finish := make(chan struct{})
				address := carrier(t, func(conn net.Conn, b pdu.Bind, seq uint32) {
					if want := bindOptions("").Bind; b != want {
						t.Errorf("bind %+v, want %+v", b, want)
					}
					out := c.send(seq)
					for len(out) > 0 && octetwise {
						_, _ = conn.Write(out[:1]) // the dialler may leave when it has what it needs
						out = out[1:]
					}
					_, _ = conn.Write(out)
					<-finish
				})
				defer close(finish)
				nc, peer, rest, err := DialBind(context.Background(), bindOptions(address))
				if err != nil {
					t.Fatal(err)
				}
				defer nc.Close()
				if peer != (BindResult{SystemID: "them", Version: 0x34}) {
					t.Errorf("peer %+v", peer)
				}
				if octetwise && bytes.HasPrefix(c.rest, rest) { // what follows the resp may still be on its way
					return
				}
				if !bytes.Equal(rest, c.rest) {
					t.Errorf("rest %x, want %x", rest, c.rest)
				}
			})
		}
	}
}

func TestDialBindRefused(t *testing.T) {
	for name, c := range map[string]struct {
		send func(seq uint32) []byte
		want pdu.Status
	}{
		"no body": {func(seq uint32) []byte {
			return pdu.AppendPlain(nil, pdu.BindTransceiverResp, pdu.RInvPaswd, seq)
		}, pdu.RInvPaswd},
		"with a body": {func(seq uint32) []byte {
			p := append(pdu.AppendPlain(nil, pdu.BindTransceiverResp, pdu.RBindFail, seq), "them\x00"...)
			return pdu.Finish(p, 0)
		}, pdu.RBindFail},
		"generic_nack": {func(seq uint32) []byte {
			return pdu.AppendPlain(nil, pdu.GenericNack, pdu.RInvCmdID, seq)
		}, pdu.RInvCmdID},
		"generic_nack without sequence and status": {func(uint32) []byte {
			return pdu.AppendPlain(nil, pdu.GenericNack, pdu.ROK, 0)
		}, pdu.RUnknownErr},
	} {
		t.Run(name, func(t *testing.T) {
			address := carrier(t, func(conn net.Conn, _ pdu.Bind, seq uint32) { send(t, conn, c.send(seq)) })
			_, _, _, err := DialBind(context.Background(), bindOptions(address))
			var refused *BindError
			if !errors.As(err, &refused) || refused.Status != c.want || refused.Address != address {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

func TestDialBindFails(t *testing.T) {
	silence := func(conn net.Conn, _ pdu.Bind, _ uint32) { _, _ = conn.Read(make([]byte, 1)) }
	for name, c := range map[string]struct {
		carrier func(net.Conn, pdu.Bind, uint32)
		change  func(*DialOptions)
		cancel  bool
		want    string
	}{
		"closes":   {func(net.Conn, pdu.Bind, uint32) {}, nil, false, "without bind_resp"},
		"silence":  {silence, func(o *DialOptions) { o.Timeout = 20 * time.Millisecond }, false, "deadline exceeded"},
		"canceled": {silence, nil, true, "canceled"},
		"not SMPP": {func(conn net.Conn, _ pdu.Bind, _ uint32) { send(t, conn, []byte("220 mail.example ESMTP\r\n")) }, nil, false, "no SMPP"},
		"a flood before the bind_resp": {func(conn net.Conn, _ pdu.Bind, _ uint32) {
			p := pdu.AppendPlain(nil, pdu.EnquireLink, pdu.ROK, 1)
			for err := error(nil); err == nil; {
				_, err = conn.Write(bytes.Repeat(p, 1_000))
			}
		}, nil, false, "no bind_resp"},
		"bad source": {silence, func(o *DialOptions) { o.Source = "nowhere" }, false, "source address"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			f := c.carrier
			if c.cancel {
				f = func(conn net.Conn, b pdu.Bind, seq uint32) { cancel(); silence(conn, b, seq) }
			}
			o := bindOptions(carrier(t, f))
			if c.change != nil {
				c.change(&o)
			}
			nc, _, _, err := DialBind(ctx, o)
			if err == nil || nc != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if refused := (*BindError)(nil); errors.As(err, &refused) {
				t.Errorf("%v is not a refusal", err)
			}
		})
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if _, _, _, err := DialBind(context.Background(), bindOptions(ln.Addr().String())); err == nil {
		t.Error("bound to nobody")
	}
}

// TestDialBindToLobby: our two ends understand each other, and the source address is used.
func TestDialBindToLobby(t *testing.T) {
	h := open(t, houseOptions{})
	o := bindOptions(h.addr)
	o.Source = "127.0.0.2"
	nc, peer, rest, err := DialBind(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if peer.SystemID != "smsc" || len(rest) != 0 {
		t.Errorf("%+v, rest %x", peer, rest)
	}
	if got := nc.LocalAddr().(*net.TCPAddr).IP.String(); got != "127.0.0.2" {
		t.Errorf("local address %s", got)
	}
	e := start(t, Options{}, nil)
	r := newRecorder()
	if err := e.Enroll(nc, 0, r, rest); err != nil {
		t.Fatal(err)
	}
	on(t, e, 0, func() { _ = r.conn.Write([]byte("echo me")) })
	eventually(t, "the echo", func() bool { return r.got() == "echo me" })

	o.Bind.Password = "wrong"
	var refused *BindError
	if _, _, _, err := DialBind(context.Background(), o); !errors.As(err, &refused) || refused.Status != pdu.RBindFail {
		t.Errorf("%v", err)
	}
}
