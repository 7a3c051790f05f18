package conform

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"smsplane/pdu"
)

const (
	pipelined = 20
	rounds    = 20
)

// stream tries what the bytes between PDUs may do.
func (r *run) stream(ctx context.Context) {
	r.sheet.section("Stream")
	for _, seq := range []uint32{1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0} {
		r.echoes(ctx, seq)
	}
	r.pieces(ctx)
	if r.sends() {
		r.pipeline(ctx)
	}
}

// echoes: a response repeats the sequence_number, also one that the specification does not give out.
func (r *run) echoes(ctx context.Context, seq uint32) {
	probe := fmt.Sprintf("sequence_number 0x%08X", seq)
	c, err := r.session(ctx)
	if err == nil {
		if err = c.write(pdu.AppendPlain(nil, pdu.EnquireLink, pdu.ROK, seq)); err == nil {
			_, err = c.await(seq)
		}
	}
	if err != nil {
		r.drop()
		verdict := Differs
		if seq == 0 || seq > 0x7FFFFFFF {
			verdict = Note // outside the range of 3.4 §3.2
		}
		r.sheet.add(Line{probe, verdict, err.Error(), "the same in the answer"})
		return
	}
	r.sheet.add(Line{probe, OK, "the same in the answer", ""})
}

func (r *run) pieces(ctx context.Context) {
	const probe = "a PDU octet by octet"
	c, err := r.session(ctx)
	if err == nil {
		seq := c.next()
		for _, b := range pdu.AppendPlain(nil, pdu.EnquireLink, pdu.ROK, seq) {
			if err = c.write([]byte{b}); err != nil {
				break
			}
		}
		if err == nil {
			_, err = c.await(seq)
		}
	}
	if err != nil {
		r.drop()
		r.sheet.add(Line{probe, Differs, err.Error(), "an answer"})
		return
	}
	r.sheet.add(Line{probe, OK, "answered", ""})
}

// pipeline: many requests in one write, which is also many PDUs in one segment.
func (r *run) pipeline(ctx context.Context) {
	probe := fmt.Sprintf("%d submit_sm in one write", pipelined)
	c, err := r.session(ctx)
	if err != nil {
		r.sheet.add(Line{probe, Differs, err.Error(), "a session"})
		return
	}
	var out []byte
	first := c.seq + 1
	for range pipelined {
		p := r.submit("conform: pipelined")
		pdu.SetSequence(p, c.next())
		r.count(p)
		out = append(out, p...)
	}
	if err := c.write(out); err != nil {
		r.drop()
		r.sheet.add(Line{probe, Differs, err.Error(), "answers"})
		return
	}
	taken, order := 0, []uint32{}
	seen := map[pdu.Status]int{}
	for until := time.Now().Add(r.Timeout); len(order) < pipelined; {
		p, err := c.read(until)
		if err != nil {
			r.drop()
			r.sheet.add(Line{probe, Differs, fmt.Sprintf("%d answers, then: %v", len(order), err), "an answer to each"})
			return
		}
		h := pdu.ParseHeader(p)
		if h.Command != pdu.SubmitSMResp || h.Sequence < first || h.Sequence > c.seq {
			c.serve(h, p)
			continue
		}
		order = append(order, h.Sequence)
		r.note(p)
		seen[h.Status]++
		if h.Status == pdu.ROK {
			taken++
		}
	}
	line := Line{Probe: probe, Verdict: OK, Seen: "all taken"}
	if taken < pipelined {
		line.Verdict, line.Seen = Note, fmt.Sprintf("%d taken, the others: %s", taken, others(seen))
	}
	if slices.IsSorted(order) {
		line.Seen += ", answered in order"
	} else {
		line.Seen += ", answered out of order"
	}
	r.sheet.add(line)
}

func others(seen map[pdu.Status]int) string {
	var s []string
	for st, n := range seen {
		if st != pdu.ROK {
			s = append(s, fmt.Sprintf("%d %v", n, st))
		}
	}
	slices.Sort(s)
	return strings.Join(s, ", ")
}

