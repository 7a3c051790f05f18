package transport

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

var tlsVersions = map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13}

// secured is a pair of TLS ends over loopback: near as the lobby makes it, far a client of crypto/tls.
func secured(t testing.TB, version uint16) (near *secureConn, far *tls.Conn) {
	t.Helper()
	a := newAuthority(t, "authority")
	keys := newKeyFolder(t, a.issue(t, "smsc.example"), nil).read(t)
	ours, theirs := pair(t)
	return handshake(t, ours, theirs, keys.Config(), clientConfig(a, version))
}

func clientConfig(a *authority, version uint16) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{RootCAs: pool, ServerName: "smsc.example", MinVersion: version, MaxVersion: version}
}

func handshake(t testing.TB, ours, theirs net.Conn, server, client *tls.Config) (*secureConn, *tls.Conn) {
	t.Helper()
	type result struct {
		s   *secureConn
		err error
	}
	done := make(chan result, 1)
	go func() {
		s, err := secureServer(ours, server)
		done <- result{s, err}
	}()
	far := tls.Client(theirs, client)
	if err := far.Handshake(); err != nil {
		t.Fatal(err)
	}
	r := <-done
	if r.err != nil {
		t.Fatal(r.err)
	}
	return r.s, far
}

// tape is a connection that keeps what is written to it.
type tape struct {
	net.Conn
	on      bool
	written []byte
}

func (c *tape) Write(b []byte) (int, error) {
	if !c.on {
		return c.Conn.Write(b)
	}
	c.written = append(c.written, b...)
	return len(b), nil
}

// TestRecordsSplitAnywhere feeds a Conn, without a socket, records split before every octet, single octets, and several
// records in one read: the plaintext must come out in order and at once, and nothing may be kept back.
func TestRecordsSplitAnywhere(t *testing.T) {
	for name, version := range tlsVersions {
		t.Run(name, func(t *testing.T) {
			a := newAuthority(t, "authority")
			keys := newKeyFolder(t, a.issue(t, "smsc.example"), nil).read(t)
			ours, theirs := pair(t)
			client := &tape{Conn: theirs}
			near, far := handshake(t, ours, client, keys.Config(), clientConfig(a, version))
			client.on = true

			r := newRecorder()
			l := &loop{engine: &Engine{opts: Options{}.withDefaults()}, plain: make([]byte, maxPlain)}
			c := &Conn{loop: l, handler: r, secure: near}
			near.enlist(l)
			c.open(0, nil)

			seal := func(text string) []byte {
				client.written = nil
				if _, err := far.Write([]byte(text)); err != nil {
					t.Fatal(err)
				}
				return client.written
			}
			feed := func(b []byte) {
				c.data(0, bytes.Clone(b)) // of its own: it is not ours afterwards
				if len(near.wire.in) > 0 {
					t.Fatalf("%d octets kept", len(near.wire.in))
				}
			}
			want, length := "", len(seal("a message of some length 0000"))
			want = "a message of some length 0000"
			feed(client.written)
			for cut := 1; cut < length; cut++ {
				text := fmt.Sprintf("a message of some length %04d", cut)
				record := seal(text)
				if len(record) != length {
					t.Fatalf("a record of %d octets, before one of %d", len(record), length)
				}
				feed(record[:cut])
				if got := r.got(); got != want {
					t.Fatalf("cut at %d: %q too early", cut, got[len(want):])
				}
				feed(record[cut:])
				if want += text; r.got() != want {
					t.Fatalf("cut at %d: %q", cut, r.got()[len(r.got())-40:])
				}
			}
			for _, b := range seal("octet by octet") {
				feed([]byte{b})
			}
			three := append(append(bytes.Clone(seal("one ")), seal("two ")...), seal("three")...)
			feed(three[:len(three)-7])
			feed(three[len(three)-7:])
			if want += "octet by octetone two three"; r.got() != want {
				t.Fatalf("%q", r.got()[len(r.got())-60:])
			}
			large := bytes.Repeat([]byte("0123456789abcdef"), 5_000)
			stream := bytes.Clone(seal(string(large)))
			for len(stream) > 0 {
				n := min(len(stream), 60_001)
				feed(stream[:n])
				stream = stream[n:]
			}
			if want += string(large); r.got() != want {
				t.Fatalf("%d octets of %d", len(r.got()), len(want))
			}
			if len(l.sealed) != 0 || c.ended {
				t.Errorf("%d octets to send, ended %v", len(l.sealed), c.ended)
			}
		})
	}
}

