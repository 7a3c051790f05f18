package ledger

// Shape says that a DISPATCH carries one part of its message, and how the parts were made: all of them, those after a
// restart too, must be cut from the same text in the same way. The zero Shape is of a message that goes whole.
type Shape struct {
	Of      uint8 // parts; 0: it goes whole
	Part    uint8 // this one, from 0
	Joined  uint8 // profile.Parts
	Coding  uint8 // data_coding of the parts
	Charset uint8 // text.Charset
	Ref     uint16
}

func (s *Shape) append(b []byte) []byte {
	if s.Of == 0 {
		return b
	}
	b = append(b, s.Of, s.Part, s.Joined, s.Coding, s.Charset)
	return le.AppendUint16(b, s.Ref)
}

func (s *Shape) read(d *reader) {
	s.Of, s.Part, s.Joined, s.Coding, s.Charset, s.Ref = d.u8(), d.u8(), d.u8(), d.u8(), d.u8(), d.u16()
	d.bad = d.bad || s.Part >= s.Of
}

// flagParted marks a DISPATCH, an ANSWER and a RECEIPT about one part of a message that we split: which one stands at
// the end.
const flagParted = 4
