package ledger

// MO is a message from a carrier for one of our clients; it is parked until the client takes it.
type MO struct {
	Account uint32
	Carrier uint16
	Notice  bool   // it is news of a message of the client's own: an intermediate notification
	PDU     []byte // deliver_sm as received
}

// MOPDUOffset is where the PDU stands behind the start of an MO body.
const MOPDUOffset = 4 + 2 + 2

// AppendMO writes an MO record.
func AppendMO(b []byte, worker uint8, id MsgID, at int64, m *MO) []byte {
	start := len(b)
	var flags uint8
	if m.Notice {
		flags = 1
	}
	b = openRecord(b, KindMO, worker, flags, id, at)
	b = le.AppendUint32(b, m.Account)
	b = le.AppendUint16(b, m.Carrier)
	b = append(b, 0, 0)
	b = append(b, m.PDU...)
	return sealRecord(b, start)
}

// MO decodes an MO body.
func (r *Record) MO(m *MO) bool {
	d := reader{b: r.Body}
	m.Account, m.Carrier, m.Notice = d.u32(), d.u16(), r.Flags&1 != 0
	d.u16()
	m.PDU = d.b
	return !d.bad
}
