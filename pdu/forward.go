package pdu

// Hop is what changes when an accepted message goes on to the next peer.
type Hop struct {
	Sequence   uint32
	Priority   uint8
	Validity   []byte // SMPP time, at most 16 octets; empty = NULL
	Registered uint8
	VendorTLVs bool   // keep 0x1400-0x3FFF; they mean something only between two peers who agreed on them
	Deliver    bool   // we are the SMSC of the peer: it gets a deliver_sm
	NoTLVs     bool   // the peer is bound as 3.3: drop all of them. See FitsWithoutTLVs
	Dst        []byte // E.164 digits to address instead of what the client wrote, as TON 1 NPI 1; empty keeps the client's
}

// International reports whether destination_addr is digits that read as an E.164 number as they stand: no sign, no
// prefix and no TON that asks for one. 3.4 §5.2.5, §5.2.8.
func (m *Message) International() bool {
	a := m.DstAddr()
	return m.DstTON() <= 1 && len(a) > 0 && a[0] >= '1' && a[0] <= '9'
}

// maxShort is the largest short_message 3.4 allows (3.4 §5.2.21).
const maxShort = 254

// FitsWithoutTLVs reports whether m can be forwarded with NoTLVs and lose no text: a message_payload that is short
// enough becomes the short_message, a longer one cannot be sent to such a peer.
func (m *Message) FitsWithoutTLVs() bool { return len(m.UserData()) <= maxShort || m.payload == 0 }

// AppendForward writes the copy of m for the next hop. Sequence, priority, validity and registered_delivery are the
// hop's, the schedule is emptied (we waited for it already), replace_if_present_flag is 0 (what is to be replaced was
// looked for among the client's own messages; at the next hop all clients are one, and one would replace another's),
// qos_time_to_live goes where a validity replaces it (it would override it, 5.0 §4.8.4.46), vendor TLVs go unless
// kept, and the destination is the hop's if it names one.
// Everything else is m's, octet for octet. A data_sm
// leaves as the submit_sm that says the same, since data_sm has no field for the validity left.
func AppendForward(dst []byte, m *Message, h *Hop) []byte {
	p, at, c := m.p, len(dst), m.command
	switch {
	case h.Deliver:
		c = DeliverSM
	case c == DataSM:
		c = SubmitSM
	}
	dst = AppendHeader(dst, c, ROK, h.Sequence)
	from := uint16(HeaderLen)
	if len(h.Dst) > 0 {
		dst = append(append(dst, p[HeaderLen:m.dst]...), 1, 1)
		dst = append(append(dst, h.Dst...), 0)
		from = m.esm
	}
	if m.command == DataSM {
		dst = append(dst, p[from:m.esm+1]...)
		dst = append(dst, 0, h.Priority, 0)
	} else {
		dst = append(dst, p[from:m.esm+2]...)
		dst = append(dst, h.Priority, 0)
	}
	dst[len(dst)-4] = forwardClass(dst[len(dst)-4])
	dst = append(dst, h.Validity...)
	dst = append(dst, 0, h.Registered, 0, m.DataCoding(), m.DefaultMsgID())
	dst = m.appendText(dst, h)
	return Finish(dst, at)
}

// forwardClass is esm_class for the next hop: datagram and transaction mode are between the client and us.
func forwardClass(c uint8) uint8 {
	if mode := c & 3; mode == 1 || mode == 2 {
		return c &^ 3
	}
	return c
}

// appendText writes sm_length, short_message and the TLVs.
func (m *Message) appendText(dst []byte, h *Hop) []byte {
	if h.NoTLVs {
		t := m.UserData()
		if len(t) > 255 {
			t = nil
		}
		return append(append(dst, byte(len(t))), t...)
	}
	dst = append(dst, byte(m.tlv-m.text))
	dropTTL := m.ttl && len(h.Validity) > 0
	if !dropTTL && (h.VendorTLVs || !m.vendor) {
		return append(dst, m.p[m.text:m.end]...)
	}
	dst = append(dst, m.p[m.text:m.tlv]...)
	for b := m.TLVs(); ; {
		t, v, rest, ok := NextTLV(b)
		if !ok {
			return dst
		}
		if !(t.Vendor() && !h.VendorTLVs) && !(t == TagQOSTimeToLive && dropTTL) {
			dst = append(dst, b[:tlvHeader+len(v)]...)
		}
		b = rest
	}
}
