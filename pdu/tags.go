package pdu

import "fmt"

// Tags with the specification's names (3.4 §5.3.2, 5.0 §4.8.1).
const (
	TagDestAddrSubunit           Tag = 0x0005
	TagDestNetworkType           Tag = 0x0006
	TagDestBearerType            Tag = 0x0007
	TagDestTelematicsID          Tag = 0x0008
	TagSourceAddrSubunit         Tag = 0x000D
	TagSourceNetworkType         Tag = 0x000E
	TagSourceBearerType          Tag = 0x000F
	TagSourceTelematicsID        Tag = 0x0010
	TagQOSTimeToLive             Tag = 0x0017
	TagPayloadType               Tag = 0x0019
	TagAdditionalStatusInfoText  Tag = 0x001D
	TagReceiptedMessageID        Tag = 0x001E
	TagMSMsgWaitFacilities       Tag = 0x0030
	TagPrivacyIndicator          Tag = 0x0201
	TagSourceSubaddress          Tag = 0x0202
	TagDestSubaddress            Tag = 0x0203
	TagUserMessageReference      Tag = 0x0204
	TagUserResponseCode          Tag = 0x0205
	TagSourcePort                Tag = 0x020A
	TagDestinationPort           Tag = 0x020B
	TagSARMsgRefNum              Tag = 0x020C
	TagLanguageIndicator         Tag = 0x020D
	TagSARTotalSegments          Tag = 0x020E
	TagSARSegmentSeqnum          Tag = 0x020F
	TagSCInterfaceVersion        Tag = 0x0210
	TagCallbackNumPresInd        Tag = 0x0302
	TagCallbackNumAtag           Tag = 0x0303
	TagNumberOfMessages          Tag = 0x0304
	TagCallbackNum               Tag = 0x0381
	TagDPFResult                 Tag = 0x0420
	TagSetDPF                    Tag = 0x0421
	TagMSAvailabilityStatus      Tag = 0x0422
	TagNetworkErrorCode          Tag = 0x0423
	TagMessagePayload            Tag = 0x0424
	TagDeliveryFailureReason     Tag = 0x0425
	TagMoreMessagesToSend        Tag = 0x0426
	TagMessageState              Tag = 0x0427
	TagCongestionState           Tag = 0x0428
	TagUSSDServiceOp             Tag = 0x0501
	TagBroadcastChannelIndicator Tag = 0x0600
	TagBroadcastContentType      Tag = 0x0601
	TagBroadcastContentTypeInfo  Tag = 0x0602
	TagBroadcastMessageClass     Tag = 0x0603
	TagBroadcastRepNum           Tag = 0x0604
	TagBroadcastFrequencyInt     Tag = 0x0605
	TagBroadcastAreaIdentifier   Tag = 0x0606
	TagBroadcastErrorStatus      Tag = 0x0607
	TagBroadcastAreaSuccess      Tag = 0x0608
	TagBroadcastEndTime          Tag = 0x0609
	TagBroadcastServiceGroup     Tag = 0x060A
	TagBillingIdentification     Tag = 0x060B
	TagSourceNetworkID           Tag = 0x060D
	TagDestNetworkID             Tag = 0x060E
	TagSourceNodeID              Tag = 0x060F
	TagDestNodeID                Tag = 0x0610
	TagDestAddrNPResolution      Tag = 0x0611
	TagDestAddrNPInformation     Tag = 0x0612
	TagDestAddrNPCountry         Tag = 0x0613
	TagDisplayTime               Tag = 0x1201
	TagSMSSignal                 Tag = 0x1203
	TagMSValidity                Tag = 0x1204
	TagAlertOnMessageDelivery    Tag = 0x130C
	TagITSReplyType              Tag = 0x1380
	TagITSSessionInfo            Tag = 0x1383
)

// tagSpec is one row of the table below: how many octets a value may have, and the largest first octet that means
// something. Strings may come one octet short: senders disagree about the NUL.
type tagSpec struct {
	tag      Tag
	name     string
	min, max uint16
	top      uint8
	in34     uint8 // 3.4 §5.3.2.N defines it; 0: 3.4 does not have it
	in50     uint8 // 5.0 §4.8.4.N
}

