package codec

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"smsplane/pdu"
)

// commands is every PDU of 3.4 and 5.0; what only 3.3 has, no other codec here reads.
var commands = []pdu.Command{
	pdu.BindReceiver, pdu.BindTransmitter, pdu.BindTransceiver, pdu.BindReceiverResp, pdu.BindTransmitterResp, pdu.BindTransceiverResp,
	pdu.Outbind, pdu.Unbind, pdu.UnbindResp, pdu.GenericNack, pdu.SubmitSM, pdu.SubmitSMResp, pdu.SubmitMulti, pdu.SubmitMultiResp,
	pdu.DeliverSM, pdu.DeliverSMResp, pdu.DataSM, pdu.DataSMResp, pdu.QuerySM, pdu.QuerySMResp, pdu.CancelSM, pdu.CancelSMResp,
	pdu.ReplaceSM, pdu.ReplaceSMResp, pdu.EnquireLink, pdu.EnquireLinkResp, pdu.AlertNotification,
	pdu.BroadcastSM, pdu.BroadcastSMResp, pdu.QueryBroadcastSM, pdu.QueryBroadcastSMResp, pdu.CancelBroadcastSM, pdu.CancelBroadcastSMResp,
}

// bare PDUs have no TLVs.
var bare = []pdu.Command{pdu.Outbind, pdu.Unbind, pdu.UnbindResp, pdu.GenericNack, pdu.EnquireLink, pdu.EnquireLinkResp, pdu.CancelSMResp,
	pdu.ReplaceSMResp, pdu.QuerySM, pdu.QuerySMResp, pdu.CancelSM, pdu.ReplaceSM, pdu.BindReceiver, pdu.BindTransmitter, pdu.BindTransceiver,
	pdu.QueryBroadcastSM, pdu.CancelBroadcastSM, pdu.CancelBroadcastSMResp}

// sample is one generated PDU: as our encoder wrote it and as our decoder reads it.
type sample struct {
	p []byte
	d *pdu.PDU
}

func (s sample) String() string { return fmt.Sprintf("%v %x", s.d.Command, s.p) }

// tlvCount counts the TLVs.
func (s sample) tlvCount() (n int) {
	pdu.Walk(s.d.TLVs, func(pdu.Tag, []byte) bool { n++; return true })
	return n
}

// samples generates n PDUs of each type by seed.
func samples(seed uint64, n int) []sample {
	r := &source{rand.New(rand.NewPCG(seed, 1))}
	var all []sample
	for _, c := range commands {
		for range n {
			p := r.encode(c)
			d, st := pdu.Decode(p)
			if st != pdu.ROK {
				panic(fmt.Sprintf("generated what we do not take: %v %v %x", c, st, p))
			}
			all = append(all, sample{p, d})
		}
	}
	return all
}

type source struct{ *rand.Rand }

// encode writes one PDU, by the encoders that the appliance uses where there is one, else from the field table.
func (r *source) encode(c pdu.Command) []byte {
	seq := 1 + r.Uint32N(0x7FFFFFFF)
	switch {
	case c == pdu.BindReceiver || c == pdu.BindTransmitter || c == pdu.BindTransceiver:
		return pdu.AppendBind(nil, &pdu.Bind{Command: c, SystemID: r.word(15), Password: r.word(8), SystemType: r.word(12),
			Version: []uint8{0x33, 0x34, 0x50}[r.IntN(3)], TON: r.octet(7), NPI: r.octet(18), Range: r.word(40)}, seq)
	case c == pdu.SubmitSM || c == pdu.DeliverSM || c == pdu.DataSM:
		return r.message(c, seq)
	case (c == pdu.SubmitSMResp || c == pdu.DataSMResp) && r.IntN(2) == 0:
		return pdu.AppendMessageResp(nil, c&^pdu.GenericNack, pdu.ROK, seq, []byte(r.word(63)+"1"))
	case c == pdu.GenericNack || c.IsResp() && r.IntN(8) == 0:
		return pdu.AppendPlain(nil, c, []pdu.Status{pdu.RInvCmdID, pdu.RThrottled, pdu.RSysErr}[r.IntN(3)], seq)
	}
	return r.table(c, seq).Append(nil)
}

func (r *source) message(c pdu.Command, seq uint32) []byte {
	m := pdu.Submit{Command: c, Service: []byte(r.word(5)), SrcTON: r.octet(7), SrcNPI: r.octet(2), Src: []byte(r.word(20)), DstTON: 1, DstNPI: 1,
		Dst: r.digits(1, 20), Protocol: r.octet(256), Priority: r.octet(4), Schedule: r.time(), Validity: r.time(), Registered: r.octet(2),
		Replace: r.octet(2), Coding: []uint8{0, 1, 3, 4, 8}[r.IntN(5)]}
	m.Text = r.bytes(r.IntN(200))
	switch r.IntN(6) {
	case 0:
		m.ESMClass = pdu.ESMUDHI
		m.Text = append([]byte{5, 0, 3, r.octet(256), 2, 1}, r.bytes(100)...)
	case 1:
		m.Text = r.bytes(255 + r.IntN(3000)) // goes into message_payload
	}
	if c == pdu.DataSM { // these have no place in it
		m.Protocol, m.Priority, m.Schedule, m.Validity, m.Replace = 0, 0, nil, nil, 0
	}
	m.TLVs = r.tlvs(c)
	return m.Append(nil, seq)
}

