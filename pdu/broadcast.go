package pdu

// A broadcast_sm (5.0 §4.4.1.1) has areas where a message has a destination. On its way through the ledger it is the
// submit_sm that says the same to a number which stands for its areas: the fields that both have are octet for octet the
// same, the areas are among the TLVs as they came, and protocol_id, which a broadcast has not, holds its priority_flag,
// whose 4 no submit_sm may have.

// broadcastPriorityTop is the highest priority_flag of a broadcast: 5.0 has one more for them.
const broadcastPriorityTop = 4

// broadcastStatus is what a value that means nothing is answered with, for the TLVs that have a status of their own.
var broadcastStatus = map[Tag]Status{
	TagBroadcastAreaIdentifier:   RInvBcastAreaFmt,
	TagBroadcastContentType:      RInvBcastCntType,
	TagBroadcastFrequencyInt:     RInvBcastFreqInt,
	TagBroadcastMessageClass:     RInvBcastMsgClass,
	TagBroadcastChannelIndicator: RInvBcastChanInd,
}

// Units of broadcast_frequency_interval (5.0 §4.8.4.11): as often as possible, and from seconds to years.
const (
	frequencyASAP  = 0x00
	frequencyFirst = 0x08
)

// CheckBroadcast judges the values of a broadcast_sm that Decode found whole: ROK, or what to answer it with. One that
// replaces another is none that we pass on.
func (d *PDU) CheckBroadcast() Status {
	switch {
	case d.Field("priority_flag").Number > broadcastPriorityTop:
		return RInvPrtFlg
	case d.Field("replace_if_present_flag").Number > 1:
		return RInvRepFlag
	case d.Field("replace_if_present_flag").Number == 1, len(d.Field("message_id").Octets) > 0:
		return RInvSubRep
	}
	for rest := d.TLVs; ; {
		t, v, next, ok := NextTLV(rest)
		if !ok {
			return ROK
		}
		if st, own := broadcastStatus[t]; own && t.Check(v) != ROK {
			return st
		}
		switch {
		case t == TagBroadcastFrequencyInt && v[0] != frequencyASAP && v[0] < frequencyFirst:
			return RInvBcastFreqInt
		case t == TagBroadcastAreaIdentifier && len(v) == 1: // a name, an arc or a polygon of nothing
			if v[0] == 0 {
				return RInvBcastAliasName
			}
			return RInvBcastAreaFmt
		}
		rest = next
	}
}

// AppendBroadcastKept writes the submit_sm that keeps the broadcast_sm d, to a number in E.164 digits.
func (d *PDU) AppendBroadcastKept(dst, number []byte) []byte {
	priority := d.Field("priority_flag").Number
	m := Submit{Service: d.Field("service_type").Octets, SrcTON: d.Field("source_addr_ton").Number, SrcNPI: d.Field("source_addr_npi").Number,
		Src: d.Field("source_addr").Octets, DstTON: 1, DstNPI: 1, Dst: number, Protocol: priority, Priority: min(priority, priorityTop),
		Schedule: d.Field("schedule_delivery_time").Octets, Validity: d.Field("validity_period").Octets,
		Coding: d.Field("data_coding").Number, DefaultMsg: d.Field("sm_default_msg_id").Number, TLVs: d.TLVs}
	return m.Append(dst, d.Sequence)
}

// AppendBroadcast writes the broadcast_sm that AppendBroadcastKept made m of, without vendor TLVs, which mean something
// only between two peers who agreed on them.
func (m *Message) AppendBroadcast(dst []byte) []byte {
	at := len(dst)
	dst = AppendHeader(dst, BroadcastSM, ROK, 0)
	dst = append(dst, m.p[HeaderLen:m.dst]...) // service_type and source
	dst = append(dst, 0, m.ProtocolID())       // message_id, priority_flag
	dst = append(dst, m.p[m.sched:m.reg]...)
	dst = append(dst, 0, m.DataCoding(), m.DefaultMsgID())
	return Finish(AppendTLVs(dst, m.TLVs(), func(t Tag) bool { return !t.Vendor() }), at)
}