var tagSpecs = [...]tagSpec{
	{TagDestAddrSubunit, "dest_addr_subunit", 1, 1, 4, 1, 23},
	{TagDestNetworkType, "dest_network_type", 1, 1, 8, 3, 26},
	{TagDestBearerType, "dest_bearer_type", 1, 1, 8, 5, 24},
	{TagDestTelematicsID, "dest_telematics_id", 2, 2, 255, 7, 29},
	{TagSourceAddrSubunit, "source_addr_subunit", 1, 1, 4, 2, 54},
	{TagSourceNetworkType, "source_network_type", 1, 1, 8, 4, 57},
	{TagSourceBearerType, "source_bearer_type", 1, 1, 8, 6, 55},
	{TagSourceTelematicsID, "source_telematics_id", 1, 2, 255, 8, 61}, // 1 by the text, 2 in common use
	{TagQOSTimeToLive, "qos_time_to_live", 4, 4, 255, 9, 46},
	{TagPayloadType, "payload_type", 1, 1, 1, 10, 44},
	{TagAdditionalStatusInfoText, "additional_status_info_text", 0, 256, 255, 11, 1},
	{TagReceiptedMessageID, "receipted_message_id", 0, 65, 255, 12, 47},
	{TagMSMsgWaitFacilities, "ms_msg_wait_facilities", 1, 1, 255, 13, 40},
	{TagPrivacyIndicator, "privacy_indicator", 1, 1, 3, 14, 45},
	{TagSourceSubaddress, "source_subaddress", 2, 23, 255, 15, 60},
	{TagDestSubaddress, "dest_subaddress", 2, 23, 255, 16, 28},
	{TagUserMessageReference, "user_message_reference", 2, 2, 255, 17, 62},
	{TagUserResponseCode, "user_response_code", 1, 1, 255, 18, 63},
	{TagSourcePort, "source_port", 2, 2, 255, 20, 59},
	{TagDestinationPort, "destination_port", 2, 2, 255, 21, 30},
	{TagSARMsgRefNum, "sar_msg_ref_num", 2, 2, 255, 22, 48},
	{TagLanguageIndicator, "language_indicator", 1, 1, 255, 19, 35},
	{TagSARTotalSegments, "sar_total_segments", 1, 1, 255, 23, 50},
	{TagSARSegmentSeqnum, "sar_segment_seqnum", 1, 1, 255, 24, 49},
	{TagSCInterfaceVersion, "sc_interface_version", 1, 1, 255, 25, 51},
	{TagCallbackNumPresInd, "callback_num_pres_ind", 1, 1, 15, 37, 17},
	{TagCallbackNumAtag, "callback_num_atag", 0, 65, 255, 38, 16},
	{TagNumberOfMessages, "number_of_messages", 1, 1, 99, 39, 43},
	{TagCallbackNum, "callback_num", 4, 19, 1, 36, 15},
	{TagDPFResult, "dpf_result", 1, 1, 1, 28, 32},
	{TagSetDPF, "set_dpf", 1, 1, 1, 29, 52},
	{TagMSAvailabilityStatus, "ms_availability_status", 1, 1, 2, 30, 39},
	{TagNetworkErrorCode, "network_error_code", 3, 3, 255, 31, 42},
	{TagMessagePayload, "message_payload", 0, 65535, 255, 32, 36},
	{TagDeliveryFailureReason, "delivery_failure_reason", 1, 1, 3, 33, 19},
	{TagMoreMessagesToSend, "more_messages_to_send", 1, 1, 1, 34, 38},
	{TagMessageState, "message_state", 1, 1, 9, 35, 37},
	{TagCongestionState, "congestion_state", 1, 1, 100, 0, 18},
	{TagUSSDServiceOp, "ussd_service_op", 1, 1, 255, 44, 64},
	{TagBroadcastChannelIndicator, "broadcast_channel_indicator", 1, 1, 1, 0, 7},
	{TagBroadcastContentType, "broadcast_content_type", 3, 3, 3, 0, 8},
	{TagBroadcastContentTypeInfo, "broadcast_content_type_info", 1, 255, 255, 0, 6},
	{TagBroadcastMessageClass, "broadcast_message_class", 1, 1, 3, 0, 12},
	{TagBroadcastRepNum, "broadcast_rep_num", 2, 2, 255, 0, 13},
	{TagBroadcastFrequencyInt, "broadcast_frequency_interval", 3, 3, 14, 0, 11},
	{TagBroadcastAreaIdentifier, "broadcast_area_identifier", 1, 101, 2, 0, 4},
	{TagBroadcastErrorStatus, "broadcast_error_status", 4, 4, 255, 0, 10},
	{TagBroadcastAreaSuccess, "broadcast_area_success", 1, 1, 255, 0, 5},
	{TagBroadcastEndTime, "broadcast_end_time", 16, 17, 255, 0, 9},
	{TagBroadcastServiceGroup, "broadcast_service_group", 1, 255, 255, 0, 14},
	{TagBillingIdentification, "billing_identification", 1, 1024, 255, 0, 3},
	{TagSourceNetworkID, "source_network_id", 6, 65, 255, 0, 56},
	{TagDestNetworkID, "dest_network_id", 6, 65, 255, 0, 25},
	{TagSourceNodeID, "source_node_id", 6, 6, 255, 0, 58},
	{TagDestNodeID, "dest_node_id", 6, 6, 255, 0, 27},
	{TagDestAddrNPResolution, "dest_addr_np_resolution", 1, 1, 2, 0, 22},
	{TagDestAddrNPInformation, "dest_addr_np_information", 10, 10, 255, 0, 21},
	{TagDestAddrNPCountry, "dest_addr_np_country", 1, 5, 255, 0, 20},
	{TagDisplayTime, "display_time", 1, 1, 2, 26, 31},
	{TagSMSSignal, "sms_signal", 2, 2, 255, 40, 53},
	{TagMSValidity, "ms_validity", 1, 4, 4, 27, 41},
	{TagAlertOnMessageDelivery, "alert_on_message_delivery", 0, 1, 3, 41, 2},
	{TagITSReplyType, "its_reply_type", 1, 1, 8, 42, 33},
	{TagITSSessionInfo, "its_session_info", 2, 2, 255, 43, 34},
}

