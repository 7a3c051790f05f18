package ledger

// Replace is what a replace_sm changes of a message that waits: all that follows from its new PDU.
type Replace struct {
	Parts      uint8
	Registered uint8
	Price      Micro // of all parts; held instead of the former
	ValidUntil int64
	Due        int64
	PDU        []byte
}

// ReplacePDUOffset is where the PDU stands behind the start of a REPLACE body.
const ReplacePDUOffset = 2 + 3*8

// AppendReplace writes a REPLACE record.
func AppendReplace(b []byte, worker uint8, id MsgID, at int64, p *Replace) []byte {
	start := len(b)
	b = openRecord(b, KindReplace, worker, 0, id, at)
	b = append(b, p.Parts, p.Registered)
	b = le.AppendUint64(b, uint64(p.Price))
	b = le.AppendUint64(b, uint64(p.ValidUntil))
	b = le.AppendUint64(b, uint64(p.Due))
	b = append(b, p.PDU...)
	return sealRecord(b, start)
}

// Replace decodes a REPLACE body.
func (r *Record) Replace(p *Replace) bool {
	d := reader{b: r.Body}
	p.Parts, p.Registered = d.u8(), d.u8()
	p.Price, p.ValidUntil, p.Due = Micro(d.i64()), d.i64(), d.i64()
	p.PDU = d.b
	return !d.bad
}

// Flags of an ACCEPT.
const (
	flagShortID = 1 << iota
	flagReplace
	flagAsked  // the record tells registered_delivery; records of the first layout leave it to the PDU
	flagConcat // the message is a part of a text
	flagOnce
	flagTransact
	flagBroadcast
)

// Asked says of an ACCEPT that it tells registered_delivery itself.
func (r *Record) Asked() bool { return r.Flags&flagAsked != 0 }

// Replaces says of an ACCEPT that the message takes the place of one that waits.
func (r *Record) Replaces() bool { return r.Flags&flagReplace != 0 }
