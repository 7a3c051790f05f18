package pdu

import (
	"encoding/binary"
	"math/bits"
)

// Message is a lazy view over one submit_sm, deliver_sm or data_sm: the offsets of its fields, found in a single
// bounds-checked walk. It aliases the PDU and allocates nothing; Parse may be called again and again on one Message.
//
// The layout it indexes (3.4 §4.4.1, §4.6.1; data_sm, 3.4 §4.7.1, has only the fields marked *):
//
//	service_type*  source ton* npi* addr*  destination ton* npi* addr*  esm_class*  protocol_id  priority_flag
//	^16            ^src                    ^dst                         ^esm
//	schedule_delivery_time  validity_period  registered_delivery*  replace_if_present  data_coding*  default_msg_id
//	^sched                  ^valid           ^reg                                      ^coding
//	sm_length  short_message  TLVs*
//	           ^text          ^tlv ... end
//
// Mandatory fields have limits, so their offsets fit 16 bits; a message_payload may be 64 KiB, so end does not.
type Message struct {
	p                                        []byte
	src, dst, esm, sched, valid, reg, coding uint16
	text, tlv                                uint16
	end                                      uint32
	payload, payloadEnd                      uint32 // message_payload's value; payload 0 = absent
	command                                  Command
	vendor, ttl                              bool // holds vendor TLVs; holds qos_time_to_live
}

// Limits of C-octet strings, terminator included (3.4 §4.4.1). data_sm has room for longer addresses (3.4 §4.7.1).
const (
	serviceTypeLimit = 6
	addrLimit        = 21
	addrLimitData    = 65
	timeLimit        = 17
	messageIDLimit   = 65
)

// hollow is what a Message shows when the walk failed: a well-formed PDU in which every field is empty.
var hollow = [41]byte{}

func (m *Message) clear(c Command) {
	*m = Message{p: hollow[:], src: 17, dst: 20, esm: 23, sched: 26, valid: 27, reg: 28, coding: 30, text: 33, tlv: 33, end: 33, command: c}
}

// Parse indexes the PDU p, header and all, which must be one of the three commands (anything else is our bug and
// panics). The result is ROK or the command_status p is to be answered with:
//
//   - A field that does not end or the message that does not hold what it announces: RInvMsgLen. A field longer than
//     its limit: that field's own status. All fields then read as empty.
//   - A TLV that runs past the end, or octets that are no TLV: RInvTLVStream, and the TLVs before the damage stay
//     readable. A receipt is spared this (ROK): losing it would cost more than the damaged tail is worth. Up to three
//     zero octets at the end are a known habit of senders and dropped.
//   - A value the specification rules out: that field's status, with everything readable. Only what comes from an ESME
//     is held to this, that is submit_sm, and data_sm that is no receipt. The same goes for the length of a TLV (RInvTLVLen).
func (m *Message) Parse(p []byte) Status {
	if len(p) < HeaderLen || uint64(binary.BigEndian.Uint32(p)) != uint64(len(p)) {
		m.clear(0)
		return RInvCmdLen
	}
	c := Command(binary.BigEndian.Uint32(p[4:]))
	if c != SubmitSM && c != DeliverSM && c != DataSM {
		panic("pdu: Message.Parse of " + c.String())
	}
	*m = Message{p: p, command: c}
	if st := m.walk(); st != ROK {
		m.clear(c)
		return st
	}
	st := m.walkTLVs()
	switch fromESME := c == SubmitSM || c == DataSM && !m.IsReceipt() && !m.IsIntermediate(); {
	case fromESME && st == ROK:
		return m.check()
	case fromESME:
		return st
	case st == RInvTLVLen, m.IsReceipt(), m.IsIntermediate():
		return ROK
	}
	return st
}

// walk finds the mandatory fields.
func (m *Message) walk() Status {
	p, limit := m.p, addrLimit
	if m.command == DataSM {
		limit = addrLimitData
	}
	at, st := skipString(p, HeaderLen, serviceTypeLimit, RInvSerTyp)
	if st != ROK {
		return st
	}
	m.src = uint16(at)
	if at, st = skipString(p, at+2, limit, RInvSrcAdr); st != ROK {
		return st
	}
	m.dst = uint16(at)
	if at, st = skipString(p, at+2, limit, RInvDstAdr); st != ROK {
		return st
	}
	m.esm = uint16(at)
	if m.command == DataSM {
		m.sched, m.valid, m.reg, m.coding = uint16(at), uint16(at), uint16(at+1), uint16(at+2)
		m.text, m.tlv = uint16(at+3), uint16(at+3)
		if at+3 > len(p) {
			return RInvMsgLen
		}
		return ROK
	}
	m.sched = uint16(at + 3)
	if at, st = skipString(p, at+3, timeLimit, RInvSched); st != ROK {
		return st
	}
	m.valid = uint16(at)
	if at, st = skipString(p, at, timeLimit, RInvExpiry); st != ROK {
		return st
	}
	m.reg, m.coding, m.text = uint16(at), uint16(at+2), uint16(at+5)
	if at+5 > len(p) {
		return RInvMsgLen
	}
	if at += 5 + int(p[at+4]); at > len(p) {
		return RInvMsgLen
	}
	m.tlv = uint16(at)
	return ROK
}

