package ledger

// Receipt is a carrier's word on one message.
type Receipt struct {
	State    uint8 // message_state, SMPP 3.4 §5.2.28
	Inferred bool  // it resolved an in-doubt message without a known id
	Repeated bool  // the message had ended before; this moves no money and changes nothing
	Done     int64 // done date, unix ns; 0 unknown
	Cost     Micro // for carriers that charge on delivery
	Err      []byte
	ID       []byte // the carrier's id as the receipt wrote it
	Parted   bool   // it is about one part of a message that we split
	Part     uint8
}

// FlagRepeated marks a RECEIPT that came behind the one that decided.
const FlagRepeated = 2

// AppendReceipt writes a RECEIPT record.
func AppendReceipt(b []byte, worker uint8, id MsgID, at int64, p *Receipt) []byte {
	start := len(b)
	var flags uint8
	if p.Inferred {
		flags = 1
	}
	if p.Repeated {
		flags |= FlagRepeated
	}
	if p.Parted {
		flags |= flagParted
	}
	b = openRecord(b, KindReceipt, worker, flags, id, at)
	b = append(b, p.State)
	b = le.AppendUint64(b, uint64(p.Done))
	b = le.AppendUint64(b, uint64(p.Cost))
	b = appendBytes(b, p.Err)
	b = appendBytes(b, p.ID)
	if p.Parted {
		b = append(b, p.Part)
	}
	return sealRecord(b, start)
}

// Receipt decodes a RECEIPT body.
func (r *Record) Receipt(p *Receipt) bool {
	d := reader{b: r.Body}
	p.Inferred, p.Repeated = r.Flags&1 != 0, r.Flags&FlagRepeated != 0
	p.State, p.Done, p.Cost = d.u8(), d.i64(), Micro(d.i64())
	p.Err, p.ID = d.bytes(), d.bytes()
	if p.Parted, p.Part = r.Flags&flagParted != 0, 0; p.Parted {
		p.Part = d.u8()
	}
	return !d.bad
}
