package conform

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"smsplane/pdu"
)

// A server that answers by rule: nil is silence, empty closes.
type server func(h pdu.Header, p []byte) []byte

// serve listens until the test ends.
func serve(t *testing.T, f server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, l, f)
}

func serveOn(t *testing.T, l net.Listener, f server) string {
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go f.converse(nc)
		}
	}()
	return l.Addr().String()
}

func (f server) converse(nc net.Conn) {
	defer nc.Close()
	for {
		p := make([]byte, pdu.HeaderLen)
		if _, err := io.ReadFull(nc, p); err != nil {
			return
		}
		h := pdu.ParseHeader(p)
		if h.Length < pdu.HeaderLen || h.Length > 1<<20 {
			return
		}
		p = append(p, make([]byte, h.Length-pdu.HeaderLen)...)
		if _, err := io.ReadFull(nc, p[pdu.HeaderLen:]); err != nil {
			return
		}
		out := f(h, p)
		if out != nil && len(out) == 0 {
			return
		}
		_, _ = nc.Write(out)
	}
}

// yes takes everything, and says so to everything.
func yes(h pdu.Header, _ []byte) []byte {
	switch h.Command {
	case pdu.BindTransmitter, pdu.BindReceiver, pdu.BindTransceiver:
		return pdu.AppendBindResp(nil, h.Command, pdu.ROK, h.Sequence, "yes", pdu.Version34)
	case pdu.SubmitSM, pdu.DataSM, pdu.SubmitMulti, pdu.BroadcastSM:
		return pdu.AppendMessageResp(nil, h.Command, pdu.ROK, h.Sequence, []byte("42"))
	}
	return pdu.AppendPlain(nil, h.Command|pdu.GenericNack, pdu.ROK, h.Sequence)
}

