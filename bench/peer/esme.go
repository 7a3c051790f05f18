package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"smsplane/pdu"
	"smsplane/pdu/text"
)

// ESME is one transceiver bind driven by hand: each call does one thing and waits for it. One goroutine at a time.
type ESME struct {
	nc       net.Conn
	buf      []byte
	have     int
	seq      uint32
	receipts map[string]ESMEReceipt // arrived while something else was awaited
}

// ESMEReceipt is a receipt as a person would read it.
type ESMEReceipt struct {
	ID    string `json:"id"`
	State string `json:"state"` // "DELIVRD"
	Err   string `json:"err"`
	Text  string `json:"text"` // as it came
	Final bool   `json:"final"`
}

// maxKept bounds receipts nobody has asked for yet; past it they are forgotten.
const maxKept = 1000

// StatusError is a submit_sm refused by the other side.
type StatusError struct{ Status pdu.Status }

func (e *StatusError) Error() string { return "message refused: " + e.Status.String() }

// BindESME connects and binds. The error is a *BindError when refused.
func BindESME(ctx context.Context, address, systemID, password string) (*ESME, error) {
	nc, rest, err := dialBind(ctx, address, &pdu.Bind{Command: pdu.BindTransceiver, SystemID: systemID, Password: password, Version: pdu.Version34})
	if err != nil {
		return nil, err
	}
	e := &ESME{nc: nc, buf: make([]byte, maxPDU), seq: 1, receipts: map[string]ESMEReceipt{}}
	e.have = copy(e.buf, rest)
	return e, nil
}

// Submit sends one message and returns the id it was given. The text goes as GSM 7-bit if its letters allow, else as
// UCS-2. The error is a *StatusError when refused.
func (e *ESME) Submit(ctx context.Context, from, to, message string, registered bool) (id string, err error) {
	s := pdu.Submit{Src: []byte(from), DstTON: 1, DstNPI: 1, Dst: []byte(strings.TrimPrefix(to, "+"))}
	s.SrcTON, s.SrcNPI = senderTON(from)
	if registered {
		s.Registered = 1
	}
	s.Text, s.Coding = encode(message)
	e.seq = nextSequence(e.seq)
	seq := e.seq
	if _, err := e.nc.Write(s.Append(nil, seq)); err != nil {
		return "", err
	}
	err = e.await(ctx, "answer", func(h pdu.Header, p []byte) (bool, error) {
		if h.Sequence != seq || h.Command != pdu.SubmitSMResp && h.Command != pdu.GenericNack {
			return false, nil
		}
		if h.Status != pdu.ROK || h.Command == pdu.GenericNack {
			return true, &StatusError{h.Status}
		}
		b, ok := pdu.MessageID(p)
		if !ok {
			return true, errors.New("message accepted without an id")
		}
		id = string(b)
		return true, nil
	})
	return id, err
}

// Receipt waits for the final receipt of a message.
func (e *ESME) Receipt(ctx context.Context, id string) (r ESMEReceipt, err error) {
	found := func() bool { r = e.receipts[id]; return r.Final }
	if found() {
		return r, nil
	}
	err = e.await(ctx, "receipt", func(pdu.Header, []byte) (bool, error) { return found(), nil })
	return r, err
}

// Close unbinds and waits a second for the answer.
func (e *ESME) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	e.seq = nextSequence(e.seq)
	if _, err := e.nc.Write(pdu.AppendPlain(nil, pdu.Unbind, pdu.ROK, e.seq)); err == nil {
		// No answer is as good as one: the connection closes either way.
		_ = e.await(ctx, "unbind_resp", func(h pdu.Header, _ []byte) (bool, error) { return h.Command == pdu.UnbindResp, nil })
	}
	return e.nc.Close()
}

// await reads PDUs, answers what must be answered, and hands each to f until f says done.
func (e *ESME) await(ctx context.Context, what string, f func(h pdu.Header, p []byte) (done bool, err error)) error {
	e.nc.SetDeadline(time.Time{})
	stop := context.AfterFunc(ctx, func() { e.nc.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	for {
		n, st := pdu.Frame(e.buf[:e.have], len(e.buf))
		if st != pdu.ROK {
			return fmt.Errorf("what came in place of the %s is not SMPP: %v", what, st)
		}
		if n == 0 {
			got, err := e.nc.Read(e.buf[e.have:])
			e.have += got
			if cause := ctx.Err(); err != nil && cause != nil {
				err = cause
			}
			if err != nil {
				return fmt.Errorf("no %s: %w", what, err)
			}
			continue
		}
		h := pdu.ParseHeader(e.buf)
		err := e.serve(h, e.buf[:n])
		done := false
		if err == nil {
			done, err = f(h, e.buf[:n])
		}
		e.have = copy(e.buf, e.buf[n:e.have])
		if done || err != nil {
			return err
		}
	}
}

// serve answers a request of the other side and keeps receipts.
func (e *ESME) serve(h pdu.Header, p []byte) error {
	var out []byte
	switch h.Command {
	case pdu.DeliverSM:
		e.keep(p)
		out = pdu.AppendMessageResp(nil, pdu.DeliverSM, pdu.ROK, h.Sequence, nil)
	case pdu.EnquireLink:
		out = pdu.AppendPlain(nil, pdu.EnquireLinkResp, pdu.ROK, h.Sequence)
	case pdu.Unbind:
		out = pdu.AppendPlain(nil, pdu.UnbindResp, pdu.ROK, h.Sequence)
	}
	if _, err := e.nc.Write(out); len(out) > 0 && err != nil {
		return err
	}
	if h.Command == pdu.Unbind {
		return errors.New("the other side unbinds")
	}
	return nil
}

func (e *ESME) keep(p []byte) {
	var m pdu.Message
	var r pdu.Receipt
	if m.Parse(p) != pdu.ROK || !m.IsReceipt() || !pdu.ParseReceipt(&m, &r) {
		return
	}
	if len(e.receipts) >= maxKept {
		clear(e.receipts)
	}
	e.receipts[string(r.ID)] = ESMEReceipt{string(r.ID), r.State.Text(), string(r.Err), string(m.UserData()), r.State.Final()}
}

// encode chooses the alphabet.
func encode(message string) (b []byte, coding uint8) {
	if b, ok := text.EncodeGSM7(nil, message); ok {
		return b, 0
	}
	return text.EncodeUCS2(nil, message), 8
}
