package pdu

// Bits of esm_class (3.4 §5.2.12).
const (
	ESMReceipt      = 0x04
	ESMDeliveryAck  = 0x08
	ESMUserAck      = 0x10
	ESMAbort        = 0x18
	ESMIntermediate = 0x20
	ESMUDHI         = 0x40
	ESMReplyPath    = 0x80

	typeDefault = 0
	typeMask    = 0x3C
)

func (m *Message) messageType() uint8 { return m.p[m.esm] & typeMask }

// IsReceipt reports whether this is an SMSC delivery receipt: the message type bits say so, whatever mode and GSM bits
// stand beside them, and it comes from an SMSC.
func (m *Message) IsReceipt() bool {
	return m.messageType() == ESMReceipt && m.command != SubmitSM
}

// IsIntermediate reports whether this is an intermediate notification, a receipt before the final one.
func (m *Message) IsIntermediate() bool {
	return m.messageType() == ESMIntermediate && m.command != SubmitSM
}

// UDHI reports whether the user data begins with a user data header.
func (m *Message) UDHI() bool { return m.p[m.esm]&ESMUDHI != 0 }

// Sets of values, as bit masks: TON 3.4 §5.2.5, NPI 3.4 §5.2.6.
const (
	tonSet = 1<<7 - 1
	npiSet = 1<<0 | 1<<1 | 1<<3 | 1<<4 | 1<<6 | 1<<8 | 1<<9 | 1<<10 | 1<<14 | 1<<18

	priorityTop   = 3
	registeredSet = 0x3F // the 3.4 text calls intermediate notification bit 5 and its mask bit 4: either is let through
)

// submitTypes are the message types an ESME may send: default, delivery acknowledgement, user acknowledgement.
const submitTypes = 1<<typeDefault | 1<<ESMDeliveryAck | 1<<ESMUserAck

func in(set uint64, v uint8) bool { return v < 64 && set>>v&1 != 0 }

// check holds what an ESME sends to the values the specification allows: the message as a whole, then source,
// destination, times.
func (m *Message) check() Status {
	p := m.p
	if !in(submitTypes, m.messageType()) {
		return RInvEsmClass
	}
	if m.payload < m.payloadEnd && m.text < m.tlv {
		return RInvMsgLen
	}
	if p[m.esm]&ESMUDHI != 0 && UDHLen(m.UserData()) == 0 {
		return RInvEsmClass
	}
	if p[m.reg]&^registeredSet != 0 {
		return RInvRegDlvFlg
	}
	switch {
	case !in(tonSet, p[m.src]):
		return RInvSrcTON
	case !in(npiSet, p[m.src+1]):
		return RInvSrcNPI
	case !in(tonSet, p[m.dst]):
		return RInvDstTON
	case !in(npiSet, p[m.dst+1]):
		return RInvDstNPI
	}
	if m.command == DataSM {
		if _, told := m.TLV(TagReceiptedMessageID); m.payload == 0 && !told { // a receipt, whatever esm_class says
			return RMissingTLV
		}
		return ROK
	}
	return m.checkSubmit()
}

// checkSubmit judges what only submit_sm has.
func (m *Message) checkSubmit() Status {
	p := m.p
	switch {
	case p[m.esm+2] > priorityTop:
		return RInvPrtFlg
	case m.valid-m.sched > 1 && !validTime(m.Schedule()):
		return RInvSched
	case m.reg-m.valid > 1 && !validTime(m.Validity()):
		return RInvExpiry
	case p[m.reg+1] > 1:
		return RInvRepFlag
	case p[m.reg+3] != 0: // canned messages are not kept here, and would be lost on the way to a carrier
		return RInvDftMsgID
	}
	return ROK
}

// UDHLen is the size of the user data header b begins with, its length octet included, or 0 when what is there is not
// a whole header: empty, longer than b, or its elements do not fill it exactly (3GPP TS 23.040 §9.2.3.24).
func UDHLen(b []byte) int {
	if len(b) == 0 || b[0] == 0 || int(b[0]) >= len(b) {
		return 0
	}
	end := int(b[0]) + 1
	at := 1
	for at+2 <= end {
		at += 2 + int(b[at+1])
	}
	if at != end {
		return 0
	}
	return end
}