// receipts asks for one and says how it looks.
func (r *run) receipts(ctx context.Context) {
	r.sheet.section("Ids and receipts")
	r.sheet.add(r.idLine())
	const probe = "receipt of a message"
	m := r.message("conform: receipt")
	m.Registered = 1
	a, err := r.ask(ctx, m.Append(nil, 0))
	if err != nil || a.Status != pdu.ROK {
		r.sheet.add(Line{probe, Note, "the message was not taken", "a receipt"})
		return
	}
	id, _ := pdu.MessageID(a.p)
	c := r.c
	var view pdu.Message
	var receipt pdu.Receipt
	for until := time.Now().Add(r.Receipt); ; {
		for _, p := range c.delivered {
			if view.Parse(p) == pdu.ROK && pdu.ParseReceipt(&view, &receipt) && sameID(receipt.ID, id) {
				r.receipt(probe, &view, &receipt, id)
				return
			}
		}
		c.delivered = c.delivered[:0]
		p, err := c.read(until)
		if err != nil {
			r.sheet.add(Line{probe, Note, fmt.Sprintf("none that names it within %s", r.Receipt), ""})
			if err != errSilent {
				r.drop()
			}
			return
		}
		c.serve(pdu.ParseHeader(p), p)
	}
}

// sameID: the same octets, but for case, leading zeros and the base.
func sameID(a, b []byte) bool {
	return len(a) > 0 && (bytes.EqualFold(bytes.TrimLeft(a, "0"), bytes.TrimLeft(b, "0")) || number(a, 10) == number(b, 16) || number(a, 16) == number(b, 10))
}

func (r *run) receipt(probe string, m *pdu.Message, rc *pdu.Receipt, id []byte) {
	line := Line{Probe: probe, Verdict: OK, Seen: fmt.Sprintf("%v %v, esm_class 0x%02X, data_coding %d", m.Command(), rc.State, m.ESMClass(), m.DataCoding())}
	switch {
	case bytes.Equal(rc.ID, id):
		line.Seen += ", id as in the answer"
	default:
		line.Verdict = Note
		line.Seen += fmt.Sprintf(", id in another form: %s, answered %s", rc.ID, id)
	}
	if !m.IsReceipt() {
		line.Verdict, line.Wanted = Differs, "esm_class 0x04"
	}
	line.Seen += tags(m.TLVs())
	r.sheet.add(line)
	text := "does not name the message"
	var inText pdu.Receipt
	if pdu.ParseReceiptText(m.UserData(), &inText) {
		text = "names id and state " + string(inText.Stat)
	}
	r.sheet.add(Line{"text of the receipt", OK, text, ""})
	addresses := Line{"addresses of the receipt", OK, "swapped", ""}
	if string(m.SrcAddr()) != r.To || string(m.DstAddr()) != r.From {
		addresses = Line{addresses.Probe, Note, fmt.Sprintf("from %s to %s", m.SrcAddr(), m.DstAddr()), "swapped"}
	}
	r.sheet.add(addresses)
}

// timing measures one question at a time.
func (r *run) timing(ctx context.Context) {
	r.sheet.section(Timing)
	begun := time.Now()
	if c, err := r.bound(ctx, r.kind, pdu.Version34); err == nil {
		r.sheet.add(Line{"connect and bind", OK, span(time.Since(begun)), ""})
		c.close()
	}
	r.median(ctx, "enquire_link, median", func() []byte { return pdu.AppendPlain(nil, pdu.EnquireLink, pdu.ROK, 0) })
	if r.sends() {
		r.median(ctx, "submit_sm, median", func() []byte { return r.submit("conform: timing") })
	}
}

func (r *run) median(ctx context.Context, probe string, request func() []byte) {
	var took []time.Duration
	for range rounds {
		begun := time.Now()
		if _, err := r.ask(ctx, request()); err != nil {
			r.sheet.add(Line{probe, Differs, err.Error(), "an answer"})
			return
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	r.sheet.add(Line{probe, OK, fmt.Sprintf("%s, slowest of %d %s", span(took[rounds/2]), rounds, span(took[rounds-1])), ""})
}

func span(d time.Duration) string { return d.Round(10 * time.Microsecond).String() }
