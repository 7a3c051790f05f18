package ledger

// Verb is what an operator ordered.
type Verb uint8

const (
	OrderPause  Verb = iota + 1 // a link takes nothing more; its sessions stay bound
	OrderDrain                  // a link takes nothing more, and unbinds when it is answered
	OrderResume                 // the end of either
	OrderBounce                 // a link is unbound and bound again
	OrderResend                 // a message in doubt goes out once more
	OrderDrop                   // a message in doubt ends as unknown
	orderEnd
)

var verbNames = [orderEnd]string{"", "pause", "drain", "resume", "bounce", "resend", "drop"}

func (v Verb) String() string {
	if v < orderEnd {
		return verbNames[v]
	}
	return "verb?"
}

// ParseVerb reads a verb; 0 is none.
func ParseVerb(s string) Verb {
	for v := OrderPause; v < orderEnd; v++ {
		if verbNames[v] == s {
			return v
		}
	}
	return 0
}

// OfLink says that the order is about a link, not a message.
func (v Verb) OfLink() bool { return v >= OrderPause && v <= OrderBounce }

// Order is an operator's word and whose it was. About a message the record carries its id; about a link it stands in
// lane 0 and names the carrier's number and the link's place in the catalog.
type Order struct {
	Verb    Verb
	Carrier uint16
	Link    uint16
	Author  []byte
}

// AppendOrder writes an ORDER record; id is 0 for orders about links.
func AppendOrder(b []byte, worker uint8, id MsgID, at int64, o *Order) []byte {
	start := len(b)
	b = openRecord(b, KindOrder, worker, 0, id, at)
	b = append(b, byte(o.Verb))
	b = le.AppendUint16(b, o.Carrier)
	b = le.AppendUint16(b, o.Link)
	b = appendBytes(b, o.Author)
	return sealRecord(b, start)
}

// Order decodes an ORDER body; Author aliases the block.
func (r *Record) Order(o *Order) bool {
	d := reader{b: r.Body}
	o.Verb, o.Carrier, o.Link = Verb(d.u8()), d.u16(), d.u16()
	o.Author = d.bytes()
	return !d.bad && o.Verb > 0 && o.Verb < orderEnd && o.Verb.OfLink() == (r.ID == 0)
}
