package ledger

// Action is what an OPERATOR record does to the messages it names.
type Action uint8

const (
	ActionHold       Action = iota + 1 // they wait until released, also over a restart
	ActionRelease                      // they go on from where they were held
	ActionReroute                      // their plan is void; the router makes another by the catalog in force
	ActionPurge                        // they end; each has a FINAL behind this record
	ActionReplay                       // receipts that were due once before are given to the client again
	ActionQuarantine                   // held because working on them ended the process twice
	actionEnd
)

var actionNames = [actionEnd]string{"", "hold", "release", "reroute", "purge", "replay", "quarantine"}

func (a Action) String() string {
	if a < actionEnd {
		return actionNames[a]
	}
	return "action?"
}

// Operator is a deed of an operator, with author and reason in his words. IDs are all of one lane.
type Operator struct {
	Action Action
	Author []byte // at most 255 octets, as Reason
	Reason []byte
	IDs    []MsgID
}

// MaxOperatorIDs bounds one record; a deed on more messages is several records.
const MaxOperatorIDs = 4096

// AppendOperator writes an OPERATOR record.
func AppendOperator(b []byte, at int64, p *Operator) []byte {
	start := len(b)
	b = openRecord(b, KindOperator, 0, 0, 0, at)
	b = append(b, byte(p.Action))
	b = appendBytes(b, p.Author)
	b = appendBytes(b, p.Reason)
	b = le.AppendUint32(b, uint32(len(p.IDs)))
	for _, id := range p.IDs {
		b = le.AppendUint64(b, uint64(id))
	}
	return sealRecord(b, start)
}

// Operator decodes an OPERATOR body; author and reason alias the block, IDs reuses p.IDs.
func (r *Record) Operator(p *Operator) bool {
	d := reader{b: r.Body}
	p.Action, p.Author, p.Reason = Action(d.u8()), d.bytes(), d.bytes()
	n := int(d.u32())
	if d.bad || n > MaxOperatorIDs || len(d.b) != 8*n || p.Action == 0 || p.Action >= actionEnd {
		return false
	}
	p.IDs = p.IDs[:0]
	for range n {
		p.IDs = append(p.IDs, MsgID(d.u64()))
	}
	return true
}