// skipString steps over the C-octet string at p[at:]: the offset behind its NUL, or long when there is none within the
// limit, or RInvMsgLen when the PDU ends first.
func skipString(p []byte, at, limit int, long Status) (int, Status) {
	if at < len(p) && p[at] == 0 {
		return at + 1, ROK
	}
	end := min(at+limit, len(p))
	i := at
	for ; i+8 <= end; i += 8 { // eight at a time: strings here are too short to pay for a call to bytes.IndexByte
		if z := zeroOctets(binary.LittleEndian.Uint64(p[i:])); z != 0 {
			return i + bits.TrailingZeros64(z)/8 + 1, ROK
		}
	}
	for ; i < end; i++ {
		if p[i] == 0 {
			return i + 1, ROK
		}
	}
	if end == at+limit {
		return 0, long
	}
	return 0, RInvMsgLen
}

// zeroOctets has the high bit set in the lowest octet of x that is zero; octets above it may lie.
func zeroOctets(x uint64) uint64 { return (x - 0x0101010101010101) &^ x & 0x8080808080808080 }

// walkTLVs finds the end of the TLVs and what the hot path asks about them.
func (m *Message) walkTLVs() Status {
	p, at, bad := m.p, int(m.tlv), ROK
	for len(p)-at >= tlvHeader {
		tag := Tag(binary.BigEndian.Uint16(p[at:]))
		n := int(binary.BigEndian.Uint16(p[at+2:]))
		if at+tlvHeader+n > len(p) {
			break
		}
		switch {
		case tag == TagMessagePayload && m.payload == 0:
			m.payload, m.payloadEnd = uint32(at+tlvHeader), uint32(at+tlvHeader+n)
		case tag == TagQOSTimeToLive:
			m.ttl = true
		case tag.Vendor():
			m.vendor = true
		}
		if !tag.fits(n) {
			bad = RInvTLVLen
		}
		at += tlvHeader + n
	}
	m.end = uint32(at)
	if !padding(p[at:]) {
		return RInvTLVStream
	}
	return bad
}

// padding reports whether b may follow the last TLV: fewer octets than a TLV header, all zero.
func padding(b []byte) bool {
	if len(b) >= tlvHeader {
		return false
	}
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// PDU is what Parse was given.
func (m *Message) PDU() []byte      { return m.p }
func (m *Message) Command() Command { return m.command }

func (m *Message) ServiceType() []byte { return m.p[HeaderLen : m.src-1] }
func (m *Message) SrcTON() uint8       { return m.p[m.src] }
func (m *Message) SrcNPI() uint8       { return m.p[m.src+1] }
func (m *Message) SrcAddr() []byte     { return m.p[m.src+2 : m.dst-1] }
func (m *Message) DstTON() uint8       { return m.p[m.dst] }
func (m *Message) DstNPI() uint8       { return m.p[m.dst+1] }
func (m *Message) DstAddr() []byte     { return m.p[m.dst+2 : m.esm-1] }
func (m *Message) ESMClass() uint8     { return m.p[m.esm] }
func (m *Message) ProtocolID() uint8   { return m.short(m.esm + 1) }
func (m *Message) Priority() uint8     { return m.short(m.esm + 2) }

// Schedule and Validity are the times as sent, empty for NULL; ParseTime reads them.
func (m *Message) Schedule() []byte {
	if m.command == DataSM {
		return nil
	}
	return m.p[m.sched : m.valid-1]
}

func (m *Message) Validity() []byte {
	if m.command == DataSM {
		return nil
	}
	return m.p[m.valid : m.reg-1]
}

func (m *Message) RegisteredDelivery() uint8 { return m.p[m.reg] }
func (m *Message) ReplaceIfPresent() uint8   { return m.short(m.reg + 1) }
func (m *Message) DataCoding() uint8         { return m.p[m.coding] }
func (m *Message) DefaultMsgID() uint8       { return m.short(m.reg + 3) }
func (m *Message) ShortMessage() []byte      { return m.p[m.text:m.tlv] }

// short reads an octet data_sm does not have.
func (m *Message) short(at uint16) uint8 {
	if m.command == DataSM {
		return 0
	}
	return m.p[at]
}

// Offsets into PDU, for patching in place. data_sm has no priority_flag, schedule_delivery_time or validity_period: 0.
func (m *Message) OffESMClass() int   { return int(m.esm) }
func (m *Message) OffRegistered() int { return int(m.reg) }
func (m *Message) OffDataCoding() int { return int(m.coding) }
func (m *Message) OffTLV() int        { return int(m.tlv) }
func (m *Message) OffPriority() int   { return m.offShort(m.esm + 2) }
func (m *Message) OffSchedule() int   { return m.offShort(m.sched) }
func (m *Message) OffValidity() int   { return m.offShort(m.valid) }

func (m *Message) offShort(at uint16) int {
	if m.command == DataSM {
		return 0
	}
	return int(at)
}

// UserData is the text: short_message, else message_payload, else nil (5.0 §4.8.4.36). UDH included.
func (m *Message) UserData() []byte {
	if m.text < m.tlv {
		return m.p[m.text:m.tlv]
	}
	return m.Payload()
}

// Payload is message_payload's value, nil when that TLV is absent.
func (m *Message) Payload() []byte {
	if m.payload == 0 {
		return nil
	}
	return m.p[m.payload:m.payloadEnd:m.payloadEnd]
}

// TimeToLive is qos_time_to_live in seconds (5.0 §4.8.4.46); ok is false when it is absent.
func (m *Message) TimeToLive() (seconds uint32, ok bool) {
	if !m.ttl {
		return 0, false
	}
	v, ok := m.TLV(TagQOSTimeToLive)
	if !ok || len(v) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(v), true
}

// TLVs is the raw region of whole TLVs, without padding and damaged tail.
func (m *Message) TLVs() []byte { return m.p[m.tlv:m.end:m.end] }

// TLV is the value of the first TLV tagged t.
func (m *Message) TLV(t Tag) ([]byte, bool) { return FindTLV(m.TLVs(), t) }
