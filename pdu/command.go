package pdu

import "fmt"

// Command is a command_id (3.4 §5.1.2.1, 5.0 §4.7.5).
type Command uint32

// respBit tells a response from its request.
const respBit Command = 0x80000000

// Requests, and the two that are neither asked nor answered: outbind and alert_notification.
const (
	BindReceiver      Command = 0x00000001
	BindTransmitter   Command = 0x00000002
	QuerySM           Command = 0x00000003
	SubmitSM          Command = 0x00000004
	DeliverSM         Command = 0x00000005
	Unbind            Command = 0x00000006
	ReplaceSM         Command = 0x00000007
	CancelSM          Command = 0x00000008
	BindTransceiver   Command = 0x00000009
	Outbind           Command = 0x0000000B
	EnquireLink       Command = 0x00000015
	SubmitMulti       Command = 0x00000021
	AlertNotification Command = 0x00000102
	DataSM            Command = 0x00000103
	BroadcastSM       Command = 0x00000111
	QueryBroadcastSM  Command = 0x00000112
	CancelBroadcastSM Command = 0x00000113
)

// Requests that only SMPP 3.3 has. They can be read and written, and are answered as what 3.4 does not know: see Known.
const (
	ParamRetrieve       Command = 0x00000022
	QueryLastMsgs       Command = 0x00000023
	QueryMsgDetails     Command = 0x00000024
	ParamRetrieveResp           = ParamRetrieve | respBit
	QueryLastMsgsResp           = QueryLastMsgs | respBit
	QueryMsgDetailsResp         = QueryMsgDetails | respBit
)

// Responses.
const (
	GenericNack           Command = 0x80000000
	BindReceiverResp              = BindReceiver | respBit
	BindTransmitterResp           = BindTransmitter | respBit
	QuerySMResp                   = QuerySM | respBit
	SubmitSMResp                  = SubmitSM | respBit
	DeliverSMResp                 = DeliverSM | respBit
	UnbindResp                    = Unbind | respBit
	ReplaceSMResp                 = ReplaceSM | respBit
	CancelSMResp                  = CancelSM | respBit
	BindTransceiverResp           = BindTransceiver | respBit
	EnquireLinkResp               = EnquireLink | respBit
	SubmitMultiResp               = SubmitMulti | respBit
	DataSMResp                    = DataSM | respBit
	BroadcastSMResp               = BroadcastSM | respBit
	QueryBroadcastSMResp          = QueryBroadcastSM | respBit
	CancelBroadcastSMResp         = CancelBroadcastSM | respBit
)

var commandNames = map[Command]string{
	BindReceiver: "bind_receiver", BindTransmitter: "bind_transmitter", QuerySM: "query_sm", SubmitSM: "submit_sm",
	DeliverSM: "deliver_sm", Unbind: "unbind", ReplaceSM: "replace_sm", CancelSM: "cancel_sm",
	BindTransceiver: "bind_transceiver", Outbind: "outbind", EnquireLink: "enquire_link", SubmitMulti: "submit_multi",
	AlertNotification: "alert_notification", DataSM: "data_sm", BroadcastSM: "broadcast_sm",
	QueryBroadcastSM: "query_broadcast_sm", CancelBroadcastSM: "cancel_broadcast_sm",
	GenericNack: "generic_nack", BindReceiverResp: "bind_receiver_resp", BindTransmitterResp: "bind_transmitter_resp",
	QuerySMResp: "query_sm_resp", SubmitSMResp: "submit_sm_resp", DeliverSMResp: "deliver_sm_resp",
	UnbindResp: "unbind_resp", ReplaceSMResp: "replace_sm_resp", CancelSMResp: "cancel_sm_resp",
	BindTransceiverResp: "bind_transceiver_resp", EnquireLinkResp: "enquire_link_resp",
	SubmitMultiResp: "submit_multi_resp", DataSMResp: "data_sm_resp", BroadcastSMResp: "broadcast_sm_resp",
	QueryBroadcastSMResp: "query_broadcast_sm_resp", CancelBroadcastSMResp: "cancel_broadcast_sm_resp",
	ParamRetrieve: "param_retrieve", QueryLastMsgs: "query_last_msgs", QueryMsgDetails: "query_msg_details",
	ParamRetrieveResp: "param_retrieve_resp", QueryLastMsgsResp: "query_last_msgs_resp", QueryMsgDetailsResp: "query_msg_details_resp",
}

// String is the specification's name, "submit_sm", or the number in hex for a command it does not define.
func (c Command) String() string {
	if n, ok := commandNames[c]; ok {
		return n
	}
	return fmt.Sprintf("0x%08x", uint32(c))
}

// Resp is the response a request is answered with. outbind and alert_notification have none: ask Known of the result.
func (c Command) Resp() Command { return c | respBit }

// IsResp reports whether c is a response; generic_nack is one.
func (c Command) IsResp() bool { return c&respBit != 0 }

// Known reports whether SMPP 3.4 or 5.0 defines c. The answer to an unknown request is generic_nack ESME_RINVCMDID: so to
// one that only 3.3 has, which no ESME met today sends.
func (c Command) Known() bool {
	switch r := c &^ respBit; {
	case r == 0:
		return c == GenericNack
	case r <= BindTransceiver, r == EnquireLink, r == SubmitMulti, r == DataSM, r >= BroadcastSM && r <= CancelBroadcastSM:
		return true
	case r == Outbind, r == AlertNotification:
		return !c.IsResp()
	}
	return false
}
