package conform

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"smsplane/pdu"
)

// conn is one connection to the server, asked and read by one goroutine.
type conn struct {
	nc        net.Conn
	timeout   time.Duration // for one answer
	buf       []byte
	seq       uint32
	delivered [][]byte // deliver_sm and data_sm of the server, the last of them, in order; each was answered
	broken    bool     // it takes nothing any more
	enquired  int      // enquire_link of the server, answered
	stray     int      // responses and others that answer nothing of ours
}

const (
	maxPDU       = 1 << 20
	maxDelivered = 1000 // kept: a server may have a backlog for us
)

var (
	errSilent = errors.New("no answer")
	errClosed = errors.New("the connection is closed")
)

func (r *run) dial(ctx context.Context) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	var nc net.Conn
	var err error
	if r.Secure {
		// The sheet tells whose certificate it is; whether to trust it is the reader's decision.
		d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}}
		nc, err = d.DialContext(ctx, "tcp", r.Address)
	} else {
		var d net.Dialer
		nc, err = d.DialContext(ctx, "tcp", r.Address)
	}
	if err != nil {
		return nil, err
	}
	return &conn{nc: nc, timeout: r.Timeout}, nil
}

// transport describes the connection below SMPP.
func (c *conn) transport() string {
	t, ok := c.nc.(*tls.Conn)
	if !ok {
		return "TCP without TLS"
	}
	s := t.ConnectionState()
	cert := s.PeerCertificates[0]
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return fmt.Sprintf("%s, certificate of %q until %s, pin %s", tls.VersionName(s.Version), cert.Subject.CommonName,
		cert.NotAfter.UTC().Format(time.DateOnly), base64.StdEncoding.EncodeToString(sum[:]))
}

func (c *conn) close() { _ = c.nc.Close() }

// next is a sequence_number that was not used yet.
func (c *conn) next() uint32 {
	c.seq++
	return c.seq
}

func (c *conn) write(b []byte) error {
	_ = c.nc.SetWriteDeadline(time.Now().Add(c.timeout))
	if _, err := c.nc.Write(b); err != nil {
		c.broken = true // what was written of it has no end
		return errClosed
	}
	return nil
}

// ask sends a request under a sequence_number of its own and waits for its answer.
func (c *conn) ask(p []byte) (answer, error) {
	seq := c.next()
	pdu.SetSequence(p, seq)
	if err := c.write(p); err != nil {
		return answer{}, err
	}
	return c.await(seq)
}

// answer is a response, whole.
type answer struct {
	pdu.Header
	p []byte
}

// await reads until the answer to seq. A generic_nack may come without a sequence_number.
func (c *conn) await(seq uint32) (answer, error) {
	until := time.Now().Add(c.timeout)
	for {
		p, err := c.read(until)
		if err != nil {
			return answer{}, err
		}
		h := pdu.ParseHeader(p)
		if h.Command.IsResp() && (h.Sequence == seq || h.Command == pdu.GenericNack && h.Sequence == 0) {
			return answer{h, p}, nil
		}
		c.serve(h, p)
	}
}

// serve does what an ESME owes its server, and keeps the books.
func (c *conn) serve(h pdu.Header, p []byte) {
	switch h.Command {
	case pdu.DeliverSM, pdu.DataSM:
		if len(c.delivered) == maxDelivered {
			c.delivered = c.delivered[:copy(c.delivered, c.delivered[1:])]
		}
		c.delivered = append(c.delivered, p)
		_ = c.write(pdu.AppendMessageResp(nil, h.Command, pdu.ROK, h.Sequence, nil))
	case pdu.EnquireLink:
		c.enquired++
		_ = c.write(pdu.AppendPlain(nil, pdu.EnquireLinkResp, pdu.ROK, h.Sequence))
	case pdu.Unbind:
		_ = c.write(pdu.AppendPlain(nil, pdu.UnbindResp, pdu.ROK, h.Sequence))
	default:
		c.stray++
	}
}

// read is the next PDU, a copy of its own.
func (c *conn) read(until time.Time) ([]byte, error) {
	for {
		if c.broken {
			return nil, errClosed
		}
		n, st := pdu.Frame(c.buf, maxPDU)
		if st != pdu.ROK {
			return nil, fmt.Errorf("what comes is no SMPP: %v", st)
		}
		if n > 0 {
			p := append([]byte(nil), c.buf[:n]...)
			c.buf = c.buf[n:]
			return p, nil
		}
		_ = c.nc.SetReadDeadline(until)
		var b [16 << 10]byte
		k, err := c.nc.Read(b[:])
		c.buf = append(c.buf, b[:k]...)
		switch {
		case k > 0:
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, errSilent
		case err != nil:
			return nil, errClosed
		default:
			return nil, io.ErrNoProgress
		}
	}
}

// ends says whether the server closes within d.
func (c *conn) ends(d time.Duration) bool {
	until := time.Now().Add(d)
	for {
		p, err := c.read(until)
		if err != nil {
			return errors.Is(err, errClosed)
		}
		c.serve(pdu.ParseHeader(p), p)
	}
}

// bind makes c a bound session.
func (c *conn) bind(b pdu.Bind) (answer, error) { return c.ask(pdu.AppendBind(nil, &b, 0)) }