// table fills the field table of any PDU.
func (r *source) table(c pdu.Command, seq uint32) *pdu.PDU {
	d := pdu.New(c, pdu.ROK, seq)
	for i := range d.Fields {
		switch name := d.Fields[i].Name; name {
		case "schedule_delivery_time", "validity_period", "final_date":
			d.Set(name, r.time())
		case "short_message":
			d.Set(name, r.bytes(r.IntN(200)))
		case "service_type":
			d.Set(name, []byte(r.word(5)))
		case "system_id":
			d.Set(name, []byte(r.word(15)))
		case "password":
			d.Set(name, []byte(r.word(8)))
		case "source_addr", "destination_addr":
			d.Set(name, r.digits(0, 20))
		case "esme_addr":
			d.Set(name, r.digits(0, 40))
		case "message_id":
			d.Set(name, []byte(r.word(63)+"7"))
		case "message_state":
			d.SetNumber(name, r.octet(10))
		case "dest_address":
			for range 1 + r.IntN(4) {
				d.Dests = append(d.Dests, r.dest())
			}
		case "unsuccess_sme":
			for range r.IntN(4) {
				d.Failed = append(d.Failed, pdu.Unsuccess{TON: 1, NPI: 1, Addr: r.digits(1, 20), Status: pdu.RInvDstAdr})
			}
		case "esm_class":
			d.SetNumber(name, 0)
		case "interface_version":
			d.SetNumber(name, 0x34)
		default:
			d.SetNumber(name, r.octet(2))
		}
	}
	if c == pdu.BroadcastSM {
		d.TLVs = pdu.AppendTLV(d.TLVs, pdu.TagBroadcastAreaIdentifier, append([]byte{0}, r.word(20)...))
		d.TLVs = pdu.AppendTLV(d.TLVs, pdu.TagBroadcastContentType, []byte{r.octet(3), 0, r.octet(8)})
		d.TLVs = pdu.AppendTLV16(d.TLVs, pdu.TagBroadcastRepNum, uint16(r.octet(200)))
		d.TLVs = pdu.AppendTLV(d.TLVs, pdu.TagBroadcastFrequencyInt, []byte{8, 0, r.octet(200)})
		return d
	}
	d.TLVs = r.tlvs(c)
	return d
}

func (r *source) dest() pdu.Dest {
	if r.IntN(4) == 0 {
		return pdu.Dest{List: true, Name: []byte("l" + r.word(18))}
	}
	return pdu.Dest{TON: 1, NPI: 1, Name: r.digits(1, 20)}
}

// tlvs are a few that belong to the PDU, in the order of their tags.
func (r *source) tlvs(c pdu.Command) (b []byte) {
	switch {
	case slices.Contains(bare, c):
		return nil
	case c == pdu.BindReceiverResp || c == pdu.BindTransmitterResp || c == pdu.BindTransceiverResp:
		return pdu.AppendTLV8(nil, pdu.TagSCInterfaceVersion, 0x34)
	case c == pdu.AlertNotification:
		return pdu.AppendTLV8(nil, pdu.TagMSAvailabilityStatus, r.octet(3))
	case c.IsResp():
		return nil
	}
	if r.IntN(3) == 0 {
		b = pdu.AppendTLVString(b, pdu.TagReceiptedMessageID, []byte(r.word(30)+"8"))
	}
	if r.IntN(2) == 0 {
		b = pdu.AppendTLV16(b, pdu.TagUserMessageReference, uint16(r.Uint32()))
	}
	if r.IntN(3) == 0 {
		b = pdu.AppendTLV16(b, pdu.TagDestinationPort, uint16(r.Uint32()))
	}
	if r.IntN(3) == 0 {
		b = pdu.AppendTLV(b, pdu.TagNetworkErrorCode, []byte{3, 0, r.octet(200)})
	}
	if r.IntN(3) == 0 {
		b = pdu.AppendTLV8(b, pdu.TagMessageState, r.octet(9))
	}
	return b
}

func (r *source) octet(n int) uint8 { return uint8(r.IntN(n)) }

// word is up to n letters and digits.
func (r *source) word(n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	b := make([]byte, r.IntN(n+1))
	for i := range b {
		b[i] = letters[r.IntN(len(letters))]
	}
	return string(b)
}

func (r *source) digits(from, to int) []byte {
	b := make([]byte, from+r.IntN(to-from+1))
	for i := range b {
		b[i] = '0' + r.octet(10)
	}
	return b
}

func (r *source) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = r.octet(256)
	}
	return b
}

func (r *source) time() []byte {
	return []byte([]string{"", "", "261123120000004+", "271231235959948-", "000002000000000R", "000100120030000R"}[r.IntN(6)])
}
