package conform

import (
	"context"
	"fmt"
	"time"

	"smsplane/pdu"
)

// binds tries each kind of bind in each version.
func (r *run) binds(ctx context.Context) {
	r.sheet.section("Binds")
	for _, version := range []uint8{pdu.Version33, pdu.Version34, pdu.Version50} {
		for _, kind := range []pdu.Command{pdu.BindTransmitter, pdu.BindReceiver, pdu.BindTransceiver} {
			if version == pdu.Version33 && kind == pdu.BindTransceiver {
				continue // came with 3.4
			}
			r.oneBind(ctx, kind, version)
		}
	}
	r.unbound(ctx)
	r.boundTwice(ctx)
	r.unbind(ctx)
}

func (r *run) oneBind(ctx context.Context, kind pdu.Command, version uint8) {
	probe := fmt.Sprintf("%v as %d.%d", kind, version>>4, version&15)
	c, err := r.dial(ctx)
	if err != nil {
		r.sheet.add(Line{probe, Differs, err.Error(), "a connection"})
		return
	}
	defer c.close()
	a, err := c.bind(r.bindPDU(kind, version))
	if err != nil {
		r.sheet.add(Line{probe, Differs, err.Error(), kind.Resp().String()})
		return
	}
	id, theirs, _ := pdu.ParseBindResp(a.p)
	line := Line{Probe: probe, Verdict: OK, Seen: fmt.Sprintf("%v, system_id %q", a.Status, id)}
	if theirs != 0 {
		line.Seen += fmt.Sprintf(", sc_interface_version %d.%d", theirs>>4, theirs&15)
	}
	switch {
	case a.Command != kind.Resp():
		line.Verdict, line.Seen, line.Wanted = Differs, describe(a), kind.Resp().String()
	case a.Status != pdu.ROK:
		line.Verdict = Refused
	case version == pdu.Version33 && theirs != 0:
		line.Verdict, line.Wanted = Differs, "no TLV towards a 3.3 peer"
	case version >= pdu.Version34 && theirs == 0:
		line.Verdict = Note
		line.Seen += ", no sc_interface_version: expect no TLVs"
	}
	r.sheet.add(line)
	if a.Status == pdu.ROK {
		_, _ = c.ask(pdu.AppendPlain(nil, pdu.Unbind, pdu.ROK, 0)) // leave in order; a server may count its binds
	}
}

// unbound: before the bind only a bind may come; an enquire_link is often answered all the same.
func (r *run) unbound(ctx context.Context) {
	for _, p := range []struct {
		probe string
		p     []byte
		want  pdu.Status
	}{
		{"submit_sm before the bind", r.submit("not bound"), pdu.RInvBndSts},
		{"enquire_link before the bind", pdu.AppendPlain(nil, pdu.EnquireLink, pdu.ROK, 0), pdu.ROK},
	} {
		if !r.sends() && pdu.ParseHeader(p.p).Command == pdu.SubmitSM {
			continue
		}
		c, err := r.dial(ctx)
		if err != nil {
			r.sheet.add(Line{p.probe, Differs, err.Error(), "a connection"})
			continue
		}
		r.count(p.p)
		r.demandOn(c, p.probe, p.p, p.want)
		c.close()
	}
}

func (r *run) boundTwice(ctx context.Context) {
	b := r.bindPDU(r.kind, pdu.Version34)
	r.demand(ctx, "a second bind", pdu.AppendBind(nil, &b, 0), pdu.RAlyBnd)
}

func (r *run) unbind(ctx context.Context) {
	const probe = "unbind"
	c, err := r.bound(ctx, r.kind, pdu.Version34)
	if err != nil {
		r.sheet.add(Line{probe, Differs, err.Error(), "a session"})
		return
	}
	defer c.close()
	a, err := c.ask(pdu.AppendPlain(nil, pdu.Unbind, pdu.ROK, 0))
	if err != nil {
		r.sheet.add(Line{probe, Differs, err.Error(), "unbind_resp"})
		return
	}
	line := Line{Probe: probe, Verdict: OK, Seen: describe(a) + ", then closes"}
	if a.Command != pdu.UnbindResp || a.Status != pdu.ROK {
		line.Verdict, line.Wanted = Differs, "unbind_resp ESME_ROK"
	}
	if !c.ends(2 * time.Second) {
		line.Seen = describe(a) + ", then leaves closing to us"
	}
	r.sheet.add(line)
}

// refusals are last: some servers shut a source out for a while after wrong credentials.
func (r *run) refusals(ctx context.Context) {
	r.sheet.section("Refused binds")
	wrongPassword, stranger, longID := r.bindPDU(r.kind, pdu.Version34), r.bindPDU(r.kind, pdu.Version34), r.bindPDU(r.kind, pdu.Version34)
	wrongPassword.Password = "not-it"
	stranger.SystemID = "nobody-known"
	longID.SystemID = "sixteen-octets-x"
	for _, p := range []struct {
		probe string
		b     pdu.Bind
		want  []pdu.Status
	}{
		{"wrong password", wrongPassword, []pdu.Status{pdu.RInvPaswd, pdu.RBindFail}},
		{"unknown system_id", stranger, []pdu.Status{pdu.RInvSysID, pdu.RBindFail}},
		{"system_id too long", longID, []pdu.Status{pdu.RInvSysID}},
	} {
		c, err := r.dial(ctx)
		if err != nil {
			r.sheet.add(Line{p.probe, Note, err.Error(), statuses(p.want)})
			continue
		}
		r.demandOn(c, p.probe, pdu.AppendBind(nil, &p.b, 0), p.want...)
		c.close()
	}
}
