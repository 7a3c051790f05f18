package conform

import (
	"context"
	"fmt"

	"smsplane/pdu"
)

// message is a submit_sm to the number of the examination, to be changed by a probe.
func (r *run) message(text string) pdu.Submit {
	return pdu.Submit{SrcTON: ton(r.From), SrcNPI: npi(r.From), Src: []byte(r.From), DstTON: 1, DstNPI: 1, Dst: []byte(r.To), Text: []byte(text)}
}

func (r *run) submit(text string) []byte {
	m := r.message(text)
	return m.Append(nil, 0)
}

func digits(s string) bool {
	for _, b := range []byte(s) {
		if b < '0' || b > '9' {
			return false
		}
	}
	return true
}

// ton and npi: international E.164 for digits, alphanumeric for the rest.
func ton(s string) uint8 {
	if digits(s) {
		return 1
	}
	return 5
}

func npi(s string) uint8 {
	if digits(s) {
		return 1
	}
	return 0
}

// pdus tries every request once.
func (r *run) pdus(ctx context.Context) {
	r.sheet.section("PDUs")
	plain := func(c pdu.Command) []byte { return pdu.AppendPlain(nil, c, pdu.ROK, 0) }
	r.demand(ctx, "enquire_link", plain(pdu.EnquireLink), pdu.ROK)
	if r.sends() {
		r.messages(ctx)
	}
	nobody := []byte("no-such-id")
	r.demand(ctx, "query_sm of no message", r.about(pdu.QuerySM, nobody), pdu.RQueryFail, pdu.RInvMsgID)
	r.demand(ctx, "cancel_sm of no message", r.about(pdu.CancelSM, nobody), pdu.RCancelFail, pdu.RInvMsgID)
	r.demand(ctx, "replace_sm of no message", r.about(pdu.ReplaceSM, nobody), pdu.RReplaceFail, pdu.RInvMsgID)
	deliver := r.message("conform: wrong way")
	deliver.Command, deliver.Dst = pdu.DeliverSM, []byte("49151")
	r.demand(ctx, "deliver_sm towards the server", deliver.Append(nil, 0), pdu.RInvBndSts, pdu.RInvCmdID)
	r.outbind(ctx)
	r.demand(ctx, "an unknown command_id", plain(0x0000ABCD), pdu.RInvCmdID)
	r.ignored(ctx, "submit_sm_resp to nothing", pdu.AppendMessageResp(nil, pdu.SubmitSM, pdu.ROK, 0x00ABCDEF, []byte("1")))
	r.ignored(ctx, "generic_nack of nothing", pdu.AppendPlain(nil, pdu.GenericNack, pdu.RInvCmdID, 0x00ABCDEF))
	if r.sends() {
		r.onReceiver(ctx)
		r.broadcast(ctx)
	}
}

// messages tries the requests that carry one.
func (r *run) messages(ctx context.Context) {
	a, taken := r.offer(ctx, "submit_sm", r.submit("conform: plain"))
	data := r.message("conform: data_sm")
	data.Command = pdu.DataSM
	r.offer(ctx, "data_sm", data.Append(nil, 0))
	r.offer(ctx, "submit_multi, two numbers", r.multi())
	if !taken {
		return
	}
	if id, ok := pdu.MessageID(a.p); ok {
		r.offer(ctx, "query_sm of the submit_sm", r.about(pdu.QuerySM, id))
	}
}

func (r *run) multi() []byte {
	d := pdu.New(pdu.SubmitMulti, pdu.ROK, 0).SetNumber("source_addr_ton", ton(r.From)).SetNumber("source_addr_npi", npi(r.From)).
		Set("source_addr", []byte(r.From)).Set("short_message", []byte("conform: multi"))
	for range 2 {
		d.Dests = append(d.Dests, pdu.Dest{TON: 1, NPI: 1, Name: []byte(r.To)})
	}
	return d.Append(nil)
}

// about is a request about an earlier message.
func (r *run) about(c pdu.Command, id []byte) []byte {
	d := pdu.New(c, pdu.ROK, 0).Set("message_id", id).SetNumber("source_addr_ton", ton(r.From)).SetNumber("source_addr_npi", npi(r.From)).
		Set("source_addr", []byte(r.From))
	return d.Append(nil)
}