func examine(t *testing.T, f server) *Sheet {
	t.Helper()
	s, err := Run(context.Background(), Options{Address: serve(t, f), SystemID: "esme", Password: "secret", From: "us", To: "491511",
		Timeout: 3 * time.Second, Receipt: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *Sheet) line(t *testing.T, probe string) Line {
	t.Helper()
	for _, section := range s.Sections {
		for _, l := range section.Lines {
			if l.Probe == probe {
				return l
			}
		}
	}
	t.Fatalf("no probe %q in\n%s", probe, s.Text())
	return Line{}
}

// TestYes: a server that agrees to everything stands out wherever something must be refused.
func TestYes(t *testing.T) {
	s := examine(t, yes)
	for _, probe := range []string{
		"bind_transmitter as 3.3", "submit_sm before the bind", "a second bind", "cancel_sm of no message", "deliver_sm towards the server",
		"an unknown command_id", "submit_sm_resp to nothing", "submit_sm on a receiver bind", "broadcast_sm without an area", "a TLV that runs past the end", "no destination",
		"validity_period \"tomorrow\"", "sm_length beyond the end", "ids of messages", "wrong password", "unknown system_id",
	} {
		if l := s.line(t, probe); l.Verdict != Differs || l.Wanted == "" {
			t.Errorf("%+v", l)
		}
	}
	for _, probe := range []string{"enquire_link", "submit_sm", "message_payload of 20480 octets", "20 submit_sm in one write", "0x08 UCS-2", "broadcast_sm on a 5.0 bind", "cancel_broadcast_sm of it"} {
		if l := s.line(t, probe); l.Verdict != OK {
			t.Errorf("%+v", l)
		}
	}
	if l := s.line(t, "command_length 8"); l.Verdict != Note || !strings.Contains(l.Seen, "closed") {
		t.Errorf("%+v", l)
	}
	if n := s.Counts[OK] + s.Counts[Note] + s.Counts[Differs] + s.Counts[Refused]; n < 90 || s.Messages < 80 {
		t.Errorf("%d lines, %d messages", n, s.Messages)
	}
}

// TestSilence: a server that answers some PDUs not at all, or by leaving, costs its sessions and not the examination.
func TestSilence(t *testing.T) {
	s := examine(t, func(h pdu.Header, p []byte) []byte {
		switch h.Command {
		case pdu.QuerySM:
			return nil
		case pdu.CancelSM:
			return []byte{}
		}
		return yes(h, p)
	})
	if l := s.line(t, "query_sm of no message"); l.Verdict != Differs || l.Seen != "no answer" {
		t.Errorf("%+v", l)
	}
	if l := s.line(t, "cancel_sm of no message"); l.Verdict != Differs || l.Seen != "the connection is closed" {
		t.Errorf("%+v", l)
	}
	if l := s.line(t, "0xF0 class 0"); l.Verdict != OK {
		t.Errorf("%+v", l)
	}
}

// TestTLS: the sheet tells the certificate and its pin.
func TestTLS(t *testing.T) {
	lender := httptest.NewTLSServer(nil) // has a certificate
	defer lender.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := serveOn(t, tls.NewListener(l, &tls.Config{Certificates: lender.TLS.Certificates}), yes)
	s, err := Run(context.Background(), Options{Address: address, SystemID: "esme", Secure: true, Timeout: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(lender.Certificate().RawSubjectPublicKeyInfo)
	if got := s.line(t, "connection").Seen; !strings.Contains(got, "TLS 1.3") || !strings.Contains(got, "pin "+base64.StdEncoding.EncodeToString(sum[:])) {
		t.Errorf("%s", got)
	}
	if s.Messages != 0 {
		t.Errorf("%d messages sent without a number to send to", s.Messages)
	}
}

func TestNoSession(t *testing.T) {
	refuse := serve(t, func(h pdu.Header, _ []byte) []byte {
		return pdu.AppendPlain(nil, h.Command.Resp(), pdu.RBindFail, h.Sequence)
	})
	if _, err := Run(context.Background(), Options{Address: refuse, SystemID: "esme"}); err == nil || !strings.Contains(err.Error(), "ESME_RBINDFAIL") {
		t.Errorf("%v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := Run(context.Background(), Options{Address: l.Addr().String()}); err == nil || !strings.Contains(err.Error(), "connect") {
		t.Errorf("%v", err)
	}
}

func TestIDForms(t *testing.T) {
	for _, c := range []struct{ text, answer string }{{"1a", "1A"}, {"0042", "42"}, {"26", "1a"}, {"1a", "26"}, {"msg-1", "MSG-1"}} {
		if !sameID([]byte(c.text), []byte(c.answer)) {
			t.Errorf("%s is not taken for %s", c.text, c.answer)
		}
	}
	for _, c := range []struct{ text, answer string }{{"1a", "1b"}, {"", ""}, {"x", "y"}, {"42", "43"}} {
		if sameID([]byte(c.text), []byte(c.answer)) {
			t.Errorf("%s is taken for %s", c.text, c.answer)
		}
	}
}

// A server that sends and does not read is not waited for at each of its requests.
func TestServerThatDoesNotRead(t *testing.T) {
	nc, far := net.Pipe()
	defer far.Close()
	c := &conn{nc: nc, timeout: 10 * time.Millisecond}
	for seq := range uint32(1000) {
		c.buf = pdu.AppendPlain(c.buf, pdu.EnquireLink, pdu.ROK, seq)
	}
	if _, err := c.ask(pdu.AppendPlain(nil, pdu.EnquireLink, pdu.ROK, 0)); err != errClosed {
		t.Errorf("asked: %v", err)
	}
	if _, err := c.await(1); err != errClosed || c.enquired > 1 {
		t.Errorf("%v after %d requests of the server", err, c.enquired)
	}
}

// A server with a backlog for us does not fill the memory.
func TestBacklogIsNotKept(t *testing.T) {
	nc, far := net.Pipe()
	defer far.Close()
	go io.Copy(io.Discard, far)
	c := &conn{nc: nc, timeout: time.Minute}
	for seq := range uint32(2 * maxDelivered) {
		p := pdu.Submit{Command: pdu.DeliverSM, Text: []byte("old")}
		b := p.Append(nil, seq)
		c.serve(pdu.ParseHeader(b), b)
	}
	if last := pdu.ParseHeader(c.delivered[len(c.delivered)-1]).Sequence; len(c.delivered) != maxDelivered || last != 2*maxDelivered-1 {
		t.Errorf("%d are kept, the last is %d", len(c.delivered), last)
	}
}

// What a server says is shown, not done: a terminal obeys octets.
func TestSheetIsText(t *testing.T) {
	s := &Sheet{Counts: map[Verdict]int{}}
	s.section("Binds")
	s.add(Line{"id", OK, "\x1b]0;gotcha\x07\xff 1a", ""})
	if text := s.Text(); strings.ContainsAny(text, "\x1b\x07\xff") || !strings.Contains(text, "?]0;gotcha?? 1a") {
		t.Errorf("%q", text)
	}
}
