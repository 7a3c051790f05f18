package bench

import (
	"context"
	"log/slog"
	"net"

	"smsplane/dataplane/gate"
	"smsplane/dataplane/transport"
	"smsplane/pdu"
)

// Respond answers every submit_sm with a submit_sm_resp at once and does nothing else: gnet through the appliance's own
// edge, framing, one write per connection and turn. It is a ceiling for anything that speaks SMPP on this machine. It
// serves until ctx ends.
func Respond(ctx context.Context, listen string) error {
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	home := &responder{}
	quiet := slog.New(slog.DiscardHandler)
	e, err := transport.Start(transport.Options{Logger: quiet}, func(int) transport.LoopHandler { return home })
	if err != nil {
		ln.Close()
		return err
	}
	defer e.Close()
	lobby := transport.NewLobby(e, gate.New(gate.Options{MaxPerSource: 10_000}), transport.LobbyOptions{Logger: quiet},
		func(_ transport.Caller, b *pdu.Bind, seq uint32) transport.Admission {
			return transport.Admission{Handler: &respondent{home: home, out: pdu.AppendBindResp(nil, b.Command, pdu.ROK, seq, "responder", pdu.Version34)}}
		})
	defer lobby.Close()
	go func() {
		<-ctx.Done()
		ln.Close()
	}()
	if err := lobby.Serve(ln); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// responder is the loop's handler.
type responder struct{ dirty []*respondent }

// respondent is one connection; carry is the beginning of a PDU that has not come whole.
type respondent struct {
	home       *responder
	conn       *transport.Conn
	carry, out []byte
	queued     bool
}

var respondID = []byte("0001000000000001")

// Tick implements transport.LoopHandler.
func (r *responder) Tick(int64) {}

// Turn implements transport.LoopHandler.
func (r *responder) Turn(int64) {
	for i, s := range r.dirty {
		_ = s.conn.Write(s.out) // an error ends the connection
		s.out, s.queued = s.out[:0], false
		r.dirty[i] = nil
	}
	r.dirty = r.dirty[:0]
}

// Opened implements transport.ConnHandler.
func (s *respondent) Opened(c *transport.Conn, _ int64) {
	s.conn = c
	s.touch()
}

// Closed implements transport.ConnHandler.
func (s *respondent) Closed(*transport.Conn, int64, error) {}

func (s *respondent) touch() {
	if !s.queued && len(s.out) > 0 {
		s.queued = true
		s.home.dirty = append(s.home.dirty, s)
	}
}

// Data implements transport.ConnHandler.
func (s *respondent) Data(c *transport.Conn, _ int64, b []byte) {
	if len(s.carry) > 0 {
		s.carry = append(s.carry, b...)
		b = s.carry
	}
	for {
		n, st := pdu.Frame(b, 70_000)
		if st != pdu.ROK {
			c.Abort()
			return
		}
		if n == 0 {
			break
		}
		s.answer(pdu.ParseHeader(b))
		b = b[n:]
	}
	s.carry = append(s.carry[:0], b...)
	s.touch()
}

func (s *respondent) answer(h pdu.Header) {
	switch h.Command {
	case pdu.SubmitSM:
		s.out = pdu.AppendMessageResp(s.out, h.Command, pdu.ROK, h.Sequence, respondID)
	case pdu.EnquireLink, pdu.Unbind:
		s.out = pdu.AppendPlain(s.out, h.Command.Resp(), pdu.ROK, h.Sequence)
	}
}