// outbind goes from server to client only, and has no response: to say nothing is as good as a nack.
func (r *run) outbind(ctx context.Context) {
	c, err := r.session(ctx)
	line := Line{Probe: "outbind towards the server", Verdict: OK, Seen: "ignored"}
	if err == nil {
		before, seq := c.stray, c.next()
		err = c.write(pdu.AppendPlain(pdu.New(pdu.Outbind, pdu.ROK, 0x00ABCDEF).Append(nil), pdu.EnquireLink, pdu.ROK, seq))
		if err == nil {
			_, err = c.await(seq)
		}
		if c.stray != before {
			line.Seen = "answered with a nack"
		}
	}
	if err != nil {
		r.drop()
		line.Verdict, line.Seen = Note, err.Error()
	}
	r.sheet.add(line)
}

// ignored sends what must not be answered; the enquire_link behind it must.
func (r *run) ignored(ctx context.Context, probe string, p []byte) {
	c, err := r.session(ctx)
	if err != nil {
		r.sheet.add(Line{probe, Differs, err.Error(), "a session"})
		return
	}
	before := c.stray
	seq := c.next()
	err = c.write(append(p, pdu.AppendPlain(nil, pdu.EnquireLink, pdu.ROK, seq)...))
	if err == nil {
		_, err = c.await(seq)
	}
	switch {
	case err != nil:
		r.drop()
		r.sheet.add(Line{probe, Differs, err.Error(), "no answer to it, and the session to go on"})
	case c.stray != before:
		r.sheet.add(Line{probe, Differs, "answered", "no answer: two such peers would talk for ever"})
	default:
		r.sheet.add(Line{probe, OK, "ignored", ""})
	}
}

// onReceiver: a receiver may not submit.
func (r *run) onReceiver(ctx context.Context) {
	const probe = "submit_sm on a receiver bind"
	c, err := r.bound(ctx, pdu.BindReceiver, pdu.Version34)
	if err != nil {
		r.sheet.add(Line{probe, Note, err.Error(), "a receiver bind"})
		return
	}
	defer c.close()
	p := r.submit("conform: on a receiver")
	r.count(p)
	r.demandOn(c, probe, p, pdu.RInvBndSts)
}

// broadcast: what came with 5.0, on a bind of 5.0.
func (r *run) broadcast(ctx context.Context) {
	c, err := r.bound(ctx, r.kind, pdu.Version50)
	if err != nil {
		r.sheet.add(Line{"broadcast_sm", Refused, fmt.Sprintf("no bind as 5.0: %v", err), ""})
		return
	}
	defer c.close()
	d := pdu.New(pdu.BroadcastSM, pdu.ROK, 0).Set("source_addr", []byte(r.From))
	d.TLVs = pdu.AppendTLV(d.TLVs, pdu.TagBroadcastAreaIdentifier, []byte{0, 'a'})
	d.TLVs = pdu.AppendTLV(d.TLVs, pdu.TagBroadcastContentType, []byte{0, 0, 1})
	d.TLVs = pdu.AppendTLV16(d.TLVs, pdu.TagBroadcastRepNum, 1)
	d.TLVs = pdu.AppendTLV(d.TLVs, pdu.TagBroadcastFrequencyInt, []byte{8, 0, 1})
	old := r.c
	r.c = c
	defer func() { r.c = old }()
	a, taken := r.offer(ctx, "broadcast_sm on a 5.0 bind", d.Append(nil))
	if !taken {
		return
	}
	if id, ok := pdu.MessageID(a.p); ok {
		r.offer(ctx, "query_broadcast_sm of it", r.about(pdu.QueryBroadcastSM, id))
		r.offer(ctx, "cancel_broadcast_sm of it", r.about(pdu.CancelBroadcastSM, id))
	}
	d.TLVs = pdu.AppendTLVs(nil, d.TLVs, func(t pdu.Tag) bool { return t != pdu.TagBroadcastAreaIdentifier })
	r.demandOn(c, "broadcast_sm without an area", d.Append(nil), pdu.RMissingTLV)
}
