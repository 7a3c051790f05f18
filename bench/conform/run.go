package conform

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"smsplane/pdu"
)

// Options say whom to examine. The zero values of Timeout and Receipt are 5 s and 10 s.
type Options struct {
	Address, SystemID, Password, SystemType string
	From, To                                string        // of the messages; without To none is sent, and what needs one is left out
	Secure                                  bool          // TLS; the certificate is told, not judged
	Timeout                                 time.Duration // for each answer
	Receipt                                 time.Duration // for a receipt
}

// run is one examination.
type run struct {
	Options
	sheet *Sheet
	c     *conn // bound as transceiver, or as transmitter where there is none; nil: to be bound
	kind  pdu.Command
	ids   map[string]int // message ids that answers gave, and how often
}

// Run examines a server. An error says that no session could be had at all, or that ctx ended.
func Run(ctx context.Context, o Options) (*Sheet, error) {
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Receipt <= 0 {
		o.Receipt = 10 * time.Second
	}
	r := &run{Options: o, sheet: &Sheet{Address: o.Address, As: o.SystemID, At: time.Now(), Counts: map[Verdict]int{}}, ids: map[string]int{}}
	if err := r.reach(ctx); err != nil {
		return nil, err
	}
	defer r.drop()
	for _, part := range []struct {
		f     func(context.Context)
		sends bool
	}{
		{r.binds, false}, {r.pdus, false}, {r.tlvs, true}, {r.alphabets, true}, {r.longMessages, true}, {r.mistakes, true},
		{r.stream, false}, {r.receipts, true}, {r.timing, false}, {r.refusals, false},
	} {
		if part.sends && !r.sends() {
			continue
		}
		if part.f(ctx); ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return r.sheet, nil
}

// sends says whether messages may be sent.
func (r *run) sends() bool { return r.To != "" }

// reach finds the bind under which the rest is tried.
func (r *run) reach(ctx context.Context) error {
	var last error
	for _, kind := range []pdu.Command{pdu.BindTransceiver, pdu.BindTransmitter} {
		c, err := r.dial(ctx)
		if err != nil {
			return fmt.Errorf("connect to %s: %w", r.Address, err)
		}
		a, err := c.bind(r.bindPDU(kind, pdu.Version34))
		if err == nil && a.Status == pdu.ROK {
			r.sheet.section("Transport")
			r.sheet.add(Line{"connection", OK, c.transport(), ""})
			r.c, r.kind = c, kind
			return nil
		}
		c.close()
		if last = err; err == nil {
			last = fmt.Errorf("%v", a.Status)
		}
	}
	return fmt.Errorf("bind to %s as %q: %w", r.Address, r.SystemID, last)
}

func (r *run) bindPDU(kind pdu.Command, version uint8) pdu.Bind {
	return pdu.Bind{Command: kind, SystemID: r.SystemID, Password: r.Password, SystemType: r.SystemType, Version: version}
}

// session is a bound session, a new one where the last was lost.
func (r *run) session(ctx context.Context) (*conn, error) {
	if r.c != nil {
		return r.c, nil
	}
	c, err := r.bound(ctx, r.kind, pdu.Version34)
	r.c = c
	return c, err
}

// bound is a new session of a kind, nil with an error.
func (r *run) bound(ctx context.Context, kind pdu.Command, version uint8) (*conn, error) {
	c, err := r.dial(ctx)
	if err != nil {
		return nil, err
	}
	a, err := c.bind(r.bindPDU(kind, version))
	if err == nil && a.Status != pdu.ROK {
		err = fmt.Errorf("bind: %v", a.Status)
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (r *run) drop() {
	if r.c != nil {
		r.c.close()
		r.c = nil
	}
}

// ask puts one request to the session. When it costs the session the error says how.
func (r *run) ask(ctx context.Context, p []byte) (answer, error) {
	c, err := r.session(ctx)
	if err != nil {
		return answer{}, err
	}
	r.count(p)
	a, err := c.ask(p)
	if err != nil {
		r.drop()
	}
	r.note(a.p)
	return a, err
}

// note keeps the id of an answer.
func (r *run) note(p []byte) {
	if len(p) < pdu.HeaderLen || !carriesID(pdu.ParseHeader(p).Command) {
		return
	}
	if id, ok := pdu.MessageID(p); ok {
		r.ids[string(id)]++
	}
}

func (r *run) count(p []byte) {
	switch pdu.ParseHeader(p).Command {
	case pdu.SubmitSM, pdu.DataSM, pdu.SubmitMulti:
		r.sheet.Messages++
	}
}

// offer tries what a server may decline: ok, or refused with a response of the right kind.
func (r *run) offer(ctx context.Context, probe string, p []byte) (answer, bool) {
	command := pdu.ParseHeader(p).Command
	a, err := r.ask(ctx, p)
	switch {
	case err != nil:
		r.sheet.add(Line{probe, Differs, err.Error(), "an answer"})
	case a.Command == command.Resp() && a.Status == pdu.ROK:
		r.sheet.add(Line{probe, OK, describe(a), ""})
		return a, true
	case a.Command == command.Resp() || a.Command == pdu.GenericNack && a.Status == pdu.RInvCmdID:
		r.sheet.add(Line{probe, Refused, describe(a), ""})
	default:
		r.sheet.add(Line{probe, Differs, describe(a), command.Resp().String()})
	}
	return a, false
}

// demand sends what the specification answers with one of the statuses want, in a response of its kind or, where there is none,
// a generic_nack. Another error is a note; an acceptance, where none is wanted, differs.
func (r *run) demand(ctx context.Context, probe string, p []byte, want ...pdu.Status) {
	c, err := r.session(ctx)
	if err != nil {
		r.sheet.add(Line{probe, Differs, err.Error(), statuses(want)})
		return
	}
	r.count(p)
	if !r.demandOn(c, probe, p, want...) {
		r.drop()
	}
}

// demandOn is demand on one connection; false when it was lost.
func (r *run) demandOn(c *conn, probe string, p []byte, want ...pdu.Status) bool {
	a, err := c.ask(p)
	line := Line{Probe: probe, Verdict: OK}
	if err != nil {
		line.Seen = err.Error()
	} else {
		line.Seen = describe(a)
	}
	kind := pdu.ParseHeader(p).Command.Resp()
	if !kind.Known() {
		kind = pdu.GenericNack
	}
	switch {
	case err == nil && a.Command == kind && slices.Contains(want, a.Status):
	case err == nil && a.Status != pdu.ROK && !slices.Contains(want, pdu.ROK):
		line.Verdict, line.Wanted = Note, kind.String()+" "+statuses(want)
	default:
		line.Verdict, line.Wanted = Differs, kind.String()+" "+statuses(want)
	}
	r.sheet.add(line)
	return err == nil
}

func statuses(want []pdu.Status) string {
	var s []string
	for _, w := range want {
		s = append(s, w.String())
	}
	return strings.Join(s, " or ")
}

// describe is a response in words, without what differs from run to run.
func describe(a answer) string {
	s := fmt.Sprintf("%v %v", a.Command, a.Status)
	if _, ok := pdu.MessageID(a.p); ok && carriesID(a.Command) {
		s += " with an id"
	}
	if a.Status != pdu.ROK && len(a.p) > pdu.HeaderLen {
		s += fmt.Sprintf(", body of %d octets", len(a.p)-pdu.HeaderLen)
	}
	if carriesID(a.Command) {
		s += tags(pdu.ResponseTLVs(a.p))
	}
	return s
}

func carriesID(c pdu.Command) bool {
	return c == pdu.SubmitSMResp || c == pdu.DataSMResp || c == pdu.SubmitMultiResp || c == pdu.BroadcastSMResp
}

// tags lists the TLVs of b.
func tags(b []byte) string {
	var names []string
	pdu.Walk(b, func(t pdu.Tag, _ []byte) bool {
		names = append(names, t.String())
		return true
	})
	if len(names) == 0 {
		return ""
	}
	return ", TLVs " + strings.Join(names, " ")
}