// tagRows turns a tag into its row of tagSpecs plus one; 0 is a tag we do not know. All of the specifications' tags lie
// below 0x0614 or in 0x1200-0x13FF, so two dense tables answer in one load each.
var tagRows, tagRowsHigh = indexTags()

const (
	tagLowEnd    = 0x0614
	tagHighFirst = 0x1200
	tagHighEnd   = 0x1400
)

func indexTags() (low [tagLowEnd]uint8, high [tagHighEnd - tagHighFirst]uint8) {
	for i, s := range tagSpecs {
		if s.tag < tagLowEnd {
			low[s.tag] = uint8(i + 1)
		} else {
			high[s.tag-tagHighFirst] = uint8(i + 1)
		}
	}
	return low, high
}

// spec is nil for a tag the specifications do not define.
func (t Tag) spec() *tagSpec {
	row := uint8(0)
	switch {
	case t < tagLowEnd:
		row = tagRows[t]
	case t >= tagHighFirst && t < tagHighEnd:
		row = tagRowsHigh[t-tagHighFirst]
	}
	if row == 0 {
		return nil
	}
	return &tagSpecs[row-1]
}

// Section is where the specifications define t, "3.4 §5.3.2.32, 5.0 §4.8.4.36"; empty for a tag they do not.
func (t Tag) Section() string {
	s := t.spec()
	switch {
	case s == nil:
		return ""
	case s.in34 == 0:
		return fmt.Sprintf("5.0 §4.8.4.%d", s.in50)
	}
	return fmt.Sprintf("3.4 §5.3.2.%d, 5.0 §4.8.4.%d", s.in34, s.in50)
}

// Known reports whether the specifications define t.
func (t Tag) Known() bool { return t.spec() != nil }

// fits reports whether t may carry n octets; a tag we do not know may carry any number.
func (t Tag) fits(n int) bool {
	s := t.spec()
	return s == nil || n >= int(s.min) && n <= int(s.max)
}

// Check judges one value: RInvTLVLen, RInvTLVVal, or ROK. Values of unknown tags are always ROK.
func (t Tag) Check(v []byte) Status {
	s := t.spec()
	switch {
	case s == nil:
		return ROK
	case !t.fits(len(v)), t == TagMSValidity && len(v) != 1 && len(v) != 4:
		return RInvTLVLen
	case len(v) > 0 && v[0] > s.top, zeroSegment(t, v):
		return RInvTLVVal
	}
	return ROK
}

// zeroSegment finds the two counters that begin at 1 (3.4 §5.3.2.23, §5.3.2.24).
func zeroSegment(t Tag, v []byte) bool {
	return (t == TagSARTotalSegments || t == TagSARSegmentSeqnum) && v[0] == 0
}
