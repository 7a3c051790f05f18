package pdu

// kind is how a field stands on the wire (3.4 §3.1).
type kind uint8

const (
	octet    kind = iota // one-octet integer
	cstring              // C-octet string
	counted              // one-octet length, then that many octets: sm_length and short_message
	dests                // number_of_dests and its dest_address list (3.4 §4.5.1)
	failures             // no_unsuccess and its list (3.4 §4.5.2)
	names                // number_of_messages and as many message_ids (query_last_msgs_resp of 3.3)
)

// field is one mandatory parameter: its name, how it is written, how long it may be with its NUL, and the status that
// answers a longer one.
type field struct {
	name  string
	kind  kind
	limit int
	long  Status
}

// layout is one PDU: the oldest version that has it, where its table stands, its fields in order on the wire, and the
// TLVs it cannot do without. bare marks a PDU without TLVs.
type layout struct {
	since    uint8
	section  string
	fields   []field
	required []Tag
	bare     bool
}

// Runs of fields that several PDUs share.
var (
	fServiceType = []field{{"service_type", cstring, serviceTypeLimit, RInvSerTyp}}
	fSource      = source(addrLimit)
	fDest        = destination(addrLimit)
	fMessageID   = []field{{"message_id", cstring, messageIDLimit, RInvMsgID}}
	fTimes       = []field{{"schedule_delivery_time", cstring, timeLimit, RInvSched}, {"validity_period", cstring, timeLimit, RInvExpiry}}
	fText        = []field{{"short_message", counted, 255, RInvMsgLen}}
	fBind        = []field{
		{"system_id", cstring, bindLimit, RInvSysID}, {"password", cstring, bindLimit, RInvPaswd}, {"system_type", cstring, bindLimit, RInvSysTyp},
		{"interface_version", octet, 1, ROK}, {"addr_ton", octet, 1, ROK}, {"addr_npi", octet, 1, ROK},
		{"address_range", cstring, bindLimit, RBindFail}}
	fBindResp = fBind[:1]
	fSubmit   = join(octets("esm_class", "protocol_id", "priority_flag"), fTimes,
		octets("registered_delivery", "replace_if_present_flag", "data_coding", "sm_default_msg_id"), fText)
)

func source(limit int) []field {
	return []field{{"source_addr_ton", octet, 1, ROK}, {"source_addr_npi", octet, 1, ROK}, {"source_addr", cstring, limit, RInvSrcAdr}}
}

func destination(limit int) []field {
	return []field{{"dest_addr_ton", octet, 1, ROK}, {"dest_addr_npi", octet, 1, ROK}, {"destination_addr", cstring, limit, RInvDstAdr}}
}

func octets(names ...string) []field {
	f := make([]field, len(names))
	for i, n := range names {
		f[i] = field{n, octet, 1, ROK}
	}
	return f
}

func join(runs ...[]field) []field {
	var f []field
	for _, r := range runs {
		f = append(f, r...)
	}
	return f
}