// TestSecureEcho: much data both ways over a loop, beginning with what came along with the handshake.
func TestSecureEcho(t *testing.T) {
	for name, version := range tlsVersions {
		t.Run(name, func(t *testing.T) {
			e := start(t, Options{Loops: 2}, nil)
			near, far := secured(t, version)
			r := newRecorder()
			r.onData = func(c *Conn, b []byte) { _ = c.Write(b) }
			sent := bytes.Repeat([]byte("0123456789abcde\n"), 100_000)
			if _, err := far.Write(sent[:5_000]); err != nil { // in the kernel's buffer, or read along with the handshake
				t.Fatal(err)
			}
			if err := e.Enroll(near, 1, r, []byte("first ")); err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = far.Write(sent[5_000:]) }() // what cannot be written is missed by the reader
			got := make([]byte, 6+len(sent))
			if _, err := io.ReadFull(far, got); err != nil {
				t.Fatal(err)
			}
			if string(got[:6]) != "first " || !bytes.Equal(got[6:], sent) {
				t.Error("the echo differs")
			}
			on(t, e, 1, func() { r.conn.Close() })
			if n, err := far.Read(got); n != 0 || err != io.EOF {
				t.Errorf("after Close: %d octets, %v; want close_notify", n, err)
			}
			far.Close()
			receive(t, "Closed", r.gone)
			if _, closed, err := r.counts(); closed != 1 || err != nil {
				t.Errorf("closed %d times with %v", closed, err)
			}
		})
	}
}

// TestSecureEnds: however a peer leaves, Closed comes once and says why.
func TestSecureEnds(t *testing.T) {
	for name, c := range map[string]struct {
		leave func(far *tls.Conn, raw net.Conn)
		check func(err error) bool
	}{
		"close_notify": {func(far *tls.Conn, _ net.Conn) { _ = far.CloseWrite() }, func(err error) bool { return err == io.EOF }},
		"close":        {func(far *tls.Conn, _ net.Conn) { _ = far.Close() }, func(err error) bool { return err == io.EOF }},
		"TCP end":      {func(_ *tls.Conn, raw net.Conn) { _ = raw.Close() }, func(err error) bool { return err == io.EOF }},
		"plain text":   {func(_ *tls.Conn, raw net.Conn) { _, _ = raw.Write([]byte("no longer in the mood for TLS")) }, isRecordError},
		"a forged record": {func(_ *tls.Conn, raw net.Conn) {
			_, _ = raw.Write(append([]byte{23, 3, 3, 0, 40}, make([]byte, 40)...))
		}, isAnyError},
		"words, then the door": {func(far *tls.Conn, _ net.Conn) { _, _ = far.Write([]byte("bye")); _ = far.Close() }, func(err error) bool { return err == io.EOF }},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t, Options{}, nil)
			near, far := secured(t, tls.VersionTLS13)
			r := newRecorder()
			if err := e.Enroll(near, 0, r, nil); err != nil {
				t.Fatal(err)
			}
			c.leave(far, far.NetConn())
			receive(t, "Closed", r.gone)
			if _, closed, err := r.counts(); closed != 1 || !c.check(err) {
				t.Errorf("closed %d times with %v", closed, err)
			}
			if name == "words, then the door" && r.got() != "bye" {
				t.Errorf("got %q", r.got())
			}
			eventually(t, "no connection is left", func() bool { return e.Stats().Connections == 0 })
		})
	}
}

func isRecordError(err error) bool {
	var r tls.RecordHeaderError
	return errors.As(err, &r)
}

func isAnyError(err error) bool { return err != nil && err != io.EOF }

// TestSecurePanicAndSlow: the promises of a plain connection hold for a secure one.
func TestSecurePanicAndSlow(t *testing.T) {
	e := start(t, Options{HighWater: 64 << 10, HardLimit: 256 << 10}, nil)
	near, far := secured(t, tls.VersionTLS13)
	r := newRecorder()
	r.onData = func(*Conn, []byte) { panic("a test") }
	if err := e.Enroll(near, 0, r, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := far.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	receive(t, "Closed", r.gone)
	if _, _, err := r.counts(); err != ErrPanic {
		t.Errorf("closed with %v", err)
	}

	near, _ = secured(t, tls.VersionTLS13)
	r = newRecorder()
	if err := e.Enroll(near, 0, r, nil); err != nil {
		t.Fatal(err)
	}
	chunk := make([]byte, 100_000)
	eventually(t, "a peer that reads nothing is reset", func() bool {
		var err error
		on(t, e, 0, func() { err = r.conn.Write(chunk) })
		return errors.Is(err, ErrSlow)
	})
	receive(t, "Closed", r.gone)
	if _, _, err := r.counts(); err != ErrSlow {
		t.Errorf("closed with %v", err)
	}
}

// TestSecureTurn: what a turn writes is one record after the other without gaps, however large.
func TestSecureTurn(t *testing.T) {
	e := start(t, Options{}, nil)
	near, far := secured(t, tls.VersionTLS13)
	r := newRecorder()
	if err := e.Enroll(near, 0, r, nil); err != nil {
		t.Fatal(err)
	}
	_ = far.SetDeadline(time.Now().Add(patience))
	for _, n := range []int{1, 16 << 10, 16<<10 + 1, 200_000} {
		want := bytes.Repeat([]byte{byte(n)}, n)
		on(t, e, 0, func() {
			if err := r.conn.Write(want); err != nil {
				t.Error(err)
			}
		})
		got := make([]byte, n)
		if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d octets: %v", n, err)
		}
	}
}