// layouts is the whole of SMPP. The section is that of the oldest of the two specifications that has it. A response missing its fields is legal: see Decode.
var layouts = map[Command]layout{
	BindReceiver:        {since: Version33, section: "3.4 §4.1.3", fields: fBind},
	BindTransmitter:     {since: Version33, section: "3.4 §4.1.1", fields: fBind},
	BindTransceiver:     {since: Version34, section: "3.4 §4.1.5", fields: fBind},
	BindReceiverResp:    {since: Version33, section: "3.4 §4.1.4", fields: fBindResp},
	BindTransmitterResp: {since: Version33, section: "3.4 §4.1.2", fields: fBindResp},
	BindTransceiverResp: {since: Version34, section: "3.4 §4.1.6", fields: fBindResp},
	Outbind:             {since: Version34, section: "3.4 §4.1.7", fields: fBind[:2], bare: true},
	Unbind:              {since: Version33, section: "3.4 §4.2.1", bare: true},
	UnbindResp:          {since: Version33, section: "3.4 §4.2.2"},
	GenericNack:         {since: Version33, section: "3.4 §4.3.1"},
	SubmitSM:            {since: Version33, section: "3.4 §4.4.1", fields: join(fServiceType, fSource, fDest, fSubmit)},
	SubmitSMResp:        {since: Version33, section: "3.4 §4.4.2", fields: fMessageID},
	SubmitMulti: {since: Version33, section: "3.4 §4.5.1", fields: join(fServiceType, fSource,
		[]field{{"dest_address", dests, addrLimit, RInvDstAdr}}, fSubmit)},
	SubmitMultiResp: {since: Version33, section: "3.4 §4.5.2", fields: join(fMessageID,
		[]field{{"unsuccess_sme", failures, addrLimit, RInvDstAdr}})},
	DeliverSM:     {since: Version33, section: "3.4 §4.6.1", fields: join(fServiceType, fSource, fDest, fSubmit)},
	DeliverSMResp: {since: Version33, section: "3.4 §4.6.2", fields: fMessageID},
	DataSM: {since: Version34, section: "3.4 §4.7.1", fields: join(fServiceType, source(addrLimitData), destination(addrLimitData),
		octets("esm_class", "registered_delivery", "data_coding"))},
	DataSMResp: {since: Version34, section: "3.4 §4.7.2", fields: fMessageID},
	QuerySM:    {since: Version33, section: "3.4 §4.8.1", fields: join(fMessageID, fSource)},
	QuerySMResp: {since: Version33, section: "3.4 §4.8.2", fields: join(fMessageID,
		[]field{{"final_date", cstring, timeLimit, RInvMsgLen}}, octets("message_state", "error_code"))},
	CancelSM:     {since: Version33, section: "3.4 §4.9.1", fields: join(fServiceType, fMessageID, fSource, fDest)},
	CancelSMResp: {since: Version33, section: "3.4 §4.9.2"},
	ReplaceSM: {since: Version33, section: "3.4 §4.10.1", fields: join(fMessageID, fSource, fTimes,
		octets("registered_delivery", "sm_default_msg_id"), fText)},
	ReplaceSMResp:   {since: Version33, section: "3.4 §4.10.2"},
	EnquireLink:     {since: Version33, section: "3.4 §4.11.1", bare: true},
	EnquireLinkResp: {since: Version33, section: "3.4 §4.11.2"},
	AlertNotification: {since: Version34, section: "3.4 §4.12.1", fields: join(source(addrLimitData), octets("esme_addr_ton", "esme_addr_npi"),
		[]field{{"esme_addr", cstring, addrLimitData, RInvDstAdr}})},
	BroadcastSM: {since: Version50, section: "5.0 §4.4.1.1", fields: join(fServiceType, fSource, fMessageID, octets("priority_flag"), fTimes,
		octets("replace_if_present_flag", "data_coding", "sm_default_msg_id")),
		required: []Tag{TagBroadcastAreaIdentifier, TagBroadcastContentType, TagBroadcastRepNum, TagBroadcastFrequencyInt}},
	BroadcastSMResp:       {since: Version50, section: "5.0 §4.4.1.2", fields: fMessageID},
	QueryBroadcastSM:      {since: Version50, section: "5.0 §4.6.1.1", fields: join(fMessageID, fSource)},
	QueryBroadcastSMResp:  {since: Version50, section: "5.0 §4.6.1.3", fields: fMessageID},
	CancelBroadcastSM:     {since: Version50, section: "5.0 §4.6.2.1", fields: join(fServiceType, fMessageID, fSource)},
	CancelBroadcastSMResp: {since: Version50, section: "5.0 §4.6.2"},

	// What only 3.3 has, as two implementations of it read it that know nothing of each other (smppapi in Java, and a decoder in
	// C++); they agree in every field. How long a parameter may be neither says.
	ParamRetrieve:     {since: Version33, section: "3.3", fields: []field{{"param_name", cstring, paramLimit, RInvMsgLen}}, bare: true},
	ParamRetrieveResp: {since: Version33, section: "3.3", fields: []field{{"param_value", cstring, paramLimit, RInvMsgLen}}},
	QueryLastMsgs:     {since: Version33, section: "3.3", fields: join(fSource, octets("number_of_messages")), bare: true},
	QueryLastMsgsResp: {since: Version33, section: "3.3", fields: []field{{"message_ids", names, messageIDLimit, RInvMsgID}}},
	QueryMsgDetails:   {since: Version33, section: "3.3", fields: join(fMessageID, fSource, octets("sm_length")), bare: true},
	QueryMsgDetailsResp: {since: Version33, section: "3.3", fields: join(fServiceType, fSource, []field{{"dest_address", dests, addrLimit, RInvDstAdr}},
		octets("protocol_id", "priority_flag"), fTimes, octets("registered_delivery", "data_coding"), fText, fMessageID,
		[]field{{"final_date", cstring, timeLimit, RInvMsgLen}}, octets("message_state", "error_code"))},
}

// paramLimit is the longest name or value of a parameter, with its NUL, that is read.
const paramLimit = 256

// Since is the oldest interface version that has c, 0 for a command nobody defines.
func (c Command) Since() uint8 { return layouts[c].since }
